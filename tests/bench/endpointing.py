"""Waiting against cutting off: `python tests/bench/endpointing.py [--recordings FOLDER]`.

Plays read utterances through voice activity, recogniser and prosody as the server does, stops at every pause, and asks
how long would have been waited there. Prints, for fixed silences and for `stages/endpoint.py`, how many speakers would
have been cut off in mid-utterance and how long the rest would have waited at their end. The parameters of endpoint.py
were chosen on these very recordings, read speech with the pauses of punctuation: this is no evidence about
conversations.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from tandem_models.extract import extract_turn
from tandem_models.signal import SAMPLE_RATE, SAMPLES_PER_MS, VAD_FRAME, Audio, float_to_pcm16, resample
from tandem_server.audio import levels
from tandem_server.conversation_events import FrameHeard
from tandem_server.engines.pocketsphinx import PocketSphinx
from tandem_server.engines.silero import Silero
from tandem_server.listening import SOFT
from tandem_server.stages.endpoint import Evidence, final_fall, patience
from tandem_server.stages.protocols import RecogniserStream, VoiceActivity
from tandem_server.turn import Frame, Hearing, OpenTurn, Pausing, Quiet, Resume, Settle, State, TurnSettings, step

FIXED: Final = (200, 300, 350, 400, 450, 500, 600, 800)
ADAPTIVE: Final = (300, 400, 500, 600, 700, 800)
_NEVER: Final = 10**9
_SETTINGS: Final = TurnSettings(patience=_NEVER, longest=_NEVER)
_PADDING: Final = SAMPLE_RATE * 3 // 10


@dataclass(frozen=True, slots=True)
class Pause:
    """One silence, and what was known in it."""

    recording: int
    evidence: Evidence
    lasted_ms: float | None
    """None at the end of the utterance"""


class Listener:
    """Follows one utterance to its pauses."""

    def __init__(self, recording: int, audio: Audio, detector: VoiceActivity, stream: RecogniserStream) -> None:
        self._recording = recording
        self._audio = np.concatenate([np.zeros(_PADDING, np.float32), audio, np.zeros(SAMPLE_RATE, np.float32)])
        self._detector = detector
        self._stream = stream
        self._state: State = Quiet()
        self._loudest = self._quiet_since = self._start = self._segment = 0.0
        self._texts: list[str] = []
        self._open: tuple[Evidence, int] | None = None
        self.pauses: list[Pause] = []

    async def run(self) -> list[Pause]:
        """All pauses, the last one final."""
        self._detector.reset()
        for end in range(VAD_FRAME, len(self._audio) + 1, VAD_FRAME):
            frame = self._audio[end - VAD_FRAME : end]
            await self._hear(FrameHeard(end, self._detector.probability(frame), levels(frame)))
        if self._open is not None:
            self.pauses.append(Pause(self._recording, self._open[0], None))
        return self.pauses

    async def _hear(self, heard: FrameHeard) -> None:
        speaking = isinstance(self._state, Hearing | Pausing)
        self._loudest = max(self._loudest, max(heard.levels)) if speaking else max(heard.levels)
        if max(heard.levels) > self._loudest - SOFT:
            self._quiet_since = heard.end
        before = self._state
        self._state, effects = step(before, Frame(heard.end, heard.probability, int(self._quiet_since)), _SETTINGS)
        for effect in effects:
            match effect:
                case OpenTurn():
                    self._start = self._segment = max(effect.start - _PADDING, 0)
                case Settle():
                    assert isinstance(self._state, Pausing)
                    self._open = (await self._evidence(heard.end), self._state.since)
                case Resume() if self._open is not None:
                    lasted = (effect.at - self._open[1]) / SAMPLES_PER_MS
                    self.pauses.append(Pause(self._recording, self._open[0], lasted))
                    self._open, self._segment = None, effect.at - _PADDING // 2

    async def _evidence(self, end: int) -> Evidence:
        self._stream.feed(float_to_pcm16(self._audio[int(self._segment) : end]))
        self._texts.append((await self._stream.finish()).text)
        measured = extract_turn(self._audio[int(self._start) : end])
        return Evidence(" ".join(self._texts).strip(), final_fall(measured.track))


async def collect(paths: list[Path]) -> list[Pause]:
    """The pauses of every recording."""
    recogniser, vad = PocketSphinx(), Silero()
    await recogniser.start()
    stream, detector = await recogniser.open(lambda _text: None), await vad.open()
    pauses: list[Pause] = []
    for number, path in enumerate(paths):
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        audio = resample(np.ascontiguousarray(data[:, 0]), rate, SAMPLE_RATE)
        pauses += await Listener(number, audio, detector, stream).run()
        print(f"\r{number + 1}/{len(paths)} recordings", end="", flush=True)
    await stream.close()
    await recogniser.close()
    print()
    return pauses


def row(name: str, pauses: list[Pause], waits: Callable[[Evidence], float]) -> str:
    """One line of the table."""
    cut = {one.recording for one in pauses if one.lasted_ms is not None and one.lasted_ms >= waits(one.evidence)}
    ends = sorted(waits(one.evidence) for one in pauses if one.lasted_ms is None)
    everybody = len({one.recording for one in pauses})
    share, p90 = 100.0 * len(cut) / everybody, ends[int(0.9 * len(ends))]
    return f"{name:18}{share:8.1f}{statistics.mean(ends):10.0f}{statistics.median(ends):7.0f}{p90:7.0f}"


def main() -> None:
    """Collect and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("TANDEM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    parser.add_argument("--recordings", type=Path, default=shared / "data" / "speech", help="a folder of FLAC files")
    folder = parser.parse_args().recordings
    if not folder.is_dir():
        parser.error(f"no recordings in {folder}; name a folder with --recordings")
    pauses = asyncio.run(collect(sorted(folder.rglob("*.flac"))))
    print("                  cut off    wait ms")
    print("                        %      mean    p50    p90")
    for silence in FIXED:
        print(row(f"fixed {silence} ms", pauses, partial(_fixed, silence)))
    for silence in ADAPTIVE:
        print(row(f"endpoint, {silence} ms", pauses, partial(_adaptive, silence)))


def _fixed(silence: int, _: Evidence) -> float:
    return silence


def _adaptive(silence: int, evidence: Evidence) -> float:
    return patience(silence * SAMPLES_PER_MS, evidence) / SAMPLES_PER_MS


if __name__ == "__main__":
    main()
