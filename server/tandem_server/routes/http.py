"""REST: what is in use, and the conversations that were recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

from tandem_server.equipment import Engines
from tandem_server.errors import StoreError
from tandem_server.record.records import ConversationRecord, TurnRecord
from tandem_server.stages.strategies import STRATEGIES

Json = dict[str, Any]


def http_routes(engines: Callable[[], Engines], notes: Callable[[], list[str]]) -> APIRouter:
    """The router; `notes` are what a person should know about the engines in use."""
    router = APIRouter()

    @router.get("/v1/engines", summary="The engines in use")
    async def in_use() -> Json:
        return {**engines().names(), "notes": notes()}

    @router.get("/v1/strategies", summary="The entrainment strategies")
    async def strategies() -> Json:
        data = [{"id": name, "object": "strategy", "description": text} for name, (_, text) in STRATEGIES.items()]
        return {"object": "list", "data": data}

    @router.get("/v1/conversations", summary="Recorded conversations, newest first")
    async def conversations(
        limit: Annotated[int, Query(ge=1, le=100)] = 20, after: Annotated[str | None, Query(max_length=128)] = None
    ) -> Json:
        damaged: list[StoreError] = []
        found = await engines().store.conversations(limit + 1, after, damaged=damaged.append)
        data = [_conversation(record) for record in found[:limit]]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
        lost = {"damaged": [str(error) for error in damaged]} if damaged else {}
        return {"object": "list", "data": data, **ends, "has_more": len(found) > limit, **lost}

    @router.get("/v1/conversations/{conversation_id}", summary="One conversation with its turns")
    async def conversation(
        conversation_id: Annotated[str, Path(max_length=128)],
        limit: Annotated[int, Query(ge=1, le=500, description="Of turns")] = 100,
        after: Annotated[int, Query(ge=-1, description="`index` of the last turn that was seen")] = -1,
    ) -> Json:
        store = engines().store
        record = await store.conversation(conversation_id)
        if record is None:
            raise HTTPException(404, f"there is no conversation {conversation_id!r}")
        turns = await store.turns(conversation_id, after, limit + 1)
        shown = {"turns": [_turn(turn) for turn in turns[:limit]], "has_more": len(turns) > limit}
        return {**_conversation(record), **shown}

    return router


def _conversation(record: ConversationRecord) -> Json:
    ended = record.ended_at
    return {
        **asdict(record),
        "object": "conversation",
        "started_at": record.started_at.isoformat(),
        "ended_at": ended.isoformat() if ended else None,
    }


def _turn(turn: TurnRecord) -> Json:
    created = turn.created_at
    return {**asdict(turn), "created_at": created.isoformat() if created else None}
