"""Doubles for the client: a server that follows a script on its own audio clock, and a clock that jumps.

The script answers as the real server does, in its order of events, so that a shell can be tried without one. It is the
same behind a `ScriptedTransport` (no socket: every step is settled before the next) and behind `serving` (a real
WebSocket on this machine).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tandem_client.actions import Action, ServerSaid, ServerSpoke, Wire
from tandem_client.errors import ConnectionLost
from tandem_client.playback import SAMPLES_PER_MS
from tandem_client.transport import parsed
from tandem_models.prosody import NAMES
from tandem_server.contract import AudioFrame

Message = str | bytes
LEVEL: Final = 8192
"""Every sample of the agent: a quarter of full scale, easy to find in a recording."""
_CHUNK_MS: Final = 100


class JumpingClock:
    """Time passes when somebody waits for it, and takes no time."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    async def until(self, moment: float) -> None:
        self._now = max(self._now, moment)
        await asyncio.sleep(0)


class RememberingView:
    """A view that keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Action] = []

    def show(self, action: Action) -> None:
        self.shown.append(action)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the script, on the clock of the audio that the server has heard."""

    start_ms: int
    end_ms: int
    said: str = "hello"
    reply: str = "hello to you"
    reply_ms: int = 500
    status: str = "completed"
    """`failed`: the reply ends without audio. `none`: nothing is answered at all."""


class ScriptedServer:
    """The server's side of one conversation: messages in, messages out."""

    def __init__(
        self,
        turns: Sequence[Turn] = (),
        *,
        refuses: str = "",
        lost_at_ms: int | None = None,
        deaf_to_text: bool = False,
    ) -> None:
        self.received: list[Wire] = []
        """Every client event but the audio."""
        self.heard = 0
        """Samples of audio received."""
        self._moments = self._planned(turns)
        self._refuses = refuses
        self._lost_at_ms = lost_at_ms
        self._deaf_to_text = deaf_to_text
        self._binary = False
        self._typed = ""
        self._events = count(1)
        self._replies = count(1)

    def opening(self) -> list[Message]:
        """What it says first."""
        return [self._text("session.created", session=self._session())]

    def answer(self, message: Message) -> list[Message]:
        """What it says to a message. Raises ConnectionLost where the script has the connection break."""
        event = json.loads(message)
        if event["type"] == "input_audio_buffer.append":
            return self._hear(base64.b64decode(event["audio"]))
        self.received.append(event)
        match event["type"]:
            case "session.update":
                return [self._configured(event)]
            case "conversation.item.create":
                self._typed = event["item"]["content"][0]["text"]
            case "response.create" if not self._deaf_to_text:
                return list(self._reply(Turn(0, 0, reply=f"you typed {self._typed}")))
            case "conversation.item.truncate":
                fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
                return [self._text("conversation.item.truncated", **fields)]
        return []

    def _hear(self, pcm: bytes) -> list[Message]:
        self.heard += len(pcm) // 2
        now_ms = self.heard // SAMPLES_PER_MS
        if self._lost_at_ms is not None and now_ms >= self._lost_at_ms:
            raise ConnectionLost("the script breaks the connection here")
        messages: list[Message] = []
        while self._moments and self._moments[0][0] <= now_ms:
            _, starts, turn, item_id = self._moments.pop(0)
            messages += self._started(turn, item_id) if starts else self._stopped(turn, item_id)
        return messages

    @staticmethod
    def _planned(turns: Sequence[Turn]) -> list[tuple[int, bool, Turn, str]]:
        items = [(turn, f"user_{number}") for number, turn in enumerate(turns, 1)]
        starts = [(turn.start_ms, True, turn, item) for turn, item in items]
        ends = [(turn.end_ms, False, turn, item) for turn, item in items]
        return sorted(starts + ends, key=lambda moment: moment[0])

    def _configured(self, event: Wire) -> Message:
        if self._refuses:
            error = {"type": "invalid_request_error", "message": self._refuses, "event_id": event["event_id"]}
            return self._text("error", error=error)
        self._binary = event["session"]["tandem"]["audio_frames"] == "binary"
        return self._text("session.updated", session=self._session())

    @staticmethod
    def _session() -> Wire:
        detection = {"type": "server_vad", "interrupt_response": True}
        return {"type": "realtime", "id": "sess_1", "audio": {"input": {"turn_detection": detection}}}

    def _started(self, turn: Turn, item_id: str) -> list[Message]:
        return [self._text("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=turn.start_ms)]

    def _stopped(self, turn: Turn, item_id: str) -> list[Message]:
        item = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        usage = {"type": "duration", "seconds": (turn.end_ms - turn.start_ms) / 1000}
        completed = {"item_id": item_id, "content_index": 0, "transcript": turn.said, "usage": usage}
        return [
            self._text("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=turn.end_ms),
            self._text("input_audio_buffer.committed", item_id=item_id, previous_item_id=None),
            self._text("conversation.item.added", item=item, previous_item_id=None),
            self._text("conversation.item.done", item=item, previous_item_id=None),
            self._text("conversation.item.input_audio_transcription.completed", **completed),
            *(() if turn.status == "none" else self._reply(turn)),
        ]

    def _reply(self, turn: Turn) -> Iterator[Message]:
        number = next(self._replies)
        response_id, item_id = f"resp_{number}", f"agent_{number}"
        part = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        yield self._text("response.created", response=self._response(response_id, "in_progress"))
        if turn.status != "failed":
            yield self._text("response.output_item.added", response_id=response_id, output_index=0, item=item)
            yield self._text("conversation.item.added", item=item, previous_item_id=None)
            yield self._text("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
            yield self._text("response.output_audio_transcript.delta", **part, delta=turn.reply)
            yield from self._spoken(turn, part)
            yield self._text("response.output_audio.done", **part)
            yield self._text("response.output_audio_transcript.done", **part, transcript=turn.reply)
            yield from self._measures(number, response_id)
        yield self._text("response.done", response=self._response(response_id, turn.status))

    def _spoken(self, turn: Turn, part: Wire) -> Iterator[Message]:
        for sequence, start in enumerate(range(0, turn.reply_ms, _CHUNK_MS)):
            samples = min(_CHUNK_MS, turn.reply_ms - start) * SAMPLES_PER_MS
            pcm = LEVEL.to_bytes(2, "little") * samples
            if self._binary:
                yield AudioFrame("output", sequence, float(start), pcm).encode()
            else:
                yield self._text("response.output_audio.delta", **part, delta=base64.b64encode(pcm).decode("ascii"))

    def _measures(self, number: int, response_id: str) -> Iterator[Message]:
        measure = {"user": 1.0, "target": 0.5, "realised": 0.4, "distance": 0.6}
        features = dict.fromkeys(NAMES, measure)
        yield self._text("tandem.entrainment", exchange=number, strategy="match", features=features)
        yield self._text("tandem.latency", response_id=response_id, stages_ms={"asr": 20.0, "total": 300.0})

    @staticmethod
    def _response(response_id: str, status: str) -> Wire:
        failure = {"type": "failed", "error": {"type": "server_error", "code": "the voice broke"}}
        details = failure if status == "failed" else None
        return {"id": response_id, "object": "realtime.response", "status": status, "status_details": details}

    def _text(self, kind: str, **fields: Any) -> Message:
        return json.dumps({"type": kind, "event_id": f"event_{next(self._events)}", **fields})


class ScriptedTransport:
    """A transport to a scripted server without a socket; `send` returns when all that it caused has been handled."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._settled = asyncio.Event()
        self._put(server.opening())

    async def send(self, event: Wire) -> None:
        self._put(self._server.answer(json.dumps(event)))
        await self._settled.wait()

    async def receive(self) -> ServerSaid | ServerSpoke:
        if self._messages.empty():
            self._settled.set()
        return parsed(await self._messages.get())

    def _put(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._settled.clear()
            self._messages.put_nowait(message)


@asynccontextmanager
async def serving(
    server: ScriptedServer, *, token: str | None = None, status: int | None = None, refusal: str = "refused\n"
) -> AsyncIterator[str]:
    """The scripted server behind a WebSocket; gives its URL. `status`: every handshake is refused, with `refusal`."""

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        if status is not None:
            return connection.respond(HTTPStatus(status), refusal)
        if token is not None and request.headers.get("Authorization") != f"Bearer {token}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong token\n")
        return None

    async def hold(connection: ServerConnection) -> None:
        try:
            for message in server.opening():
                await connection.send(message)
            async for message in connection:
                for reply in server.answer(message):
                    await connection.send(reply)
        except ConnectionLost:
            connection.transport.abort()
        except ConnectionClosed:
            pass

    async with serve(hold, "127.0.0.1", 0, process_request=admit, compression=None) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/realtime"
