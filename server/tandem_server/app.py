"""The composition root: configuration in, a running server out. Everything replaceable is made here and handed down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from tandem_models.extract import UNKNOWN_RANGE, PitchRange
from tandem_models.prosody import hertz
from tandem_server.config import Config, load
from tandem_server.engines.fakes import FakeVoiceActivity
from tandem_server.engines.recognisers import make_recogniser
from tandem_server.engines.responders import make_responder
from tandem_server.engines.silero import Silero
from tandem_server.engines.voices import make_voice
from tandem_server.errors import ConfigurationError
from tandem_server.model_fetch import prepare_default_model
from tandem_server.reach import reach_of
from tandem_server.record.store import open_store
from tandem_server.routes import page as page_routes
from tandem_server.routes import problems
from tandem_server.routes.access import LOCAL_NAMES, Access
from tandem_server.routes.http import http_routes
from tandem_server.routes.realtime import Sessions, realtime_routes
from tandem_server.session import Engines, Limits
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import Calibration, VoiceActivityEngine
from tandem_server.telemetry import Log, LoopLag, configure_logging
from tandem_server.workers import Workers

Say = Callable[[str], None]


def software_version() -> str:
    """Of this distribution."""
    try:
        return version("tandem-dialogue")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


@dataclass(slots=True)
class Running:
    """What start-up makes."""

    engines: Engines | None = None

    def get(self) -> Engines:
        """The engines, once they are there."""
        if self.engines is None:
            raise ConfigurationError("the server is still starting")
        return self.engines


async def make_engines(config: Config) -> Engines:
    """Make and start every engine, all at once. Raises ConfigurationError, EngineError or StoreError."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    recogniser = make_recogniser(config.asr, config.models_dir)
    voice = make_voice(config.voice)
    key = config.api_key.get_secret_value() if config.api_key else os.environ.get("OPENAI_API_KEY")
    responder = make_responder(config.response, api_key=key)
    vad: VoiceActivityEngine = Silero() if config.vad == "silero" else FakeVoiceActivity()
    workers = Workers(config.workers)
    store, *_ = await asyncio.gather(
        open_store(config.database), _warm(vad), recogniser.start(), voice.start(), workers.start()
    )
    agent = AgentVoice.of(voice.calibration)
    agent = AgentVoice(agent.normaliser, reach_of(agent.normaliser, voice.calibration.mean))
    return Engines(
        vad, recogniser, responder, voice, agent, voice_range(voice.calibration), workers, store, software_version()
    )


async def _warm(vad: VoiceActivityEngine) -> None:
    """Have one detector ready for the first caller."""
    vad.release(await vad.open())


def voice_range(calibration: Calibration) -> PitchRange:
    """Where to look for the agent's pitch: nine semitones below its mean to fourteen above, whatever it is asked."""
    mean = calibration.mean["pitch_mean"]
    if mean is None:
        return UNKNOWN_RANGE
    return PitchRange(max(hertz(mean - 9.0), UNKNOWN_RANGE.floor), min(hertz(mean + 14.0), UNKNOWN_RANGE.ceiling))


async def close_engines(engines: Engines) -> None:
    """Let everything go."""
    await asyncio.gather(
        engines.vad.close(), engines.recogniser.close(), engines.responder.close(), engines.voice.close()
    )
    await engines.workers.close()
    await engines.store.close()


def create_app(config: Config, page: Path | None = None, log: Log | None = None) -> FastAPI:
    """The ASGI app; `page` is the folder of the browser client."""
    log = log or configure_logging(config.log_level)
    running, sessions, lag = Running(), Sessions(config.max_sessions), LoopLag()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        running.engines = await make_engines(config)
        app.state.engines = running.engines
        watch = asyncio.create_task(lag.watch())
        try:
            yield
        finally:
            sessions.draining = True
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            await close_engines(running.engines)

    app = FastAPI(title="Tandem", version=software_version(), lifespan=lifespan, redoc_url=None)
    token = config.token.get_secret_value() if config.token else None
    # With a token any name is allowed: a page that found us by rebinding does not know the token.
    hosts = LOCAL_NAMES | {name.lower() for name in config.hosts} if config.on_loopback else frozenset()
    access = Access(token, hosts, frozenset(config.origins))
    limits = Limits(config.session_seconds, config.idle_seconds)
    problems.install(app)
    page_routes.guard(app, access)
    app.include_router(realtime_routes(running.get, access, sessions, config.tandem, limits, log))
    app.include_router(http_routes(running.get, sessions, lag, lambda: notes(running.get())))
    if page is not None:
        page_routes.mount(app, page)
    return app


def notes(engines: Engines) -> list[str]:
    """What a person should know about the engines in use."""
    if engines.recogniser.name.startswith("pocketsphinx"):
        return [
            "Speech recognition is PocketSphinx: it always runs, but mishears four words in ten. For a better one: "
            "tandem models fetch vosk-model-small-en-us-0.15"
        ]
    return []


class Server(uvicorn.Server):
    """Says where it is once it can be reached."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(overrides: dict[str, object], page: Path | None = None, say: Say = print) -> int:
    """Run the server until it is stopped; the exit code. Raises ConfigurationError for what the operator can mend."""
    config = load(overrides)
    if config.asr == "auto":
        prepare_default_model(config.models_dir, download=config.fetch_models, say=say)
    listener = _bind(config.host, config.port)
    host, port = listener.getsockname()[:2]
    app = create_app(config, page)

    def announce() -> None:
        engines: Engines = app.state.engines
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"\nTandem is ready.  Open {address}\n")
        for stage, name in engines.names().items():
            say(f"  {stage:<9} {name}")
        for note in notes(engines):
            say(f"\n{note}")
        say(f"\nClients: ws{address.removeprefix('http')}/v1/realtime    API: {address}/docs    Stop: Ctrl-C")

    server = Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=config.max_message_bytes,
            ws_per_message_deflate=False,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=8,
        ),
        announce,
    )
    with listener:
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises ConfigurationError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except OSError as error:
        remedy = "another server may be there; choose another with --port" if port else "see --host"
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error.strerror}): {remedy}") from None
