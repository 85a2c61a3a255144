"""What was reported is safe: kill -9 at that moment loses nothing and leaves no process, and the next start goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .serving import FAKES, Served, serving, start, stop
from .talking import SILENCE, calling, tone


@pytest.fixture(params=["fakes", "pocketsphinx"])
def doomed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    settings = FAKES if request.param == "fakes" else {**FAKES, "asr": "pocketsphinx"}
    served = start(tmp_path / "data", **settings)
    yield served
    if served.alive:
        stop(served)
    assert served.process.stdout is not None
    served.process.stdout.close()


def kept(served: Served) -> list[tuple[str, str, str]]:
    """(role, text, status) of every turn in the file, in order."""
    with closing(sqlite3.connect(f"file:{served.database}?mode=ro", uri=True)) as database:
        return database.execute('SELECT role, text, status FROM turns ORDER BY "index"').fetchall()


@pytest.mark.parametrize("moment", ["conversation.item.input_audio_transcription.completed", "response.done"])
async def test_turn_that_was_reported_survives(doomed: Served, moment: str) -> None:
    async with calling(doomed.realtime) as caller:
        session = caller.events[0]["session"]["id"]
        await caller.hear(tone(1.0) + SILENCE)
        event = await caller.until(moment)
        doomed.children()
        doomed.process.send_signal(signal.SIGKILL)
    assert doomed.process.wait(10.0) == -signal.SIGKILL

    assert not doomed.none_left(), "children outlived the server"
    turns = kept(doomed)
    assert turns[0][0] == "user"
    assert turns[0][2] == "completed"
    if moment == "response.done":
        said = event["response"]["output"][0]["content"][0]["transcript"]
        assert turns[1:] == [("agent", said, "completed")]
    else:
        assert turns[0][1] == event["transcript"]

    with serving(doomed.folder, **FAKES) as again:
        listed = again.get("/v1/conversations").json()["data"]
        assert [one["id"] for one in listed] == [session]
        assert listed[0]["ended_at"] is None
        shown = again.get(f"/v1/conversations/{session}").json()["turns"]
        assert [(turn["role"], turn["text"], turn["status"]) for turn in shown] == turns
        async with calling(again.realtime) as caller:
            assert (await caller.turn(tone(1.0)))["response"]["status"] == "completed"
        assert len(again.get("/v1/conversations").json()["data"]) == 2


async def test_many_turns_survive(tmp_path: Path) -> None:
    served = start(tmp_path / "data", **FAKES)
    async with calling(served.realtime) as caller:
        for _ in range(5):
            await caller.turn(tone(0.6))
        served.children()
        served.process.kill()
    served.process.wait(10.0)
    assert served.process.stdout is not None
    served.process.stdout.close()

    assert not served.none_left()
    assert [role for role, *_ in kept(served)] == ["user", "agent"] * 5
    with closing(sqlite3.connect(served.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_damaged_rows_cost_neither_the_conversation_nor_the_list(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES) as served:
        async with calling(served.realtime) as caller:
            lost = caller.events[0]["session"]["id"]
        with closing(sqlite3.connect(served.database)) as database, database:
            database.execute("UPDATE conversations SET settings = '{'")
            database.execute("INSERT INTO speakers VALUES ('ada', '{', '[]', '2026-01-01 00:00:00')")

        async with calling(served.realtime) as caller:
            session = caller.events[0]["session"]["id"]
            await caller.update(tandem={"user_id": "ada"})
            told = await caller.until("error")
            assert told["error"]["code"] == "speaker_not_loaded"
            assert "'ada' in the table speakers is damaged" in told["error"]["message"]
            assert (await caller.turn(tone(1.0)))["response"]["status"] == "completed"
        with closing(sqlite3.connect(served.database)) as database:
            [(kept_now,)] = database.execute("SELECT normaliser FROM speakers").fetchall()
        assert "posterior" in kept_now

        answer = served.get("/v1/conversations").json()
        assert [one["id"] for one in answer["data"]] == [session]
        assert [lost in one for one in answer["damaged"]] == [True]
        assert served.get(f"/v1/conversations/{lost}").status_code == 503


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
async def test_records_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **{**FAKES, "data_dir": tmp_path / "records"}) as served:
        async with calling(served.realtime) as caller:
            await caller.type("hello")
        files = list((tmp_path / "records").glob("tandem.sqlite*"))
        assert {file.name for file in files} >= {"tandem.sqlite", "tandem.sqlite-wal"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert (tmp_path / "records").stat().st_mode & 0o777 == 0o700
