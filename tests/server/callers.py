"""A client in memory for the tests of the session, and engines that do as they are told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import structlog

from tandem_models.extract import UNKNOWN_RANGE
from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, float_to_pcm16, resample
from tandem_server.contract import SessionPreset, TandemSettings
from tandem_server.engines.fake_speech import buzz
from tandem_server.engines.fakes import FakeRecogniser, FakeResponder, FakeVoice, FakeVoiceActivity
from tandem_server.equipment import Engines, Limits
from tandem_server.experiment import Plan
from tandem_server.line import ConnectionLostError, Line, Message
from tandem_server.metering import Meter, Unmetered
from tandem_server.record.memory import MemoryStore
from tandem_server.record.records import TurnRecord, TurnStore
from tandem_server.session import Session
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import Recogniser, Responder, TurnModel, Voice, VoiceActivityEngine
from tandem_server.workers import Workers

from .audit import validates
from .driver import USUAL

P = ParamSpec("P")
T = TypeVar("T")
LOG = structlog.wrap_logger(structlog.ReturnLogger(), wrapper_class=structlog.stdlib.BoundLogger, processors=[])
SPEECH = float_to_pcm16(resample(buzz(USUAL, 1.0, seed=3), SAMPLE_RATE, WIRE_RATE))
"""One second of a voice, as the wire carries it"""
SILENCE = bytes(len(SPEECH))


class Here(Workers):
    """Workers that work here and now. What `failing` is in is raised."""

    def __init__(self, failing: Exception | None = None) -> None:
        super().__init__(1)
        self.failing = failing

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        return function(*args, **kwargs)


class Gate:
    """Something to wait for: `await gate()`."""

    def __init__(self, is_open: bool = False) -> None:
        self.waiting = asyncio.Event()
        """Somebody is at the gate."""
        self._open = asyncio.Event()
        if is_open:
            self._open.set()

    def open(self) -> None:
        self._open.set()

    async def __call__(self) -> None:
        self.waiting.set()
        await self._open.wait()


class Client:
    """A connection in memory: what the session sends is kept, what the test sends is received."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.reads = Gate(is_open=True)
        self.gone = False
        self.closed: tuple[int, str] | None = None
        """How the server said goodbye"""
        self.missed = asyncio.Event()
        """Something was sent that nobody could receive"""
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._news = asyncio.Condition()

    # The session's side
    async def receive(self) -> Message:
        message = await self._inbox.get()
        if message is None:
            raise ConnectionLostError
        return message

    async def send(self, message: Message) -> None:
        await self.reads()
        if self.gone:
            self.missed.set()
            raise ConnectionLostError
        self.messages.append(message)
        async with self._news:
            self._news.notify_all()

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason
        self.gone = True
        self._inbox.put_nowait(None)

    # The test's side
    def say(self, message: Message | dict[str, Any]) -> None:
        """Send a message."""
        self._inbox.put_nowait(json.dumps(message) if isinstance(message, dict) else message)

    def speak(self, pcm: bytes = SPEECH + SILENCE, size: int | None = None) -> None:
        """Send audio, at once or in messages of a size."""
        step = size or len(pcm)
        for begin in range(0, len(pcm), step):
            audio = base64.b64encode(pcm[begin : begin + step]).decode()
            self.say({"type": "input_audio_buffer.append", "audio": audio})

    def leave(self) -> None:
        """Hang up."""
        self._inbox.put_nowait(None)

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The event of that kind and number, as soon as it is there."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Every text event so far, each validated."""
        events = [json.loads(message) for message in self.messages if isinstance(message, str)]
        for event in events:
            validates(event)
        return events

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The text events of one kind."""
        return [
            event for event in (json.loads(m) for m in self.messages if isinstance(m, str)) if event["type"] == kind
        ]

    def audio(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """All base64 audio, as samples."""
        deltas = self.events("response.output_audio.delta")
        return np.frombuffer(b"".join(base64.b64decode(delta["delta"]) for delta in deltas), "<i2")


class Call:
    """One session with its client and engines."""

    def __init__(
        self,
        *,
        vad: VoiceActivityEngine | None = None,
        recogniser: Recogniser | None = None,
        responder: Responder | None = None,
        voice: Voice | None = None,
        workers: Workers | None = None,
        store: TurnStore | None = None,
        tandem: TandemSettings | None = None,
        limits: Limits | None = None,
        meter: Meter | None = None,
        turn_model: TurnModel | None = None,
        session_id: str = "sess_t",
        client: Client | None = None,
        preset: SessionPreset | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.client = client or Client()
        self.engines = Engines(
            vad or FakeVoiceActivity(),
            recogniser or FakeRecogniser(["hello there", "how are you", "goodbye then"]),
            responder or FakeResponder(["Nice to hear you. Go on.", "I see."]),
            voice or FakeVoice(),
            AgentVoice.of(FakeVoice.calibration),
            UNKNOWN_RANGE,
            workers or Here(),
            store or MemoryStore(),
            "test",
            meter or Unmetered(),
            plan,
            turn_model,
        )
        self.line = Line(self.client, limits.away if limits else 0.0)
        self.session = Session(
            session_id,
            self.engines,
            self.line,
            tandem or TandemSettings(events=True),
            limits or Limits(),
            LOG,
            preset,
        )
        self.task = asyncio.create_task(self.session.run())

    @property
    def id(self) -> str:
        return self.client.events("session.created")[0]["session"]["id"]  # type: ignore[no-any-return]

    async def end(self) -> None:
        """Hang up and wait until nothing is left; raises what the session raises."""
        self.client.leave()
        await self.over()

    async def over(self) -> None:
        """Wait until nothing is left; raises what the session raises."""
        async with asyncio.timeout(30):
            await asyncio.wait([self.task])
        left = [task for task in asyncio.all_tasks() if task not in (asyncio.current_task(), self.task)]
        assert left == [], "tasks outlive their session"
        for engine in (self.engines.vad, self.engines.recogniser):
            assert getattr(engine, "lent", 0) == 0, f"{engine.name} was not given back"
        self.task.result()

    async def turns(self, session_id: str = "sess_t") -> list[TurnRecord]:
        """What was recorded."""
        return await self.engines.store.turns(session_id)
