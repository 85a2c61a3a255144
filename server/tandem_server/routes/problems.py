"""Errors over HTTP are RFC 9457 problem documents, whoever's fault they are."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tandem_server.errors import ClientError, TandemError


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An `application/problem+json` answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, str(error.detail), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # A union reports every branch; the deepest is the one that was meant. Its name is no field's.
        first = max(error.errors(), key=lambda one: len(one["loc"]))
        where = ".".join(part for part in map(str, first["loc"]) if not part[:1].isupper())
        return problem(422, "Invalid request", f"{where}: {first['msg']}")

    @app.exception_handler(ClientError)
    async def client_error(_: Request, error: ClientError) -> JSONResponse:
        return problem(400, "Invalid request", str(error))

    @app.exception_handler(TandemError)
    async def server_error(_: Request, error: TandemError) -> JSONResponse:
        return problem(503, "Not available", str(error))

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> JSONResponse:
        return problem(500, "Internal error", "a bug of this server; its log says more")
