"""The tables. A column here and no migration fails `tests/server/record/test_migrations.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, else SQLite could not drop it in a later migration."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its zone in and UTC out; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of the tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcDateTime}  # noqa: RUF012


class Conversation(Table):
    """One conversation; see `ConversationRecord`."""

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_started_at", "started_at", "id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(255), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    settings: Mapped[dict[str, Any]]
    engines: Mapped[dict[str, Any]]
    software_version: Mapped[str] = mapped_column(String(64))
    extractor_version: Mapped[str] = mapped_column(String(64))


class Turn(Table):
    """One turn; see `TurnRecord`."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("conversation_id", "index"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    index: Mapped[int] = mapped_column(Integer)
    role: Mapped[str] = mapped_column(String(16))
    item_id: Mapped[str] = mapped_column(String(64))
    started_ms: Mapped[int]
    ended_ms: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    heard_text: Mapped[str | None] = mapped_column(Text)
    words: Mapped[list[Any]]
    """[[text, start, end], ...], seconds"""
    features: Mapped[dict[str, Any]]
    z: Mapped[dict[str, Any]]
    target: Mapped[dict[str, Any]]
    target_z: Mapped[dict[str, Any]]
    realised: Mapped[dict[str, Any]]
    strategy: Mapped[str | None] = mapped_column(String(64))
    strategy_settings: Mapped[dict[str, Any]]
    latencies: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16))
    flags: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Speaker(Table):
    """What is remembered of a person; see `SpeakerRecord`."""

    __tablename__ = "speakers"

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    normaliser: Mapped[dict[str, Any]]
    pitch_range: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]
