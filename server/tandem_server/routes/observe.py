"""For those who run the server: `/health`, `/ready` and `/metrics`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from tandem_server.metrics import Metrics
from tandem_server.routes.problems import problem
from tandem_server.routes.sessions import Sessions
from tandem_server.telemetry import LoopLag


def observe_routes(sessions: Sessions, lag: LoopLag, metrics: Metrics) -> APIRouter:
    """The router."""
    router = APIRouter()

    @router.get("/health", summary="Is the process alive, and how late does its loop run?")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "sessions": sessions.count, "away": sessions.away, "loop_lag_ms": lag.summary()}

    @router.get("/ready", summary="May new callers be sent here? 503 while the server starts or is about to end")
    async def ready() -> JSONResponse:
        if not sessions.started or sessions.draining:
            what = "is about to end" if sessions.draining else "is still starting"
            return problem(503, "Not ready", f"this server {what}; send callers to another")
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", summary="Counters and histograms for Prometheus", response_class=Response)
    async def scraped() -> Response:
        metrics.under_way(len(asyncio.all_tasks()))
        return Response(metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    return router
