"""The composition root: configuration in, a running server out. Everything replaceable is made here and handed down."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import math
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from tandem_models.extract import UNKNOWN_RANGE
from tandem_models.realise import voice_range
from tandem_server import contract
from tandem_server.config import Config, load
from tandem_server.engines.fakes import FakeVoiceActivity
from tandem_server.engines.learned import LearnedStrategy
from tandem_server.engines.recognisers import make_recogniser
from tandem_server.engines.responders import make_responder
from tandem_server.engines.silero import Silero
from tandem_server.engines.turn_models import make_turn_model
from tandem_server.engines.voices import make_voice
from tandem_server.equipment import Engines, Limits
from tandem_server.errors import ConfigurationError
from tandem_server.experiment import Plan, parse_plan
from tandem_server.http_protocol import http_protocol
from tandem_server.metering import SpeechLog
from tandem_server.metrics import Metrics
from tandem_server.model_fetch import Progress, prepare_default_model
from tandem_server.reach import reach_of
from tandem_server.record.privacy import make_private_folder
from tandem_server.record.store import open_store
from tandem_server.routes import page as page_routes
from tandem_server.routes import problems
from tandem_server.routes.access import LOCAL_NAMES, Access
from tandem_server.routes.client_secrets import client_secret_routes
from tandem_server.routes.docs import docs_routes, schema_routes
from tandem_server.routes.http import http_routes
from tandem_server.routes.observe import observe_routes
from tandem_server.routes.realtime import realtime_routes
from tandem_server.routes.reports import report_routes
from tandem_server.routes.sessions import Sessions
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.protocols import VoiceActivityEngine
from tandem_server.telemetry import Log, LoopLag, configure_logging, others_as_json
from tandem_server.tls import check_tls
from tandem_server.turn_log import TurnLog
from tandem_server.turn_model_fetch import prepare_turn_model
from tandem_server.workers import Workers

Say = Callable[[str], None]
_UNREAD_MS: Final = 30_000
"""After so long the system drops a connection whose peer is gone or reads nothing; else it would never be closed."""


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
    _make_folder(config.data_dir)
    plan = None if config.plan is None else read_plan(config.plan)
    contract.prepare()
    recogniser = make_recogniser(config.asr, config.models_dir)
    voice = make_voice(config.voice)
    responder = make_responder(config.response, api_key=config.chat_key)
    vad: VoiceActivityEngine = Silero() if config.vad == "silero" else FakeVoiceActivity()
    turn_model, workers = make_turn_model(config.turn_model, config.models_dir), Workers(config.workers)
    judges = [turn_model] if turn_model else []
    agent = AgentVoice.of(voice.calibration)
    learner = LearnedStrategy(agent.normaliser)
    begun = [_warm(vad), recogniser.start(), voice.start(), workers.start(), *(one.start() for one in judges)]
    conditions = plan.conditions.values() if plan else ()
    if config.strategy == "neural" or any(one.strategy == "neural" for one in conditions):
        begun.append(learner.start())  # a server that is to speak so does not start without it
    opened, *started = await asyncio.gather(open_store(config.database), *begun, return_exceptions=True)
    failures = [result for result in (opened, *started) if isinstance(result, BaseException)]
    store = None if isinstance(opened, BaseException) else opened
    if store is None or failures:  # leave nothing of those that did start
        closing = [one.close() for one in (vad, recogniser, responder, voice, workers)]
        closing += [one.close() for one in judges]
        await asyncio.gather(*closing, *([store.close()] if store else []), return_exceptions=True)
        raise failures[0]
    normal = voice.calibration.mean
    agent = AgentVoice(agent.normaliser, reach_of(agent.normaliser, normal))
    pitch = normal["pitch_mean"]
    heard_in = UNKNOWN_RANGE if pitch is None else voice_range(pitch)
    made = Engines(vad, recogniser, responder, voice, agent, heard_in, workers, store, software_version(), plan=plan)
    return replace(made, turn_model=turn_model, learner=learner)


def read_plan(path: Path) -> Plan:
    """The experiment's. Raises ConfigurationError."""
    try:
        return parse_plan(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"the plan {path} cannot be read ({error.strerror}): see TANDEM_PLAN") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the plan {path} is no text: it is a JSON file in UTF-8") from None


def _make_folder(folder: Path) -> None:
    """Raises ConfigurationError when it cannot be made or written."""
    try:
        make_private_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {folder} cannot be made ({error.strerror}): choose another with --data-dir"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"the data folder {folder} cannot be written: choose another with --data-dir")


async def _warm(vad: VoiceActivityEngine) -> None:
    """Have one detector ready for the first caller."""
    vad.release(await vad.open())


async def close_engines(engines: Engines) -> None:
    """Let everything go."""
    await asyncio.gather(
        engines.vad.close(), engines.recogniser.close(), engines.responder.close(), engines.voice.close()
    )
    if engines.turn_model is not None:
        await engines.turn_model.close()
    await engines.workers.close()
    await engines.store.close()


def create_app(config: Config, page: Path | None = None, log: Log | None = None) -> FastAPI:
    """The ASGI app; `page` is the folder of the browser client."""
    log = log or configure_logging(config.log_level, speech=config.log_speech, form=config.log_format)
    running, sessions, metrics = Running(), Sessions(config.max_sessions), Metrics()
    lag, meter = LoopLag(metrics.lagged), TurnLog(log, SpeechLog(log, metrics) if config.log_speech else metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        running.engines = replace(await make_engines(config), meter=meter)
        app.state.engines, app.state.sessions = running.engines, sessions
        sessions.started = True
        watch = asyncio.create_task(lag.watch())
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            await close_engines(running.engines)

    app = FastAPI(title="Tandem", version=software_version(), lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.sessions = sessions
    token = config.token.get_secret_value() if config.token else None
    # With a token any name is allowed: a page that found us by rebinding does not know the token.
    hosts = LOCAL_NAMES | {config.host.lower(), *config.hosts} if config.on_loopback else frozenset()
    access = Access(token, hosts, frozenset(config.origins))
    waits = config.session_seconds, config.idle_seconds, config.resume_seconds
    limits = Limits(*waits, audio_age=config.audio_age_seconds)
    problems.install(app)
    page_routes.guard(app, access)
    app.include_router(realtime_routes(running.get, access, sessions, config.tandem, limits, metrics, log))
    app.include_router(client_secret_routes(running.get, access.client_secrets, config.tandem))
    app.include_router(http_routes(running.get, lambda: notes(running.get())))
    app.include_router(report_routes(running.get))
    app.include_router(observe_routes(sessions, lag, metrics))
    app.include_router(schema_routes())
    app.include_router(docs_routes())
    if page is not None:
        page_routes.mount(app, page)
    return app


def notes(engines: Engines) -> list[str]:
    """What a person should know about the engines in use."""
    found = []
    if engines.recogniser.name.startswith("pocketsphinx"):
        found.append(
            "Speech recognition is PocketSphinx: it always runs, but mishears four words in ten. For a better one: "
            "tandem models fetch vosk-model-small-en-us-0.15"
        )
    if engines.learner is not None and (fault := engines.learner.fault()):
        found.append(fault)
    return found


class Server(uvicorn.Server):
    """Says where it is once it can be reached. It runs the app's life itself, so that a start that fails is an error
    of ours and not a traceback in uvicorn's log."""

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, announce: Callable[[], None], drain: float, log: Log
    ) -> None:
        super().__init__(config)
        self._app = app
        self._announce = announce
        self._log = log
        self._life = contextlib.AsyncExitStack()
        self._drain = drain
        """Seconds that conversations may go on once the server was told to end"""
        self._ends_at = math.inf
        self._told = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce. Raises TandemError."""
        await self._life.enter_async_context(self._app.router.lifespan_context(self._app))
        await super().startup(sockets)
        _settle_memory()
        self._announce()

    async def on_tick(self, counter: int) -> bool:
        """Is it time to end? Who is in may go on until the last has left or the time is up."""
        sessions: Sessions = self._app.state.sessions
        if sessions.draining and not self._told and self._drain:
            self._told = True
            self._log.info("draining", sessions=sessions.count, seconds=self._drain)
        over = sessions.draining and (not sessions.count or time.monotonic() >= self._ends_at)
        return await super().on_tick(counter) or over

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the callers go (uvicorn closes their sockets with 1012: come again), then the engines."""
        self._app.state.sessions.give_up()
        await super().shutdown(sockets)
        await self._life.aclose()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A signal asks for the end, a second one not to wait for those who are in, a further Ctrl-C for it at once;
        uvicorn would raise it again when all is well."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        sessions: Sessions | None = getattr(self._app.state, "sessions", None)
        if sessions is None or sessions.draining or not self._drain:
            self.should_exit = True
        if sessions is not None and not sessions.draining:
            sessions.draining = True
            self._ends_at = time.monotonic() + self._drain


def _settle_memory() -> None:
    """What there is now stays: full collections need not look at it again, so they come sooner and are over at once.
    A session's objects refer to each other in circles and hold its audio until one comes."""
    gc.collect()
    gc.freeze()
    gc.collect()  # counts anew: how soon the next comes depends on how many objects the last one left


def serve(
    overrides: dict[str, object],
    page: Path | None = None,
    say: Say = print,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Run the server until it is stopped; the exit code. `progress` is of the first start's download. Raises
    ConfigurationError for what the operator can mend, EngineError and StoreError for what fails at the start."""
    config = load(overrides)
    check_tls(config.tls_certificate, config.tls_key)
    if config.asr == "auto":
        prepare_default_model(config.models_dir, download=config.fetch_models, say=say, progress=progress)
    if config.turn_model == "auto":
        prepare_turn_model(config.models_dir, download=config.fetch_models, say=say)
    listener = _bind(config.host, config.port)
    host, port = listener.getsockname()[:2]
    log = configure_logging(config.log_level, speech=config.log_speech, form=config.log_format)
    if config.log_format == "json":
        logging.basicConfig(level=logging.WARNING, handlers=[others_as_json(speech=config.log_speech)])
    app = create_app(config, page, log)

    def announce() -> None:
        engines: Engines = app.state.engines
        address, elsewhere = addresses(host, port, tls=config.tls_certificate is not None)
        say(f"\nTandem is ready.  Open {address}\n")
        if elsewhere:
            hint = "" if elsewhere.startswith("https") else "; their browsers give it a microphone over https only"
            say(f"  Other machines reach it as {elsewhere}{hint}.\n")
        for stage, name in engines.names().items():
            say(f"  {stage:<9} {name}")
        for note in notes(engines):
            say(f"\n{note}")
        say(f"\nClients: ws{address.removeprefix('http')}/v1/realtime    API: {address}/docs    Stop: Ctrl-C")

    server = Server(
        uvicorn.Config(
            app,
            http=http_protocol(config.request_seconds, config.max_connections),
            ws="websockets-sansio",
            ws_max_size=config.max_message_bytes,
            ws_per_message_deflate=False,
            log_level="warning",
            log_config=None if config.log_format == "json" else LOGGING_CONFIG,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=8,
            ssl_certfile=config.tls_certificate,
            ssl_keyfile=config.tls_key,
        ),
        app,
        announce,
        config.drain_seconds,
        log,
    )
    with listener:
        server.run(sockets=[listener])
    return 0


def addresses(host: str, port: int, *, tls: bool = False) -> tuple[str, str | None]:
    """Where a browser on this machine finds the server, and, when it listens on every address, one on another."""
    everywhere = ipaddress.ip_address(host).is_unspecified
    here = host if not everywhere else "::1" if ":" in host else "127.0.0.1"
    scheme = "https" if tls else "http"
    address = f"{scheme}://{f'[{here}]' if ':' in here else here}:{port}"
    return address, f"{scheme}://{socket.gethostname()}:{port}" if everywhere else None


def _bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises ConfigurationError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=128)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted sockets inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        return listener
    except OSError as error:
        remedy = "another server may be there; choose another with --port" if port else "see --host"
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error.strerror}): {remedy}") from None
