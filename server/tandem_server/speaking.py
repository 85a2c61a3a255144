"""The agent's half of a conversation: from a wish to reply to a reply that was spoken, measured and recorded. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tandem_models.signal import SAMPLE_RATE, WIRE_RATE
from tandem_server import reply
from tandem_server.conversation_events import (
    Arm,
    Disarm,
    Effect,
    EndSpeech,
    PhraseSpoken,
    Record,
    ReplyMeasured,
    SendAudio,
    Speak,
    StopReply,
    Think,
)
from tandem_server.errors import ClientError
from tandem_server.items import Item
from tandem_server.listening import UserFinished
from tandem_server.live_reply import Reply, ReplyRequest, record, with_speed
from tandem_server.record.records import TurnRecord
from tandem_server.reply_wire import ReplyWire
from tandem_server.shared_state import SharedState
from tandem_server.stages.entrain import STRATEGIES, Scores, aim
from tandem_server.stages.protocols import Word

REPLY_DEADLINE: Final = 20.0
"""Seconds without any news of a live reply after which it is given up; the responder's own time-outs come first."""
LOST_THREAD: Final = "Sorry, I lost my thread there. Could you say that once more?"
"""Spoken when the responder failed before it had said anything."""
NOT_UNDERSTOOD: Final = "Sorry, something went wrong while I was listening. Could you say that again?"
"""Spoken when the recogniser failed."""
_SAMPLES: Final = WIRE_RATE / SAMPLE_RATE
"""Samples of agent audio per sample heard."""


class Speaking:
    """Feeds the reply machine and does what it asks."""

    def __init__(self, shared: SharedState, words_pending: Callable[[], bool]) -> None:
        self._shared = shared
        self._words_pending = words_pending
        """Is a turn closed whose words are not known yet?"""
        self._state: reply.State = reply.Silent()
        self._live: Reply | None = None
        self._replies = 0
        self._exchanges = 0
        self._deferred: ReplyRequest | None = None
        self._kept: TurnRecord | None = None
        """The last reply as recorded, in case the client reports later how much of it was heard"""

    @property
    def state(self) -> reply.State:
        """Of the reply machine."""
        return self._state

    @property
    def live(self) -> bool:
        """Is a reply under way?"""
        return not isinstance(self._state, reply.Silent)

    @property
    def response_id(self) -> str | None:
        """Of the reply that is under way."""
        return self._live.wire.response_id if self._live is not None and self.live else None

    @property
    def audible(self) -> bool:
        """Is the user still hearing the last reply, as far as the clock tells?"""
        live = self._live
        if live is None or live.audible_from is None or live.item.heard_ms is not None:
            return False
        return self._shared.heard < live.audible_from + live.sent / _SAMPLES

    def begin(self, request: ReplyRequest) -> list[Effect]:
        """Reply now, or as soon as the last reply has been reported. Raises ClientError when one is under way."""
        return self._step(reply.Begin(self._replies), request)

    def words_known(self, finished: UserFinished) -> list[Effect]:
        """A turn is understood: a reply that was asked for before it was may be thought of now."""
        live = self._live
        if live is None or not live.waits or self._current(live.number) is None or self._words_pending():
            return []
        live.waits = False
        live.request = replace(live.request, to=finished, say=None if finished.understood else NOT_UNDERSTOOD)
        return self._think(live)

    def text_came(self, number: int, text: str) -> list[Effect]:
        """A piece of what to say."""
        live = self._current(number)
        if live is None:
            return []
        effects: list[Effect] = [Arm(f"reply:{number}", REPLY_DEADLINE)]
        for phrase in live.splitter.feed(text):
            effects += self._phrase(live, phrase)
        return effects

    def text_ended(self, number: int) -> list[Effect]:
        """All of it is known."""
        live = self._current(number)
        if live is None:
            return []
        effects: list[Effect] = []
        for phrase in live.splitter.flush():
            effects += self._phrase(live, phrase)
        if not live.phrases:
            effects += self._phrase(live, LOST_THREAD)
        if live.wire.text_only:
            return effects + self.measured(ReplyMeasured(number, None))
        return [*effects, EndSpeech(number), Arm(f"reply:{number}", REPLY_DEADLINE)]

    def text_failed(self, number: int, message: str) -> list[Effect]:
        """The responder failed: what is there is spoken, or an apology if nothing is."""
        live = self._current(number)
        if live is None:
            return []
        live.error = message
        return [self._shared.error(message, "response_failed"), *self.text_ended(number)]

    def phrase_spoken(self, news: PhraseSpoken) -> list[Effect]:
        """Audio is there: send its text, then itself."""
        live = self._current(news.reply)
        if live is None:
            return []
        shared = self._shared
        effects: list[Effect] = []
        if live.audible_from is None:
            live.audible_from = shared.heard
            effects += self._first(live)
        while live.shown <= news.phrase:
            live.text += live.phrases[live.shown]
            effects.append(live.wire.text(live.phrases[live.shown]))
            live.shown += 1
        binary = live.settings.tandem.audio_frames == "binary"
        coding = live.settings.output_format
        effects.append(SendAudio(live.wire.response_id, live.item.id, live.sent, news.pcm, binary, coding))
        offset = live.sent / WIRE_RATE
        live.item.words += tuple(Word(word.text, word.start + offset, word.end + offset) for word in news.words)
        live.sent += len(news.pcm) // 2
        live.item.audio_ms = live.sent * 1000 // WIRE_RATE
        return [*effects, Arm(f"reply:{news.reply}", REPLY_DEADLINE)]

    def voice_failed(self, number: int, message: str) -> list[Effect]:
        """Nothing more can be spoken."""
        return self._fail(number, message, "voice_failed")

    def measured(self, news: ReplyMeasured) -> list[Effect]:
        """The reply has been spoken, or cut off, and measured."""
        if self._live is None or self._live.number != news.reply:
            return []
        self._live.measured = self._live.measured or news
        return self._step(reply.Spoken(news.reply))

    def stored(self, item_id: str, error: str | None) -> list[Effect]:
        """The reply's turn is safe (or not): now it may be reported."""
        live = self._live
        if live is None or live.item.id != item_id:
            return []
        waiting = isinstance(self._state, reply.Finishing)
        lost: list[Effect] = [self._shared.error(error, "turn_not_recorded")] if error and waiting else []
        return lost + self._step(reply.Recorded(live.number))

    def expired(self, number: int) -> list[Effect]:
        """Nothing was heard of the reply for too long: go on without what it waits for."""
        match self._state:
            case reply.Preparing(current) | reply.Speaking(current) if current == number:
                return self._fail(number, "the reply took too long", "reply_timeout")
            case reply.Stopping(current, _) if current == number:
                return self.measured(ReplyMeasured(number, None))
            case reply.Finishing(current, _) if current == number and self._live is not None:
                return self.stored(self._live.item.id, "the turn was not recorded in time")
        return []

    def cancel(self, reason: reply.CancelReason) -> list[Effect]:
        """Stop the reply that is under way, if any. A user who speaks also cuts off what is still being played of the
        last one, and is not to be talked over by the answer to what was said before."""
        live, interrupted = self._live, reason == "turn_detected"
        if interrupted and self._deferred is not None and self._deferred.to is not None:
            self._deferred = None
        if live is None:
            return []
        if isinstance(self._state, reply.Preparing | reply.Speaking):
            live.cancelled = reason
            return self._step(reply.Cancel(live.number))
        if not (interrupted and self.audible):
            return []
        return self.heard_until(live.item, self._played(live) * 1000 // WIRE_RATE)

    def leave(self) -> list[Effect]:
        """Nobody listens any more: stop, and begin nothing."""
        self._deferred = None
        return self.cancel("client_cancelled")

    def heard_until(self, item: Item, audio_end_ms: int) -> list[Effect]:
        """The client says how much was played; a turn that is recorded already is corrected."""
        if audio_end_ms >= item.audio_ms and item.heard_ms is None:
            return []  # all of it was heard
        item.heard_ms = min(max(audio_end_ms, 0), item.audio_ms)
        kept = self._kept
        if kept is None or kept.item_id != item.id:
            return []
        ended = kept.started_ms + item.heard_ms
        self._kept = replace(kept, ended_ms=ended, heard_text=item.heard_text, status="interrupted")
        return [Record(self._kept)]

    def _step(self, event: reply.Event, request: ReplyRequest | None = None) -> list[Effect]:
        self._state, wanted = reply.step(self._state, event)
        effects: list[Effect] = []
        for effect in wanted:
            match effect:
                case reply.Start():
                    effects += self._start(effect.reply, request or ReplyRequest())
                case reply.Stop():
                    effects += self._stop(effect.status)
                case reply.Finish():
                    effects += self._finish(effect.status)
                case reply.Report():
                    effects += self._report(effect.status)
                case reply.Defer():
                    self._defer(request or ReplyRequest())
                case reply.Refuse():
                    raise _conflict()
        return effects

    def _defer(self, request: ReplyRequest) -> None:
        """One reply may wait for the end of the last; of two turns the later one is answered."""
        if self._deferred is not None and (self._deferred.to is None or request.to is None):
            raise _conflict()
        self._deferred = request

    def _current(self, number: int) -> Reply | None:
        """The live reply, if this is its number and it has not been stopped."""
        match self._state:
            case reply.Preparing(current) | reply.Speaking(current) if current == number:
                return self._live
        return None

    def _start(self, number: int, request: ReplyRequest) -> list[Effect]:
        shared, settings = self._shared, self._shared.settings
        self._replies = number + 1
        text_only = settings.text_only if request.text_only is None else request.text_only
        item = Item(shared.item_id(), "assistant", spoken=not text_only, text="", status="in_progress")
        response_id = f"resp_{shared.session_id.removeprefix('sess_')}_{number + 1}"
        wire = ReplyWire(shared, response_id, item.id, text_only, settings.tandem.strategy, request.metadata)
        live = self._live = Reply(number, request, settings, wire, item, shared.now, waits=self._words_pending())
        effects: list[Effect] = [wire.created(), *wire.opened(item), Arm(f"reply:{number}", REPLY_DEADLINE)]
        return effects if live.waits else effects + self._think(live)

    def _think(self, live: Reply) -> list[Effect]:
        """Choose how to speak, and ask what to say."""
        number, request = live.number, live.request
        effects: list[Effect] = [] if live.wire.text_only else [self._aim(live)]
        if request.say is not None:
            return effects + self.text_came(number, request.say) + self.text_ended(number)
        instructions = live.settings.instructions if request.instructions is None else request.instructions
        return [*effects, Think(number, self._shared.items.messages(instructions))]

    def _aim(self, live: Reply) -> Effect:
        """Choose the target. First-form strategies do not read the text, so it is known before the first word."""
        shared, tandem = self._shared, live.settings.tandem
        strategy, _ = STRATEGIES[tandem.strategy]
        features, strength = frozenset(tandem.features), tandem.strength
        live.target = aim(strategy, shared.history, "", strength=strength, features=features, reach=shared.voice.reach)
        shared.history = replace(shared.history, target=live.target)
        live.asked = with_speed(shared.voice.normaliser.inverse(live.target), live.settings.speed)
        return live.wire.target(live.target, live.asked)

    def _phrase(self, live: Reply, phrase: str) -> list[Effect]:
        live.first_phrase = live.first_phrase if live.first_phrase is not None else self._shared.now
        live.phrases.append(phrase)
        if live.asked is None:  # text only
            live.text += phrase
            return [*self._step(reply.Heard(live.number)), live.wire.text(phrase)]
        return [Speak(live.number, len(live.phrases) - 1, phrase.strip(), live.asked)]

    def _first(self, live: Reply) -> list[Effect]:
        """The first audio: the wait is over, and its stages are known."""
        now, answered = self._shared.now, live.request.to
        first_phrase = live.first_phrase if live.first_phrase is not None else now
        live.stages = dict(answered.stages_ms) if answered else {}
        live.stages["response"] = (first_phrase - live.begun) * 1000.0
        live.stages["voice"] = (now - first_phrase) * 1000.0
        if answered:
            live.stages["total"] = live.stages.get("endpoint", 0.0) + (now - answered.ended) * 1000.0
        return [*self._step(reply.Heard(live.number)), live.wire.latency(live.stages)]

    def _fail(self, number: int, message: str, code: str) -> list[Effect]:
        live = self._current(number)
        if live is None:
            return []
        live.error = message
        return [self._shared.error(message, code), *self._step(reply.Fail(number))]

    def _stop(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        heard = live.sent  # a client that was not told to stop plays all it has
        if status == "cancelled":
            heard = self._played(live)
            live.item.heard_ms = heard * 1000 // WIRE_RATE
        return [StopReply(live.number, heard), Arm(f"reply:{live.number}", REPLY_DEADLINE)]

    def _played(self, live: Reply) -> int:
        """Samples at WIRE_RATE that the user has heard, as far as the clock tells."""
        if live.audible_from is None:
            return 0
        return min(round((self._shared.heard - live.audible_from) * _SAMPLES), live.sent)

    def _finish(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        live.item.text = live.text.strip()
        live.item.status = "completed" if status == "completed" else "incomplete"
        effects: list[Effect] = []
        realised: Scores | None = None
        if live.measured is not None and live.measured.measured is not None:
            measured = live.measured.measured
            realised = self._shared.voice.normaliser.z(measured.prosody)
            history = self._shared.history
            self._shared.history = replace(history, agent=(*history.agent, realised))
            effects.append(live.wire.realised(measured, realised, live.measured.limits))
        effects += live.wire.closed(live.item, live.item.text)
        if realised is not None:
            self._exchanges += 1
            effects.append(live.wire.entrainment(self._exchanges, live.target, realised))
        self._kept = record(live, self._shared, status, realised)
        return [*effects, Record(self._kept), Arm(f"reply:{live.number}", REPLY_DEADLINE)]

    def _report(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        effects: list[Effect] = [Disarm(f"reply:{live.number}")]
        effects.append(live.wire.done(live.item, status, live.cancelled, live.error))
        request, self._deferred = self._deferred, None
        return effects + (self.begin(request) if request is not None else [])


def _conflict() -> ClientError:
    message = "a response is in progress; cancel it or wait for its response.done"
    return ClientError(message, code="conversation_already_has_active_response")
