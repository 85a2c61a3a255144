"""One caller: the only file that makes tasks. It hears the audio, performs effects and reports back.

Everything runs on one loop, so `_tell` needs no lock: news goes in and effects are performed at once, in order;
whatever takes time becomes a task of this session's group, and its result comes back as news. When `run` returns,
nothing of the session is left.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from openai.types.realtime import InputAudioBufferAppendEvent, ResponseAudioDeltaEvent

from tandem_models.extract import Block, BlockFeatures, PitchRange, analyse
from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_models.signal import WIRE_RATE, exact_div
from tandem_server.audio import AudioInput, decode_base64
from tandem_server.contract import AudioFrame, TandemSettings, parse_client_event, to_json
from tandem_server.conversation import Conversation
from tandem_server.conversation_events import (
    Arm,
    ClientSent,
    Disarm,
    Effect,
    EndSpeech,
    Expired,
    Finalise,
    Finalised,
    Forget,
    FrameHeard,
    Listen,
    ListenOn,
    LoadSpeaker,
    News,
    PartialHeard,
    Record,
    Remember,
    Send,
    SendAudio,
    Speak,
    SpeakerLoaded,
    Stalled,
    StopReply,
    StoreReported,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
)
from tandem_server.errors import ClientError, EngineError, ProtocolViolation, StoreError
from tandem_server.hearing import HeardTurn, Pause
from tandem_server.outgoing import ClientTooSlowError, Message, Outgoing
from tandem_server.record.records import ConversationRecord, SpeakerRecord, TurnStore
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import (
    Recogniser,
    RecogniserStream,
    Responder,
    Voice,
    VoiceActivity,
    VoiceActivityEngine,
)
from tandem_server.telemetry import Log
from tandem_server.utterance import SpokenReply
from tandem_server.workers import Workers

AUDIO_CHUNK: Final = 2 * exact_div(WIRE_RATE, 10)
"""Bytes of one outgoing audio message: 100 ms."""
STALL: Final = 2.0
"""Seconds without audio after which an open turn is closed: the client is muted or gone."""
FAREWELL: Final = 6.0
"""Seconds that what is under way may take to be recorded after the client has left."""
SLICE: Final = 8
"""Frames heard before others get their turn: a client that sends a file at once must not stall the loop."""
MOST_MISTAKES: Final = 200
"""Messages in a row that made no sense, after which the client is let go."""


class ConnectionLostError(Exception):
    """The client is gone."""


class Connection(Protocol):
    """The client's socket; both methods raise ConnectionLostError when it is gone."""

    async def receive(self) -> Message: ...

    async def send(self, message: Message) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may take."""

    duration: float = 3600.0
    """Seconds"""
    idle: float = 600.0
    """Seconds without a message from the client"""


@dataclass(frozen=True, slots=True)
class Engines:
    """What a session works with; shared by all sessions."""

    vad: VoiceActivityEngine
    recogniser: Recogniser
    responder: Responder
    voice: Voice
    agent: AgentVoice
    voice_range: PitchRange
    """Where the agent's own pitch is searched for"""
    workers: Workers
    store: TurnStore
    software_version: str

    def names(self) -> dict[str, str]:
        """Stage -> engine, for people."""
        return {
            "vad": self.vad.name,
            "asr": self.recogniser.name,
            "response": self.responder.name,
            "voice": self.voice.name,
        }


class Session:
    """Runs one conversation over one connection."""

    def __init__(
        self,
        session_id: str,
        engines: Engines,
        connection: Connection,
        tandem: TandemSettings,
        limits: Limits,
        log: Log,
    ) -> None:
        self._id = session_id
        self._engines = engines
        self._connection = connection
        self._limits = limits
        self._log = log.bind(session=session_id)
        self._conversation = Conversation(
            session_id,
            engines.agent,
            recogniser=engines.recogniser.name,
            voice_name=engines.voice.name,
            tandem=tandem,
        )
        self._audio = AudioInput()
        self._outgoing = Outgoing()
        self._turns: dict[int, HeardTurn] = {}
        self._replies: dict[int, SpokenReply] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._idle = asyncio.Event()
        self._last_message = self._last_audio = time.monotonic()
        self._sequence = 0
        self._mistakes = 0
        self._group: asyncio.TaskGroup
        self._stream: RecogniserStream
        self._detector: VoiceActivity

    async def run(self) -> None:
        """Until the client leaves. Raises ProtocolViolation, ClientTooSlowError or TimeoutError when it has to go, and
        EngineError or StoreError when the conversation cannot begin."""
        engines = self._engines
        await engines.store.open_conversation(self._record())
        self._detector = await engines.vad.open()
        try:
            self._stream = await engines.recogniser.open(self._partial)
            try:
                await self._converse()
            finally:
                await self._stream.close()
        finally:
            engines.vad.release(self._detector)
            await engines.store.close_conversation(self._id, datetime.now(UTC))

    async def _converse(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._group:
                pump = self._group.create_task(self._outgoing.pump(self._connection.send))
                watch = self._group.create_task(self._watch())
                self._perform(self._conversation.start())
                try:
                    await self._listen()
                except ConnectionLostError:
                    pass
                finally:
                    watch.cancel()
                    self._outgoing.close()
                    pump.cancel()
                await self._farewell()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _listen(self) -> None:
        """Take the client's messages, one after the other: it is read no faster than it is understood."""
        while True:
            message = await self._connection.receive()
            self._last_message = time.monotonic()
            try:
                await self._take(message)
                self._mistakes = 0
            except ProtocolViolation:
                raise
            except ClientError as error:
                self._mistakes += 1
                if self._mistakes > MOST_MISTAKES:
                    raise ProtocolViolation("too many messages made no sense", code="too_many_errors") from None
                self._perform(self._conversation.refuse(error))
                await self._outgoing.room()

    async def _take(self, message: Message) -> None:
        if isinstance(message, bytes):
            frame = AudioFrame.decode(message)
            if frame.kind != "input":
                raise ClientError("clients send audio frames of kind 1", code="invalid_audio_frame")
            await self._hear(frame.pcm)
            return
        event = parse_client_event(message)
        if isinstance(event, InputAudioBufferAppendEvent):
            try:
                await self._hear(decode_base64(event.audio))
            except ClientError as error:
                error.event_id = event.event_id
                raise
            return
        self._tell(ClientSent(event))

    async def _hear(self, pcm: bytes) -> None:
        self._last_audio = time.monotonic()
        for number, frame in enumerate(self._audio.frames(pcm)):
            begin, end = self._audio.heard - len(frame), self._audio.heard
            probability = self._detector.probability(frame)
            for turn in self._turns.values():
                if turn.open:
                    self._analyse(turn, turn.feed(begin, frame))
            self._tell(FrameHeard(end, probability))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
                await self._outgoing.room()

    async def _watch(self) -> None:
        """Notice what does not happen."""
        begun = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            if self._conversation.user_speaking and now - self._last_audio > STALL:
                self._tell(Stalled())
            if now - self._last_message > self._limits.idle:
                raise TimeoutError(f"nothing was heard from the client for {self._limits.idle:g} s")
            if now - begun > self._limits.duration:
                raise TimeoutError(f"a session lasts at most {self._limits.duration:g} s")

    async def _farewell(self) -> None:
        """The client has left: let what it said and heard be recorded, then end everything."""
        self._perform(self._conversation.leave(time.monotonic()))
        try:
            async with asyncio.timeout(FAREWELL):
                while not self._conversation.idle:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            self._log.warning("session_not_finished", seconds=FAREWELL)
        for reply in self._replies.values():
            reply.cancel()

    # News in, effects out ---------------------------------------------------------------------------------------
    def _tell(self, news: News) -> None:
        self._perform(self._conversation.handle(news, time.monotonic()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._do(effect)
        if self._conversation.idle:
            self._idle.set()

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._outgoing.put(to_json(effect.event))
            case SendAudio():
                self._send_audio(effect)
            case Listen():
                self._begin_turn(effect)
            case ListenOn():
                turn = self._turns[effect.turn]
                turn.resume(effect.at, *self._audio.since(effect.at))
            case Finalise():
                turn = self._turns[effect.turn]
                pause = turn.pause(effect.generation)
                self._spawn(self._finalise(turn, pause)).add_done_callback(lambda _: pause.drop())
            case Forget():
                self._forget(effect.turn)
            case Think():
                self._reply(effect.reply).think(self._think(effect))
            case Speak():
                self._reply(effect.reply).add(effect)
            case EndSpeech():
                self._reply(effect.reply).add(None)
            case StopReply():
                self._spawn(self._reply(effect.reply).stop(effect.heard))
            case Record():
                self._spawn(self._keep(effect))
            case LoadSpeaker():
                self._spawn(self._load(effect.user_id))
            case Arm():
                self._arm(effect)
            case Disarm():
                self._disarm(effect.deadline)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._group.create_task(work)

    # Hearing ----------------------------------------------------------------------------------------------------
    def _begin_turn(self, effect: Listen) -> None:
        start, audio = self._audio.since(effect.start)
        for other in self._turns.values():
            other.open = False
        turn = HeardTurn.begin(effect.turn, start, self._stream, self._conversation.pitch_range)
        self._turns[effect.turn] = turn
        self._analyse(turn, turn.feed(start, audio))

    def _analyse(self, turn: HeardTurn, blocks: list[Block]) -> None:
        for block in blocks:
            task = self._spawn(self._analyse_block(turn, block))
            turn.analyses.add(task)
            task.add_done_callback(turn.analyses.discard)

    async def _analyse_block(self, turn: HeardTurn, block: Block) -> None:
        try:
            features = await self._measure(block)
        except EngineError as error:
            turn.failure = str(error)
            return
        turn.extractor.add(features)
        self._tell(turn.track(features))

    async def _measure(self, block: Block) -> BlockFeatures:
        return await self._engines.workers.run(analyse, block)

    async def _finalise(self, turn: HeardTurn, pause: Pause) -> None:
        finalised: Finalised = await turn.finalise(pause, self._measure)
        self._tell(finalised)

    def _partial(self, text: str) -> None:
        for turn in self._turns.values():
            if turn.open and turn.recognising:
                self._tell(PartialHeard(turn.turn, text))
                return

    def _forget(self, number: int) -> None:
        turn = self._turns.pop(number)
        if turn.recognising:
            self._stream.reset()

    # Replying ---------------------------------------------------------------------------------------------------
    def _reply(self, number: int) -> SpokenReply:
        if number not in self._replies:
            for ended in [one for one, reply in self._replies.items() if reply.over]:
                del self._replies[ended]
            engines = self._engines
            self._replies[number] = SpokenReply(
                number,
                engines.voice,
                engines.workers,
                engines.voice_range,
                self._tell,
                self._outgoing.room,
                self._spawn,
            )
        return self._replies[number]

    async def _think(self, effect: Think) -> None:
        pieces = self._engines.responder.respond(effect.messages)
        try:
            async for piece in pieces:
                self._tell(TextCame(effect.reply, piece))
        except EngineError as error:
            self._log.warning("responder_failed", error=str(error))
            self._tell(TextFailed(effect.reply, str(error)))
        else:
            self._tell(TextEnded(effect.reply))
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _send_audio(self, effect: SendAudio) -> None:
        for begin in range(0, len(effect.pcm), AUDIO_CHUNK):
            pcm = effect.pcm[begin : begin + AUDIO_CHUNK]
            self._sequence += 1
            if effect.binary:
                position = (effect.position + begin // 2) * 1000.0 / WIRE_RATE
                self._outgoing.put(AudioFrame("output", self._sequence, position, pcm).encode())
                continue
            delta = ResponseAudioDeltaEvent(
                type="response.output_audio.delta",
                event_id=f"event_{self._id.removeprefix('sess_')}_a{self._sequence}",
                response_id=effect.response_id,
                item_id=effect.item_id,
                output_index=0,
                content_index=0,
                delta=base64.b64encode(pcm).decode("ascii"),
            )
            self._outgoing.put(to_json(delta))

    # Keeping ----------------------------------------------------------------------------------------------------
    async def _keep(self, effect: Record) -> None:
        error: str | None = None
        try:
            await self._engines.store.record_turn(effect.turn)
            if effect.speaker is not None:
                await self._engines.store.save_speaker(_speaker(effect.speaker))
        except StoreError as failure:
            error = str(failure)
            self._log.error("turn_not_recorded", error=error)
        self._tell(StoreReported(effect.turn.item_id, error))

    async def _load(self, user_id: str) -> None:
        try:
            speaker = await self._engines.store.load_speaker(user_id)
        except StoreError as failure:
            self._log.error("speaker_not_loaded", error=str(failure))
            return
        self._tell(SpeakerLoaded(user_id, speaker))

    def _record(self) -> ConversationRecord:
        session = self._conversation.session
        return ConversationRecord(
            id=self._id,
            started_at=datetime.now(UTC),
            user_id=session["tandem"]["user_id"],
            settings=session,
            engines=self._engines.names(),
            software_version=self._engines.software_version,
            extractor_version=EXTRACTOR_VERSION,
        )

    # Deadlines --------------------------------------------------------------------------------------------------
    def _arm(self, effect: Arm) -> None:
        self._disarm(effect.deadline)
        loop = asyncio.get_running_loop()
        self._timers[effect.deadline] = loop.call_later(effect.seconds, self._expired, effect.deadline)

    def _disarm(self, deadline: str) -> None:
        timer = self._timers.pop(deadline, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, deadline: str) -> None:
        del self._timers[deadline]
        self._tell(Expired(deadline))


def _speaker(known: Remember) -> SpeakerRecord:
    return SpeakerRecord(known.user_id, known.normaliser, known.pitch_range, datetime.now(UTC))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The cause among those that a task group collected; cancellation is never it."""
    causes = [error for error in _leaves(group) if not isinstance(error, asyncio.CancelledError)]
    order = (ProtocolViolation, ClientTooSlowError, TimeoutError, ConnectionLostError)
    known = [error for error in causes if isinstance(error, order)]
    unknown = [error for error in causes if not isinstance(error, order)]
    return (unknown or known or [asyncio.CancelledError()])[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
