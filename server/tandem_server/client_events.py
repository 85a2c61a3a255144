"""The client's events and what they lead to. What it does with items is in `item_events`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openai.types.realtime import (
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    ResponseCancelEvent,
    SessionUpdatedEvent,
    SessionUpdateEvent,
)

from tandem_models.extract import SpeakerRange
from tandem_models.normaliser import Normaliser
from tandem_server import assigning
from tandem_server.asides import Asides
from tandem_server.contract import ClientEvent, CreateResponseEvent, ResponseParams
from tandem_server.conversation_events import Effect, Hush, KeepSettings, Send
from tandem_server.errors import ClientError
from tandem_server.item_events import ItemEvents
from tandem_server.listening import Listening
from tandem_server.response_requests import request_of
from tandem_server.settings import Update, derived, echo, merged, voice_asked
from tandem_server.shared_state import SharedState
from tandem_server.speaking import Speaking
from tandem_server.user_turn import Notice

Answer = Sequence[Effect | Notice]


@dataclass(slots=True)
class ClientEvents:
    """Answers every event but audio; raises ClientError for what cannot be done, and then nothing has changed."""

    shared: SharedState
    listening: Listening
    speaking: Speaking
    asides: Asides
    items: ItemEvents

    def handle(self, event: ClientEvent) -> Answer:
        """What is to be done about it."""
        handlers: dict[type, Callable[[Any], Answer]] = {
            SessionUpdateEvent: self._update,
            InputAudioBufferCommitEvent: lambda _: self.listening.commit(),
            InputAudioBufferClearEvent: self._clear,
            ConversationItemCreateEvent: self.items.create,
            ConversationItemRetrieveEvent: self.items.retrieve,
            ConversationItemDeleteEvent: self.items.delete,
            ConversationItemTruncateEvent: self.items.truncate,
            CreateResponseEvent: self._create_response,
            ResponseCancelEvent: self._cancel,
        }
        handler = handlers.get(type(event))
        if handler is None:
            raise ClientError(f"{event.type} has no meaning on a WebSocket", code="unsupported_event", param="type")
        return handler(event)

    def _update(self, event: SessionUpdateEvent) -> Answer:
        shared = self.shared
        voice = self._voice(event.session)
        session = merged(shared.session, event.session)
        settings = derived(session)
        assigning.check(shared, session, settings)
        new_user = settings.tandem.user_id != shared.settings.tandem.user_id
        if new_user and shared.history.user:  # one voice must not be remembered under two names
            raise ClientError("user_id cannot change once the user has spoken", param="session.tandem.user_id")
        shared.session, shared.settings, shared.voice_asked = session, settings, voice
        updated = SessionUpdatedEvent(type="session.updated", event_id=shared.event_id(), session=echo(session))
        needed = assigning.needed(shared)
        return [Send(updated), KeepSettings(), *(self._new_user() if new_user else []), *needed]

    def _new_user(self) -> list[Effect]:
        """Nothing that was kept of another is true of this one."""
        self.shared.meet(Normaliser.new(), SpeakerRange())
        return assigning.load(self.shared)

    def _voice(self, update: Update) -> str | None:
        """What the client calls the voice from now on. There is only one, whatever it is called; but a client that
        asks for another once it has heard it must not believe that it got it."""
        shared, asked = self.shared, voice_asked(update)
        if asked is None:
            return shared.voice_asked
        ours = shared.session["audio"]["output"]["voice"]
        if shared.spoken and asked not in (ours, shared.voice_asked):
            message = f"the voice cannot change once the agent has spoken; it is {ours!r}"
            raise ClientError(message, code="cannot_update_voice", param="session.audio.output.voice")
        return asked

    def _clear(self, _: InputAudioBufferClearEvent) -> Answer:
        cleared = InputAudioBufferClearedEvent(type="input_audio_buffer.cleared", event_id=self.shared.event_id())
        return [*self.listening.clear(), Send(cleared)]

    def _create_response(self, event: CreateResponseEvent) -> Answer:
        if self.shared.settings.transcription:
            message = "a transcription session gives no responses; connect without intent=transcription for those"
            raise ClientError(message, code="unsupported_event", param="type")
        request = request_of(event.response or ResponseParams(), self.shared)
        if request.in_conversation or request.settings is None or not request.settings.text_only:
            return self.speaking.begin(request)
        return self.asides.begin(request)

    def _cancel(self, event: ResponseCancelEvent) -> Answer:
        """The live reply, else the one that waits for it to be over, or by its id any other."""
        effects: list[Effect] = []
        if event.response_id in (None, self.speaking.response_id):
            cancelled = self.speaking.cancel("client_cancelled")
            effects = [Hush(), *cancelled] if cancelled else []
            if not cancelled and event.response_id is None and self.speaking.cancel_waiting():
                return []
        elif event.response_id is not None:
            effects = self.asides.cancel(event.response_id)
        if not effects:
            raise ClientError("there is no response in progress to cancel", code="response_cancel_not_active")
        return effects
