"""The deadlines of one session on the loop's timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tandem_server.outgoing import Outgoing


class Deadlines:
    """Calls back with a deadline's name when it passes; what goes wrong then is raised in a task of `spawn`'s. That of
    a reply passes only while there is room for more of it."""

    def __init__(
        self,
        expired: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        outgoing: Outgoing,
    ) -> None:
        self._expired = expired
        self._spawn = spawn
        self._outgoing = outgoing
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def arm(self, deadline: str, seconds: float) -> None:
        """So many seconds from now, in place of an earlier one of that name."""
        self.disarm(deadline)
        self._timers[deadline] = asyncio.get_running_loop().call_later(seconds, self._pass, deadline, seconds)

    def disarm(self, deadline: str) -> None:
        """It was met, if there is one."""
        timer = self._timers.pop(deadline, None)
        if timer is not None:
            timer.cancel()

    def pass_all(self) -> None:
        """Wait no longer: every deadline that is armed now passes."""
        for deadline in list(self._timers):
            self.disarm(deadline)
            self._expired(deadline)

    def close(self) -> None:
        """None of them passes any more; idempotent."""
        for deadline in list(self._timers):
            self.disarm(deadline)

    def _pass(self, deadline: str, seconds: float) -> None:
        del self._timers[deadline]
        if deadline.startswith("reply:") and not self._outgoing.has_room:
            self._spawn(self._again(deadline, seconds))
            return
        try:
            self._expired(deadline)
        except Exception as error:
            self._spawn(_fail(error))  # nobody awaits a timer

    async def _again(self, deadline: str, seconds: float) -> None:
        """The voice waits until the client has caught up or is back; from then on there can be news again."""
        await self._outgoing.room()
        if deadline not in self._timers:
            self.arm(deadline, seconds)


async def _fail(error: Exception) -> None:
    raise error
