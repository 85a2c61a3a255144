"""A double of the server for the page: its files, its REST answers, and a scripted conversation on the WebSocket.

`python -m tests.browser.scripted_server` serves the page with it for work on the page; the browser tests run it in
their own event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

import tandem_client

from .scripted_talk import Script, Seen, Talk

CSP: Final = "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'"
TAP: Final = """
registerProcessor("tap", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});
"""
"""A worklet that a test puts before the loudspeaker, to have its own record of what was played."""


class _Quiet(uvicorn.Server):
    """Leaves the signals to pytest, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ScriptedServer:
    """The double on a port of this machine; `seen` is what the pages have sent, the latest connection last."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script, self.port = script, port
        self.seen: list[Seen] = []
        self.news = asyncio.Condition()
        self.task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        config = uvicorn.Config(
            self.app(), log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        self.server = _Quiet(config)
        self.task = asyncio.create_task(self.server.serve(sockets=[bound]))
        async with asyncio.timeout(10):
            await self.server.up.wait()

    async def stop(self) -> None:
        if self.task is not None:
            self.server.should_exit = True
            await self.task
            self.task = None

    async def until(self, condition: Callable[[Seen], bool], seconds: float = 15.0) -> Seen:
        """The latest connection, once it meets the condition."""
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(lambda: bool(self.seen) and condition(self.seen[-1]))
        return self.seen[-1]

    async def changed(self) -> None:
        async with self.news:
            self.news.notify_all()

    def refuses(self, request: Request) -> bool:
        return bool(self.script.token) and request.headers.get("authorization") != f"Bearer {self.script.token}"

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.middleware("http")
        async def guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
            if request.url.path.startswith("/v1/") and self.refuses(request):
                return JSONResponse({"title": "a token is needed"}, status_code=401)
            response = await proceed(request)
            response.headers["Content-Security-Policy"] = CSP
            response.headers["Permissions-Policy"] = "microphone=(self)"
            response.headers["Cache-Control"] = "no-store"
            return response

        @app.get("/v1/engines")
        async def engines() -> dict[str, Any]:
            notes = ["The double hears by energy alone: what you say is not recognised, and the answers are fixed."]
            return {"vad": "energy", "asr": "scripted", "response": "scripted", "voice": "tone", "notes": notes}

        @app.get("/v1/realtime")
        async def preflight(session_id: str | None = None) -> Response:
            if session_id is not None:
                return JSONResponse({"title": "no such conversation"}, status_code=404)
            return JSONResponse({"title": "this is a WebSocket"}, status_code=426)

        @app.get("/v1/strategies")
        async def strategies() -> dict[str, Any]:
            listed = {
                "neutral": "speaks its own way",
                "match": "moves towards you",
                "rule": "global and local weights",
                "neural": "does what a trained model expects",
                "anti": "moves away from you",
            }
            return {"object": "list", "data": [{"id": k, "description": v} for k, v in listed.items()]}

        @app.get("/health")
        async def health() -> dict[str, str]:
            return {"status": "ok"}

        @app.get("/test/tap.js")
        async def tap() -> PlainTextResponse:
            return PlainTextResponse(TAP, media_type="text/javascript")

        @app.websocket("/v1/realtime")
        async def realtime(websocket: WebSocket) -> None:
            offered = websocket.scope["subprotocols"]
            if self.script.token and f"openai-insecure-api-key.{self.script.token}" not in offered:
                await websocket.close(1008)
                return
            if "session_id" in websocket.query_params:  # it keeps nothing
                await websocket.send_denial_response(Response(status_code=404))
                return
            await websocket.accept("realtime")
            if self.script.full:
                await websocket.close(1013, "every place is taken")
                return
            self.seen.append(Seen(subprotocols=offered))
            await Talk(websocket, self.script, self.seen[-1], self.changed).run()

        web = Path(tandem_client.__file__).parent / "web"
        app.mount("/", StaticFiles(directory=web, html=True))
        return app


@contextlib.asynccontextmanager
async def serving(script: Script, port: int = 0) -> AsyncIterator[ScriptedServer]:
    """A double that is up."""
    server = ScriptedServer(script, port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--token", default="")
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    options = parser.parse_args()
    async with serving(Script(token=options.token, jitter_ms=options.jitter_ms), options.port) as server:
        print(server.url)
        assert server.task is not None
        await server.task


if __name__ == "__main__":
    asyncio.run(main())
