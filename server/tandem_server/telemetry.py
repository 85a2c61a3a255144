"""Logs without speech content, and how late the event loop runs."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from typing import Final

import structlog

Log = structlog.stdlib.BoundLogger
_INTERVAL: Final = 0.1
"""Seconds between two looks at the loop."""
_KEPT: Final = 200
"""Looks kept: the last twenty seconds."""


def configure_logging(level: str) -> Log:
    """Readable lines on stderr. What people say is never logged."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    log: Log = structlog.get_logger()
    return log


class LoopLag:
    """How much later than asked a sleeping task wakes: what every caller waits for when somebody blocks the loop."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _INTERVAL
            await asyncio.sleep(_INTERVAL)
            self._seconds.append(max(loop.time() - due, 0.0))

    def summary(self) -> dict[str, float]:
        """p50, p95 and max of the last twenty seconds, milliseconds."""
        if not self._seconds:
            return {}
        ordered = sorted(self._seconds)
        places = {"p50": len(ordered) // 2, "p95": int(len(ordered) * 0.95), "max": len(ordered) - 1}
        return {name: round(ordered[place] * 1000.0, 2) for name, place in places.items()}
