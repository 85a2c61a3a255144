"""Records refuse at birth what a database could not give back."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tandem_server.record import records

from .examples import NOON, conversation, speaker, turn


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="what is missing is None"):
        replace(turn(), features={"pitch_mean": bad})
    with pytest.raises(ValueError, match="words"):
        replace(turn(), words=(replace(turn().words[0], end=bad),))
    with pytest.raises(ValueError, match=r"settings\.a"):
        replace(conversation(), settings={"a": [1.0, {"b": bad}]})
    with pytest.raises(ValueError, match="normaliser"):
        replace(speaker(), normaliser={"mean": bad})


def test_a_turn_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        replace(turn(), started_ms=2, ended_ms=1)


def test_a_moment_has_a_time_zone() -> None:
    naive = datetime(2026, 6, 2, 12)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        replace(conversation(), started_at=naive)
    with pytest.raises(ValueError, match="time zone"):
        replace(turn(), created_at=naive)
    assert replace(turn(), created_at=None).created_at is None
    assert replace(conversation(), ended_at=NOON).ended_at == NOON


def test_records_know_no_database() -> None:
    tree = ast.parse(Path(records.__file__).read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not any(module.startswith(("sqlalchemy", "alembic", "tandem_server.record")) for module in modules)
