"""`tandem talk` over a network that is cut: it goes on by itself, and what is heard is what would have been heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console

from tandem_client import desktop
from tandem_client.actions import Wire as Event
from tandem_client.desktop import Scene, Talk, talk_headless
from tandem_client.errors import ConversationOver
from tandem_client.fakes import JumpingClock
from tandem_client.link import Clock, MonotonicClock
from tandem_client.recording import BLOCK, read_audio
from tandem_client.resuming import connected
from tandem_client.terminal import Terminal
from tandem_models.signal import WIRE_RATE, Audio, pcm16_to_float

from .cutting import Network, network
from .serving import FAKES, Served, serving
from .talking import PATIENCE, SILENCE, tone

STORY = " ".join(["There is a good deal in what you said, and I would like to hear more of it."] * 12)
LOST = 50_000
"""Bytes: about a second of the story"""
NEVER = 1e9
"""Seconds of patience where the clock jumps faster than a socket can answer."""
TELLER = {**FAKES, "response": f"fake:{STORY}", "strategy": "neutral"}

How = Callable[[Network], Awaitable[None]]
Tampering = Sequence[tuple[int, How]]
"""For one connection after another: after how many audio frames what happens to the network."""


@pytest.fixture(scope="module")
def storyteller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes that tell a long story, always in the same voice, and wait for who was cut off."""
    with serving(tmp_path_factory.mktemp("storyteller"), **TELLER, resume_seconds=30) as served:
        yield served


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fakes take for speech."""
    path = tmp_path_factory.mktemp("question") / "in.wav"
    sf.write(path, np.frombuffer(tone(0.8) + SILENCE, "<i2"), WIRE_RATE)
    return path


@dataclass
class Held:
    """A conversation that took place."""

    out: Path
    screen: StringIO = field(default_factory=StringIO)
    frames: list[int] = field(default_factory=list)
    """Sequence numbers of the audio that came, in order"""
    sessions: list[str] = field(default_factory=list)

    def agent(self) -> Audio:
        """What was heard of the agent, without the silence around and, where it came late, within."""
        right: Audio = sf.read(self.out, dtype="float32")[0][:, 1]
        sounding: Audio = right[right != 0]
        return sounding


async def talk(served: Served, options: Talk, tampering: Tampering, clock: Clock | None = None) -> Held:
    """`tandem talk --file --out` with these options, through a network that is tampered with."""
    assert options.file is not None and options.out is not None
    held, clock = Held(options.out), clock or MonotonicClock()
    async with network(served.port) as net:
        left, tasks = list(tampering), list[asyncio.Future[None]]()
        due: list[tuple[int, How]] = []

        def listen(event: Event) -> None:
            if event["type"] == "session.created":
                held.sessions.append(event["session"]["id"])
                due[:] = [(len(held.frames) + frames, how) for frames, how in left[:1]]
                del left[:1]
            if event["type"] == "audio_frame":
                held.frames.append(event["sequence"])
                for number, how in due:
                    if len(held.frames) == number:
                        tasks.append(asyncio.ensure_future(how(net)))

        url = f"ws://127.0.0.1:{net.port}/v1/realtime"
        with Terminal(Console(file=held.screen, width=200)) as view:
            async with connected(url, None, clock, anew=options.live) as transport:
                await talk_headless(Scene(options, transport, view, clock, [listen]), read_audio(options.file))
        await asyncio.gather(*tasks)
    return held


@pytest.fixture(scope="module")
def whole(storyteller: Served, question: Path, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """The story as it is heard when nobody is cut off."""
    out = tmp_path_factory.mktemp("whole") / "out.wav"
    held = asyncio.run(talk(storyteller, Talk(file=question, out=out, fast=True), []))
    assert len(held.agent()) > 20 * WIRE_RATE
    assert "reconnecting" not in held.screen.getvalue()
    return held


async def cut(net: Network) -> None:
    """Nothing that is under way is lost."""
    await net.wires[-1].cut()


async def lose(net: Network) -> None:
    """About a second of the story never arrives."""
    await net.wires[-1].lose(LOST)


def same(held: Held, whole: Held, cuts: int) -> None:
    """Was it heard as if nobody had been cut off?"""
    assert held.frames == whole.frames, "each frame once, in order"
    assert np.array_equal(held.agent(), whole.agent())
    assert len(held.sessions) == 1 + cuts and len(set(held.sessions)) == 1
    said = held.screen.getvalue()
    assert said.count("Connection lost – reconnecting") == said.count("Back: the conversation goes on") == cuts
    assert said.count(f"Tandem  {STORY[:60]}") == 1


@pytest.mark.parametrize("how", [cut, lose])
async def test_reply_that_is_cut_is_heard_whole(
    storyteller: Served, question: Path, whole: Held, tmp_path: Path, how: How
) -> None:
    options = Talk(file=question, out=tmp_path / "out.wav", fast=True)
    same(await talk(storyteller, options, [(20, how)]), whole, cuts=1)


async def test_reply_that_is_cut_again_and_again_is_heard_whole(
    storyteller: Served, question: Path, whole: Held, tmp_path: Path
) -> None:
    options = Talk(file=question, out=tmp_path / "out.wav", fast=True)
    same(await talk(storyteller, options, [(1, lose), (5, cut), (20, cut)]), whole, cuts=3)


async def test_file_in_real_time_goes_on_too(storyteller: Served, question: Path, whole: Held, tmp_path: Path) -> None:
    options = Talk(file=question, out=tmp_path / "out.wav", patience=NEVER)
    same(await talk(storyteller, options, [(20, lose)], JumpingClock()), whole, cuts=1)


async def test_server_that_does_not_wait_ends_it_in_words_and_leaves_a_recording(
    question: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    with (
        serving(tmp_path / "data", **TELLER, resume_seconds=0) as served,
        pytest.raises(ConversationOver, match="it is over") as ended,
    ):
        await talk(served, Talk(file=question, out=out, fast=True), [(20, cut)])
    assert ended.value.exit_code == 5
    assert np.any(sf.read(out)[0][:, 0])


class Room:
    """Microphone and loudspeaker of a person who asks once and listens."""

    dropped = 0

    def __init__(self) -> None:
        self.heard = bytearray()
        self.news = asyncio.Event()
        self._says = tone(0.8) + SILENCE
        self._report: Callable[[int], None]

    def microphone(self, _: Any) -> Room:
        return self

    def loudspeaker(self, report: Callable[[int], None], _: Any) -> Room:
        self._report = report
        return self

    async def read(self) -> bytes:
        block, self._says = self._says[: 2 * BLOCK], self._says[2 * BLOCK :]
        if not block:
            await asyncio.Event().wait()
        return block

    def play(self, pcm: bytes) -> None:
        self.heard += pcm
        self.news.set()
        asyncio.get_running_loop().call_soon(self._report, len(self.heard) // 2)

    def flush(self) -> int:
        return len(self.heard) // 2

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """Devices that are not there."""
    made = Room()
    monkeypatch.setattr(desktop, "portaudio", lambda: None)
    monkeypatch.setattr(desktop, "Microphone", made.microphone)
    monkeypatch.setattr(desktop, "Loudspeaker", made.loudspeaker)
    return made


class Screen(StringIO):
    """Says when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def write(self, text: str) -> int:
        self.news.set()
        return super().write(text)


async def until(news: asyncio.Event, holds: Callable[[], bool]) -> None:
    """Looks whenever there is news; never longer than allowed."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            news.clear()
            await news.wait()


async def listen_live(served: Served, done: Callable[[str], bool], room: Room) -> str:
    """`tandem talk` by microphone, cut two seconds into the reply, until what is on the screen will do: the screen."""
    screen = Screen()
    async with network(served.port) as net:
        options = Talk(url=f"ws://127.0.0.1:{net.port}/v1/realtime")
        talking = asyncio.create_task(desktop.talk(options, Console(file=screen, width=200)))
        await until(room.news, lambda: len(room.heard) > 4 * WIRE_RATE)
        await net.wires[0].lose(LOST)
        await until(screen.news, lambda: done(screen.getvalue()))
        talking.cancel()
        await asyncio.wait([talking])
    return screen.getvalue()


async def test_talk_by_microphone_goes_on_by_itself(storyteller: Served, whole: Held, room: Room) -> None:
    said = await listen_live(storyteller, lambda screen: f"Tandem  {STORY[:60]}" in screen, room)
    assert said.count("Connection lost – reconnecting") == said.count("Back: the conversation goes on") == 1
    heard = pcm16_to_float(bytes(room.heard))
    assert np.array_equal(heard[heard != 0], whole.agent())


async def test_talk_by_microphone_begins_anew_where_the_conversation_is_over(room: Room, tmp_path: Path) -> None:
    with serving(tmp_path / "data", **TELLER, resume_seconds=0) as served:
        said = await listen_live(served, lambda screen: "A new one began" in screen, room)
    assert "the agent does not know what is above" in said
    assert "interrupted after" in said
