"""One scripted conversation: hears by energy alone, answers with a tone, and counts what the page sent.

Its prosody is scripted, not measured: numbers that look like a conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import uuid
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from fastapi import WebSocket
from pydantic import TypeAdapter
from starlette.websockets import WebSocketDisconnect

from tandem_models.prosody import FEATURES, NAMES
from tandem_models.surrogates import MINIMUM
from tandem_server import contract
from tandem_server.errors import EngineError
from tandem_server.manner_wire import so_far
from tandem_server.stages.entrain import UNKNOWN, History, UserScores

RATE: Final = 24_000
FRAME: Final = RATE // 50
HOP_MS: Final = 10
ONSET_MS, PREFIX_MS, PIECE_MS = 60, 100, 200
LOUD: Final = 10 ** (-35 / 20)
SERVER_EVENT: Final[TypeAdapter[contract.ServerEvent]] = TypeAdapter(contract.ServerEvent)
SAID: Final = (
    "I have been thinking about the weather lately, it changes so quickly.",
    "Yes, and what did you do then?",
    "It was much better than last week.",
    "Could you say that again, please?",
    "I would not have expected that at all.",
)
ANSWERS: Final = (
    "It does, does it not? Tell me what you like about it, and what you would rather be without.",
    "That sounds like a good afternoon. I would have gone for a walk, and taken the long way home by the river.",
    "I see. And how did that make you feel about the rest of it?",
    "Of course. I said that I would have taken the long way home, because it is quieter there.",
    "Neither would I. Shall we look at it from the other side?",
)


@dataclass(frozen=True)
class Script:
    """How the double behaves."""

    token: str = ""
    full: bool = False
    """Every connection is closed with 1013."""
    reply_s: float = 4.0
    pace: float = 4.0
    """Audio is sent this many times faster than it sounds."""
    jitter_ms: float = 0.0
    """Each piece of audio is late by up to this."""
    late_frames: int = 25
    """Frames of an interrupted reply that are still sent after speech_started."""
    break_off_s: float = math.inf
    """The voice fails after this much audio."""
    answer: bool = True
    tandem: contract.TandemSettings = field(default_factory=contract.TandemSettings)
    """What a session starts with."""


@dataclass
class Seen:
    """What one page has sent."""

    events: list[dict[str, Any]] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    frames: list[contract.AudioFrame] = field(default_factory=list)
    frames_sent: int = 0
    subprotocols: list[str] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.events if event["type"] == kind]


def tone(seconds: float, level: float = 0.3) -> tuple[np.ndarray, list[float]]:
    """The agent's voice: pcm16 of a gliding tone that never rests, and its pitch every HOP_MS (st re 100 Hz)."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 11 + 2.4 * np.sin(2 * np.pi * 0.45 * time) - 0.9 * time + 0.5 * np.sin(2 * np.pi * 1.9 * time)
    phase = 2 * np.pi * np.cumsum(100 * 2 ** (pitch / 12)) / RATE
    wave = level * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.15)  # an offset: no sample is zero for long
    return (wave * 32767).astype("<i2"), [float(st) for st in pitch[:: RATE * HOP_MS // 1000]]


class Talk:
    """One connection."""

    def __init__(self, socket: WebSocket, script: Script, seen: Seen, changed: Callable[[], Awaitable[None]]) -> None:
        self.socket, self.script, self.seen, self.changed = socket, script, seen, changed
        self.tandem = script.tandem
        self.silence_ms = 500
        self.random = random.Random(7)
        self.level = {name: self.random.gauss(0, 0.8) for name in NAMES}
        self.number = itertools.count(1)
        self.session = f"sess_{uuid.uuid4().hex[:8]}"
        self.heard_now = False
        self.heard_ms = self.loud_ms = self.quiet_ms = 0.0
        self.open: str | None = None
        self.piece_from = 0
        self.turns = self.exchanges = 0
        self.history = History()
        self.reply: asyncio.Task[None] | None = None
        self.texts: dict[str, str] = {}
        self.lengths: dict[str, float] = {}

    def new_id(self, kind: str) -> str:
        """Unique over sessions too: a page shows several, one after the other."""
        return f"{kind}_{self.session[5:]}{next(self.number):04}"

    async def send(self, kind: str, **fields: Any) -> None:
        event = SERVER_EVENT.validate_python({"type": kind, "event_id": self.new_id("event"), **fields})
        await self.socket.send_text(contract.to_json(event))

    def session_fields(self) -> dict[str, Any]:
        turn = {"type": "server_vad", "silence_duration_ms": self.silence_ms, "interrupt_response": True}
        return {
            "type": "realtime",
            "id": self.session,
            "tandem": self.tandem.model_dump(),
            "audio": {"input": {"turn_detection": turn}},
        }

    async def run(self) -> None:
        await self.send("session.created", session=self.session_fields())
        try:
            while True:
                message = await self.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self.receive(message.get("text"), message.get("bytes"))
                await self.changed()
        except WebSocketDisconnect:
            return
        finally:
            await self.stop_reply()

    async def receive(self, text: str | None, data: bytes | None) -> None:
        if data is not None:
            frame = contract.AudioFrame.decode(data)
            self.seen.frames.append(frame)
            await self.hear(frame.pcm)
        elif text is not None:
            event = contract.parse_client_event(text)
            self.seen.events.append(event.model_dump(exclude_unset=True))
            await self.handle(event.type, self.seen.events[-1])

    async def handle(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "session.update":
            session = event["session"]
            asked = {**self.tandem.model_dump(), **session.get("tandem", {})}
            self.tandem = contract.TandemSettings.model_validate(asked)
            self.silence_ms = session["audio"]["input"]["turn_detection"]["silence_duration_ms"]
            await self.send("session.updated", session=self.session_fields())
        elif kind == "input_audio_buffer.append":
            await self.hear(b64decode(event["audio"]))
        elif kind == "conversation.item.create":
            item = {**event["item"], "id": self.new_id("item"), "status": "completed"}
            await self.send("conversation.item.added", item=item)
            await self.send("conversation.item.done", item=item)
        elif kind == "response.create":
            self.heard_now = False
            self.reply = asyncio.create_task(self.answer())
        elif kind == "response.cancel":
            await self.stop_reply()
        elif kind == "conversation.item.truncate":
            item_id, end = event["item_id"], event["audio_end_ms"]
            words = self.texts.get(item_id, "").split()
            share = min(1.0, end / max(1.0, self.lengths.get(item_id, 1.0)))
            self.texts[item_id] = " ".join(words[: math.floor(share * len(words))])
            await self.send("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=end)
        elif kind == "conversation.item.retrieve":
            part = {"type": "output_audio", "transcript": self.texts.get(event["item_id"], "")}
            await self.send("conversation.item.retrieved", item=self.message(event["item_id"], "assistant", [part]))

    @staticmethod
    def message(item_id: str, role: str, content: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
        return {"id": item_id, "type": "message", "role": role, "status": status, "content": content}

    # ---- hearing ----

    async def hear(self, pcm: bytes) -> None:
        """Speech is what is loud; a turn ends after `silence_ms` of quiet."""
        self.seen.pcm += pcm
        samples = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
        ms = len(samples) * 1000 / RATE
        self.heard_ms += ms
        loud = float(np.sqrt(np.mean(samples**2))) > LOUD
        self.loud_ms = self.loud_ms + ms if loud else 0.0
        self.quiet_ms = 0.0 if loud else self.quiet_ms + ms
        if self.open is None and self.loud_ms >= ONSET_MS:
            await self.start_turn()
        elif self.open is not None:
            if self.heard_ms - self.piece_from >= PIECE_MS:
                await self.tell_prosody(self.open, final=False)
            if self.quiet_ms >= self.silence_ms:
                await self.end_turn(self.open)

    async def start_turn(self) -> None:
        self.open = self.new_id("item")
        start = max(0, round(self.heard_ms - ONSET_MS - PREFIX_MS))
        self.piece_from = start
        await self.send("input_audio_buffer.speech_started", item_id=self.open, audio_start_ms=start)
        await self.stop_reply("turn_detected")

    async def end_turn(self, item: str) -> None:
        self.open = None
        await self.send("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=round(self.heard_ms))
        await self.send("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        heard = self.message(item, "user", [{"type": "input_audio"}])
        await self.send("conversation.item.added", item=heard)
        await self.send("conversation.item.done", item=heard)
        said = SAID[self.turns % len(SAID)]
        await self.send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item,
            content_index=0,
            transcript=said,
            usage={"type": "duration", "seconds": 1.0},
        )
        await self.tell_prosody(item, final=True)
        self.turns += 1
        self.heard_now = True
        if self.script.answer:
            self.reply = asyncio.create_task(self.answer())

    async def tell_prosody(self, item: str, *, final: bool) -> None:
        now = round(self.heard_ms)
        silent = self.quiet_ms if final else 0
        times = range(self.piece_from, max(self.piece_from, now - round(silent)), HOP_MS)
        pitch = [None if at % 900 > 740 else 6 + 3 * math.sin(at / 340) + math.sin(at / 97) for at in times]
        more: dict[str, Any] = {}
        if final:
            for name in NAMES:
                self.level[name] += self.random.gauss(0, 0.55) - 0.1 * self.level[name]
            missing = {"jitter", "shimmer"} if self.turns % 4 == 2 else set()
            level = {name: None if name in missing else round(value, 3) for name, value in self.level.items()}
            features = {f.name: None if f.name in missing else self.physical(f.name, level[f.name]) for f in FEATURES}
            more = {"features": features, "z": level, "level": level, "duration_s": 1.0, "voiced_s": 0.8, "flags": []}
        track = {"start_ms": self.piece_from, "hop_ms": HOP_MS, "pitch": pitch}
        self.piece_from = now
        await self.send("tandem.user.prosody", item_id=item, final=final, track=track, **more)

    @staticmethod
    def physical(name: str, z: float | None) -> float | None:
        feature = next(feature for feature in FEATURES if feature.name == name)
        middle = (feature.low + feature.high) / 2
        return None if z is None else round(middle + z * (feature.high - feature.low) / 20, 3)

    # ---- answering ----

    async def answer(self) -> None:
        """One reply, in the order of the contract; cancelled by `stop_reply`."""
        response, item = self.new_id("resp"), self.new_id("item")
        text = ANSWERS[self.exchanges % len(ANSWERS)]
        pcm, pitch = tone(self.script.reply_s)
        part = {"type": "audio", "transcript": ""}
        ids = {"response_id": response, "item_id": item, "output_index": 0}
        live = {"id": response, "object": "realtime.response", "status": "in_progress", "output": []}
        await self.send("response.created", response=live)
        status: dict[str, Any] = {"status": "completed"}
        self.lengths[item] = self.script.reply_s * 1000
        try:
            added = self.message(item, "assistant", [], "in_progress")
            await self.send("response.output_item.added", response_id=response, output_index=0, item=added)
            await self.send("conversation.item.added", item=added)
            await self.send("response.content_part.added", **ids, content_index=0, part=part)
            target = self.target()
            values = {name: self.physical(name, z) for name, z in target.items()}
            await self.send(
                "tandem.agent.target",
                response_id=response,
                item_id=item,
                strategy=self.tandem.strategy,
                features=values,
                z=target,
            )
            await self.speak(ids, pcm, text)
            await self.send("response.output_audio.done", **ids, content_index=0)
            await self.send("response.output_audio_transcript.done", **ids, content_index=0, transcript=text)
            await self.send("response.content_part.done", **ids, content_index=0, part={**part, "transcript": text})
            done = self.message(item, "assistant", [{"type": "output_audio", "transcript": text}])
            await self.send("conversation.item.done", item=done)
            await self.send("response.output_item.done", response_id=response, output_index=0, item=done)
            await self.measured(response, item, target, pitch)
        except asyncio.CancelledError as cancelled:
            reason = str(cancelled.args[0]) if cancelled.args else "client_cancelled"
            status = {"status": "cancelled", "status_details": {"type": "cancelled", "reason": reason}}
            await self.send_late(ids, pcm)
        except EngineError as failed:
            error = {"type": "server_error", "message": str(failed)}
            status = {"status": "failed", "status_details": {"type": "failed", "error": error}}
        await self.send("response.done", response={**live, **status})

    async def speak(self, ids: dict[str, Any], pcm: np.ndarray, text: str) -> None:
        words = text.split(" ")
        chunks = np.array_split(pcm, max(1, len(pcm) // (2 * FRAME)))
        spoken, sent = 0, 0
        for number, chunk in enumerate(chunks):
            upto = math.ceil(len(words) * (number + 1) / len(chunks))
            if upto > spoken:
                delta = " ".join(words[spoken:upto]) + (" " if upto < len(words) else "")
                self.texts[ids["item_id"]] = self.texts.get(ids["item_id"], "") + delta
                await self.send("response.output_audio_transcript.delta", **ids, content_index=0, delta=delta)
                spoken = upto
            await self.send_audio(ids, chunk, sent)
            sent += len(chunk)
            if sent > self.script.break_off_s * RATE:
                raise EngineError("the voice failed", stage="voice")
            late = self.random.uniform(0, self.script.jitter_ms) / 1000
            await asyncio.sleep(len(chunk) / RATE / self.script.pace + late)

    async def send_audio(self, ids: dict[str, Any], chunk: np.ndarray, before: int) -> None:
        self.seen.frames_sent += 1
        if self.tandem.audio_frames == "binary":
            frame = contract.AudioFrame("output", self.seen.frames_sent, before * 1000 / RATE, chunk.tobytes())
            await self.socket.send_bytes(frame.encode())
        else:
            delta = b64encode(chunk.tobytes()).decode()
            await self.send("response.output_audio.delta", **ids, content_index=0, delta=delta)

    async def send_late(self, ids: dict[str, Any], pcm: np.ndarray) -> None:
        """What was on its way when the reply was cancelled; the page must not play it."""
        for number in range(self.script.late_frames):
            await self.send_audio(ids, pcm[:FRAME], number * FRAME)

    def target(self) -> dict[str, float | None]:
        gains = {"neutral": 0.0, "match": 0.8, "rule": 0.55, "neural": 0.2, "anti": -0.7, "yoked": 0.0}
        gain = gains[self.tandem.strategy] * self.tandem.strength
        moving = set(self.tandem.features)
        return {name: round(gain * self.level[name] if name in moving else 0.0, 3) for name in NAMES}

    async def measured(self, response: str, item: str, target: dict[str, float | None], pitch: list[float]) -> None:
        z = {name: round(0.85 * (value or 0.0) + self.random.gauss(0, 0.15), 3) for name, value in target.items()}
        features = {name: self.physical(name, value) for name, value in z.items()}
        track = {"start_ms": 0, "hop_ms": HOP_MS, "pitch": pitch}
        await self.send(
            "tandem.agent.realised",
            response_id=response,
            item_id=item,
            features=features,
            z=z,
            track=track,
            limits=[],
        )
        self.exchanges += 1
        rows = {
            name: {
                "user": round(self.level[name], 3) if self.heard_now else None,
                "target": target[name],
                "realised": z[name],
                "distance": round(abs(self.level[name] - z[name]), 3) if self.heard_now else None,
            }
            for name in NAMES
            if not (name in {"jitter", "shimmer"} and self.turns % 4 == 3)
        }
        if self.heard_now:
            self.history = self.history.heard(UserScores(UNKNOWN, tuple(self.level[name] for name in NAMES)))
        self.history = self.history.said(tuple(z[name] for name in NAMES))
        await self.send(
            "tandem.entrainment",
            exchange=self.exchanges,
            strategy=self.tandem.strategy,
            features=rows,
            measures=[one.model_dump() for one in so_far(self.history)],
            needed=MINIMUM,
        )
        stages = {
            "end of turn": self.silence_ms,
            "recognition": 41.0,
            "prosody": 12.0,
            "response": 96.0,
            "voice": 143.0,
        }
        stages["first audio"] = sum(stages.values())
        await self.send("tandem.latency", response_id=response, stages_ms=stages)

    async def stop_reply(self, reason: str = "client_cancelled") -> None:
        reply, self.reply = self.reply, None
        if reply is None or reply.done():
            return
        reply.cancel(reason)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, asyncio.CancelledError):
            await reply
