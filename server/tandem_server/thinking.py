"""Asks the responder, and tells the conversation what comes."""

from __future__ import annotations

from collections.abc import Callable

from tandem_server.conversation_events import CallCame, News, TextCame, TextEnded, TextFailed, Think
from tandem_server.errors import EngineError
from tandem_server.stages.protocols import CallPiece, Responder
from tandem_server.telemetry import Log
from tandem_server.utterance import closing


async def think(responder: Responder, effect: Think, tell: Callable[[News], None], log: Log) -> None:
    """Perform a Think: every piece as it comes, then the end or the failure."""
    number = effect.reply
    try:
        async with closing(responder.respond(effect.messages, effect.tools)) as pieces:
            async for piece in pieces:
                tell(CallCame(number, piece) if isinstance(piece, CallPiece) else TextCame(number, piece))
    except EngineError as error:
        log.warning("responder_failed", error=error)
        tell(TextFailed(number, str(error)))
    else:
        tell(TextEnded(number))
