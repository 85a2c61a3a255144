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
