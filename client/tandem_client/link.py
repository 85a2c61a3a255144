"""One connected conversation: events in, the dialogue's actions out. Everything here performs; nothing decides."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from tandem_client.actions import (
    Action,
    BeganAnew,
    ConnectionCut,
    Event,
    Failed,
    Flush,
    Flushed,
    Play,
    Ready,
    ReplyEnded,
    Send,
    ServerSaid,
    ServerSpoke,
    Wire,
)
from tandem_client.dialogue import Dialogue
from tandem_client.errors import NoAnswer, SettingsRefused
from tandem_client.transport import Transport

OPENING_S: Final = 10.0
"""Seconds for the server to open a session: a server that is there does it in a few milliseconds."""


class Clock(Protocol):
    """Seconds from an arbitrary beginning; tests have their own."""

    def now(self) -> float:
        """The time."""
        ...

    async def until(self, moment: float) -> None:
        """Returns at that moment, or at once when it is past."""


class MonotonicClock:
    """The real one."""

    def now(self) -> float:
        return time.monotonic()

    async def until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))


class Player(Protocol):
    """A loudspeaker; it reports `Played` through its owner."""

    def play(self, pcm: bytes) -> None:
        """Queues pcm16, mono, 24 kHz."""

    def flush(self) -> int:
        """Drops what has not been played; returns the samples played since the session began."""
        ...


class View(Protocol):
    """Where a person sees the conversation."""

    def show(self, action: Action) -> None:
        """Shows what concerns a person and ignores the rest."""


Listener = Callable[[Wire], None]
"""Sees every server event, before the dialogue does."""


class Link:
    """Joins a transport, a dialogue, a loudspeaker and a view."""

    def __init__(
        self,
        transport: Transport,
        dialogue: Dialogue,
        player: Player,
        view: View,
        *,
        clock: Clock,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.dialogue = dialogue
        self.replies: list[ReplyEnded] = []
        """The replies that are over, in order."""
        self.last_news = clock.now()
        """When the server was last heard."""
        self._transport = transport
        self._player = player
        self._view = view
        self._clock = clock
        self._listeners = listeners
        self._outbox: asyncio.Queue[Wire] = asyncio.Queue()  # unbounded: no control event is ever dropped
        self._ready = asyncio.Event()
        self._news = asyncio.Event()

    def handle(self, event: Event) -> None:
        """Has the dialogue decide, and performs it. Raises SettingsRefused."""
        for action in self.dialogue.handle(event):
            self._perform(action)
        self._news.set()

    def _perform(self, action: Action) -> None:
        match action:
            case Play():
                self._player.play(action.pcm)
            case Flush():
                self.handle(Flushed(self._player.flush()))
            case Send():
                self._outbox.put_nowait(action.event)
            case Failed(fatal=True):
                raise SettingsRefused(f"the server refused the settings: {action.message}")
            case BeganAnew():
                while not self._outbox.empty():
                    self._outbox.get_nowait()
                self._view.show(action)
            case Ready():
                self._ready.set()
            case ReplyEnded():
                self.replies.append(action)
                self._view.show(action)
            case _:
                self._view.show(action)

    async def send_audio(self, pcm: bytes) -> None:
        """One block of the user's pcm16; waits while the server takes no more. Raises ConnectionLost."""
        audio = base64.b64encode(pcm).decode("ascii")
        await self._transport.send({"type": "input_audio_buffer.append", "audio": audio})

    async def write(self) -> None:
        """Sends what the dialogue wants sent, until cancelled."""
        while True:
            await self._transport.send(await self._outbox.get())

    async def read(self) -> None:
        """Handles what the server sends, until cancelled. Raises ConnectionLost, TokenRefused or SettingsRefused."""
        while True:
            event = await self._transport.receive()
            self.last_news = self._clock.now()
            if not isinstance(event, ConnectionCut):
                for listener in self._listeners:
                    listener(described(event))
            self.handle(event)

    async def ready(self) -> None:
        """Returns when the server has taken our settings. Raises NoAnswer."""
        try:
            async with asyncio.timeout(OPENING_S):
                await self._ready.wait()
        except TimeoutError:
            raise NoAnswer(f"the server opened no session within {OPENING_S:.0f} s") from None

    async def news(self, patience: float) -> bool:
        """Waits until something happens; False when for `patience` seconds nothing has."""
        self._news.clear()
        news = asyncio.ensure_future(self._news.wait())
        alarm = asyncio.ensure_future(self._clock.until(self._clock.now() + patience))
        try:
            await asyncio.wait({news, alarm}, return_when=asyncio.FIRST_COMPLETED)
            return news.done()
        finally:
            news.cancel()
            alarm.cancel()

    async def run(self, body: Callable[[], Awaitable[None]]) -> None:
        """Opens the session, holds the conversation and leaves nothing behind. Raises what ended it early."""
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(self.read()), tasks.create_task(self.write())]
                await self.ready()
                await body()
                for task in background:
                    task.cancel()
        except ExceptionGroup as failures:
            # One of them ended the others; it is what the person has to know.
            raise failures.exceptions[0] from None


def described(event: ServerSaid | ServerSpoke) -> Wire:
    """An event as listeners see it; a binary frame becomes its header and the number of its samples."""
    if isinstance(event, ServerSaid):
        return dict(event.event)
    frame = event.frame
    return {"type": "audio_frame", "sequence": frame.sequence, "time_ms": frame.time_ms, "samples": len(frame.pcm) // 2}
