"""Logs without speech content, and how late the event loop runs."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from tandem_server.errors import TandemError

Log = structlog.stdlib.BoundLogger
Form = Literal["text", "json"]
_JSON: Final = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
_INTERVAL: Final = 0.1
"""Seconds between two looks at the loop."""
_KEPT: Final = 200
"""Looks kept: the last twenty seconds."""
_LONGEST_CHAIN: Final = 10
"""Exceptions shown of one that was caused by another that was ..."""


def configure_logging(level: str, *, speech: bool = False, form: Form = "text") -> Log:
    """Lines on stderr, for people or (json) one object each. What people say is not logged unless `speech`: errors of
    others may repeat it, so without it only our own words about them are written."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_errors_in_full if speech else _with_errors_in_our_words,
            _tracebacks(speech=speech),
            structlog.dev.ConsoleRenderer(colors=False) if form == "text" else _JSON,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    log: Log = structlog.get_logger()
    return log


def others_as_json(*, speech: bool = False) -> logging.Handler:
    """A handler that writes what libraries log as the same kind of object."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _tracebacks(speech=speech), _JSON],
        )
    )
    return handler


def _tracebacks(*, speech: bool) -> Processor:
    return structlog.processors.format_exc_info if speech else structlog.processors.ExceptionRenderer(_where)


def _with_errors_in_full(_: object, __: str, line: EventDict) -> EventDict:
    return {key: _in_full(value) if isinstance(value, BaseException) else value for key, value in line.items()}


def _in_full(error: BaseException) -> str:
    return str(error) if isinstance(error, TandemError) else repr(error)


def _with_errors_in_our_words(_: object, __: str, line: EventDict) -> EventDict:
    return {key: in_our_words(value) if isinstance(value, BaseException) else value for key, value in line.items()}


def in_our_words(error: BaseException) -> str:
    """What happened, without anything that was said in a conversation."""
    return error.plain if isinstance(error, TandemError) else type(error).__name__


def _where(exc_info: ExcInfo) -> str:
    """A traceback without the messages of its exceptions, which may hold the values at fault."""
    error: BaseException | None = exc_info[1]
    parts: list[str] = []
    while error is not None and len(parts) < _LONGEST_CHAIN:
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{type(error).__name__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(reversed(parts))


class LoopLag:
    """How much later than asked a sleeping task wakes: what every caller waits for when somebody blocks the loop."""

    def __init__(self, observe: Callable[[float], None] = lambda _: None) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)
        self._observe = observe

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _INTERVAL
            await asyncio.sleep(_INTERVAL)
            late = max(loop.time() - due, 0.0)
            self._seconds.append(late)
            self._observe(late)

    def summary(self) -> dict[str, float]:
        """p50, p95 and max of the last twenty seconds, milliseconds."""
        if not self._seconds:
            return {}
        ordered = sorted(self._seconds)
        places = {"p50": len(ordered) // 2, "p95": int(len(ordered) * 0.95), "max": len(ordered) - 1}
        return {name: round(ordered[place] * 1000.0, 2) for name, place in places.items()}
