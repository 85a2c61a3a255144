"""Records <-> rows. The wire and the core know records only; the tables may change without them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import JSON

from tandem_server.errors import DamagedRowError
from tandem_server.record.faults import damaged_row
from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnRecord
from tandem_server.record.tables import Conversation, Speaker, Turn
from tandem_server.stages.protocols import Word

T = TypeVar("T")
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
    """What was stored. Raises DamagedRowError for a row that somebody or something has damaged."""
    return read(row, ConversationRecord, {field.name: getattr(row, field.name) for field in fields(ConversationRecord)})


def turn_row(record: TurnRecord, created_at: datetime) -> Turn:
    """A row to insert or to merge."""
    values = columns(record)
    words = [[storable(word.text), word.start, word.end] for word in record.words]
    return Turn(**{**values, "words": words, "created_at": created_at})


def turn_record(row: Turn) -> TurnRecord:
    """What was stored. Raises DamagedRowError."""
    values = {field.name: getattr(row, field.name) for field in fields(TurnRecord)}
    words = row.words
    if not isinstance(words, list) or not all(isinstance(word, list) and len(word) == 3 for word in words):
        raise damaged(row, "its words are not [text, start, end]")
    return read(row, TurnRecord, {**values, "words": tuple(Word(*word) for word in words)})


def speaker_row(record: SpeakerRecord) -> Speaker:
    """A row to insert or to merge."""
    return Speaker(**columns(record))


def speaker_record(row: Speaker) -> SpeakerRecord:
    """What was stored. Raises DamagedRowError."""
    return read(row, SpeakerRecord, {field.name: getattr(row, field.name) for field in fields(SpeakerRecord)})


def read(row: Conversation | Turn | Speaker, kind: Callable[..., T], values: Mapping[str, Any]) -> T:
    """The record of a row's values, whose shapes nobody else checks: JSON columns hold whatever was written there.
    Raises DamagedRowError."""
    for column in row.__table__.columns:
        value = values.get(column.name)
        if isinstance(column.type, JSON) and column.name != "words" and not isinstance(value, dict):
            raise damaged(row, f"its {column.name} is not a JSON object")
    try:
        return kind(**values)
    except (TypeError, ValueError, AttributeError) as error:  # a number JSON cannot hold, a date that is none
        raise damaged(row, str(error)) from error


def damaged(row: Conversation | Turn | Speaker, told: str) -> DamagedRowError:
    """The error that names a row."""
    name = row.user_id if isinstance(row, Speaker) else row.id
    return damaged_row(row.__tablename__, str(name), told)


def columns(record: ConversationRecord | TurnRecord | SpeakerRecord) -> dict[str, Any]:
    """Field name -> value, texts made storable."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
