"""Speed of a trained voice on one core: python -m tests.bench.voice FOLDER

What torch costs to import, CPU per second of speech, and when the first audio of a sentence of twelve words is there
after its phones are known. Text to phones and the realiser are not in it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import psutil

SAID = "pau dh ax k w ih k b r aw n f aa k s jh ah m p s ow v er dh ax l ey z iy d ao g ae n d r ah n z ax w ey pau"
"""The quick brown fox jumps over the lazy dog and runs away."""
ROUNDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a voice: acoustic/ and vocoder/")
    folder = parser.parse_args().folder
    process = psutil.Process()

    before, begun = process.memory_info().rss, time.process_time()
    import torch

    torch.set_num_threads(1)
    _say("import torch", time.process_time() - begun, "s CPU")
    _say("its memory", (process.memory_info().rss - before) / 1e6, "MB")

    from tandem_models.voice import Voice

    before, begun = process.memory_info().rss, time.process_time()
    voice = Voice.load(folder)
    phones = SAID.split()
    stress = [0] * len(phones)
    for _ in range(3):  # TorchScript compiles itself as it is first run
        seconds = sum(map(len, voice.speak(phones, stress).audio)) / voice.sample_rate
    _say("load and first sentences", time.process_time() - begun, "s CPU")
    _say("memory", (process.memory_info().rss - before) / 1e6, "MB")

    firsts, wholes = [], []
    for _ in range(ROUNDS):
        begun = time.process_time()
        audio = voice.speak(phones, stress).audio
        next(audio)
        firsts.append(time.process_time() - begun)
        for _piece in audio:
            pass
        wholes.append(time.process_time() - begun)
    _say("first audio", 1000.0 * statistics.median(firsts), "ms CPU (median)")
    _say("the sentence", 1000.0 * statistics.median(wholes), f"ms CPU, {seconds:.2f} s of speech")
    _say("real-time factor", statistics.median(wholes) / seconds, "")


def _say(what: str, number: float, unit: str) -> None:
    print(f"{what:>26} {number:9.3f} {unit}")


if __name__ == "__main__":
    main()
