"""Responses in text that are not part of the conversation (`conversation: "none"`). Pure.

Any number up to MOST_ASIDES may be made at once, beside the reply that is live: nobody hears them, so they disturb
nobody, and neither the user's speech nor a `response.cancel` without an id stops them. One that is to be spoken is a
reply like any other (see `speaking`), except that it does not become an item. Their text is sent as the responder
writes it, since it may be JSON; they are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tandem_server.conversation_events import (
    Arm,
    CallCame,
    Disarm,
    DropReply,
    Effect,
    ReplyNews,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
)
from tandem_server.errors import ClientError
from tandem_server.items import messages
from tandem_server.live_reply import Reply, ReplyRequest, begun, callable_now
from tandem_server.reply import Status
from tandem_server.response_output import AT_ONCE
from tandem_server.shared_state import SharedState
from tandem_server.speaking import REPLY_DEADLINE
from tandem_server.usage import of_input

MOST_ASIDES: Final = AT_ONCE - 1
"""At once"""


@dataclass(slots=True)
class Asides:
    """Those that are being made, by their numbers: -1, -2, ..., so that no reply of the conversation has the same."""

    shared: SharedState
    words_pending: Callable[[], bool]
    live: dict[int, Reply]
    begun: int = 0

    def begin(self, request: ReplyRequest) -> list[Effect]:
        """Raises ClientError when there are too many."""
        if len(self.live) >= MOST_ASIDES:
            message = f"{MOST_ASIDES} responses outside the conversation are in progress; wait for a response.done"
            raise ClientError(message, code="too_many_responses")
        self.begun += 1
        aside = begun(-self.begun, request, self.shared, waits=request.unknown and self.words_pending())
        self.live[aside.number] = aside
        return [*aside.output.begin(), self._patience(aside), *([] if aside.waits else self._think(aside))]

    def words_known(self) -> list[Effect]:
        """No turn is waiting for its words any more: what was to be read is there."""
        if self.words_pending():
            return []
        waiting = [aside for aside in self.live.values() if aside.waits]
        return [effect for aside in waiting for effect in self._think(aside)]

    def told(self, news: ReplyNews) -> list[Effect]:
        """What has come of the work for one."""
        aside = self.live.get(news.reply)
        if aside is None:
            return []
        effects: list[Effect] = [self._patience(aside)]
        match news:
            case TextCame():
                text = aside.output.fitting(news.text)
                aside.full = len(text) < len(news.text)
                effects += [*aside.output.open(), aside.output.say(text)] if text else []
            case CallCame() if callable_now(aside, news.piece):
                aside.output.call(news.piece)
                aside.full = aside.output.too_long
            case TextEnded():
                return self._end(aside, "completed")
            case TextFailed():
                aside.error = news.message
                return self._end(aside, "failed")
        return effects + (self._end(aside, "incomplete") if aside.full else [])

    def expired(self, number: int) -> list[Effect]:
        """Nothing was heard of it for too long."""
        aside = self.live.get(number)
        if aside is None:
            return []
        aside.error = "the response took too long"
        return self._end(aside, "failed")

    def cancel(self, response_id: str) -> list[Effect]:
        """Stop the one of this id; nothing when there is none."""
        wanted = [aside for aside in self.live.values() if aside.output.wire.response_id == response_id]
        return [effect for aside in wanted for effect in self._end(aside, "cancelled")]

    def leave(self) -> list[Effect]:
        """Nobody reads them any more."""
        return [effect for aside in list(self.live.values()) for effect in self._end(aside, "cancelled")]

    def _think(self, aside: Reply) -> list[Effect]:
        settings, context = aside.settings, aside.request.context
        items = self.shared.items.all() if context is None else context
        aside.waits = False
        aside.read = of_input(settings.instructions, items, settings.tools)
        return [Think(aside.number, messages(settings.instructions, items), settings.tools)]

    def _end(self, aside: Reply, status: Status) -> list[Effect]:
        del self.live[aside.number]
        closed = aside.output.close(status)
        done = aside.output.done(status, aside.read, error=aside.error)
        return [Disarm(f"aside:{aside.number}"), DropReply(aside.number), *closed, done]

    def _patience(self, aside: Reply) -> Effect:
        return Arm(f"aside:{aside.number}", REPLY_DEADLINE)
