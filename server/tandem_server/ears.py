"""What a caller's microphone brings, frame by frame: without the agent's echo, and searched for voices."""

from __future__ import annotations

from tandem_models.signal import Audio
from tandem_server.audio import AudioInput, levels
from tandem_server.conversation_events import FrameHeard
from tandem_server.stages.echo import EchoRemover
from tandem_server.stages.protocols import VoiceActivity


class Ears:
    """One caller's, all of the conversation."""

    def __init__(self, detector: VoiceActivity) -> None:
        self._detector = detector
        self.input = AudioInput()
        self.echo = EchoRemover()

    def hear(self, frame: Audio, *, raw: bool) -> tuple[FrameHeard, Audio]:
        """A frame of `input`: what is in it, and what prosody is to be measured on. `raw` leaves the echo in both."""
        heard = self.echo.hear(frame)
        audio = frame if raw else heard.audio
        measured = frame if raw else self.input.measure(heard.measurable)
        probability = self._detector.probability(audio)
        return FrameHeard(self.input.heard, probability, levels(audio), heard.echo, heard.alone), measured

    def forget(self) -> None:
        """Let go of the audio."""
        self.input, self.echo = AudioInput(), EchoRemover()
