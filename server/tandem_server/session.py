"""One caller: the only file that makes a conversation's tasks. It hears the audio, performs effects and reports back.

Everything runs on one loop, so `_tell` needs no lock: effects are performed at once, in order; whatever takes time is a
task of this session's group, and its result comes back as news. When `run` returns, nothing of the session is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final

from openai.types.realtime import InputAudioBufferAppendEvent, SessionUpdateEvent

from tandem_models.extract import Block, BlockFeatures, analyse
from tandem_models.signal import SAMPLE_RATE
from tandem_server.audio import check_age, decoded, seconds_of
from tandem_server.contract import AudioFrame, SessionPreset, TandemModel, TandemSettings, parse_client_event, to_json
from tandem_server.conversation import Conversation
from tandem_server.conversation_events import (
    Arm,
    ClientSent,
    Disarm,
    DropReply,
    Effect,
    EndSpeech,
    Expired,
    Finalise,
    Forget,
    Hush,
    JudgeTurn,
    KeepSettings,
    Listen,
    ListenOn,
    LoadDonor,
    LoadSpeaker,
    News,
    PartialHeard,
    Record,
    Send,
    SendAudio,
    Speak,
    Stalled,
    StopReply,
    Think,
)
from tandem_server.deadlines import Deadlines
from tandem_server.ears import Ears
from tandem_server.equipment import Engines, Limits
from tandem_server.errors import ClientError, EngineError, ProtocolViolation, first_cause
from tandem_server.formats import AudioFormat
from tandem_server.hearing import HeardTurn, Pause
from tandem_server.judging import Judging
from tandem_server.keeping import Keeper, conversation_record
from tandem_server.line import ClientTooSlowError, ConnectionLostError, Line, Message
from tandem_server.outgoing import Messages, Outgoing
from tandem_server.pace import TokenBucket
from tandem_server.predictor_events import LoadPredictor
from tandem_server.stages.protocols import RecogniserStream
from tandem_server.telemetry import Log
from tandem_server.thinking import think
from tandem_server.utterance import SpokenReply

STALL: Final = 2.0
"""Seconds without audio after which an open turn is closed: the client is muted or gone."""
FAREWELL: Final = 4.0
"""Seconds that what is under way may take to come to its end after the client has left."""
LAST_WRITES: Final = 2.0
"""Seconds more for writing down what has come by then."""
SLICE: Final = 8
"""Frames heard before others get their turn: a client that sends a file at once must not stall the loop."""
MOST_ANALYSES: Final = 4
"""Blocks of half a second that may wait for a worker; in real time there are one or two."""
MOST_MISTAKES: Final = 200
"""Messages in a row that made no sense, after which the client is let go."""


class Session:
    """Runs one conversation over one line."""

    def __init__(
        self,
        session_id: str,
        engines: Engines,
        line: Line,
        tandem: TandemSettings,
        limits: Limits,
        log: Log,
        preset: SessionPreset | None = None,
    ) -> None:
        self._id = session_id
        self._engines = engines
        self._line = line
        self._limits = limits
        self._log = log.bind(session=session_id)
        names = {"recogniser": engines.recogniser.name, "voice_name": engines.voice.name}
        self._conversation = Conversation(session_id, engines.agent, **names, tandem=tandem, plan=engines.plan)
        if preset is not None:  # before anybody listens: session.created tells of it
            self._conversation.handle(ClientSent(SessionUpdateEvent(type="session.update", session=preset)), 0.0)
        self._audio_pace = TokenBucket(limits.audio_rate, limits.audio_burst)
        self._outgoing = Outgoing()
        self._turns: dict[int, HeardTurn] = {}
        self._replies: dict[int, SpokenReply] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: set[asyncio.Task[None]] = set()
        """Those of the tasks that write"""
        self._deadlines = Deadlines(lambda deadline: self._tell(Expired(deadline)), self._spawn, self._outgoing)
        self._keeper = Keeper(engines.store, self._tell, self._log, engines.learner)
        self._judging = Judging(engines.turn_model, self._tell, self._spawn, self._log)
        self._messages = Messages(session_id)
        self._idle = asyncio.Event()
        self._last_message = self._last_audio = time.monotonic()
        self._mistakes = 0
        self._group: asyncio.TaskGroup
        self._stream: RecogniserStream
        self._ears: Ears

    async def run(self) -> None:
        """Until the client leaves. Raises ProtocolViolation, ClientTooSlowError or TimeoutError when it has to go, and
        EngineError or StoreError when the conversation cannot begin."""
        engines = self._engines
        session, names, version = self._conversation.session, engines.names(), engines.software_version
        async with AsyncExitStack() as stack:
            await self._keeper.begin(conversation_record(self._id, session, names, version))
            stack.push_async_callback(self._keeper.end)
            detector = await engines.detector()
            stack.callback(engines.vad.release, detector)
            self._ears = Ears(detector)
            self._stream = await engines.stream(self._partial)
            stack.push_async_callback(engines.give_back, self._stream)
            stack.callback(self._let_go)
            await self._converse()

    def greeting(self) -> tuple[str, Message]:
        """What a connection over which the conversation goes on begins with: event id and message."""
        event = self._conversation.greeting()
        return event.event_id, to_json(event)

    def _let_go(self) -> None:
        """Drop the audio now: a session refers to itself in circles, so the rest of it waits for the collector."""
        self._turns.clear()
        self._replies.clear()
        self._ears.forget()

    async def _converse(self) -> None:
        cause: Exception | None = None
        try:
            async with asyncio.TaskGroup() as self._group:
                work = [self._group.create_task(one) for one in (self._listen(), self._watch(), self._pump())]
                self._perform(self._conversation.start())
                while cause is None and not work[0].done():
                    ended, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                    cause = next((task.result() for task in ended if task.result() is not None), None)
                    work = [task for task in work if task is work[0] or task not in ended]
                for task in work:
                    task.cancel()
                self._outgoing.close()
                await self._farewell()
        except BaseExceptionGroup as group:
            raise first_cause(group) from None
        finally:
            self._deadlines.close()
        if cause is not None:
            raise cause

    async def _pump(self) -> ClientTooSlowError | None:
        """Send what is queued. A client that is gone is noticed by `receive` too, which ends the session in order."""
        try:
            await self._outgoing.pump(self._line.send)
        except ConnectionLostError:
            self._outgoing.close()
        except ClientTooSlowError as error:
            return error
        return None

    async def _listen(self) -> ProtocolViolation | None:
        """Take the client's messages, one after the other: it is read no faster than it is understood."""
        while True:
            try:
                message = await self._line.receive()
                self._last_message = time.monotonic()
                await self._take(message)
                self._mistakes = 0
            except ConnectionLostError:
                return None
            except ProtocolViolation as error:
                return error
            except ClientError as error:
                self._mistakes += 1
                if self._mistakes > MOST_MISTAKES:
                    return ProtocolViolation("too many messages made no sense", code="too_many_errors")
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
            kind = self._conversation.session["audio"]["input"]["format"]["type"]
            try:
                await self._hear(await decoded(event.audio, kind), kind)
            except ClientError as error:
                error.event_id = event.event_id
                raise
            return
        self._tell(ClientSent(event))
        if self._outgoing.crowded:  # by answers to events that came faster than they can be answered
            await self._outgoing.room()

    async def _hear(self, data: bytes, audio_format: AudioFormat = "audio/pcm") -> None:
        waits = self._audio_pace.wait(seconds_of(data, audio_format), time.monotonic())
        check_age(waits, self._limits.audio_age)
        for number, frame in enumerate(self._ears.input.frames(data, audio_format)):
            self._last_audio = time.monotonic()
            news, measured = self._ears.hear(frame, raw=self._conversation.session["tandem"]["echo"] == "hear")
            for turn in self._turns.values():
                if turn.open:
                    self._analyse(turn, turn.feed(news.end - len(frame), frame, measured))
            self._tell(news)
            self._engines.meter.heard(len(frame))
            wait = self._audio_pace.take(len(frame) / SAMPLE_RATE, self._last_audio)
            if wait or number % SLICE == SLICE - 1:
                await asyncio.sleep(wait)
                await self._outgoing.room()
                await self._analysed()
                self._last_audio = time.monotonic()  # a client that sent much at once has not fallen silent

    async def _analysed(self) -> None:
        """Wait while much of this caller's audio is still to be measured: the workers are everybody's."""
        while len(waiting := [one for turn in self._turns.values() for one in turn.analyses]) > MOST_ANALYSES:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    async def _watch(self) -> TimeoutError:
        """Notice what does not happen; returns why the session is over."""
        begun = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            if not self._line.attached:  # nothing can come
                self._last_message = self._last_audio = now
            if self._conversation.user_speaking and now - self._last_audio > STALL:
                self._tell(Stalled())
            if now - self._last_message > self._limits.idle:
                return TimeoutError(f"nothing was heard from the client for {self._limits.idle:g} s")
            if now - begun > self._limits.duration:
                return TimeoutError(f"a session lasts at most {self._limits.duration:g} s")

    async def _farewell(self) -> None:
        """The client has left: let what it said and heard be recorded, then end everything."""
        self._perform(self._conversation.leave(time.monotonic()))
        if not await self._at_rest(FAREWELL):
            self._deadlines.pass_all()  # without what did not come, the rest can still be recorded
            if not await self._at_rest(LAST_WRITES):
                self._log.warning("session_not_finished", seconds=FAREWELL + LAST_WRITES)
        for task in self._tasks:
            task.cancel()

    async def _at_rest(self, seconds: float) -> bool:
        """Wait until nothing is under way and all is written; False when it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while not self._conversation.idle:
                    self._idle.clear()
                    await self._idle.wait()
                if self._records:
                    await asyncio.wait(self._records)
        except TimeoutError:
            return False
        return True

    # News in, effects out ---------------------------------------------------------------------------------------
    def _tell(self, news: News) -> None:
        self._perform(self._conversation.handle(news, time.monotonic()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._do(effect)
        if self._conversation.idle:
            self._idle.set()

    def _do(self, effect: Effect) -> None:
        self._engines.meter.performed(effect)
        match effect:
            case Send(TandemModel()) if not self._conversation.session["tandem"]["events"]:
                pass
            case Send() | SendAudio():
                if isinstance(effect, SendAudio):
                    self._ears.echo.loudspeaker.play(effect.pcm)
                for event_id, message in self._messages.of(effect):
                    self._outgoing.put(event_id, message)
            case Hush():
                self._ears.echo.loudspeaker.stop()
            case Listen():
                self._begin_turn(effect)
            case ListenOn():
                turn = self._turns[effect.turn]
                turn.resume(effect.at, *self._ears.input.since(effect.at))
            case Finalise():
                turn = self._turns[effect.turn]
                pause = turn.pause(effect.generation)
                self._spawn(self._finalise(turn, pause)).add_done_callback(lambda _: pause.drop())
            case JudgeTurn():
                self._judging.ask(effect, self._ears.input)
            case Forget():
                self._forget(effect.turn)
            case Think():
                self._reply(effect.reply).think(think(self._engines.responder, effect, self._tell, self._log))
            case Speak():
                self._reply(effect.reply).add(effect)
            case EndSpeech():
                self._reply(effect.reply).add(None)
            case StopReply():
                self._spawn(self._reply(effect.reply).stop(effect.heard))
            case DropReply():
                self._reply(effect.reply).cancel()
            case Record():
                self._write(self._keeper.keep(effect))
            case KeepSettings():
                self._write(self._keeper.settings(self._conversation.session))
            case LoadSpeaker() | LoadDonor() | LoadPredictor():
                self._spawn(self._keeper.load(effect))
            case Arm():
                self._deadlines.arm(effect.deadline, effect.seconds)
            case Disarm():
                self._deadlines.disarm(effect.deadline)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _write(self, work: Coroutine[Any, Any, None]) -> None:
        self._records.add(task := self._spawn(work))
        task.add_done_callback(self._records.discard)

    # Hearing ----------------------------------------------------------------------------------------------------
    def _begin_turn(self, effect: Listen) -> None:
        start, audio = self._ears.input.since(effect.start)
        for other in self._turns.values():
            other.open = False
        turn = HeardTurn.begin(effect.turn, start, self._stream, self._conversation.pitch_range)
        self._turns[effect.turn] = turn
        self._analyse(turn, turn.feed(start, audio, self._ears.input.measured_since(start)))

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
        self._tell(await turn.finalise(pause, self._measure))

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
