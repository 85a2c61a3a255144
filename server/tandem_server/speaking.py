"""The agent's half of a conversation: from a wish to reply to a reply that was spoken, measured and recorded. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tandem_models.signal import WIRE_RATE
from tandem_server import reply
from tandem_server.awaited_calls import AwaitedCalls
from tandem_server.conversation_events import (
    Arm,
    CallCame,
    Disarm,
    DropReply,
    Effect,
    EndSpeech,
    PhraseSpoken,
    ReplyMeasured,
    ReplyNews,
    StopReply,
    TextCame,
    TextEnded,
    TextFailed,
    Think,
    VoiceFailed,
)
from tandem_server.drafting import Draft, wish
from tandem_server.items import Item
from tandem_server.live_reply import (
    Reply,
    ReplyRequest,
    answer_to,
    begun,
    callable_now,
    conflict,
    record,
)
from tandem_server.recorded_replies import RecordedReplies
from tandem_server.shared_state import SharedState
from tandem_server.stages.entrain import Scores, Spoken
from tandem_server.stages.protocols import Message
from tandem_server.usage import of_input
from tandem_server.user_turn import UserFinished, UserPaused
from tandem_server.voicing import end_text, send_speech, take_text

REPLY_DEADLINE: Final = 20.0
"""Seconds without any news of a live reply after which it is given up; the responder's own time-outs come first."""


class Speaking:
    """Feeds the reply machine and does what it asks."""

    def __init__(self, shared: SharedState, words_pending: Callable[[], bool]) -> None:
        self._shared = shared
        self._words_pending = words_pending
        """Is a turn closed whose words are not known yet?"""
        self._state: reply.State = reply.Silent()
        self._live: Reply | None = None
        self._draft: Draft | None = None
        """What was prepared, while the machine is Drafting"""
        self._replies = 0
        """The number of the next reply, or of the one that is drafted"""
        self._exchanges = 0
        self._deferred: ReplyRequest | None = None
        self._recorded = RecordedReplies()
        self.awaited = AwaitedCalls(shared)
        self.quiet_from: int | None = None
        """Sample at which the last reply was over and heard; None while it is not, or waits for a tool"""

    @property
    def state(self) -> reply.State:
        """Of the reply machine."""
        return self._state

    @property
    def live(self) -> bool:
        """Is a reply under way?"""
        return not isinstance(self._state, reply.Silent | reply.Drafting)

    @property
    def response_id(self) -> str | None:
        """Of the reply that is under way."""
        return self._live.output.wire.response_id if self._live is not None and self.live else None

    @property
    def audible(self) -> bool:
        """Is the user still hearing the last reply, as far as the clock tells?"""
        ends_at = self._live.ends_at if self._live is not None else None
        return ends_at is not None and self._shared.heard < ends_at

    @property
    def last(self) -> Reply | None:
        """The newest reply, under way or over."""
        return self._live

    @property
    def interruptible(self) -> bool:
        """Would somebody who speaks now cut it off?"""
        return isinstance(self._state, reply.Preparing | reply.Speaking) or self.audible

    @property
    def waiting(self) -> ReplyRequest | None:
        """The answer to a turn that waits for the end of a reply."""
        waiting = self._deferred
        return waiting if waiting is not None and waiting.to is not None and not waiting.cancelled else None

    def begin(self, request: ReplyRequest) -> list[Effect]:
        """Reply now, or as soon as the last reply has been reported. Raises ClientError when one is under way."""
        answers = request.to is not None and request.say is None and not self._words_pending()
        shared, draft = self._shared, self._draft
        kept = answers and draft is not None and draft.wish == wish(shared, shared.settings, shared.history)
        return [*([] if kept else self.drop_draft()), *self._step(reply.Begin(self._replies), request)]

    def draft(self, paused: UserPaused) -> list[Effect]:
        """The user may have finished: prepare the answer, unless there is to be none or another is under way."""
        settings, history = self._shared.settings, self._shared.history
        if self.live or not (settings.create_response and settings.tandem.speculate):
            return []
        if paused.scores is not None:
            history = history.heard(paused.scores)
        dropped = self.drop_draft()
        now = wish(self._shared, settings, history)
        self._draft = Draft(self._replies, replace(now, messages=(*now.messages, Message("user", paused.text))))
        return [*dropped, *self._step(reply.Draft(self._replies))]

    def drop_draft(self) -> list[Effect]:
        """The user goes on, or something else is to be said."""
        return self._step(reply.Drop(self._replies))

    def words_known(self, finished: UserFinished) -> list[Effect]:
        """A turn is understood: a reply that was asked for before it was may be thought of now."""
        live = self._live
        if live is None or not live.waits or self._current(live.number) is None or self._words_pending():
            return []
        live.waits = False
        live.request = replace(live.request, to=finished, say=answer_to(finished).say)
        return self._think(live)

    def told(self, news: ReplyNews) -> list[Effect]:
        """What has come of the work for a reply."""
        if isinstance(self._state, reply.Drafting) and self._draft is not None and news.reply == self._state.reply:
            return self._draft.told(news)
        match news:
            case TextCame():
                return self.text_came(news.reply, news.text)
            case CallCame():
                return self.call_came(news)
            case TextEnded():
                return self.text_ended(news.reply)
            case TextFailed():
                return self.text_failed(news.reply, news.message)
            case PhraseSpoken():
                return self.phrase_spoken(news)
            case VoiceFailed():
                return self.voice_failed(news.reply, news.message)
            case ReplyMeasured():
                return self.measured(news)

    def text_came(self, number: int, text: str) -> list[Effect]:
        """A piece of what to say."""
        live = self._current(number)
        if live is None:
            return []
        return [self._patience(number), *take_text(live, text, self._shared), *self._go_on(live)]

    def call_came(self, news: CallCame) -> list[Effect]:
        """A piece of a function call; one that nobody could run is passed over."""
        live = self._current(news.reply)
        if live is None:
            return []
        if callable_now(live, news.piece):
            live.output.call(news.piece)
            live.full = live.full or live.output.too_long
        return [self._patience(news.reply), *self._go_on(live)]

    def text_ended(self, number: int) -> list[Effect]:
        """All of it is known."""
        live = self._current(number)
        if live is None:
            return []
        effects = [*end_text(live, self._shared), *self._go_on(live)]
        if self._current(number) is None:
            return effects
        if live.settings.text_only or not live.phrases:
            return [*effects, DropReply(number), *self.measured(ReplyMeasured(number, None))]
        return [*effects, EndSpeech(number), self._patience(number)]

    def text_failed(self, number: int, message: str) -> list[Effect]:
        """The responder failed: what is there is spoken, or an apology if nothing is. Its calls may be half of what
        they were to be."""
        live = self._current(number)
        if live is None:
            return []
        live.error = message
        live.output.wanted.clear()
        return [self._shared.error(message, "response_failed"), *self.text_ended(number)]

    def phrase_spoken(self, news: PhraseSpoken) -> list[Effect]:
        """Audio is there: send its text, then itself."""
        live = self._current(news.reply)
        if live is None:
            return []
        sent = send_speech(live, news, self._shared)
        return [*sent, self._patience(news.reply), *self._go_on(live)]

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

    def calls_expired(self) -> list[Effect]:
        """A tool has taken too long: the user may be asked to go on."""
        if not self.live and self.quiet_from is None:
            self.quiet_from = self._shared.heard
        return self.awaited.expired()

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
        live.item.heard_ms = live.played(self._shared.heard) * 1000 // WIRE_RATE
        self.quiet_from = None if self.quiet_from is None else self._shared.heard
        return self._recorded.correct(live.item)

    def cancel_waiting(self) -> bool:
        """Take back the reply that waits for the last: it will begin and be over at once. False when none waits."""
        if self._deferred is None or self._deferred.cancelled:
            return False
        self._deferred = replace(self._deferred, cancelled=True)
        return True

    def leave(self) -> list[Effect]:
        """Nobody listens any more: stop, and begin nothing."""
        self._deferred = None
        return self.awaited.leave() + self.drop_draft() + self.cancel("client_cancelled")

    def outside(self, item_id: str) -> Item | None:
        """What the last reply says, if it is this item and not one of the conversation."""
        live = self._live
        return live.item if live and live.item.id == item_id and not live.request.in_conversation else None

    def heard_until(self, item: Item, audio_end_ms: int) -> list[Effect]:
        """The client says how much was played, and may say later that it was less; what is gone stays gone."""
        if audio_end_ms >= item.audio_ms and item.heard_ms is None:
            return []  # all of it was heard
        item.told_ms = item.heard_ms = min(audio_end_ms, item.audio_ms if item.told_ms is None else item.told_ms)
        return self._recorded.correct(item)

    def _step(self, event: reply.Event, request: ReplyRequest | None = None) -> list[Effect]:
        self._state, wanted = reply.step(self._state, event)
        effects: list[Effect] = []
        for effect in wanted:
            match effect:
                case reply.Prepare():
                    assert self._draft is not None
                    effects.append(self._draft.think)
                case reply.Discard():
                    self._draft, self._replies = None, effect.reply + 1
                    effects.append(DropReply(effect.reply))
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
                    raise conflict()
        return effects

    def _defer(self, request: ReplyRequest) -> None:
        """One reply may wait for the end of the last; of two turns the later one is answered."""
        if self._deferred is not None and (self._deferred.to is None or request.to is None):
            raise conflict()
        self._deferred = request

    def owe(self, request: ReplyRequest) -> None:
        """Answer a turn when the reply that is under way has been reported; what the client waits for goes first."""
        if self._deferred is None or self._deferred.to is not None:
            self._deferred = request

    def _current(self, number: int) -> Reply | None:
        """The live reply, if this is its number and it has not been stopped."""
        match self._state:
            case reply.Preparing(current) | reply.Speaking(current) if current == number:
                return self._live
        return None

    def _start(self, number: int, request: ReplyRequest) -> list[Effect]:
        self._replies, self.quiet_from = number + 1, None
        live = self._live = begun(number, request, self._shared, waits=request.unknown and self._words_pending())
        effects: list[Effect] = [*self.awaited.replying(), *live.output.begin(), self._patience(number)]
        return effects if live.waits else effects + self._think(live)

    def _think(self, live: Reply) -> list[Effect]:
        """Choose how to speak, and ask what to say, unless that has been done in advance."""
        number, request, shared, settings = live.number, live.request, self._shared, live.settings
        draft, self._draft = self._draft, None
        wanted = draft.wish if draft is not None else wish(shared, settings, shared.history, request.context)
        if not settings.text_only:
            live.aimed, live.words_known = wanted.aimed, wanted.words_known
        if draft is None and request.say is not None:
            return self.text_came(number, request.say) + self.text_ended(number)
        items = shared.items.all() if request.context is None else request.context
        live.read = of_input(settings.instructions, items, settings.tools)
        if draft is not None:
            live.drafted = True
            return draft.undone([effect for news in draft.news for effect in self.told(news)])
        hint = (Message("system", request.hint),) if request.hint else ()
        return [Think(number, wanted.messages + hint, settings.tools)]

    def _go_on(self, live: Reply) -> list[Effect]:
        """The first of it is there, or it is as long as it may be."""
        effects = self._step(reply.Heard(live.number)) if live.output.text else []
        return effects + (self._step(reply.Limit(live.number)) if live.full else [])

    def _patience(self, number: int) -> Effect:
        return Arm(f"reply:{number}", REPLY_DEADLINE)

    def _fail(self, number: int, message: str, code: str) -> list[Effect]:
        live = self._current(number)
        if live is None:
            return []
        live.error = message
        return [self._shared.error(message, code), *self._step(reply.Fail(number))]

    def _stop(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        return [StopReply(live.number, live.stop(status, self._shared.heard)), self._patience(live.number)]

    def _finish(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        effects: list[Effect] = []
        realised: Scores | None = None
        if live.measured is not None and live.measured.measured is not None:
            measured = live.measured.measured
            realised = self._shared.voice.normaliser.z(measured.prosody)
            spoken = Spoken(measured.prosody, live.item.heard_text or "", measured.weight)
            self._shared.history = self._shared.history.said(realised, spoken)
            effects.append(live.manner.realised(measured, realised, live.measured.limits))
        effects += live.output.close(status)
        if realised is not None:
            self._exchanges += 1
            effects.append(live.manner.entrainment(self._exchanges, live.aimed, realised))
        kept = self._recorded.add(record(live, self._shared, status, realised))
        return [*effects, kept, self._patience(live.number)]

    def _report(self, status: reply.Status) -> list[Effect]:
        live = self._live
        assert live is not None
        effects: list[Effect] = [Disarm(f"reply:{live.number}")]
        effects.append(live.output.done(status, live.read, live.cancelled, live.error))
        self.quiet_from = None if live.output.told else max(self._shared.heard, live.ends_at or 0)
        effects += self.awaited.made(live.output.told)
        request, self._deferred = self._deferred, None
        if request is not None:
            effects += self.begin(request) + (self.cancel("client_cancelled") if request.cancelled else [])
        return effects
