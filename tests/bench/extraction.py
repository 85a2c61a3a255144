"""What prosody costs when a turn is over, by the turn's length, and how near the blocks come to one call over it all.

    python tests/bench/extraction.py [--shared FOLDER] [--repeat N] [--json FILE]

CPU time of this process. `blocks` is what is left at the end of a turn heard half a second at a time: the tail's one
call to Praat and the summary. `whole` is one call over the whole turn. Speech is real recordings joined, from
`shared/data`; without them a synthetic voice, which costs the same but says little about agreement, so that table is
left out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import parselmouth
import soundfile

from tandem_models.extract import (
    UNKNOWN_RANGE,
    Block,
    IncrementalExtractor,
    PitchRange,
    analyse,
    extract_reference,
    extract_turn,
)
from tandem_models.prosody import NAMES
from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio, resample

LENGTHS = (1, 2, 5, 10, 20, 30)
"""Seconds"""
RANGES = {"unknown": UNKNOWN_RANGE, "typical": PitchRange(75.0, 300.0)}


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds at the end of turns of one length."""

    pitch_range: str
    seconds: int
    blocks: tuple[float, float, float]
    """Median, 95th centile, largest"""
    whole: tuple[float, float, float]
    block: float
    """One half-second block while the turn goes on, median"""

    @property
    def ratio(self) -> float:
        return self.whole[0] / self.blocks[0]


@dataclass(frozen=True)
class Agreement:
    """One feature, blocks against one call."""

    pitch_range: str
    feature: str
    turns: int
    correlation: float
    median: float
    """Of the absolute difference, in the feature's unit"""
    most: float
    """Its 95th centile"""


def read_turns(shared: Path) -> list[Audio]:
    """Read sentences and telephone turns of at least a second, at SAMPLE_RATE; none without the shared data."""
    data = shared / "data"
    turns = [np.asarray(soundfile.read(path, dtype="float32")[0]) for path in sorted(data.glob("speech/*/*.flac"))]
    calls = data / "spokenwoz_sample"
    listed = calls / "turns.jsonl"
    for line in listed.read_text("utf-8").splitlines() if listed.exists() else ():
        turn = json.loads(line)
        start, end, channel = turn["start"], turn["end"], int(turn["role"] == "agent")
        path = calls / "audio" / f"{turn['dialogue']}.wav"
        rate = soundfile.info(path).samplerate
        audio = soundfile.read(path, round((end - start) * rate), round(start * rate), dtype="float32")[0]
        turns.append(resample(np.ascontiguousarray(audio[:, channel]), rate, SAMPLE_RATE))
    return [turn for turn in turns if len(turn) >= SAMPLE_RATE]


def synthetic(seconds: int) -> Audio:
    """Harmonics of a wandering pitch, four syllables a second, in a little noise."""
    clock = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2.0 * np.pi * np.cumsum(130.0 * np.exp(0.2 * np.sin(7.0 * clock))) / SAMPLE_RATE
    source = np.sum([np.sin(h * phase) / h for h in range(1, 16)], axis=0) * (0.6 + 0.4 * np.sin(25.0 * clock))
    noise = np.random.default_rng(0).normal(0.0, 0.002, len(clock))
    return np.asarray(0.1 * source + noise, np.float32)


def cpu(work: Callable[[], object]) -> float:
    """Milliseconds"""
    start = time.process_time()
    work()
    return 1000.0 * (time.process_time() - start)


def take(extractor: IncrementalExtractor, block: Block) -> None:
    extractor.add(analyse(block))


def end_of_turn(audio: Audio, pitch_range: PitchRange) -> tuple[float, list[float]]:
    """CPU after the last frame, and of each block before."""
    extractor = IncrementalExtractor(pitch_range)
    blocks = [
        cpu(partial(take, extractor, block))
        for piece in np.split(audio, range(VAD_FRAME, len(audio), VAD_FRAME))
        for block in extractor.feed(piece)
    ]

    def finish() -> None:
        tail = extractor.pending()
        assert tail is not None
        extractor.result(20, 3.0, analyse(tail))

    return cpu(finish), blocks


def cost(name: str, joined: Audio, seconds: int, repeat: int) -> Cost:
    """Turns cut from one recording at `repeat` places, each a little longer than the last so that tails differ."""
    last, whole, running = [], [], []
    for turn in range(repeat):
        length = seconds * SAMPLE_RATE + turn * SAMPLE_RATE // (2 * repeat)
        start = turn * (len(joined) - length) // max(repeat - 1, 1)
        audio = joined[start : start + length]
        finish, blocks = end_of_turn(audio, RANGES[name])
        last.append(finish)
        running += blocks
        whole.append(cpu(partial(extract_reference, audio, 20, 3.0, RANGES[name])))
    return Cost(name, seconds, spread(last), spread(whole), float(np.median(running)))


def spread(values: list[float]) -> tuple[float, float, float]:
    return float(np.median(values)), float(np.quantile(values, 0.95)), max(values)


def agreements(name: str, turns: list[Audio]) -> list[Agreement]:
    """Every feature but the rate, which both paths take from the words."""
    blocks = [extract_turn(turn, pitch_range=RANGES[name]).prosody.values for turn in turns]
    whole = [extract_reference(turn, pitch_range=RANGES[name]).prosody.values for turn in turns]
    found = []
    for feature, a, b in zip(NAMES, np.array(blocks, float).T, np.array(whole, float).T, strict=True):
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() > 2:
            apart = np.abs(a - b)[both]
            r = float(np.corrcoef(a[both], b[both])[0, 1])
            median, most = (float(value) for value in np.quantile(apart, (0.5, 0.95)))
            found.append(Agreement(name, feature, int(both.sum()), r, median, most))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=os.environ.get("TANDEM_SHARED", "../shared"))
    parser.add_argument("--repeat", type=int, default=20, help="turns of each length (default 20)")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    turns = read_turns(Path(options.shared))
    joined = np.concatenate(turns) if turns else synthetic(60)
    source = f"{len(turns)} real turns, {len(joined) / SAMPLE_RATE:.0f} s" if turns else "synthetic voice"
    print(f"{source}; Praat {parselmouth.PRAAT_VERSION}; CPU ms")

    print("| range | turn s | blocks p50/p95/max | whole p50/p95/max | whole / blocks | a block |")
    print("|---|---|---|---|---|---|")
    costs = []
    for name in RANGES:
        for seconds in LENGTHS:
            row = cost(name, joined, seconds, options.repeat)
            costs.append(row)
            cells = [" / ".join(f"{value:.1f}" for value in values) for values in (row.blocks, row.whole)]
            print(f"| {name} | {seconds} | {' | '.join(cells)} | {row.ratio:.1f} | {row.block:.1f} |", flush=True)

    print("\n| range | feature | turns | r | median apart | p95 apart |\n|---|---|---|---|---|---|")
    table = [row for name in RANGES for row in agreements(name, turns)] if turns else []
    for line in table:
        figures = f"{line.correlation:.4f} | {line.median:.4f} | {line.most:.4f}"
        print(f"| {line.pitch_range} | {line.feature} | {line.turns} | {figures} |")
    if options.json:
        figures_out = {
            "source": source,
            "cost": [asdict(row) for row in costs],
            "agreement": [asdict(r) for r in table],
        }
        options.json.write_text(json.dumps(figures_out, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
