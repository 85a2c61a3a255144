"""Does the voice follow the user, on the wire? `python -m tests.bench.entrainment_effect --help` (from the project).

Recordings, as they are and 4 semitones higher and a fifth faster (Praat's PSOLA), go to the real server under each
strategy, in a conversation of their own; it always answers with the same words. How the answer differs between the two
versions is taken from `tandem.agent.realised`, and measured without our extractor: pitch by YIN, rate by the length of
the same words.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import parselmouth
from parselmouth.praat import call

from tandem_models.signal import WIRE_RATE, Audio, float_to_pcm16, pcm16_to_float

from ..e2e.conftest import STEADY
from ..e2e.serving import ROOT, Served, serving
from ..e2e.talking import SILENCE, Event, calling, recording
from ..models.test_realise import yin

STRATEGIES: Final = ("match", "neural", "neutral", "anti")
SHIFT_ST: Final = 4.0
FASTER: Final = 1.2
TURNS: Final = 3
RECORDINGS: Final = (
    "turn_off_the_living_room_lamp",
    "set_the_bedroom_light_to_green",
    "is_the_garage_door_closed",
    "en-0536",
    "rp-31",
    "ar-06",
)
"""Of speech/voxforge_rhasspy: several voices"""


def higher_and_faster(pcm: bytes) -> bytes:
    """The same words SHIFT_ST semitones higher and FASTER times as fast, by Praat's overlap-add."""
    sound = parselmouth.Sound(pcm16_to_float(pcm).astype(np.float64), WIRE_RATE)
    manipulation = call(sound, "To Manipulation", 0.01, 60, 500)
    pitch = call(manipulation, "Extract pitch tier")
    call(pitch, "Multiply frequencies", sound.xmin, sound.xmax, 2.0 ** (SHIFT_ST / 12.0))
    duration = call(manipulation, "Extract duration tier")
    call(duration, "Add point", sound.xmin, 1.0 / FASTER)
    call(duration, "Add point", sound.xmax, 1.0 / FASTER)
    call([pitch, manipulation], "Replace pitch tier")
    call([duration, manipulation], "Replace duration tier")
    moved = call(manipulation, "Get resynthesis (overlap-add)")
    return float_to_pcm16(np.asarray(moved.values[0], np.float32))


@dataclass(frozen=True)
class Spoken:
    """One side's last turn: by the server's extractor, and by ours alone."""

    pitch_st: float
    rate: float
    """Log syllables a second"""
    yin_st: float
    seconds: float

    def minus(self, other: Spoken) -> Moved:
        """Where it stands against another way of saying the same words."""
        return Moved(
            self.pitch_st - other.pitch_st,
            100.0 * (math.exp(self.rate - other.rate) - 1.0),
            self.yin_st - other.yin_st,
            100.0 * (other.seconds / self.seconds - 1.0),
        )


@dataclass(frozen=True)
class Moved:
    """Differences: semitones, and percent faster."""

    pitch_st: float
    rate_pc: float
    yin_st: float
    length_pc: float


@dataclass(frozen=True)
class Effect:
    """One recording under one strategy: higher and faster version minus the plain one."""

    recording: str
    strategy: str
    user: Moved
    agent: Moved


def spoken(features: dict[str, float | None], audio: Audio) -> Spoken:
    pitch, rate = features["pitch_mean"], features["rate"]
    assert pitch is not None
    found = yin(audio, WIRE_RATE, 60.0, 500.0)
    heard = 12.0 * math.log2(float(np.nanmedian(found)) / 100.0)
    return Spoken(pitch, math.nan if rate is None else rate, heard, len(audio) / WIRE_RATE)


async def converse(served: Served, pcm: bytes, strategy: str) -> tuple[Spoken, Spoken]:
    """The user and the agent, both in the last of TURNS turns."""
    async with calling(served.realtime) as caller:
        await caller.update(tandem={"strategy": strategy})
        done: Event = {}
        for _ in range(TURNS):
            done = await caller.turn(pcm + SILENCE[: len(SILENCE) // 2])
            assert done["response"]["status"] == "completed"
        user = [event for event in caller.of("tandem.user.prosody") if event["final"]][-1]
        agent = caller.of("tandem.agent.realised")[-1]
        assert agent["response_id"] == done["response"]["id"]
        assert done["response"]["output"][0]["content"][0]["transcript"] == STEADY
        return (
            spoken(user["features"], pcm16_to_float(pcm)),
            spoken(agent["features"], caller.audio(done["response"]["id"])),
        )


async def effect(served: Served, name: str, pcm: bytes, strategy: str) -> Effect:
    """Both versions, one conversation each."""
    plain = await converse(served, pcm, strategy)
    moved = await converse(served, higher_and_faster(pcm), strategy)
    return Effect(name, strategy, moved[0].minus(plain[0]), moved[1].minus(plain[1]))


async def effects(served: Served, folder: Path, names: Sequence[str]) -> list[Effect]:
    """Every recording under every strategy."""
    return [
        await effect(served, name, recording(folder / f"{name}.flac"), strategy)
        for name in names
        for strategy in STRATEGIES
    ]


def table(found: Sequence[Effect]) -> str:
    """The effects as Markdown."""
    lines = [
        "| recording | strategy | user: pitch st (YIN) | rate % (length) | agent: pitch st (YIN) | rate % (length) |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        cells = [one.recording, one.strategy]
        for side in (one.user, one.agent):
            cells.append(f"{side.pitch_st:+.2f} ({side.yin_st:+.2f})")
            cells.append(f"{side.rate_pc:+.1f} ({side.length_pc:+.1f})")
        lines.append(f"| {' | '.join(cells)} |")
    for strategy in STRATEGIES:
        agents = [one.agent for one in found if one.strategy == strategy]
        means = [float(np.mean([getattr(agent, name) for agent in agents])) for name in Moved.__annotations__]
        lines.append(
            f"| mean of {len(agents)} | {strategy} | | | {means[0]:+.2f} ({means[2]:+.2f}) | "
            f"{means[1]:+.1f} ({means[3]:+.1f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("TANDEM_SHARED", ROOT.parent / "shared"))
    folder = shared / "data" / "speech" / "voxforge_rhasspy"
    parser.add_argument("--folder", type=Path, default=folder, help="of FLAC files")
    parser.add_argument("recordings", nargs="*", default=RECORDINGS, help="names without .flac")
    given = parser.parse_args()
    settings = {"asr": "pocketsphinx", "response": f"fake:{STEADY}"}
    with tempfile.TemporaryDirectory() as data, serving(Path(data), **settings) as served:
        print(table(asyncio.run(effects(served, given.folder, given.recordings))))


if __name__ == "__main__":
    main()
