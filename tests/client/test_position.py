"""What a client that was cut off tells the server, and when it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tandem_client.actions import ServerSaid, ServerSpoke
from tandem_client.position import TRIES, Position, backoff
from tandem_server.contract import AudioFrame

KEPT_S = 30
"""For which a server keeps a conversation unless it is told otherwise (TANDEM_RESUME_SECONDS)."""


def said(kind: str, event_id: str, **fields: Any) -> ServerSaid:
    return ServerSaid({"type": kind, "event_id": event_id, **fields})


def begun() -> Position:
    position = Position()
    position.saw(said("session.created", "event_ab_1", session={"id": "sess_ab"}))
    return position


def test_before_a_session_there_is_nothing_to_go_on_with() -> None:
    assert Position().query() == {}


def test_the_last_event_counts() -> None:
    position = begun()
    assert position.query() == {"session_id": "sess_ab", "last_event_id": "event_ab_1"}
    position.saw(said("response.created", "event_ab_7"))
    assert position.query() == {"session_id": "sess_ab", "last_event_id": "event_ab_7"}


def test_a_binary_frame_has_the_id_that_its_event_would_have() -> None:
    position = begun()
    position.saw(ServerSpoke(AudioFrame("output", 12, 0.0, bytes(2))))
    assert position.query()["last_event_id"] == "event_ab_a12"


def test_another_session_is_another_position() -> None:
    position = begun()
    position.saw(said("session.created", "event_cd_1", session={"id": "sess_cd"}))
    assert position.query() == {"session_id": "sess_cd", "last_event_id": "event_cd_1"}


@pytest.mark.parametrize("event", [{}, {"type": "session.created"}, {"type": "session.created", "session": {"id": 7}}])
def test_a_server_that_names_no_session_cannot_be_gone_on_with(event: dict[str, Any]) -> None:
    position = Position()
    position.saw(ServerSaid(event))
    position.saw(ServerSpoke(AudioFrame("output", 1, 0.0, bytes(2))))
    assert position.query() == {}


def test_tries_come_later_and_later_up_to_eight_seconds_give_or_take_a_quarter() -> None:
    assert [backoff(attempt, 0.5) for attempt in (0, 1, 2, 3, 4, 20)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert (backoff(0, 0.0), backoff(0, 1.0)) == (0.375, 0.625)


def test_every_try_is_made_while_the_server_still_waits() -> None:
    assert sum(backoff(attempt, 1.0) for attempt in range(TRIES)) < KEPT_S
