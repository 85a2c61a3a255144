"""A client of the fuzz: sends whatever it is given, reads everything, and audits it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tandem_server.contract import AudioFrame
from tandem_server.formats import CODINGS, AudioFormat, Encoder

from .cutting import reset
from .serving import Served
from .talking import CHUNK, PATIENCE, Event, encoded, tone
from .wire_audit import WireAudit

LET_GO: Final = frozenset({1000, 1007, 1008, 1009})
"""Codes with which the server may close: it was replaced, or the client's own fault."""
REFUSALS: Final = frozenset({404, 410, 503})
"""The conversation is over, too much was missed, or all places are taken."""


def mentioned(event: Event) -> tuple[str | None, str | None]:
    """The event that an error is about, and the name that its asker gave to a response that is done."""
    metadata = event["response"]["metadata"] if event["type"] == "response.done" else None
    return event.get("error", {}).get("event_id"), (metadata or {}).get("name")


def _encoded(pcm: bytes, kind: AudioFormat) -> bytes:
    encoder = Encoder(kind)
    return encoder.feed(pcm) + encoder.flush()


SPOKEN: Final[dict[AudioFormat, tuple[bytes, bytes]]] = {
    kind: (_encoded(tone(0.1), kind), _encoded(bytes(CHUNK), kind)) for kind in CODINGS
}
"""A tenth of a second of speech and of silence, as the wire carries them"""


LOOK_BACK: Final = 30
"""Events that are shown of what came before something that did not"""


@dataclass
class Tally:
    """What all clients together have sent and were told."""

    sent: int = 0
    told: int = 0
    sessions: int = 0
    resumed: int = 0
    answered: int = 0
    """Spoken turns at the end of a walk that were answered"""
    errors: Counter[str] = field(default_factory=Counter)
    responses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Types of the events that the server sent"""
    closed: Counter[str] = field(default_factory=Counter)


class Client:
    """One conversation over one connection after another. What the audit finds wrong is in `wrong`."""

    def __init__(self, served: Served, tally: Tally, *, beta: bool) -> None:
        self.beta = beta
        self.served = served
        self.tally = tally
        self.audit = WireAudit(beta=beta)
        self.session_id = ""
        self.input_format: AudioFormat = "audio/pcm"
        self.known: dict[str, list[str]] = {"item": [], "call": [], "response": []}
        """Ids, the newest last"""
        self.wrong: BaseException | None = None
        self.over = False
        """The server has closed the conversation for a good reason"""
        self._socket: ClientConnection
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._log: list[Event] = []
        self._probes = count()

    @property
    def place(self) -> int:
        """Of the next event"""
        return len(self._log)

    async def dial(self, *, secret: str | None = None, **query: str) -> bool:
        """Connect; False when the conversation cannot be gone on with, or all places are taken."""
        headers = {"OpenAI-Beta": "realtime=v1"} if self.beta else {}
        headers |= {"Authorization": f"Bearer {secret}"} if secret else {}
        url = f"{self.served.realtime}?{urlencode(query)}"
        try:
            self._socket = await connect(
                url, max_size=None, compression=None, open_timeout=PATIENCE, ping_interval=None,
                additional_headers=headers, max_queue=None,
            )  # fmt: skip
        except InvalidStatus as refusal:
            if refusal.response.status_code not in REFUSALS:
                raise
            self.over = True
            return False
        self._reading = asyncio.create_task(self._read(self._socket))
        self.tally.resumed += "session_id" in query
        self.tally.sessions += "session_id" not in query
        return await self.until(lambda event: event["type"] == "session.created") is not None

    async def send(self, message: str | bytes) -> None:
        """One message, whatever becomes of it."""
        self.tally.sent += 1
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            await self._ended()

    async def say(self, kind: str, **fields: Any) -> None:
        """An event."""
        await self.send(json.dumps({"type": kind, **fields}))

    async def speak(self, pieces: int, *, loud: bool, binary: bool) -> None:
        """So many tenths of a second of speech or of silence."""
        audio = SPOKEN["audio/pcm" if binary else self.input_format][0 if loud else 1]
        for number in range(pieces):
            if binary:
                await self.send(AudioFrame("input", number, 0.0, audio).encode())
            else:
                await self.say("input_audio_buffer.append", audio=encoded(audio))

    async def until(self, wanted: Callable[[Event], bool], begin: int | None = None) -> Event | None:
        """The next event like that, or the first from place `begin` on; None when the server has closed. Raises
        AssertionError when it does not come."""
        start = self.place if begin is None else begin
        try:
            return await asyncio.wait_for(self._until(wanted, start), PATIENCE)
        except TimeoutError:
            before, since = self._log[:start][-LOOK_BACK:], self._log[start:]
            raise AssertionError(f"{self.session_id} was told {before}, but then only {since}") from None

    async def _until(self, wanted: Callable[[Event], bool], begin: int) -> Event | None:
        while True:
            for event in self._log[begin:]:
                if wanted(event):
                    return event
            begin = len(self._log)
            if self.over or self.wrong is not None:
                return None
            self._changed.clear()
            await self._changed.wait()

    async def listen(self) -> None:
        """Until the server has answered all that was sent so far."""
        name, begin = f"probe {next(self._probes)}", self.place
        await self.say("conversation.item.retrieve", item_id="no such item", event_id=name)
        await self.until(lambda event: name in mentioned(event), begin)

    async def come_to_rest(self) -> None:
        """Until no response is in progress, and none is waiting for its turn: then one that is asked for is made."""
        await self.say("response.cancel")
        while not (self.over or self.wrong is not None):
            name, begin = f"probe {next(self._probes)}", self.place
            response = {"modalities" if self.beta else "output_modalities": ["text"], "metadata": {"name": name}}
            await self.say("response.create", response=response, event_id=name)
            event = await self.until(lambda event, name=name: name in mentioned(event), begin)  # type: ignore[misc]
            if event is None or event["type"] == "response.done":
                return
            await self.until(lambda event: event["type"] == "response.done", begin)  # of the one that is in progress

    # Leaving and coming back ------------------------------------------------------------------------------------
    async def cut(self) -> None:
        """Hang up without a word."""
        await self._stop_reading()
        reset(self._socket)

    async def resume(self, *, counting: bool) -> bool:
        """Go on over another connection; False when that cannot be. `counting`: say what has arrived."""
        await self._stop_reading()
        self.audit.missed = self.audit.missed or not counting
        last = {"last_event_id": self.audit.last} if counting and self.audit.last else {}
        replaced = self._socket
        there = await self.dial(session_id=self.session_id, **last)
        reset(replaced)
        return there

    async def leave(self) -> None:
        """Say goodbye."""
        await self._stop_reading()
        await self._socket.close()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            self._reading = None

    # Reading ----------------------------------------------------------------------------------------------------
    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._take(message)
            await self._ended()
        except ConnectionClosed:
            await self._ended()
        except Exception as error:
            self.wrong = error
        finally:
            self._changed.set()

    def _take(self, message: str | bytes) -> None:
        self.tally.told += 1
        if isinstance(message, bytes):
            self.audit.heard(message)
            return
        try:
            event = self.audit.told(message)
        except Exception as error:
            raise AssertionError(f"{error} in {message[:2000]}") from error
        self.tally.kinds[event["type"]] += 1
        self._note(event)
        self._log.append({key: event[key] for key in ("type", "error", "response", "item") if key in event})
        self._changed.set()

    def _note(self, event: Event) -> None:
        match event["type"]:
            case "session.created" | "session.updated":
                session = event["session"]
                self.session_id = session.get("id", self.session_id)
                self.input_format = self._format(session)
            case "error":
                self.tally.errors[event["error"]["code"]] += 1
            case "conversation.item.added":
                self.known["item"].append(event["item"]["id"])
                self.known["call"] += [event["item"]["call_id"]] if event["item"]["type"] == "function_call" else []
            case "response.created":
                self.known["response"].append(event["response"]["id"])
            case "response.done":
                self.tally.responses[event["response"]["status"]] += 1

    def _format(self, session: Event) -> AudioFormat:
        if not self.beta:
            kind: AudioFormat = session["audio"]["input"]["format"]["type"]
            return kind
        names: dict[str, AudioFormat] = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
        return names.get(session["input_audio_format"], "audio/pcm")

    async def _ended(self) -> None:
        """The server has closed the connection: was it right to?"""
        await self._socket.wait_closed()
        code, reason = self._socket.close_code, self._socket.close_reason
        if not self.over:
            self.tally.closed[f"{code} {reason}"] += 1
        self.over = True
        if code not in LET_GO:
            self.wrong = self.wrong or AssertionError(f"the server closed with {code} {reason!r}")
        self._changed.set()
