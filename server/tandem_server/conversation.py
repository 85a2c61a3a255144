"""The whole conversation, sans I/O: `handle(news, now) -> effects`.

It is told what happened and says what is to be done; it knows no task, socket or clock. Time is samples heard; `now` is
for latency figures only. The user's half is `listening`, the agent's `speaking`; here they meet. What the client sends
is answered in `client_events`. The caller performs the effects in order and reports every result back through the same
door.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from openai.types.realtime import SessionCreatedEvent

from tandem_models.extract import PitchRange, SpeakerRange
from tandem_models.normaliser import Normaliser
from tandem_server import assigning
from tandem_server.asides import Asides
from tandem_server.client_events import ClientEvents
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    CallCame,
    ClientSent,
    DonorLoaded,
    Effect,
    Expired,
    Finalised,
    FrameHeard,
    Hush,
    News,
    PartialHeard,
    PhraseSpoken,
    ReplyMeasured,
    Send,
    SpeakerLoaded,
    Stalled,
    StoreReported,
    TextCame,
    TextEnded,
    TextFailed,
    TrackGrew,
    TurnJudged,
    VoiceFailed,
)
from tandem_server.errors import ClientError
from tandem_server.experiment import Plan
from tandem_server.idling import Idling
from tandem_server.interruptions import Interruptions
from tandem_server.item_events import ItemEvents
from tandem_server.listening import Listening
from tandem_server.predictor_events import PredictorLoaded
from tandem_server.settings import default_session, derived, echo
from tandem_server.shared_state import AgentVoice, SharedState
from tandem_server.speaking import Speaking
from tandem_server.stages.entrain import UNKNOWN
from tandem_server.user_turn import Notice, UserBegan, UserFinished, UserPaused, UserTookBack, UserWentOn


class Conversation:
    """One caller's conversation. Not thread-safe; one door, `handle`."""

    def __init__(
        self,
        session_id: str,
        voice: AgentVoice,
        *,
        recogniser: str,
        voice_name: str,
        tandem: TandemSettings,
        plan: Plan | None = None,
    ) -> None:
        session = default_session(session_id, recogniser, voice_name, tandem)
        self._shared = SharedState(session, derived(session), voice, plan)
        self._listening = Listening(self._shared)
        self._speaking = Speaking(self._shared, lambda: self._listening.words_pending)
        self._asides = Asides(self._shared, lambda: self._listening.words_pending, {})
        self._idling = Idling(self._shared, self._listening, self._speaking)
        items = ItemEvents(self._shared, self._speaking)
        self._client = ClientEvents(self._shared, self._listening, self._speaking, self._asides, items)
        self._interruptions = Interruptions()

    @property
    def session(self) -> dict[str, Any]:
        """The effective settings, complete; of a transcription session the protocol shows less."""
        return self._shared.session

    @property
    def pitch_range(self) -> PitchRange:
        """Where the user's next turn is to be searched for pitch."""
        return self._shared.speaker_range.pitch_range

    @property
    def user_speaking(self) -> bool:
        """A turn is open: audio that stays away now is news."""
        return self._listening.user_speaking

    @property
    def idle(self) -> bool:
        """Nobody speaks and nothing is under way, not even a record."""
        listening = self._listening
        return not (listening.user_speaking or listening.pending or self._speaking.live or self._asides.live)

    def start(self) -> list[Effect]:
        """What the client is told first."""
        shared = self._shared
        return [Send(self.greeting()), *assigning.load(shared), *assigning.needed(shared)]

    def greeting(self) -> SessionCreatedEvent:
        """`session.created`: what every connection begins with, a resumed one too."""
        event_id = self._shared.event_id()
        return SessionCreatedEvent(type="session.created", event_id=event_id, session=echo(self._shared.session))

    def handle(self, news: News, now: float) -> list[Effect]:
        """What is to be done about it. A mistake of the client becomes an `error` event and changes nothing."""
        self._shared.now = now
        try:
            return self._handle(news)
        except ClientError as error:
            cause = news.event.event_id if isinstance(news, ClientSent) else None
            return [
                self._shared.error(str(error), error.code, kind="invalid_request_error", param=error.param, cause=cause)
            ]

    def leave(self, now: float) -> list[Effect]:
        """The client is gone: bring what is under way to an end worth recording, and begin nothing new."""
        shared = self._shared
        shared.now, shared.settings = now, replace(shared.settings, create_response=False)
        effects = self._speaking.leave() + self._asides.leave()
        return effects + (self._noticed(self._listening.commit()) if self._listening.user_speaking else [])

    def refuse(self, error: ClientError) -> list[Effect]:
        """Tell the client about a message that could not even be parsed."""
        kind: Final = "invalid_request_error"
        return [self._shared.error(str(error), error.code, kind=kind, param=error.param, cause=error.event_id)]

    def _handle(self, news: News) -> list[Effect]:
        listening, speaking = self._listening, self._speaking
        match news:
            case FrameHeard():
                self._shared.heard = news.end
                return self._noticed(listening.frame(news, speaking.audible)) + self._idling.frame()
            case ClientSent():
                return self._noticed(self._client.handle(news.event))
            case PartialHeard():
                return self._noticed(listening.partial(news))
            case TrackGrew():
                return self._noticed(listening.track(news))
            case Finalised():
                return self._noticed(listening.finalised(news))
            case TurnJudged():
                listening.judged(news)
                return []
            case Stalled():
                return self._noticed(listening.stalled())
            case (
                TextCame() | CallCame() | TextEnded() | TextFailed() | PhraseSpoken() | VoiceFailed() | ReplyMeasured()
            ):
                return self._asides.told(news) if news.reply < 0 else speaking.told(news)
            case StoreReported():
                reported = self._noticed(listening.stored(news.item_id, news.error))
                return reported + speaking.stored(news.item_id, news.error)
            case SpeakerLoaded():
                return self._speaker_loaded(news)
            case DonorLoaded():
                return assigning.donor_loaded(self._shared, news)
            case PredictorLoaded():
                return assigning.predictor_loaded(self._shared, news)
            case Expired():
                kind, _, number = news.deadline.partition(":")
                if kind == "turn":
                    return self._noticed(listening.expired(int(number)))
                if kind == "audio":
                    return listening.audio_missing()
                if kind == "calls":
                    return speaking.calls_expired()
                return self._asides.expired(int(number)) if kind == "aside" else speaking.expired(int(number))

    def _noticed(self, effects: Iterable[Effect | Notice]) -> list[Effect]:
        """Where the two halves meet: what the user does, the agent answers."""
        result: list[Effect] = []
        for effect in effects:
            match effect:
                case UserBegan():
                    if self._shared.settings.interrupt_response:
                        speaking = self._speaking
                        self._interruptions.began(
                            speaking.last, cutting=speaking.interruptible, waiting=speaking.waiting
                        )
                        result += [Hush(), *self._speaking.cancel("turn_detected")]
                case UserPaused():
                    result += self._speaking.draft(effect)
                case UserWentOn():
                    result += self._speaking.drop_draft()
                case UserTookBack():
                    self._interruptions.forget()
                    result += self._speaking.drop_draft()
                case UserFinished():
                    result += self._asides.words_known()
                    result += [*self._answer(effect), *self._speaking.drop_draft()]
                case _:
                    result.append(effect)
        return result

    def _answer(self, finished: UserFinished) -> list[Effect]:
        """Reply to a finished turn, unless it was a noise, the user goes on, or somebody else decides."""
        awaited = self._speaking.words_known(finished)
        if awaited or not self._shared.settings.create_response:
            self._interruptions.forget()
            return awaited
        settings, listening = self._shared.settings, self._listening
        resume, last = settings.tandem.resume_interrupted, self._speaking.last
        request = self._interruptions.known(finished, last, speaking=listening.user_speaking, resume=resume)
        if request is None:
            return []
        try:
            return self._speaking.begin(request)
        except ClientError:  # a reply is under way
            if self._shared.settings.interrupt_response:  # it was asked for while the user spoke: this one follows it
                self._speaking.owe(request)
            return []  # else it was not to be interrupted: the turn is heard, not answered

    def _speaker_loaded(self, news: SpeakerLoaded) -> list[Effect]:
        shared = self._shared
        assigned = assigning.assign(shared, news.user_id, news.earlier)
        heard = any(scores.level != UNKNOWN for scores in shared.history.user)
        if news.user_id != shared.settings.tandem.user_id:
            return assigned
        if news.error is not None:
            return [*assigned, shared.error(_as_new(news.user_id, news.error), "speaker_not_loaded")]
        if news.speaker is None or heard:
            return assigned
        try:
            speaker = Normaliser.from_dict(news.speaker.normaliser).carried_over()
            speaker_range = SpeakerRange.from_dict(
                {name: float(str(value)) for name, value in news.speaker.pitch_range.items()}
            )
        except ValueError as error:
            return [*assigned, shared.error(_as_new(news.user_id, str(error)), "speaker_not_loaded")]
        shared.meet(speaker, speaker_range)
        return assigned


def _as_new(user_id: str, error: str) -> str:
    return f"what was kept of user {user_id!r} cannot be used: {error}; this conversation begins as with somebody new"
