"""The functions that the agent has called and the client is running: how long they are waited for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tandem_server.conversation_events import Arm, Disarm, Effect
from tandem_server.items import CallItem
from tandem_server.shared_state import SharedState

CALL_DEADLINE: Final = 60.0
"""Seconds from a call, or from the last result, after which the silence counts as the user's again"""
DEADLINE: Final = "calls:0"


class AwaitedCalls:
    """Those without a result. A late result is as good as one in time."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._open: dict[str, str] = {}
        """Call id -> the function's name"""

    def made(self, calls: Sequence[CallItem]) -> list[Effect]:
        """A reply has called them."""
        self._open |= {one.call.call_id: one.call.name for one in calls}
        return [Arm(DEADLINE, CALL_DEADLINE)] if calls else []

    def answered(self, call_id: str) -> list[Effect]:
        """A result has come; what the client does next, ask for a reply or give another result, may take as long."""
        return [Arm(DEADLINE, CALL_DEADLINE)] if self._open.pop(call_id, None) is not None else []

    def replying(self) -> list[Effect]:
        """A reply begins: with all results, nothing is waited for any more."""
        return [] if self._open else [Disarm(DEADLINE)]

    def expired(self) -> list[Effect]:
        """Tell the client which results have not come."""
        if not self._open:
            return []
        names = ", ".join(repr(name) for name in self._open.values())
        self._open.clear()
        message = (
            f"no result of the function {names} has come within {CALL_DEADLINE:g} s: create its function_call_output "
            "(an error is a result too), then a response; the agent does not wait any longer"
        )
        return [self._shared.error(message, "function_result_timeout")]
