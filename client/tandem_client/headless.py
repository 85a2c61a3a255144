"""A conversation without audio devices: a file or typed turns in, a stereo file out, on the clock of what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Final, Protocol

from tandem_client.actions import Phase, Played, Typed, Wire
from tandem_client.errors import NoAnswer, ReplyFailed
from tandem_client.link import Clock, Link, Listener
from tandem_client.playback import SAMPLES_PER_MS
from tandem_client.recording import BLOCK, Track, VirtualLoudspeaker, blocks, write_stereo
from tandem_models.signal import WIRE_RATE, Audio

BLOCK_S: Final = BLOCK / WIRE_RATE
TAIL: Final = WIRE_RATE
"""Samples of silence after the file before the conversation may end: its last word may not have been noticed yet."""
_SILENCE: Final = bytes(2 * BLOCK)
_STUCK: Final[Mapping[Phase, str]] = {
    "connecting": "the session is not open",
    "listening": "the server heard no speech in it",
    "hearing": "the server waits for the end of the turn",
    "thinking": "the server heard the turn and did not begin to speak",
    "speaking": "the server did not end its reply",
}
"""What no answer means, in words."""


class Join(Protocol):
    """Makes the link for a loudspeaker and further listeners."""

    def __call__(self, player: VirtualLoudspeaker, listeners: Sequence[Listener]) -> Link: ...


class Headless:
    """One such conversation; `fast` sends as quickly as the server takes it.

    In real time a reply is heard from the sample that was being sent when its audio came. With `fast` that says
    nothing, and a reply is heard from the end of its turn on the server's audio clock: a conversation without latency.
    """

    def __init__(self, join: Join, clock: Clock, patience: float, *, fast: bool = False) -> None:
        self._clock = clock
        self._patience = patience
        self._fast = fast
        self._sent = Track()
        self._loudspeaker = VirtualLoudspeaker()
        self.link = join(self._loudspeaker, (self._follow,) if fast else ())
        self._last_heard = clock.now()
        """When the loudspeaker last played something."""

    async def speak(self, audio: Audio) -> None:
        """Sends the audio (T,), then silence until all is answered. Raises NoAnswer, ReplyFailed, ConnectionLost."""
        enough = len(audio) + TAIL
        moment = self._clock.now()
        for block in chain(blocks(audio), repeat(_SILENCE)):
            if self._fast and self._sent.length < enough:
                moment, self._last_heard = self._clock.now(), self._clock.now()
                await asyncio.sleep(0)  # a socket that never fills would never let the replies in
            else:
                moment += BLOCK_S
                await self._clock.until(moment)
            await self.link.send_audio(block)
            self._sent.append(block)
            self._play(everything_sent=self._sent.length >= enough)
            if self._sent.length < enough:
                self._last_heard = self._clock.now()
            elif self._answered():
                return

    async def type(self, texts: Sequence[str]) -> None:
        """Sends one typed turn after another, each when the last is answered. Raises NoAnswer, ReplyFailed."""
        for text in texts:
            before = len(self.link.replies)
            self.link.handle(Typed(text))
            while len(self.link.replies) == before:
                if not await self.link.news(self._patience):
                    raise NoAnswer(f"no answer to the typed turn within {self._patience:g} s")
                self._play(everything_sent=True)
            self._raise_for_failure()

    def save(self, path: Path) -> None:
        """Left what was sent, right the agent as it was heard. Raises AudioUnusable."""
        write_stereo(path, self._sent.samples(), self._loudspeaker.samples())

    def _follow(self, event: Wire) -> None:
        clock = {
            "input_audio_buffer.speech_started": "audio_start_ms",
            "input_audio_buffer.speech_stopped": "audio_end_ms",
        }
        milliseconds = event.get(clock.get(event["type"], ""))
        if isinstance(milliseconds, int):
            self._loudspeaker.advance(milliseconds * SAMPLES_PER_MS)

    def _play(self, *, everything_sent: bool) -> None:
        before = self._loudspeaker.played
        if not self._fast:
            self._loudspeaker.advance(self._sent.length)
        elif everything_sent:  # nothing can interrupt it any more
            self._loudspeaker.drain()
        if self._loudspeaker.played != before:
            self._last_heard = self._clock.now()
            self.link.handle(Played(self._loudspeaker.played))

    def _answered(self) -> bool:
        phase = self.link.dialogue.phase
        if phase == "listening" and self.link.replies:
            self._raise_for_failure()
            return True
        if self._clock.now() - max(self.link.last_news, self._last_heard) > self._patience:
            raise NoAnswer(f"no answer within {self._patience:g} s after the end of the file: {_STUCK[phase]}")
        return False

    def _raise_for_failure(self) -> None:
        last = self.link.replies[-1]
        if last.status == "failed":
            raise ReplyFailed(f"the server could not answer: {last.message or 'it gave no reason'}")
