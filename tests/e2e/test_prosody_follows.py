"""The claim itself, on the wire: under `match` the agent's voice goes where the user's goes, under `anti` the other
way, under `neutral` nowhere. Judged by our extractor and, sharing nothing with it, by YIN and the words' length."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..bench.entrainment_effect import FASTER, SHIFT_ST, Effect, effect
from .serving import Served
from .talking import recording

NOTHING_ST, NOTHING_PC = 0.15, 1.5
"""What counts as not having moved."""
CLEARLY_ST, CLEARLY_PC = 0.5, 4.0
"""What counts as having moved: the smallest seen on six recordings were 0.65 st and 5.4 %."""
RECORDINGS = ("set_the_bedroom_light_to_green", "ar-06")


async def moved(served: Served, shared_data: Path, name: str, strategy: str) -> Effect:
    pcm = recording(shared_data / "speech" / "voxforge_rhasspy" / f"{name}.flac")
    found = await effect(served, name, pcm, strategy)
    print(found)
    assert found.user.pitch_st == pytest.approx(SHIFT_ST, abs=0.5)
    assert found.user.yin_st == pytest.approx(SHIFT_ST, abs=1.0)  # the recordings are noisy, and YIN minds
    assert found.user.length_pc == pytest.approx(100.0 * (FASTER - 1.0), abs=1.0)
    return found


@pytest.mark.parametrize("name", RECORDINGS)
async def test_match_goes_the_same_way(steady_server: Served, shared_data: Path, name: str) -> None:
    agent = (await moved(steady_server, shared_data, name, "match")).agent

    assert CLEARLY_ST < agent.pitch_st < SHIFT_ST
    assert CLEARLY_ST < agent.yin_st < SHIFT_ST
    assert agent.rate_pc > CLEARLY_PC
    assert agent.length_pc > CLEARLY_PC


@pytest.mark.parametrize("name", RECORDINGS)
async def test_neutral_stays(steady_server: Served, shared_data: Path, name: str) -> None:
    agent = (await moved(steady_server, shared_data, name, "neutral")).agent

    assert abs(agent.pitch_st) < NOTHING_ST
    assert abs(agent.yin_st) < NOTHING_ST
    assert abs(agent.rate_pc) < NOTHING_PC
    assert abs(agent.length_pc) < NOTHING_PC


@pytest.mark.parametrize("name", RECORDINGS)
async def test_anti_goes_the_other_way(steady_server: Served, shared_data: Path, name: str) -> None:
    agent = (await moved(steady_server, shared_data, name, "anti")).agent

    assert agent.pitch_st < -CLEARLY_ST
    assert agent.yin_st < -CLEARLY_ST
    assert agent.rate_pc < -CLEARLY_PC
    assert agent.length_pc < -CLEARLY_PC
