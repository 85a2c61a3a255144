"""A plain request says what a WebSocket would be answered: browsers cannot see why a handshake was refused."""

from __future__ import annotations

from ...e2e.serving import Served, eventually
from ...e2e.talking import calling
from .conftest import TOKEN
from .raw import Answer, ask, knock

PATH = "/v1/realtime"


async def test_conversation_that_can_be_gone_on_with(local_server: Served) -> None:
    async with calling(local_server.realtime) as caller:
        session_id = caller.events[0]["session"]["id"]
        path = f"{PATH}?session_id={session_id}"
        assert ask(local_server, path).status == 426
        assert ask(local_server, f"{path}&last_event_id={caller.events[0]['event_id']}").status == 426

        missed = ask(local_server, f"{path}&last_event_id=event_long_ago")
        assert missed.status == 410
        assert "begin a new conversation" in missed.problem["detail"]
        assert same(missed, knock(local_server, f"{path}&last_event_id=event_long_ago"))

    assert eventually(lambda: ask(local_server, path).status == 404), "the caller has said goodbye"


def test_conversation_that_never_was(local_server: Served) -> None:
    path = f"{PATH}?session_id=sess_nobody"
    answer = ask(local_server, path)
    assert answer.status == 404
    assert "connect without session_id" in answer.problem["detail"]
    assert same(answer, knock(local_server, path))


async def test_who_has_a_place_may_come_back_to_a_full_server(public_server: Served) -> None:
    bearer = f"Bearer {TOKEN}"
    async with calling(public_server.realtime, additional_headers={"Authorization": bearer}) as caller:
        session_id = caller.events[0]["session"]["id"]
        assert ask(public_server, PATH, authorization=bearer).status == 503
        assert ask(public_server, f"{PATH}?session_id={session_id}", authorization=bearer).status == 426
        assert ask(public_server, f"{PATH}?session_id={session_id}").status == 401


def same(plain: Answer, handshake: Answer) -> bool:
    """Is a WebSocket refused in the words of the plain request?"""
    return (plain.status, plain.problem) == (handshake.status, handshake.problem)
