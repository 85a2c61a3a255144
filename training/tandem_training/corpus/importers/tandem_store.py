"""Tandem's own conversations: the server's SQLite store, read by SQL, never written, and `ID.wav` where there is one.

Training does not import the server: what is read are the columns of migration 0001. The features of the record are
taken over as they were measured live, under the extractor's version of their conversation. A recording is stereo, the
user in channel 0, on the session's clock, as `tandem talk --out` writes it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from tandem_training.corpus.dialogue import Dialogue, Measured, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Sounds, Track, heard

_CONVERSATIONS: Final = "SELECT id, user_id, extractor_version FROM conversations ORDER BY started_at, id"
_TURNS: Final = """
    SELECT role, started_ms, ended_ms, text, heard_text, words, features, status, flags
    FROM turns WHERE conversation_id = ? ORDER BY "index"
"""
_CHANNELS: Final = {"user": 0, "agent": 1}


def plan(root: Path, options: Options) -> list[Planned]:
    sounds = Sounds(options.sounds(root))
    planned: list[Planned] = []
    for path in find(root, "*.sqlite", "Tandem store"):
        planned += [
            Planned(row["id"], partial(_read, path, row["id"], row["user_id"], row["extractor_version"], sounds))
            for row in _query(path, _CONVERSATIONS)
        ]
    return planned


def _query(path: Path, sql: str, *values: str) -> list[sqlite3.Row]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise CorpusError(f"{path} is no store of Tandem ({error}); it is tandem.sqlite in the data folder") from error


def _read(path: Path, name: str, user: str | None, version: str, sounds: Sounds) -> Dialogue:
    audio = sounds.named(name)
    # One voice answers everybody: as one speaker it would hold all conversations together, and no split could be made.
    speakers = {"user": f"tandem:{user}" if user else f"{name}:user", "agent": f"{name}:agent"}
    segments = []
    for row in _query(path, _TURNS, name):
        flags = json.loads(row["flags"])
        if row["ended_ms"] == row["started_ms"]:  # typed, or cut off before it was heard
            continue
        start, end = row["started_ms"] / 1000.0, row["ended_ms"] / 1000.0
        segment = Segment(
            speakers[row["role"]],
            (row["text"] if row["heard_text"] is None else row["heard_text"]) or None,
            start,
            end,
            words=_words(row["words"], start, end),
            role=row["role"],
            flags=() if row["status"] == "completed" else (row["status"],),
            measured=_measured(json.loads(row["features"]), version, flags),
        )
        segments.append(heard(segment, Track(audio, _CHANNELS[row["role"]]) if audio else None))
    return Dialogue(name, segments, turns_as_they_are=True)


def _words(stored: str, start: float, end: float) -> tuple[Word, ...] | None:
    """Those that were said before the turn ended."""
    words = [(str(word), max(float(one), start), min(float(two), end)) for word, one, two in json.loads(stored)]
    return tuple(word for word in words if word[1] <= word[2]) or None


def _measured(features: dict[str, float | None], version: str, flags: dict[str, Any]) -> Measured | None:
    if not features or not version:
        return None
    return Measured(version, features, flags=tuple(str(flag) for flag in flags.get("prosody", ())))
