"""Records <-> rows. The wire and the core know records only; the tables may change without them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord
from tandem_server.record.tables import Conversation, Speaker, Turn
from tandem_server.stages.protocols import Word

UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses, and lone surrogates, which have no UTF-8."""


def to_json(value: object) -> str:
    """The column's text. Raises ValueError for NaN or infinity, TypeError for what JSON does not know."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=plain)


def plain(value: object) -> object:
    """Any mapping as a dictionary."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def storable(text: str) -> str:
    """The text with what no database takes replaced by U+FFFD: a turn is never lost for one sign of it."""
    return UNSTORABLE.sub("\ufffd", text)


def conversation_row(record: ConversationRecord) -> Conversation:
    """A row to insert or to merge."""
    return Conversation(**columns(record))


def conversation_record(row: Conversation) -> ConversationRecord:
    """What was stored."""
    return ConversationRecord(**{field.name: getattr(row, field.name) for field in fields(ConversationRecord)})


def turn_row(record: TurnRecord, created_at: datetime) -> Turn:
    """A row to insert or to merge."""
    values = columns(record)
    words = [[storable(word.text), word.start, word.end] for word in record.words]
    return Turn(**{**values, "words": words, "created_at": created_at})


def turn_record(row: Turn) -> TurnRecord:
    """What was stored."""
    values = {field.name: getattr(row, field.name) for field in fields(TurnRecord)}
    return TurnRecord(**{**values, "words": tuple(Word(*word) for word in row.words)})


def speaker_row(record: SpeakerRecord) -> Speaker:
    """A row to insert or to merge."""
    return Speaker(**columns(record))


def speaker_record(row: Speaker) -> SpeakerRecord:
    """What was stored."""
    return SpeakerRecord(**{field.name: getattr(row, field.name) for field in fields(SpeakerRecord)})


def columns(record: ConversationRecord | TurnRecord | SpeakerRecord) -> dict[str, Any]:
    """Field name -> value, texts made storable."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
