"""Client secrets over real sockets: who may ask for one, and what it opens."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from ...e2e.serving import Served, eventually
from ...e2e.talking import calling
from .conftest import TOKEN
from .raw import ask, knock

PATH = "/v1/realtime/client_secrets"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def post(served: Served, body: Any, path: str = PATH, **headers: str) -> httpx.Response:
    return httpx.post(served.http + path, json=body, headers=headers, timeout=10.0)


def secret(served: Served, session: dict[str, Any] | None = None) -> str:
    """A new one of the public server."""
    answer = post(served, {"session": session} if session else {}, **BEARER)
    assert answer.status_code == 200, answer.text
    value: str = answer.json()["value"]
    return value


def empty(served: Served) -> bool:
    """Has everybody left?"""
    return eventually(lambda: not served.usage().sessions)


# --- asking for one --------------------------------------------------------------------------------------------------


async def test_stock_client_gets_a_secret_and_the_session_it_opens(local_server: Served) -> None:
    async with AsyncOpenAI(api_key="not-needed", base_url=f"{local_server.http}/v1", max_retries=0) as client:
        made = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "gpt-realtime", "instructions": "Be kind."},
        )

    assert made.value.startswith("ek_")
    assert 50 < made.expires_at - time.time() <= 61
    assert made.session.type == "realtime"
    assert made.session.instructions == "Be kind."
    assert made.session.audio is not None
    assert made.session.model == "tandem"


def test_nothing_need_be_asked_for_and_ten_minutes_are_usual(local_server: Served) -> None:
    bodies: list[dict[str, Any]] = [{}, {"session": {"type": "realtime"}}, {"expires_after": {}}]
    for body in bodies:
        answer = post(local_server, body)
        assert answer.status_code == 200
        assert 590 < answer.json()["expires_at"] - time.time() <= 601
    assert httpx.post(local_server.http + PATH).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"expires_after": {"seconds": 9}}, 422, "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, 422, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, 422, "expires_after.anchor"),
        ({"sesion": {}}, 422, "sesion"),
        ({"session": {"type": "other"}}, 422, "session.type"),
        ({"session": {"type": "realtime", "audio": {"output": {"speed": "fast"}}}}, 422, "session.audio.output.speed"),
        ({"session": {"type": "realtime", "audio": {"output": {"speed": 9}}}}, 400, "session.audio.output.speed"),
        ({"session": {"type": "realtime", "tandem": {"strategy": "mimic"}}}, 400, "session.tandem.strategy"),
        ({"session": {"type": "realtime", "instructions": "x" * 300_000}}, 400, "characters"),
        ("text", 422, "body"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(local_server: Served, body: Any, status: int, word: str) -> None:
    answer = post(local_server, body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"]


def test_body_is_bounded(local_server: Served) -> None:
    assert ask(local_server, PATH, "POST", content_length="1048577").problem["title"] == "Body too long"
    assert ask(local_server, PATH, "POST", transfer_encoding="chunked").status == 411


@pytest.mark.parametrize("path", [PATH, "/v1/realtime/sessions"])
def test_secret_is_given_to_those_who_know_the_token(public_server: Served, path: str) -> None:
    assert post(public_server, {}, path).status_code == 401
    assert post(public_server, {}, path, Authorization="Bearer wrong").status_code == 401
    value = secret(public_server)
    assert post(public_server, {}, path, Authorization=f"Bearer {value}").status_code == 401
    assert post(public_server, {}, path, **BEARER).status_code == 200


async def test_stock_beta_client_gets_a_secret(local_server: Served) -> None:
    async with AsyncOpenAI(api_key="not-needed", base_url=f"{local_server.http}/v1", max_retries=0) as client:
        made = await client.beta.realtime.sessions.create(
            client_secret={"expires_after": {"anchor": "created_at", "seconds": 60}},
            modalities=["text"],
            instructions="Be kind.",
        )

    assert made.client_secret.value.startswith("ek_")
    assert 50 < made.client_secret.expires_at - time.time() <= 61
    assert (made.modalities, made.instructions) == (["text"], "Be kind.")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"client_secret": {"expires_after": {"seconds": 5}}}, "client_secret.expires_after.seconds"),
        ({"speed": 9}, "speed"),
        ({"input_audio_format": "opus"}, "format"),
    ],
)
def test_beta_client_is_told_what_cannot_be_had(local_server: Served, body: Any, word: str) -> None:
    answer = post(local_server, body, "/v1/realtime/sessions")

    assert answer.status_code == 400
    assert word in answer.json()["detail"]


# --- using it --------------------------------------------------------------------------------------------------------


async def test_page_opens_the_session_that_was_prepared(public_server: Served) -> None:
    value = secret(
        public_server,
        {
            "type": "realtime",
            "instructions": "Be brief.",
            "audio": {"input": {"turn_detection": None}},
            "tandem": {"strategy": "anti", "user_id": "ada"},
        },
    )
    for _ in range(2):  # it opens as many as are wanted
        async with calling(
            public_server.realtime, subprotocols=["realtime", f"openai-insecure-api-key.{value}"]
        ) as caller:
            assert caller.socket.subprotocol == "realtime"
            session = caller.events[0]["session"]
            assert session["instructions"] == "Be brief."
            assert session["audio"]["input"]["turn_detection"] is None
            assert (session["tandem"]["strategy"], session["tandem"]["user_id"]) == ("anti", "ada")
            kept = public_server.get(f"/v1/conversations/{session['id']}", headers=BEARER).json()
            assert kept["user_id"] == "ada"
        assert empty(public_server)


async def test_session_goes_on_as_any_other(public_server: Served) -> None:
    value = secret(public_server, {"type": "realtime", "instructions": "Be brief."})
    async with calling(public_server.realtime, additional_headers={"Authorization": f"Bearer {value}"}) as caller:
        updated = await caller.update(instructions="Be long.")
        assert updated["instructions"] == "Be long."
        await caller.type("hello")
        assert len({event["event_id"] for event in caller.events}) == len(caller.events)
    assert empty(public_server)


async def test_secret_works_where_no_token_is_needed(local_server: Served) -> None:
    value = post(local_server, {"session": {"type": "realtime", "instructions": "Be brief."}}).json()["value"]
    async with calling(local_server.realtime, subprotocols=["realtime", f"openai-insecure-api-key.{value}"]) as caller:
        assert caller.events[0]["session"]["instructions"] == "Be brief."


def test_unknown_secret_opens_nothing_even_where_no_token_is_needed(
    local_server: Served, public_server: Served
) -> None:
    for served in (local_server, public_server):
        for headers in (
            {"authorization": "Bearer ek_unknown"},
            {"sec_websocket_protocol": "realtime, openai-insecure-api-key.ek_unknown"},
        ):
            answer = knock(served, **headers)
            assert answer.status == 401
            assert answer.problem["title"] == "Unknown client secret"
            assert "/v1/realtime/client_secrets" in answer.problem["detail"]


@pytest.mark.parametrize("path", ["/v1/conversations", "/v1/engines", "/openapi.json", "/docs", PATH, "/v1/realtime/"])
def test_secret_opens_nothing_else(public_server: Served, path: str) -> None:
    assert ask(public_server, path, authorization=f"Bearer {secret(public_server)}").status == 401


def test_page_may_ask_with_its_secret_whether_it_would_be_let_in(public_server: Served) -> None:
    assert ask(public_server, "/v1/realtime", authorization=f"Bearer {secret(public_server)}").status == 426
    assert ask(public_server, "/v1/realtime", authorization="Bearer ek_unknown").status == 401


async def test_session_is_gone_on_with_by_the_secret_that_opened_it_and_by_no_other(public_server: Served) -> None:
    value, other = secret(public_server), secret(public_server)
    async with calling(public_server.realtime, additional_headers={"Authorization": f"Bearer {value}"}) as caller:
        path = f"/v1/realtime?session_id={caller.events[0]['session']['id']}"
        statuses = {"opener": 426, "other": 404, "token": 426, "unknown": 401, "none": 401}
        keys = {"opener": value, "other": other, "token": TOKEN, "unknown": "ek_unknown", "none": ""}
        assert {
            who: ask(public_server, path, authorization=f"Bearer {key}").status for who, key in keys.items()
        } == statuses
        refused = knock(public_server, path, authorization=f"Bearer {other}")
        assert (refused.status, refused.problem["title"]) == (404, "No such conversation")
    assert empty(public_server)


async def test_foreign_page_is_refused_with_a_secret_too(public_server: Served) -> None:
    value = secret(public_server)
    answer = knock(public_server, origin="https://evil.example", authorization=f"Bearer {value}")

    assert answer.status == 403


def test_secret_is_in_no_log(public_server: Served) -> None:
    value = secret(public_server, {"type": "realtime", "instructions": "Between us."})
    assert knock(public_server, authorization=f"Bearer {value}").status == 101
    assert empty(public_server)

    assert "session_began" in public_server.log
    assert value not in public_server.log
    assert "Between us." not in public_server.log
    assert json.dumps(value) not in public_server.said
