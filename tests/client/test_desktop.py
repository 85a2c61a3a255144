"""`talk` over a real WebSocket on this machine, and by a microphone that is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console

from tandem_client import desktop
from tandem_client.desktop import Talk, journal, talk
from tandem_client.errors import AudioUnusable, ConnectionLost, ServerUnreachable, SettingsRefused, TokenRefused
from tandem_client.fakes import JumpingClock, ScriptedServer, Turn, serving
from tandem_models.signal import WIRE_RATE
from tandem_server.errors import ConfigurationError

NEVER = 1e9
"""Seconds of patience where the clock jumps faster than a socket can answer."""


def console() -> Console:
    return Console(file=StringIO(), width=100)


def speech(folder: Path, seconds: float) -> Path:
    sf.write(folder / "in.wav", np.full(round(seconds * WIRE_RATE), 0.5), WIRE_RATE)
    return folder / "in.wav"


async def test_a_file_is_spoken_answered_recorded_and_journalled(tmp_path: Path) -> None:
    server, screen = ScriptedServer([Turn(200, 1000, said="hi", reply="hello", reply_ms=700)]), console()
    out, events = tmp_path / "out.wav", tmp_path / "logs" / "events.jsonl"
    async with serving(server) as url:
        options = Talk(url=url, file=speech(tmp_path, 0.9), out=out, events=events, patience=NEVER)
        await talk(options, screen, JumpingClock())
    stereo, rate = sf.read(out)
    assert rate == WIRE_RATE and np.count_nonzero(stereo[:, 1]) == 700 * 24
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    kinds = [line["event"]["type"] for line in lines]
    assert kinds[:2] == ["session.created", "session.updated"] and kinds[-1] == "response.done"
    assert kinds.count("audio_frame") == 7 and all(line["at_s"] >= 0 for line in lines)
    assert isinstance(screen.file, StringIO) and "Tandem  hello" in screen.file.getvalue()


async def test_fast_needs_no_clock_of_ours(tmp_path: Path) -> None:
    server, out = ScriptedServer([Turn(200, 1000, reply_ms=700)]), tmp_path / "out.wav"
    async with serving(server) as url:
        options = Talk(url=url, file=speech(tmp_path, 3.0), out=out, fast=True, patience=NEVER)
        await talk(options, console(), JumpingClock())
    right = np.flatnonzero(sf.read(out)[0][:, 1])
    assert (right[0], right[-1]) == (1000 * 24, 1700 * 24 - 1)


async def test_a_user_who_speaks_into_the_reply_is_heard_over_the_socket_too(tmp_path: Path) -> None:
    server = ScriptedServer([Turn(0, 1000, reply_ms=60_000), Turn(2000, 3000, reply_ms=400)])
    async with serving(server) as url:
        await talk(Talk(url=url, file=speech(tmp_path, 2.9), patience=NEVER), console(), JumpingClock())
    (cut,) = [event for event in server.received if event["type"] == "conversation.item.truncate"]
    assert cut["item_id"] == "agent_1" and 0 <= cut["audio_end_ms"] < 60_000


async def test_a_typed_turn_is_answered(tmp_path: Path) -> None:
    server, screen = ScriptedServer(), console()
    async with serving(server) as url:
        await talk(Talk(url=url, texts=("hello",), out=tmp_path / "out.wav"), screen)
    assert isinstance(screen.file, StringIO) and "Tandem  you typed hello" in screen.file.getvalue()
    assert len(sf.read(tmp_path / "out.wav")[0]) == 500 * 24


async def test_what_was_chosen_reaches_the_server_and_what_was_not_stays_its_own() -> None:
    server = ScriptedServer()
    async with serving(server) as url:
        await talk(Talk(url=url, texts=("x",), strategy="anti", strength=0.5, user="ada"), console())
        await talk(Talk(url=url, texts=("x",)), console())
    first, second = [event["session"]["tandem"] for event in server.received if event["type"] == "session.update"]
    assert first == {"strategy": "anti", "strength": 0.5, "user_id": "ada", "audio_frames": "binary"}
    assert second == {"audio_frames": "binary"}


async def test_failures_come_out_as_what_they_are(tmp_path: Path) -> None:
    file = speech(tmp_path, 2.0)
    async with serving(ScriptedServer(lost_at_ms=500)) as url:
        with pytest.raises(ConnectionLost):
            await talk(Talk(url=url, file=file, patience=NEVER), console(), JumpingClock())
    async with serving(ScriptedServer(refuses="no such strategy")) as url:
        with pytest.raises(SettingsRefused):
            await talk(Talk(url=url, texts=("x",)), console())
    async with serving(ScriptedServer(), token="secret") as url:
        with pytest.raises(TokenRefused):
            await talk(Talk(url=url, texts=("x",)), console())
    with pytest.raises(ServerUnreachable):
        await talk(Talk(url=url, texts=("x",)), console())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Talk(strategy="copycat", texts=("x",)), "--strategy: .*neutral"),
        (Talk(strength=3.0, texts=("x",)), "--strength: .*1.5"),
        (Talk(file=Path("a.wav"), texts=("x",)), "choose one"),
        (Talk(out=Path("a.wav")), "--out needs"),
        (Talk(fast=True, texts=("x",)), "--fast needs"),
        (Talk(file=Path("not-there.wav")), "no file"),
    ],
)
async def test_what_is_wrong_with_the_options_is_said_before_anybody_is_called(options: Talk, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await talk(options, console())


def test_a_journal_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write"), journal(tmp_path / "file" / "e", JumpingClock()):
        pass


class FakeMicrophone:
    """Gives the blocks of half a second, then waits for ever or is unplugged."""

    unplugged = False
    dropped = 0

    def __init__(self, _: Any) -> None:
        self._left = 25

    async def read(self) -> bytes:
        self._left -= 1
        if self._left >= 0:
            return bytes(960)
        if self.unplugged:
            raise AudioUnusable("the microphone is gone")
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class FakeLoudspeaker:
    """Plays everything at once, and remembers it."""

    heard = asyncio.Event()

    def __init__(self, on_played: Callable[[int], None], _: Any) -> None:
        self._on_played = on_played
        self.played = 0

    def play(self, pcm: bytes) -> None:
        self.played += len(pcm) // 2
        asyncio.get_running_loop().call_soon(self._on_played, self.played)
        self.heard.set()

    def flush(self) -> int:
        return self.played

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Devices that are not there; set when the loudspeaker has been given something."""
    event = asyncio.Event()
    monkeypatch.setattr(FakeLoudspeaker, "heard", event)
    monkeypatch.setattr(desktop, "portaudio", lambda: None)
    monkeypatch.setattr(desktop, "Microphone", FakeMicrophone)
    monkeypatch.setattr(desktop, "Loudspeaker", FakeLoudspeaker)
    return event


async def test_by_microphone_the_talk_lasts_until_it_is_cancelled(heard: asyncio.Event) -> None:
    server = ScriptedServer([Turn(0, 400, reply_ms=100)])
    async with serving(server) as url:
        talking = asyncio.ensure_future(talk(Talk(url=url), console()))
        await heard.wait()
        talking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talking
    assert server.heard >= 400 * 24


async def test_a_microphone_that_is_unplugged_ends_the_talk(
    heard: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMicrophone, "unplugged", True)
    async with serving(ScriptedServer()) as url:
        with pytest.raises(AudioUnusable, match="gone"):
            await talk(Talk(url=url), console())


async def test_speech_that_was_lost_is_said_once(heard: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeMicrophone, "unplugged", True)
    monkeypatch.setattr(FakeMicrophone, "dropped", 3)
    screen = console()
    async with serving(ScriptedServer()) as url:
        with pytest.raises(AudioUnusable, match="gone"):
            await talk(Talk(url=url), screen)
    assert isinstance(screen.file, StringIO)
    assert screen.file.getvalue().count("some of what you said was lost") == 1


async def test_without_portaudio_nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise AudioUnusable("install libportaudio2")

    monkeypatch.setattr(desktop, "portaudio", missing)
    with pytest.raises(AudioUnusable, match="libportaudio2"):
        await talk(Talk(url="ws://127.0.0.1:1/"), console())
