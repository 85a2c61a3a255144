"""Who is told what sessions do: a `Meter`. It changes nothing and must not fail; see `metrics` for the real one."""

from __future__ import annotations

from typing import Protocol

from openai.types.realtime import (
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseTextDoneEvent,
)

from tandem_server.conversation_events import Effect, Send
from tandem_server.telemetry import Log


class Meter(Protocol):
    """Told of every session, on the event loop."""

    def heard(self, samples: int) -> None:
        """Audio at SAMPLE_RATE was listened to."""

    def performed(self, effect: Effect) -> None:
        """An effect of a conversation is being performed."""


class Unmetered:
    """A Meter that nobody reads."""

    def heard(self, samples: int) -> None:
        """Forget it."""

    def performed(self, effect: Effect) -> None:
        """Forget it."""


class SpeechLog:
    """A Meter that writes what is said into the log, for those who asked for it (TANDEM_LOG_SPEECH)."""

    def __init__(self, log: Log, further: Meter) -> None:
        self._log = log
        self._further = further

    def heard(self, samples: int) -> None:
        """Hand it on."""
        self._further.heard(samples)

    def performed(self, effect: Effect) -> None:
        """Write down the words, then hand it on."""
        match effect:
            case Send(ConversationItemInputAudioTranscriptionCompletedEvent() as event):
                self._log.info("user_said", item=event.item_id, text=event.transcript)
            case Send(ResponseAudioTranscriptDoneEvent() as event):
                self._log.info("agent_said", item=event.item_id, text=event.transcript)
            case Send(ResponseTextDoneEvent() as event):
                self._log.info("agent_wrote", item=event.item_id, text=event.text)
            case _:
                pass
        self._further.performed(effect)
