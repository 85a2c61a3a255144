"""REST: the report on a recorded conversation, as a page, as JSON or as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from tandem_server.equipment import Engines
from tandem_server.report.findings import report_on
from tandem_server.report.page import POLICY, report_page
from tandem_server.report.tables import as_csv, as_json, test_rows, turn_rows

Format = Literal["html", "json", "csv"]
Table = Literal["tests", "turns"]


def report_routes(engines: Callable[[], Engines]) -> APIRouter:
    """The router."""
    router = APIRouter()

    @router.get(
        "/v1/conversations/{conversation_id}/report",
        summary="What a conversation shows of entrainment",
        response_class=HTMLResponse,
        responses={200: {"content": {"application/json": {}, "text/csv": {}}}},
    )
    async def report(
        conversation_id: Annotated[str, Path(max_length=128)],
        as_format: Annotated[Format, Query(alias="format")] = "html",
        rows: Annotated[
            Table, Query(alias="table", description="Of CSV: a row a test, or a turn and feature")
        ] = "tests",
    ) -> Response:
        store = engines().store
        record = await store.conversation(conversation_id)
        if record is None:
            raise HTTPException(404, f"there is no conversation {conversation_id!r}")
        # Seconds of CPU for a long conversation: those who are talking must not wait for it.
        made = await asyncio.to_thread(report_on, record, await store.turns(conversation_id))
        match as_format:
            case "html":
                return HTMLResponse(report_page(made), headers={"Content-Security-Policy": POLICY})
            case "json":
                return JSONResponse(as_json(made))
            case "csv":
                text = as_csv(turn_rows(made) if rows == "turns" else test_rows(made))
                name = f'attachment; filename="{conversation_id}-{rows}.csv"'
                return Response(text, media_type="text/csv", headers={"Content-Disposition": name})

    return router
