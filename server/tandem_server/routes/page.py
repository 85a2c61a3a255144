"""The browser page: static files under a strict content policy, and the gate before every HTTP route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles

from tandem_server.routes.access import Access, Refusal
from tandem_server.routes.problems import problem

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
REALTIME: Final = "/v1/realtime"
"""Which keys are good there depends on what is asked for: its route checks them"""
LONGEST_BODY: Final = 1024 * 1024
"""Bytes; a session's settings have a quarter as many characters"""
_DOCS: Final = ("/docs", "/openapi.json")


def guard(app: FastAPI, access: Access) -> None:
    """Check every HTTP request but the page's own files, which hold no secrets; send the policy with every answer."""

    @app.middleware("http")
    async def check(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
        path: str = request.scope["path"]  # what is routed by; `request.url` is made of the Host header too
        public = path == REALTIME or not path.startswith(("/v1/", "/metrics", *_DOCS))
        refusal = access.check_place(request.headers) if public else access.check(request.headers)
        if refusal is None:
            refusal = _too_long(request)
        if refusal is not None:
            answer: Response = problem(refusal.status, refusal.title, refusal.detail, refusal.headers)
        else:
            answer = await forward(request)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer


def _too_long(request: Request) -> Refusal | None:
    """Bodies are held in memory, so they are bounded, and their length is known before they are read."""
    if "transfer-encoding" in request.headers:
        return Refusal(411, "Length required", "send the body with its Content-Length")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LONGEST_BODY:
        return Refusal(413, "Body too long", f"a body holds at most {LONGEST_BODY} bytes")
    return None


def mount(app: FastAPI, folder: Path) -> None:
    """Serve the page at /. Starlette resolves paths and refuses those that leave the folder."""
    app.mount("/", StaticFiles(directory=folder, html=True), name="page")
