"""What goes out to one client: a bounded queue in order. Nothing is dropped; a client that does not read is let go."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from openai.types.realtime import ResponseAudioDeltaEvent, ResponseAudioDoneEvent

from tandem_models.signal import WIRE_RATE, exact_div
from tandem_server.contract import AudioFrame, event_id, to_json
from tandem_server.conversation_events import Send, SendAudio
from tandem_server.formats import Encoder
from tandem_server.line import ClientTooSlowError, Message

MOST_BYTES: Final = 16 * 1024 * 1024
"""Four minutes of base64 audio: nobody who reads gets that far behind."""
ROOM_BYTES: Final = 2 * 1024 * 1024
"""Below this the voice may speak on."""
AUDIO_CHUNK: Final = 2 * exact_div(WIRE_RATE, 10)
"""Bytes of one audio message: 100 ms."""


class Messages:
    """Effects -> messages, audio cut into pieces that are numbered over the session."""

    def __init__(self, session_id: str) -> None:
        self._name = session_id.removeprefix("sess_")
        self._sequence = 0
        self._encoder: Encoder | None = None
        """Of the reply whose audio is going out"""

    def of(self, effect: Send | SendAudio) -> Iterator[tuple[str, Message]]:
        """(event id, message), in the form the client asked for. A binary frame has the id its event would have."""
        if isinstance(effect, SendAudio):
            yield from self._binary(effect) if effect.binary else self._base64(effect)
            return
        event = effect.event
        if isinstance(event, ResponseAudioDoneEvent) and self._encoder is not None:
            yield from self._delta(event.response_id, event.item_id, self._encoder.flush())
            self._encoder = None
        yield event_id(event), to_json(event)

    def _binary(self, effect: SendAudio) -> Iterator[tuple[str, Message]]:
        for begin, pcm in _pieces(effect.pcm):
            position = (effect.position + begin // 2) * 1000.0 / WIRE_RATE
            number = self._next()
            yield number, AudioFrame("output", self._sequence, position, pcm).encode()

    def _base64(self, effect: SendAudio) -> Iterator[tuple[str, Message]]:
        if self._encoder is None:
            self._encoder = Encoder(effect.format)
        for _, pcm in _pieces(effect.pcm):
            yield from self._delta(effect.response_id, effect.item_id, self._encoder.feed(pcm))

    def _delta(self, response_id: str, item_id: str, audio: bytes) -> Iterator[tuple[str, Message]]:
        if not audio:  # the filter of the resampler holds it still
            return
        event = ResponseAudioDeltaEvent(
            type="response.output_audio.delta",
            event_id=self._next(),
            response_id=response_id,
            item_id=item_id,
            output_index=0,
            content_index=0,
            delta=base64.b64encode(audio).decode("ascii"),
        )
        yield event.event_id, to_json(event)

    def _next(self) -> str:
        """The event id of the next piece of audio."""
        self._sequence += 1
        return f"event_{self._name}_a{self._sequence}"


def _pieces(pcm: bytes) -> Iterator[tuple[int, bytes]]:
    for begin in range(0, len(pcm), AUDIO_CHUNK):
        yield begin, pcm[begin : begin + AUDIO_CHUNK]


class Outgoing:
    """Put without waiting; `pump` sends in order."""

    def __init__(self) -> None:
        self._messages: deque[tuple[str, Message]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False
        self._overflown = False

    def put(self, event_id: str, message: Message) -> None:
        """Queue a message; after `close` it is forgotten, since nobody is there to hear it."""
        if self._closed or self._overflown:
            return
        self._messages.append((event_id, message))
        self._bytes += len(message)
        self._overflown = self._bytes > MOST_BYTES
        if self._bytes > ROOM_BYTES:
            self._room.clear()
        self._changed.set()

    @property
    def crowded(self) -> bool:
        """So much waits that nothing more should be asked for."""
        return self._bytes > MOST_BYTES // 2

    @property
    def has_room(self) -> bool:
        """The client has caught up."""
        return self._room.is_set()

    async def room(self) -> None:
        """Wait until the client has caught up."""
        await self._room.wait()

    def close(self) -> None:
        """The client is gone: forget what is queued and let nobody wait."""
        self._closed = True
        self._messages.clear()
        self._room.set()
        self._changed.set()

    async def pump(self, send: Callable[[str, Message], Awaitable[None]]) -> None:
        """Send until closed. Raises ClientTooSlowError, and whatever `send` raises."""
        while not self._closed:
            await self._changed.wait()
            self._changed.clear()
            while self._messages and not self._closed:
                if self._overflown:
                    raise ClientTooSlowError
                event_id, message = self._messages.popleft()
                await send(event_id, message)
                self._bytes -= len(message)
                if self._bytes <= ROOM_BYTES:
                    self._room.set()
