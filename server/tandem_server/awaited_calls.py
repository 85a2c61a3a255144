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
        self._armed = False
        self._left = False
        """There is nobody any more who could bring a result"""

    def made(self, calls: Sequence[CallItem]) -> list[Effect]:
        """A reply has called them."""
        self._open |= {one.call.call_id: one.call.name for one in calls}
        return self._arm() if calls and not self._left else []

    def answered(self, call_id: str) -> list[Effect]:
        """A result has come; what the client does next, ask for a reply or give another result, may take as long."""
        return self._arm() if self._open.pop(call_id, None) is not None else []

    def replying(self) -> list[Effect]:
        """A reply begins: with all results, nothing is waited for any more."""
        return [] if self._open else self._disarm()

    def leave(self) -> list[Effect]:
        """The client is gone."""
        self._left = True
        return self._disarm()

    def expired(self) -> list[Effect]:
        """Tell the client which results have not come."""
        missing = [name for call_id, name in self._open.items() if self._shared.items.call(call_id) is not None]
        self._armed = False
        self._open.clear()
        if not missing:  # nor are they missed that are no part of the conversation, or were deleted
            return []
        names = ", ".join(map(repr, missing))
        message = (
            f"no result of the function {names} has come within {CALL_DEADLINE:g} s: create its function_call_output "
            "(an error is a result too), then a response; the agent does not wait any longer"
        )
        return [self._shared.error(message, "function_result_timeout")]

    def _arm(self) -> list[Effect]:
        self._armed = True
        return [Arm(DEADLINE, CALL_DEADLINE)]

    def _disarm(self) -> list[Effect]:
        armed, self._armed = self._armed, False
        return [Disarm(DEADLINE)] if armed else []
