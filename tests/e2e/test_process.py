"""The server as a process: it starts, or says in one line why not; told to end, it ends with all its children."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .serving import FAKES, Refused, Served, eventually, launch, refused, serving, start, stop, survivors
from .talking import calling, tone

LIMIT_S = 15.0
"""Seconds the server may take to end; its own limits add up to less."""


def ended_well(served: Served) -> None:
    """After the signal: in time, code 0, nothing on stderr but the log, nobody left."""
    assert served.process.wait(LIMIT_S) == 0
    assert "Traceback" not in served.log
    assert "Aborted" not in served.log
    assert not served.none_left()


@contextmanager
def own(folder: Path, **settings: object) -> Iterator[Served]:
    """A server that the test itself may end."""
    served = start(folder, **FAKES, **settings)
    try:
        yield served
    finally:
        if served.alive:
            stop(served)
        assert served.process.stdout is not None
        served.process.stdout.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Served]:
    with own(tmp_path / "data") as served:
        yield served


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_idle_server_ends_when_told(own_server: Served, how: signal.Signals) -> None:
    own_server.process.send_signal(how)

    ended_well(own_server)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_caller_is_told_that_the_server_goes(own_server: Served, how: signal.Signals) -> None:
    async with calling(own_server.realtime) as caller:
        await caller.hear(tone(0.5))
        await caller.until("input_audio_buffer.speech_started")
        own_server.children()
        own_server.process.send_signal(how)
        with pytest.raises(ConnectionClosed) as closed:
            await caller.until("never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    ended_well(own_server)


async def test_turn_that_was_open_at_the_end_is_recorded(own_server: Served, tmp_path: Path) -> None:
    async with calling(own_server.realtime) as caller:
        await caller.hear(tone(1.0))
        await caller.until("input_audio_buffer.speech_started")
        own_server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed):
            await caller.until("never")
    ended_well(own_server)
    with serving(tmp_path / "data", **FAKES) as again:
        newest = again.get("/v1/conversations").json()["data"][0]
        turns = again.get(f"/v1/conversations/{newest['id']}").json()["turns"]
        assert [(turn["role"], turn["text"]) for turn in turns] == [("user", "hello there")]
        assert newest["ended_at"] is not None


def test_real_engines_leave_no_process_behind(tmp_path: Path) -> None:
    served = start(tmp_path / "data", asr="pocketsphinx")
    assert served.pids
    assert served.process.stdout is not None
    served.process.stdout.close()

    served.process.send_signal(signal.SIGTERM)

    ended_well(served)


def test_server_ends_when_told_while_it_starts(tmp_path: Path) -> None:
    stderr = tmp_path / "stderr.txt"
    process = launch(tmp_path, {**FAKES, "asr": "pocketsphinx"}, stderr)
    parent = psutil.Process(process.pid)
    pids: set[int] = set()

    def begun() -> bool:
        pids.update(child.pid for child in parent.children(recursive=True))
        return bool(pids)

    assert eventually(begun)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 0
    assert process.stdout is not None
    process.stdout.close()
    assert "Traceback" not in stderr.read_text()
    assert not survivors(pids)


# --- starts that fail ------------------------------------------------------------------------------------------------


def one_clear_line(failed: Refused, *words: str) -> None:
    assert failed.code != 0
    assert "Traceback" not in failed.err
    assert len(failed.lines) == 1, failed.err
    assert failed.lines[0].startswith("tandem: ")
    for word in words:
        assert word in failed.lines[0]
    assert not failed.left


def test_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed = refused(tmp_path / "data", port=port, **FAKES)

    one_clear_line(failed, f"127.0.0.1:{port}", "--port")
    assert failed.code == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"asr": "vosk:/nowhere"}, ("/nowhere",)),
        ({"voice": "espeak:no-such-voice"}, ("no-such-voice",)),
        ({"response": "openai:"}, ("model",)),
        ({"host": "0.0.0.0"}, ("TANDEM_TOKEN",)),
        ({"host": "0.0.0.0", "token": ""}, ("TANDEM_TOKEN",)),
        ({"host": "203.0.113.1", "token": "secret"}, ("203.0.113.1",)),
        ({"strength": "7"}, ("TANDEM_STRENGTH",)),
        ({"hosts": "not json"}, ("TANDEM_HOSTS",)),
        ({"database_url": "nonsense"}, ("nonsense",)),
        ({"database_url": "sqlite:////proc/none/tandem.sqlite"}, ("/proc/none",)),
    ],
    ids=lambda value: "-".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
def test_start_that_cannot_be_is_said_in_one_line(
    tmp_path: Path, settings: dict[str, str], words: tuple[str, ...]
) -> None:
    one_clear_line(refused(tmp_path / "data", **{**FAKES, **settings}), *words)


def test_data_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    one_clear_line(refused(tmp_path, **{**FAKES, "data_dir": tmp_path / "file" / "data"}), "file")


def test_data_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    if os.geteuid() == 0:  # root may write everywhere but there
        folder = Path("/proc/sys")
    else:
        folder.mkdir()
        folder.chmod(0o500)

    one_clear_line(refused(tmp_path, **{**FAKES, "data_dir": folder}), str(folder))


def test_damaged_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "tandem.sqlite").write_bytes(b"this is no database, whatever it may be called" * 100)

    one_clear_line(refused(tmp_path, **FAKES), "tandem.sqlite", "not an SQLite database")


def test_engine_that_fails_ends_those_that_started(tmp_path: Path) -> None:
    failed = refused(tmp_path / "data", asr="pocketsphinx", voice="espeak:no-such-voice")

    one_clear_line(failed, "no-such-voice")


def test_start_is_said_with_where_it_is(own_server: Served) -> None:
    assert f"http://127.0.0.1:{own_server.port}" in own_server.said
    assert eventually(lambda: own_server.get("/health").status_code == 200)


# --- ending without cutting anybody off ------------------------------------------------------------------------------


async def test_conversation_may_be_finished_while_nobody_new_is_let_in(tmp_path: Path) -> None:
    with own(tmp_path / "data", drain_seconds=60) as served:
        async with calling(served.realtime) as caller:
            served.children()
            served.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: served.get("/ready").status_code == 503)
            assert served.get("/health").status_code == 200
            with pytest.raises(InvalidStatus) as refusal:
                async with calling(served.realtime):
                    pass
            done = await caller.turn(tone(1.0))
        ended_well(served)
    assert refusal.value.response.status_code == 503
    assert b"Server is ending" in (refusal.value.response.body or b"")
    assert done["response"]["status"] == "completed"


@pytest.mark.parametrize(("seconds", "signals"), [(0.5, 1), (600, 2)])
async def test_who_does_not_finish_in_time_is_told_to_come_again(tmp_path: Path, seconds: float, signals: int) -> None:
    with own(tmp_path / "data", drain_seconds=seconds) as served:
        async with calling(served.realtime) as caller:
            served.children()
            for _ in range(signals):
                served.process.send_signal(signal.SIGTERM)
                assert eventually(lambda: "draining" in served.log or not served.alive)
            with pytest.raises(ConnectionClosed) as closed:
                await caller.until("never")
        ended_well(served)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_idle_server_that_may_drain_ends_at_once(tmp_path: Path) -> None:
    with own(tmp_path / "data", drain_seconds=600) as served:
        served.process.send_signal(signal.SIGTERM)
        ended_well(served)
