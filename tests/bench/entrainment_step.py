"""How long the exported entrainment model takes for a turn, on one thread: CPU milliseconds, median and 95th centile.

python -m tests.bench.entrainment_step [CHECKPOINT]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

from tandem_models.checkpoint import load
from tandem_models.entrainment import Spoken, Upcoming
from tandem_models.entrainment_shipped import SHIPPED

TURNS = 300
WARM = 100
"""Turns before TorchScript has specialised what it runs."""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    model = load(folder).script()
    ones, zeros = torch.ones(1, 8), torch.zeros(1, 8)
    spoken = Spoken(ones, ones, ones, torch.zeros(1))
    taken: dict[str, list[float]] = {"predict": [], "observe": []}
    with torch.inference_mode():
        state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
        for turn in range(TURNS):
            words = torch.tensor([[1, 2, 3, 4, 0]])
            upcoming = Upcoming(torch.full((1,), turn % 2), words, torch.tensor([5.0]), torch.zeros(1, 0), zeros, zeros)
            begun = time.process_time()
            _, state = model.predict(state, upcoming)
            predicted = time.process_time()
            state = model.observe(state, spoken)
            taken["predict"].append(predicted - begun)
            taken["observe"].append(time.process_time() - predicted)
    taken["both"] = [a + b for a, b in zip(taken["predict"], taken["observe"], strict=True)]
    for name, times in taken.items():
        middle, high = np.quantile(np.array(times[WARM:]) * 1e3, [0.5, 0.95])
        print(f"{name}: median {middle:.2f} ms, 95 % below {high:.2f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
