"""Recorded conversations for the tests of the reports."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tandem_models.prosody import NAMES
from tandem_server.record.records import ConversationRecord, TurnRecord

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


def user_turn(
    name: str,
    index: int,
    level: dict[str, float] | None,
    features: dict[str, float] | None = None,
    text: str = "something <b>secret</b>",
) -> TurnRecord:
    """A turn of the user at these levels."""
    flags: dict[str, object] = {} if level is None else {"level": level}
    at = 4000 * index
    return TurnRecord(
        f"{name}_{index}", name, index, "user", "i", at, at + 2000, text, features=features or {}, flags=flags
    )


def recorded(
    name: str,
    exchanges: int,
    gain: float = 0.7,
    seed: int = 1,
    *,
    strategy: str = "match",
    realised: float = 0.9,
    noise: float = 0.4,
    user: str | None = "ada",
) -> tuple[ConversationRecord, list[TurnRecord]]:
    """The user wanders, the agent is asked for `gain` of it and does `realised` of that."""
    dice, turns = np.random.default_rng(seed), []
    home = dice.normal(0.0, 0.8, len(NAMES))
    for exchange in range(exchanges):
        level = home + dice.normal(0.0, 0.8, len(NAMES))
        target, miss = gain * level, noise * dice.normal(size=len(NAMES))
        turns.append(user_turn(name, 2 * exchange, by_name(level)))
        at = 8000 * exchange + 4000
        agent = TurnRecord(
            f"{name}_a{exchange}",
            name,
            2 * exchange + 1,
            "agent",
            "i",
            at,
            at + 2000,
            "an answer",
            z=by_name(realised * target + miss),
            target_z=by_name(target),
            strategy=strategy,
        )
        turns.append(agent)
    settings = {"tandem": {"strategy": strategy, "strength": 1.0, "assignment": None}}
    return ConversationRecord(name, NOON, user, NOON, settings, {"voice": "fake"}, "0.1.0", "tandem-prosody-1"), turns


def by_name(values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(NAMES, values, strict=True)}
