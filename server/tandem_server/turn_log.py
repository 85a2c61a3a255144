"""A line of the log for every turn and every reply: ids, how it ended, how long each stage took; no word of it."""

from __future__ import annotations

from typing import Final

from openai.types.realtime import RealtimeResponse, ResponseDoneEvent

from tandem_server.conversation_events import Effect, Record, Send
from tandem_server.metering import Meter
from tandem_server.record.records import TurnRecord
from tandem_server.telemetry import Log

MOST: Final = 1000
"""Replies of all sessions that are recorded and not yet done; more is a leak."""


class TurnLog:
    """A Meter that writes `turn` and `reply` lines, which share the ids of the record and of the protocol."""

    def __init__(self, log: Log, further: Meter) -> None:
        self._log = log
        self._further = further
        self._recorded: dict[str, TurnRecord] = {}
        """Item -> the agent's turn, until its response is done"""

    def heard(self, samples: int) -> None:
        """Hand it on."""
        self._further.heard(samples)

    def performed(self, effect: Effect) -> None:
        """Write the line, then hand it on."""
        match effect:
            case Record(turn) if turn.role == "user":
                self._log.info("turn", **_of(turn), status=turn.status, closed_by=turn.flags.get("closed_by", "typed"))
            case Record(turn):
                self._recorded[turn.item_id] = turn
                if len(self._recorded) > MOST:
                    del self._recorded[next(iter(self._recorded))]
            case Send(ResponseDoneEvent() as event):
                self._replied(event.response)
            case _:
                pass
        self._further.performed(effect)

    def _replied(self, response: RealtimeResponse) -> None:
        """The agent's turn is recorded before its response is done; a response in text may have none."""
        items = [item.id for item in response.output or [] if item.id is not None]
        turn = next((self._recorded.pop(one) for one in items if one in self._recorded), None)
        reason = response.status_details.reason if response.status_details is not None else None
        known = _of(turn) if turn is not None else {"items": items}
        self._log.info("reply", response=response.id, status=response.status, reason=reason, **known)


def _of(turn: TurnRecord) -> dict[str, object]:
    return {
        "session": turn.conversation_id,
        "turn": turn.id,
        "item": turn.item_id,
        "started_ms": turn.started_ms,
        "duration_ms": turn.ended_ms - turn.started_ms,
        "stages_ms": {stage: round(took, 1) for stage, took in turn.latencies.items()},
    }
