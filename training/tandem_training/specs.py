"""What each recipe can be told; unknown fields are refused. Light to import: pydantic and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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


class Run(BaseModel):
    """How long a network is trained, and how; everything in steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=12_000, ge=1)
    seed: int = 0
    learning_rate: float = Field(default=1e-3, gt=0.0, description="Reached after `warmup`, a tenth of it at the end.")
    warmup: int = Field(default=200, ge=1)
    validate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=200, ge=1)
    patience: int = Field(default=0, ge=0, description="Validations without a new best before it stops; 0 is never.")
    bfloat16: bool = Field(
        default=False, description="Multiply in 16 bits: nearly twice as fast on a processor that can (AVX-512 BF16)."
    )
    tensorboard: bool = Field(default=False, description="Write curves for TensorBoard (the train extra).")


class Voice(BaseModel):
    """Spec of `voice`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: Path = Field(description="Folder of the corpus: corpus.json, utterances.jsonl, wavs/.")
    cache: Path | None = Field(default=None, description="Folder for features that other runs share; else the job's.")
    start: Path | None = Field(default=None, description="Folder of a trained model whose weights to start from.")
    model: Literal["fastpros", "nat", "tacotron"] = Field(default="fastpros", description="Which acoustic model.")
    batch: int = Field(default=16, ge=1, description="Utterances of a step.")
    onnx: bool = Field(default=False, description="Export to ONNX as well (the train extra); fastpros only.")
    run: Run = Field(default=Run(), description="steps, seed, learning_rate, warmup, validate_every, ...")


class Vocoder(BaseModel):
    """Spec of `vocoder`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: Path = Field(description="Folder of the corpus: corpus.json, utterances.jsonl, wavs/.")
    cache: Path | None = Field(default=None, description="Folder for features that other runs share; else the job's.")
    start: Path | None = Field(default=None, description="Folder of a trained vocoder whose weights to start from.")
    batch: int = Field(default=8, ge=1, description="Segments of a step.")
    onnx: bool = Field(default=False, description="Export the network to ONNX as well (the train extra).")
    frames: int = Field(default=64, ge=16, description="Of a segment; 86 are a second.")
    run: Run = Field(default=Run(steps=20_000), description="steps, seed, learning_rate, warmup, validate_every, ...")
