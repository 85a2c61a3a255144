"""Records for the tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord
from tandem_server.stages.protocols import Word

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


def conversation(name: str = "c1", minutes: int = 0) -> ConversationRecord:
    """A conversation that began so many minutes after noon."""
    return ConversationRecord(
        id=name,
        started_at=NOON + timedelta(minutes=minutes),
        user_id="anna",
        settings={"voice": "tandem", "turn_detection": {"silence_ms": 500}},
        engines={"asr": "fake"},
        software_version="0.1.0",
        extractor_version="tandem-prosody-1",
    )


def turn(index: int = 0, conversation_id: str = "c1") -> TurnRecord:
    """A turn with something in every field."""
    return TurnRecord(
        id=f"{conversation_id}-t{index}",
        conversation_id=conversation_id,
        index=index,
        role="agent" if index % 2 else "user",
        item_id=f"item{index}",
        started_ms=1000 * index,
        ended_ms=1000 * index + 900,
        text="Grüße, 你好 \U0001f600",
        heard_text="Grüße",
        words=(Word("Grüße,", 0.0, 0.5), Word("你好", 0.5, 0.9)),
        features={"pitch_mean": 8.25, "jitter": None},
        z={"pitch_mean": -0.5, "jitter": None},
        target={"pitch_mean": 9.0},
        target_z={"pitch_mean": 0.25},
        realised={"pitch_mean": 8.5},
        strategy="match",
        strategy_settings={"strength": 0.7, "mask": ["pitch_mean"]},
        latencies={"asr": 12.5, "voice": 80.0},
        status="interrupted",
        flags={"barge_in": True},
        created_at=NOON + timedelta(seconds=index),
    )


def speaker(user_id: str = "anna", mean: float = 1.5) -> SpeakerRecord:
    """A person whose pitch was heard a few times."""
    return SpeakerRecord(user_id, {"pitch_mean": {"mean": mean, "count": 3}}, {"low": 90.0, "high": 310.0}, NOON)
