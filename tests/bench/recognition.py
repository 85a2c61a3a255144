"""What the recogniser's settings cost and buy: word error rate, CPU and latency on real recordings.

    python tests/bench/recognition.py [--shared FOLDER] [--limit N] [--only SETTING] ...

Through real worker processes, in chunks of 100 ms, each sent when the one before it was answered. `finish` is how long
the transcript takes when everything before it is already decoded: what a caller waits. `pause` rows finish after
about 100 ms of silence within the recording too, as the session does, and join the pieces. The vosk rows test the
engine only: those models know few words and partly heard this audio in training, so they say nothing about Vosk.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import re
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import jiwer
import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, exact_div, float_to_pcm16, resample
from tandem_server.engines import frames
from tandem_server.engines.frames import Frame
from tandem_server.engines.nursery import Link, Nursery
from tandem_server.engines.pocketsphinx import DEFAULTS, Settings
from tandem_server.engines.silero import Silero

CHUNK = exact_div(SAMPLE_RATE, 10) * 2
"""Bytes: 100 ms."""
PAUSE_FRAMES = 3
"""Frames of 32 ms below one half after speech make a pause: 96 ms."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

SETTINGS: dict[str, Settings] = {
    "defaults": {},
    "no-fwdflat": {"fwdflat": False},
    "no-bestpath": {"fwdflat": False, "bestpath": False},
    "maxhmmpf10k": {"fwdflat": False, "maxhmmpf": 10000},
    "maxhmmpf6k": {"fwdflat": False, "maxhmmpf": 6000},
    "maxwpf10": {"fwdflat": False, "maxhmmpf": 6000, "maxwpf": 10},
    "narrow": {"fwdflat": False, "beam": 1e-44, "wbeam": 1e-26, "pbeam": 1e-44},
    "pruned": {"fwdflat": False, "bestpath": False, "ds": 2, "topn": 2, "maxwpf": 5, "maxhmmpf": 3000, "pl_window": 10},
    "chosen": DEFAULTS,
}
VOSK_MODELS = ("vosk-digits", "vosk-5k")
"""For testing the engine only; see above."""


@dataclass(frozen=True)
class Recording:
    kind: str
    transcript: str
    audio: bytes
    """pcm16 at SAMPLE_RATE"""
    pauses: tuple[int, ...]
    """Bytes from the start at which a pause is noticed."""


@dataclass
class Row:
    """What one setting did."""

    truth: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    chunk_ms: list[float] = field(default_factory=list)
    finish_ms: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """Seconds per second of audio, processes and loading and all."""


class Ears(Protocol):
    """One recogniser for one recording."""

    async def hear(self, chunk: bytes) -> None: ...

    async def finish(self) -> str: ...

    async def close(self) -> None: ...


class Sphinx:
    """A worker of the engine, one frame at a time."""

    def __init__(self) -> None:
        self._answers: asyncio.Queue[Frame] = asyncio.Queue()
        self._link = Link(lambda _, frame: self._answers.put_nowait(frame), lambda _: None)

    @classmethod
    async def open(cls, nursery: Nursery) -> Sphinx:
        self = cls()
        await nursery.connect(self._link)
        return self

    async def hear(self, chunk: bytes) -> None:
        self._link.send(Frame(frames.AUDIO, 0, chunk))
        await self._answers.get()

    async def finish(self) -> str:
        self._link.send(Frame(frames.FINISH, 0))
        return " ".join(word for word, _, _ in json.loads((await self._answers.get()).payload))

    async def close(self) -> None:
        self._link.hang_up()
        await self._link.lost


class Kaldi:
    """Vosk, called as the engine calls it."""

    def __init__(self, model: object) -> None:
        from vosk import KaldiRecognizer

        self._recogniser = KaldiRecognizer(model, SAMPLE_RATE)
        self._words: list[str] = []

    async def hear(self, chunk: bytes) -> None:
        if self._recogniser.AcceptWaveform(chunk):
            self._words.append(json.loads(self._recogniser.Result())["text"])
        self._recogniser.PartialResult()

    async def finish(self) -> str:
        words, self._words = [*self._words, json.loads(self._recogniser.FinalResult())["text"]], []
        return " ".join(words)

    async def close(self) -> None: ...


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("\u2019", "'")).split())


async def load(data: Path, limit: int | None) -> list[Recording]:
    named = [(path, DIGITS[int(path.name[0])], "digits") for path in sorted((data / "digits").glob("*.flac"))]
    with (data / "speech" / "manifest.tsv").open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        named += [(data / "speech" / row["audio"], row["transcript"], row["set"]) for row in rows]
    engine = Silero()
    recordings = []
    for path, transcript, kind in named[:: max(1, len(named) // limit)] if limit else named:
        audio, rate = sf.read(path, dtype="float32")
        audio = resample(audio, rate, SAMPLE_RATE)
        pauses = await find_pauses(engine, audio)
        recordings.append(Recording(kind, plain(transcript), float_to_pcm16(audio), pauses))
    return recordings


async def find_pauses(engine: Silero, audio: NDArray[np.float32]) -> tuple[int, ...]:
    detector = await engine.open()
    silent, pauses = PAUSE_FRAMES, []
    for end in range(VAD_FRAME, len(audio) + 1, VAD_FRAME):
        silent = 0 if detector.probability(audio[end - VAD_FRAME : end]) >= 0.5 else silent + 1
        if silent == PAUSE_FRAMES:
            pauses.append(2 * end)
    engine.release(detector)
    return tuple(pauses)


def pieces(recording: Recording, at_pauses: bool) -> Iterator[bytes]:
    ends = [*recording.pauses, len(recording.audio)] if at_pauses else [len(recording.audio)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield recording.audio[start:end]


async def transcribe(ears: Ears, recording: Recording, row: Row, at_pauses: bool) -> None:
    heard = []
    for piece in pieces(recording, at_pauses):
        for start in range(0, len(piece), CHUNK):
            began = time.perf_counter()
            await ears.hear(piece[start : start + CHUNK])
            row.chunk_ms.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        heard.append(await ears.finish())
        row.finish_ms.append(1000 * (time.perf_counter() - began))
    await ears.close()
    row.truth[recording.kind].append(recording.transcript)
    row.heard[recording.kind].append(plain(" ".join(heard)))


async def run_sphinx(recordings: list[Recording], settings: Settings, at_pauses: bool) -> Row:
    row, before = Row(), cpu()
    worker = "tandem_server.engines.pocketsphinx_worker"
    nursery = Nursery(worker, json.dumps(dict(settings)), "")
    await nursery.start()
    for recording in recordings:
        await transcribe(await Sphinx.open(nursery), recording, row, at_pauses)
    await nursery.close()
    row.cpu = (cpu() - before) / seconds(recordings)
    return row


async def run_vosk(recordings: list[Recording], folder: Path, at_pauses: bool) -> Row:
    import vosk

    vosk.SetLogLevel(-1)
    row, before = Row(), cpu()
    model = vosk.Model(str(folder))
    for recording in recordings:
        await transcribe(Kaldi(model), recording, row, at_pauses)
    row.cpu = (cpu() - before) / seconds(recordings)
    return row


def cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def seconds(recordings: list[Recording]) -> float:
    return sum(len(recording.audio) for recording in recordings) / (2 * SAMPLE_RATE)


def show(name: str, row: Row, kinds: list[str]) -> None:
    def error(wanted: list[str]) -> str:
        truth = [line for kind in wanted for line in row.truth[kind]]
        heard = [line for kind in wanted for line in row.heard[kind]]
        return f"{jiwer.wer(truth, heard):.3f}".lstrip("0")

    def spread(values: list[float]) -> str:
        return " / ".join(f"{value:.0f}" for value in (*np.percentile(values, (50, 95)), max(values)))

    speech = [kind for kind in kinds if kind != "digits"]
    cells = [error(speech), *(error([kind]) for kind in kinds), f"{row.cpu:.3f}"]
    print(f"| {name} | {' | '.join(cells)} | {spread(row.chunk_ms)} | {spread(row.finish_ms)} |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[*SETTINGS, *VOSK_MODELS])
    parser.add_argument("--shared", type=Path, default=os.environ.get("TANDEM_SHARED", "../shared"))
    parser.add_argument("--limit", type=int, help="about so many recordings")
    options = parser.parse_args()
    data = Path(options.shared) / "data"
    recordings = await load(data, options.limit)
    kinds = sorted({recording.kind for recording in recordings})
    print(f"{len(recordings)} recordings, {seconds(recordings) / 60:.1f} min; the first WER leaves the digits out")
    print(f"| setting | WER | {' | '.join(kinds)} | CPU s/s | chunk ms p50/p95/max | finish ms p50/p95/max |")
    print("|" + "---|" * (len(kinds) + 5))
    for name in options.only or (*SETTINGS, *VOSK_MODELS):
        for at_pauses in (False, True):
            if name in VOSK_MODELS:
                row = await run_vosk(recordings, data / name, at_pauses)
            else:
                row = await run_sphinx(recordings, SETTINGS[name], at_pauses)
            show(f"{name}{', pause' if at_pauses else ''}", row, kinds)


if __name__ == "__main__":
    asyncio.run(main())
