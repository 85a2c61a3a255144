"""The reference: the schema of every message; REST at /docs by Swagger UI from a wheel, offline, under our policy."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from tandem_server.schema import message_schema

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Tandem: REST</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null });\n'
"""In a file of its own: the policy allows no script within a page. Without null a stranger's server would be asked
whether our schema is valid."""


def schema_routes() -> APIRouter:
    """What OpenAPI has no room for: the messages of the WebSocket."""
    router = APIRouter()

    @router.get("/v1/realtime/schema", summary="JSON Schema of every message of the WebSocket")
    async def schema() -> JSONResponse:
        return JSONResponse(message_schema(), media_type="application/schema+json")

    return router


def docs_routes() -> APIRouter:
    """The page and its three files."""
    router = APIRouter(prefix="/docs", include_in_schema=False)
    folder = Path(str(files("fastapi_swagger.resources")))

    @router.get("")
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @router.get("/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/swagger-ui-bundle.js")
    async def script() -> FileResponse:
        return FileResponse(folder / "swagger-ui-bundle.js", media_type="text/javascript")

    @router.get("/swagger-ui.css")
    async def style() -> FileResponse:
        return FileResponse(folder / "swagger-ui.css", media_type="text/css")

    return router
