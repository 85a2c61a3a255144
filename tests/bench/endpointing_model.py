"""What the turn model says in the pauses of `endpointing_data.py`, and what its answers cost.

It is asked as the server asks: at the first frame in which voice activity hears silence, with the turn up to there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tandem_models.signal import SAMPLE_RATE
from tandem_server.stages.protocols import TurnModel

from .endpointing_data import CORPORA, Pause


def judged(name: str, folder: Path, pauses: Sequence[Pause], model: TurnModel) -> list[Pause]:
    """The pauses of recordings that have been listened to, with its answers; one question after the other."""
    return asyncio.run(_judged(name, folder, pauses, model))


async def _judged(name: str, folder: Path, pauses: Sequence[Pause], model: TurnModel) -> list[Pause]:
    corpus = CORPORA.get(name, CORPORA["spokenwoz"])
    await model.start()
    answered: dict[tuple[str, str, float], Pause] = {}
    for sides in corpus.read(folder):
        for side in sides:
            for pause in pauses:
                if (pause.dialogue, pause.speaker) != (side.dialogue, side.speaker):
                    continue
                begun = time.process_time()
                complete = await model.complete(side.audio[_sample(pause.begun) : _sample(pause.asked)])
                took_ms = (time.process_time() - begun) * 1000.0
                answered[_key(pause)] = replace(pause, complete=complete, took_ms=took_ms)
        print(f"\r{name}: {len(answered)} pauses judged", end="", flush=True)
    print()
    await model.close()
    return [answered[_key(pause)] for pause in pauses]


def cost(pauses: Sequence[Pause]) -> str:
    """In words: how well it tells ends from holds, and what that takes."""
    ends, holds = ([one.complete or 0.0 for one in pauses if one.end == end] for end in (True, False))
    above = np.subtract.outer(np.array(ends), np.array(holds))
    area = float(np.mean((above > 0.0) + 0.5 * (above == 0.0))) if above.size else float("nan")
    took = np.quantile([one.took_ms for one in pauses], (0.5, 0.9))
    came = np.quantile([one.answered_ms for one in pauses], (0.1, 0.5, 0.9))
    return (
        f"turn model: AUC {area:.2f}; {took[0]:.0f} ms of processor time a pause (p90 {took[1]:.0f}); its answer "
        f"counts after {came[1]:.0f} ms of silence (p10 {came[0]:.0f}, p90 {came[2]:.0f})"
    )


def _sample(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _key(pause: Pause) -> tuple[str, str, float]:
    return pause.dialogue, pause.speaker, pause.since
