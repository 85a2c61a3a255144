"""How exactly forced alignment finds phones: against the teacher's own times, which are exact.

    python tests/bench/alignment.py CORPUS [--sentences 60]

CORPUS is a folder that the `voice-corpus` recipe made with the teacher.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from tandem_models.signal import SAMPLE_RATE, resample
from tandem_training.voice_corpus.alignment import Aligner, AlignmentError


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--sentences", type=int, default=60)
    asked = parser.parse_args()
    rows = [json.loads(row) for row in (asked.corpus / "utterances.jsonl").read_text("utf-8").splitlines()]
    base = [row for row in rows if not row["augmentation"]][: asked.sentences]
    aligner, lost, seconds = Aligner(), 0, 0.0
    misses: defaultdict[str, list[float]] = defaultdict(list)
    begun = time.process_time()
    for row in base:
        audio, rate = soundfile.read(asked.corpus / row["audio"], dtype="float32")
        seconds += len(audio) / rate
        words = [tuple(row["phones"][first:last]) for _, first, last in row["words"]]
        try:
            found = aligner.phones(resample(audio, rate, SAMPLE_RATE), words)
        except AlignmentError:
            lost += 1
            continue
        for (_, first, last), spans in zip(row["words"], found, strict=True):
            for place, (_, end) in zip(range(first, last), spans, strict=True):
                misses[row["phones"][place]].append(end - row["ends"][place])
    cost = (time.process_time() - begun) / seconds
    everything = np.array([miss for phone in misses.values() for miss in phone])
    print(f"{len(base)} sentences, {lost} not aligned, {len(everything)} phones, {cost:.3f} s of CPU per s of speech")
    print(f"end of a phone: {summary(everything)}")
    worst = sorted(misses, key=lambda phone: -float(np.median(np.abs(misses[phone]))))[:5]
    for phone in worst:
        print(f"  {phone:3} {summary(np.array(misses[phone]))}")


def summary(misses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    away = np.abs(misses)
    return (
        f"error median {1000 * np.median(away):.0f} ms, p90 {1000 * np.quantile(away, 0.9):.0f} ms, "
        f"within 20 ms {100 * np.mean(away < 0.0201):.0f} %, bias {1000 * np.median(misses):+.0f} ms"
    )


if __name__ == "__main__":
    main()
