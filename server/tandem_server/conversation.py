"""The whole conversation, sans I/O: `handle(news, now) -> effects`.

It is told what happened and says what is to be done; it knows no task, socket or clock. Time is samples heard; `now` is
for latency figures only. The user's half is `listening`, the agent's `speaking`; here they meet, and the client's
events are answered. The caller performs the effects in order and reports every result back through the same door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from openai.types.realtime import (
    ConversationItem,
    ConversationItemCreateEvent,
    ConversationItemDeletedEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncatedEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
    RealtimeResponseCreateParams,
    RealtimeSessionCreateRequest,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionCreatedEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
)
from openai.types.realtime.realtime_server_event import ConversationItemRetrieved

from tandem_models.extract import PitchRange, SpeakerRange
from tandem_models.normaliser import Normaliser
from tandem_server.contract import ClientEvent, TandemSettings
from tandem_server.conversation_events import (
    ClientSent,
    Effect,
    Expired,
    Finalised,
    FrameHeard,
    Hush,
    KeepSettings,
    LoadSpeaker,
    News,
    PartialHeard,
    PhraseSpoken,
    Record,
    ReplyMeasured,
    Send,
    SpeakerLoaded,
    Stalled,
    StoreReported,
    TextCame,
    TextEnded,
    TextFailed,
    TrackGrew,
    VoiceFailed,
)
from tandem_server.errors import ClientError
from tandem_server.items import Item
from tandem_server.listening import Listening, Notice, UserBegan, UserFinished, UserPaused, UserWentOn
from tandem_server.live_reply import ReplyRequest
from tandem_server.record.records import TurnRecord
from tandem_server.settings import default_session, derived, merged
from tandem_server.shared_state import AgentVoice, SharedState, milliseconds
from tandem_server.speaking import NOT_UNDERSTOOD, Speaking
from tandem_server.stages.entrain import UNHEARD

MOST_ITEMS: Final = 2_000
"""Items a client may create: hours of typing, and a bound on what one client can make us keep."""
LONGEST_ID: Final = 64
"""Characters; OpenAI's are about 30."""
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
"""Pairs and characters, as OpenAI's protocol has them."""
LONGEST_TEXT: Final = 32_768
"""Characters of one typed item."""


class Conversation:
    """One caller's conversation. Not thread-safe; one door, `handle`."""

    def __init__(
        self, session_id: str, voice: AgentVoice, *, recogniser: str, voice_name: str, tandem: TandemSettings
    ) -> None:
        session = default_session(session_id, recogniser, voice_name, tandem)
        self._shared = SharedState(session, derived(session), voice)
        self._listening = Listening(self._shared)
        self._speaking = Speaking(self._shared, lambda: self._listening.words_pending)
        self._created = 0
        """Items of the client, those it has deleted too"""
        self._owed: UserFinished | None = None
        """A turn that was not answered because the user went on"""

    @property
    def session(self) -> dict[str, Any]:
        """The effective settings as the protocol shows them."""
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
        return not (self._listening.user_speaking or self._listening.pending or self._speaking.live)

    def start(self) -> list[Effect]:
        """What the client is told first."""
        effects: list[Effect] = [Send(self.greeting())]
        user_id = self._shared.settings.tandem.user_id
        return effects + ([LoadSpeaker(user_id)] if user_id is not None else [])

    def greeting(self) -> SessionCreatedEvent:
        """`session.created`: what every connection begins with, a resumed one too."""
        event_id = self._shared.event_id()
        return SessionCreatedEvent(type="session.created", event_id=event_id, session=self._request())

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
        effects = self._speaking.leave()
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
                return self._noticed(listening.frame(news, speaking.audible))
            case ClientSent():
                return self._client(news.event)
            case PartialHeard():
                return self._noticed(listening.partial(news))
            case TrackGrew():
                return self._noticed(listening.track(news))
            case Finalised():
                return self._noticed(listening.finalised(news))
            case Stalled():
                return self._noticed(listening.stalled())
            case TextCame() | TextEnded() | TextFailed() | PhraseSpoken() | VoiceFailed() | ReplyMeasured():
                return speaking.told(news)
            case StoreReported():
                reported = self._noticed(listening.stored(news.item_id, news.error))
                return reported + speaking.stored(news.item_id, news.error)
            case SpeakerLoaded():
                return self._speaker_loaded(news)
            case Expired():
                kind, _, number = news.deadline.partition(":")
                if kind == "turn":
                    return self._noticed(listening.expired(int(number)))
                return speaking.expired(int(number))

    def _noticed(self, effects: Iterable[Effect | Notice]) -> list[Effect]:
        """Where the two halves meet: what the user does, the agent answers."""
        result: list[Effect] = []
        for effect in effects:
            match effect:
                case UserBegan():
                    if self._shared.settings.interrupt_response:
                        result += [Hush(), *self._speaking.cancel("turn_detected")]
                case UserPaused():
                    result += self._speaking.draft(effect)
                case UserWentOn():
                    result += self._speaking.drop_draft()
                case UserFinished():
                    result += [*self._answer(effect), *self._speaking.drop_draft()]
                case _:
                    result.append(effect)
        return result

    def _answer(self, finished: UserFinished) -> list[Effect]:
        """Reply to a finished turn, unless it was a noise, the user goes on, or somebody else decides."""
        awaited = self._speaking.words_known(finished)
        if awaited or not self._shared.settings.create_response:
            return awaited
        finished = finished if finished.substantial else self._owed or finished
        if self._listening.user_speaking and finished.substantial:
            self._owed = finished
        if self._listening.user_speaking or not finished.substantial:
            return []
        self._owed = None
        try:
            return self._speaking.begin(ReplyRequest(to=finished, say=None if finished.understood else NOT_UNDERSTOOD))
        except ClientError:  # a reply is under way and was not to be interrupted: the turn is heard, not answered
            return []

    def _speaker_loaded(self, news: SpeakerLoaded) -> list[Effect]:
        shared = self._shared
        heard = any(scores != UNHEARD for scores in shared.history.user)
        if news.speaker is None or news.user_id != shared.settings.tandem.user_id or heard:
            return []
        try:
            speaker = Normaliser.from_dict(news.speaker.normaliser).carried_over()
            speaker_range = SpeakerRange.from_dict(
                {name: float(str(value)) for name, value in news.speaker.pitch_range.items()}
            )
        except ValueError as error:
            return [
                shared.error(f"what was kept of user {news.user_id!r} cannot be used: {error}", "speaker_not_loaded")
            ]
        shared.speaker, shared.speaker_range = speaker, speaker_range
        return []

    def _request(self) -> RealtimeSessionCreateRequest:
        # Our own echo: constructed as it stands, since the client's types may be older than what it holds.
        return RealtimeSessionCreateRequest.model_validate(self._shared.session)

    # The client's events ----------------------------------------------------------------------------------------
    def _client(self, event: ClientEvent) -> list[Effect]:
        handlers: dict[type, Callable[[Any], list[Effect]]] = {
            SessionUpdateEvent: self._update,
            InputAudioBufferCommitEvent: lambda _: self._noticed(self._listening.commit()),
            InputAudioBufferClearEvent: self._clear,
            ConversationItemCreateEvent: self._create_item,
            ConversationItemRetrieveEvent: self._retrieve,
            ConversationItemDeleteEvent: self._delete,
            ConversationItemTruncateEvent: self._truncate,
            ResponseCreateEvent: self._create_response,
            ResponseCancelEvent: self._cancel,
        }
        handler = handlers.get(type(event))
        if handler is None:
            raise ClientError(f"{event.type} has no meaning on a WebSocket", code="unsupported_event", param="type")
        return handler(event)

    def _update(self, event: SessionUpdateEvent) -> list[Effect]:
        shared = self._shared
        if not isinstance(event.session, RealtimeSessionCreateRequest):
            message = "transcription sessions are not supported yet; use type realtime"
            raise ClientError(message, code="unsupported_value", param="session.type")
        session = merged(shared.session, event.session)
        settings = derived(session)
        new_user = settings.tandem.user_id != shared.settings.tandem.user_id
        if new_user and shared.history.user:  # one voice must not be remembered under two names
            raise ClientError("user_id cannot change once the user has spoken", param="session.tandem.user_id")
        shared.session, shared.settings = session, settings
        updated = SessionUpdatedEvent(type="session.updated", event_id=shared.event_id(), session=self._request())
        user_id = settings.tandem.user_id
        load = [LoadSpeaker(user_id)] if new_user and user_id is not None else []
        return [Send(updated), KeepSettings(), *load]

    def _clear(self, _: InputAudioBufferClearEvent) -> list[Effect]:
        cleared = InputAudioBufferClearedEvent(type="input_audio_buffer.cleared", event_id=self._shared.event_id())
        return [*self._noticed(self._listening.clear()), Send(cleared)]

    def _create_item(self, event: ConversationItemCreateEvent) -> list[Effect]:
        shared = self._shared
        if self._created >= MOST_ITEMS:
            raise ClientError(f"a client may create at most {MOST_ITEMS} items", code="too_many_items")
        if event.item.id and len(event.item.id) > LONGEST_ID:
            raise ClientError(f"an id has at most {LONGEST_ID} characters", code="too_long", param="item.id")
        if event.item.id and event.item.id.startswith(shared.item_prefix):
            message = f"ids that begin with {shared.item_prefix!r} are the server's"
            raise ClientError(message, code="item_id_exists", param="item.id")
        item = Item(event.item.id or shared.item_id(), *_text_of(event.item))
        previous, added = shared.add(item, event.previous_item_id)
        self._created += 1
        effects: list[Effect] = [added, shared.done(item, previous)]
        if item.role == "user":
            shared.history = replace(shared.history, user=(*shared.history.user, UNHEARD))
            effects.append(Record(self._typed(item)))
        return effects

    def _typed(self, item: Item) -> TurnRecord:
        """A turn that was typed: words without a voice."""
        at, shared = milliseconds(self._shared.heard), self._shared
        index = shared.turn_index()
        return TurnRecord(
            id=f"turn_{shared.session_id}_{index}",  # a client may delete an item and use its id again
            conversation_id=shared.session_id,
            index=index,
            role="user",
            item_id=item.id,
            started_ms=at,
            ended_ms=at,
            text=item.text or "",
            flags={"typed": True},
        )

    def _retrieve(self, event: ConversationItemRetrieveEvent) -> list[Effect]:
        item = self._shared.items.get(event.item_id)
        event_id = self._shared.event_id()
        return [
            Send(ConversationItemRetrieved(type="conversation.item.retrieved", event_id=event_id, item=item.wire()))
        ]

    def _delete(self, event: ConversationItemDeleteEvent) -> list[Effect]:
        self._shared.items.delete(event.item_id)
        event_id = self._shared.event_id()
        return [
            Send(
                ConversationItemDeletedEvent(type="conversation.item.deleted", event_id=event_id, item_id=event.item_id)
            )
        ]

    def _truncate(self, event: ConversationItemTruncateEvent) -> list[Effect]:
        item = self._shared.items.get(event.item_id)
        if item.role != "assistant" or not item.spoken:
            raise ClientError("only the agent's speech can be truncated", code="invalid_item", param="item_id")
        if event.content_index != 0:
            raise ClientError("an item has one content part, 0", param="content_index")
        if event.audio_end_ms < 0:
            raise ClientError("audio_end_ms cannot be negative", param="audio_end_ms")
        effects = self._speaking.heard_until(item, event.audio_end_ms)
        truncated = ConversationItemTruncatedEvent(
            type="conversation.item.truncated",
            event_id=self._shared.event_id(),
            item_id=item.id,
            content_index=0,
            audio_end_ms=min(event.audio_end_ms, item.audio_ms),
        )
        return [Send(truncated), Hush(), *effects]

    def _create_response(self, event: ResponseCreateEvent) -> list[Effect]:
        wish = event.response or RealtimeResponseCreateParams()
        for name in ("input", "tools", "prompt"):
            if getattr(wish, name):
                raise ClientError(
                    f"response.{name} is not supported yet", code="unsupported_value", param=f"response.{name}"
                )
        if wish.conversation not in (None, "auto"):
            message = "only responses in the conversation are supported yet"
            raise ClientError(message, code="unsupported_value", param="response.conversation")
        _check_metadata(wish.metadata or {})
        text_only = None if wish.output_modalities is None else wish.output_modalities == ["text"]
        return self._speaking.begin(
            ReplyRequest(instructions=wish.instructions, text_only=text_only, metadata=wish.metadata)
        )

    def _cancel(self, event: ResponseCancelEvent) -> list[Effect]:
        wrong_one = event.response_id is not None and event.response_id != self._speaking.response_id
        effects = [] if wrong_one else self._speaking.cancel("client_cancelled")
        if not effects:
            raise ClientError("there is no response in progress to cancel", code="response_cancel_not_active")
        return [Hush(), *effects]


def _check_metadata(metadata: Mapping[str, str]) -> None:
    long = any(len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in metadata.items())
    if len(metadata) > MOST_METADATA or long:
        message = f"metadata has at most {MOST_METADATA} pairs of {LONGEST_KEY} and {LONGEST_VALUE} characters"
        raise ClientError(message, code="too_long", param="response.metadata")


def _text_of(item: ConversationItem) -> tuple[Any, bool, str]:
    """(role, spoken, text) of a typed message. Raises ClientError for anything else."""
    if not isinstance(
        item,
        RealtimeConversationItemSystemMessage
        | RealtimeConversationItemUserMessage
        | RealtimeConversationItemAssistantMessage,
    ):
        raise ClientError(
            f"items of type {item.type} are not supported yet", code="unsupported_value", param="item.type"
        )
    texts = []
    for part in item.content:
        if part.type not in ("input_text", "output_text"):
            message = f"content of type {part.type} is not supported yet; speak through input_audio_buffer.append"
            raise ClientError(message, code="unsupported_value", param="item.content")
        texts.append(part.text or "")
    text = "".join(texts)
    if len(text) > LONGEST_TEXT:
        raise ClientError(f"an item holds at most {LONGEST_TEXT} characters", code="too_long", param="item.content")
    return item.role, False, text
