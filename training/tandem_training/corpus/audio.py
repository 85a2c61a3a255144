"""A turn's samples out of a recording, at SAMPLE_RATE: the same numbers as if the whole recording were streamed in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from tandem_models.signal import SAMPLE_RATE, Audio, Resampler
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.manifest import LONGEST

END_SLACK: Final = 0.1
"""Seconds by which a turn may outlast its recording: annotations are rounded."""
_RUN_IN: Final = 0.05
"""Seconds before a turn for the resampler's filter, which reaches back 3 ms at 8 kHz"""


class Recordings:
    """Open sound files, one at a time: the turns of a dialogue come from few files, one after the other."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: Any = None

    def read(self, path: Path, channel: int, start: float | None, end: float | None) -> Audio:
        """The stretch (T,) of one channel, or the whole file. Raises CorpusError with what is wrong with the file."""
        file = self._opened(path)
        rate, seconds = file.samplerate, file.frames / file.samplerate
        if channel >= file.channels:
            has = "1 channel" if file.channels == 1 else f"{file.channels} channels"
            raise CorpusError(f"{path.name} has {has}, so no channel {channel} (they count from 0); import it again")
        if start is None or end is None:
            start, end = 0.0, seconds
        if end > seconds + END_SLACK:
            raise CorpusError(f"{path.name} is {seconds:.2f} s long and the turn ends at {end:.2f} s: is it cut off?")
        if end - start > LONGEST:
            raise CorpusError(f"a turn of {end - start:.0f} s; the longest is {LONGEST:.0f} s")
        return _stretch(file, path, channel, start, min(end, seconds), rate)

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
        self._path = self._file = None

    def _opened(self, path: Path) -> Any:
        if self._path != path:
            self.close()
            try:
                self._file = soundfile.SoundFile(path)
            except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: a headerless .raw
                reason = str(getattr(error, "error_string", error)).rstrip(".")
                raise CorpusError(
                    f"{path.name} cannot be read as sound ({reason}); convert it to WAV or FLAC, with sph2pipe if it "
                    "is SPHERE compressed by shorten"
                ) from error
            self._path = path
            if not self._file.frames:
                raise CorpusError(f"{path.name} has no samples")
        return self._file


def duration(path: Path) -> tuple[float, int]:
    """(seconds, channels) of a sound file. Raises CorpusError."""
    recordings = Recordings()
    try:
        file = recordings._opened(path)
        return file.frames / file.samplerate, file.channels
    finally:
        recordings.close()


def _stretch(file: Any, path: Path, channel: int, start: float, end: float, rate: int) -> Audio:
    """Cut on the grid that both rates share, so that the filter meets the same samples at the same phases."""
    step = rate // math.gcd(rate, SAMPLE_RATE)
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    begin = max(math.floor((start - _RUN_IN) * rate / step) * step, 0)
    stop = min(math.ceil((end + _RUN_IN) * rate), file.frames)
    try:
        file.seek(begin)
        samples = file.read(stop - begin, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise CorpusError(f"{path.name} cannot be read at {start:.2f} s ({error}): is it damaged?") from error
    if len(samples) < (min(end, file.frames / rate) - END_SLACK) * rate - begin:
        raise CorpusError(
            f"{path.name} ends at {(begin + len(samples)) / rate:.2f} s, before its header says: cut off?"
        )
    resampler = Resampler(rate, SAMPLE_RATE)
    mono = np.ascontiguousarray(samples[:, channel])
    audio = np.concatenate([resampler.feed(mono), resampler.flush()])
    offset = first - begin * SAMPLE_RATE // rate
    return audio[offset : offset + last - first]
