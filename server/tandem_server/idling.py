"""The user who says nothing: after `idle_timeout_ms` of silence the agent speaks of its own accord. Pure.

The silence counts from the end of the last reply as the user hears it, or of whatever was heard since; before the first
reply, and while a function that the agent has called is being run, nobody is being waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tandem_models.signal import SAMPLE_RATE
from tandem_server.conversation_events import Effect
from tandem_server.items import Item
from tandem_server.listening import Listening
from tandem_server.live_reply import ReplyRequest
from tandem_server.shared_state import SharedState, milliseconds
from tandem_server.speaking import Speaking
from tandem_server.turn_wire import TurnWire

HINT: Final = "The user has said nothing for {seconds} seconds. Say something short that helps the conversation go on."
"""For the responder"""


@dataclass(slots=True)
class Idling:
    """Counts silence, frame by frame."""

    shared: SharedState
    listening: Listening
    speaking: Speaking
    since: int = 0
    """Sample until which somebody spoke, or something was under way"""

    def frame(self) -> list[Effect]:
        """One more frame has been heard."""
        shared, speaking, listening = self.shared, self.speaking, self.listening
        if listening.user_speaking or listening.pending or speaking.quiet_from is None:
            self.since = shared.heard
            return []
        start, timeout = max(self.since, speaking.quiet_from), shared.settings.idle_timeout
        if timeout is None or not shared.settings.create_response or shared.heard - start < timeout:
            return []
        return self._prompt(start)

    def _prompt(self, start: int) -> list[Effect]:
        """The silence becomes an item without words, and is answered."""
        shared, end = self.shared, self.shared.heard
        self.listening.pass_over()
        item = Item(shared.item_id(), "user", spoken=True, text="")
        wire = TurnWire(shared, item.id)
        told = wire.timed_out(milliseconds(start), milliseconds(end))
        before, added = shared.add(item)
        seconds = (end - start) / SAMPLE_RATE
        effects = [told, wire.committed(before), added, shared.done(item, before), wire.transcribed("", seconds)]
        return [*effects, *self.speaking.begin(ReplyRequest(hint=HINT.format(seconds=round(seconds)), idle=True))]
