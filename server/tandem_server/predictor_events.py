"""What passes between a conversation and whoever loads its learned strategy. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tandem_server.stages.entrain import Strategy


@dataclass(frozen=True, slots=True)
class LoadPredictor:
    """`neural` is asked for: load its model, once for all; answer with PredictorLoaded."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A strategy that was trained."""

    strategy: Strategy
    name: str
    """Of the model, for the record"""


@dataclass(frozen=True, slots=True)
class PredictorLoaded:
    """It is there, or why not."""

    learned: Learned | None
    error: str | None = None
