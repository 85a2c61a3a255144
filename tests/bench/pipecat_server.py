"""A Pipecat server for latency.py to call: the framework of others around the very same engines.

    python3 -m venv FOLDER; FOLDER/bin/pip install 'pipecat-ai[silero,websocket]==1.14.0' 'uvicorn[standard]' \
        pocketsphinx espeakng-loader soxr structlog
    PYTHONPATH=server:models FOLDER/bin/python tests/bench/pipecat_server.py --port 0 [--stt pocketsphinx ...]

Written for pipecat-ai 1.14.0, which this project does not depend on. As its users would: FastAPI and uvicorn (with
uvloop), one pipeline and one task per caller in one process, its Silero analyser, its default turn model on request.
Where there was a choice, Pipecat was given the cheaper one: no debug log, no RTVI messages, no interim transcripts, no
metrics, audio at 16 kHz so that nothing is resampled, and without the turn model no waiting beyond the VAD's silence
(its own `user_speech_timeout` is 0.6 s). Recogniser, responder and voice are Tandem's, workers and all.
Binary messages are pcm16, SAMPLE_RATE in and WIRE_RATE out; there are no others.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings, is_given
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy, TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, float_to_pcm16
from tandem_server.engines.recognisers import make_recogniser
from tandem_server.engines.responders import make_responder
from tandem_server.engines.voices import make_voice
from tandem_server.stages.protocols import Message, Recogniser, RecogniserStream, Responder, Voice
from tandem_server.telemetry import LoopLag

STOP_SECS: Final = 0.2
"""Pipecat's default silence; in frames of 32 ms it is 192 ms."""
PREROLL_BYTES: Final = SAMPLE_RATE
"""Half a second: the analyser reports speech 200 ms after it began."""

NOT_UNDERSTOOD: Final = "..."
"""Ours answers speech without words at once; Pipecat waits 5 s for a transcript that is not empty."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Made once and shared by all callers."""

    recogniser: Recogniser
    responder: Responder
    voice: Voice


def unset(settings: Any) -> Any:
    """With None where nothing was given: these engines have no such settings, and Pipecat wants to be told."""
    for one in fields(settings):
        if not is_given(getattr(settings, one.name)):
            setattr(settings, one.name, None)
    return settings


class PcmSerializer(FrameSerializer):
    """Audio and nothing else."""

    async def serialize(self, frame: Frame) -> bytes | None:
        return frame.audio if isinstance(frame, OutputAudioRawFrame) else None

    async def deserialize(self, data: str | bytes) -> Frame:
        return InputAudioRawFrame(audio=data, sample_rate=SAMPLE_RATE, num_channels=1)


class Recognition(STTService):
    """Decodes while the user speaks, and is final when the analyser says that the user has stopped."""

    def __init__(self, engine: Recogniser) -> None:
        super().__init__(ttfs_p99_latency=0.5, settings=unset(STTSettings()))
        self._engine = engine
        self._stream: RecogniserStream | None = None
        self._recent = b""
        self._speaking = False

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        self._stream = await self._engine.open(lambda _: None)

    async def cleanup(self) -> None:
        await super().cleanup()
        if self._stream is not None:
            await self._stream.close()

    async def run_stt(self, audio: bytes) -> AsyncIterator[Frame | None]:
        if self._speaking and self._stream is not None:
            self._stream.feed(audio)
        else:
            self._recent = (self._recent + audio)[-PREROLL_BYTES:]
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if self._stream is None:
            return
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._speaking = True
            self._stream.feed(self._recent)
            self._recent = b""
        elif isinstance(frame, VADUserStoppedSpeakingFrame) and self._speaking:
            self._speaking = False
            text = (await self._stream.finish()).text or NOT_UNDERSTOOD
            await self.push_frame(TranscriptionFrame(text, "", time_now_iso8601(), finalized=True))


class Response(LLMService):
    """The responder, asked with the whole context."""

    def __init__(self, engine: Responder) -> None:
        super().__init__(settings=unset(LLMSettings()))
        self._engine = engine

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        messages = [Message(one["role"], one["content"]) for one in frame.context.messages]
        async for piece in self._engine.respond(messages):
            await self.push_frame(LLMTextFrame(piece))
        await self.push_frame(LLMFullResponseEndFrame())


class Speech(TTSService):
    """The voice as it is by itself: nothing is asked of its prosody, nothing is realised."""

    def __init__(self, engine: Voice) -> None:
        super().__init__(push_start_frame=True, push_stop_frames=True, settings=unset(TTSSettings()))
        self._engine = engine

    async def run_tts(self, text: str, context_id: str) -> AsyncIterator[Frame | None]:
        async for spoken in self._engine.speak(text, self._engine.calibration.mean):
            pcm = float_to_pcm16(spoken.audio)
            audio = await self._resampler.resample(pcm, spoken.sample_rate, self.sample_rate)
            yield TTSAudioRawFrame(audio, self.sample_rate, 1, context_id=context_id)


async def converse(websocket: WebSocket, engines: Engines, turn_model: bool) -> None:
    """One caller, until it hangs up."""
    await websocket.accept()
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=PcmSerializer())
    transport = FastAPIWebsocketTransport(websocket, params)
    stop = (
        TurnAnalyzerUserTurnStopStrategy(turn_analyzer=LocalSmartTurnAnalyzerV3())
        if turn_model
        else SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)
    )
    user = LLMUserAggregatorParams(
        vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=STOP_SECS)),
        user_turn_strategies=UserTurnStrategies(stop=[stop]),
    )
    context = LLMContextAggregatorPair(LLMContext(), user_params=user)
    stages = [
        transport.input(),
        Recognition(engines.recogniser),
        context.user(),
        Response(engines.responder),
        Speech(engines.voice),
        transport.output(),
        context.assistant(),
    ]
    rates = PipelineParams(audio_in_sample_rate=SAMPLE_RATE, audio_out_sample_rate=WIRE_RATE)
    worker = PipelineWorker(Pipeline(stages), params=rates, enable_rtvi=False)

    async def hang_up(*_: object) -> None:
        await worker.cancel()

    transport.add_event_handler("on_client_disconnected", hang_up)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def application(engines: Engines, turn_model: bool, address: str) -> FastAPI:
    """Callers at /v1/realtime, loop lag at /health."""
    lag = LoopLag()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engines.recogniser.start()
        await engines.voice.start()
        watching = asyncio.create_task(lag.watch())
        print(f"Open {address}", flush=True)
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await engines.recogniser.close()
        await engines.voice.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"loop_lag_ms": lag.summary()}

    @app.websocket("/v1/realtime")
    async def realtime(websocket: WebSocket) -> None:
        await converse(websocket, engines, turn_model)

    return app


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the address is printed")
    parser.add_argument("--stt", default="fake", help="a recogniser of Tandem's: fake, pocketsphinx")
    parser.add_argument("--response", default="fake", help="a responder of Tandem's: fake, listener")
    parser.add_argument("--tts", default="fake", help="a voice of Tandem's: fake, espeak")
    parser.add_argument("--turn-model", action="store_true", help="Pipecat's default, smart-turn, after the silence")
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    engines = Engines(make_recogniser(options.stt, Path()), make_responder(options.response), make_voice(options.tts))
    listening = socket.create_server(("127.0.0.1", options.port))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        application(engines, options.turn_model, address), loop="uvloop", ws="websockets-sansio",
        ws_per_message_deflate=False, log_level="warning", access_log=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
