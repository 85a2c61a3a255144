"""Loading `neural`: once, off the loop, and with a clear word where it cannot be."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tandem_models.entrainment_shipped import SHIPPED
from tandem_server.engines.fakes import FakeVoice
from tandem_server.engines.learned import LearnedStrategy
from tandem_server.errors import EngineUnavailable
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.entrain import NEUTRAL, SILENT, History, UserScores

AGENT = AgentVoice.of(FakeVoice.calibration).normaliser


async def test_all_who_ask_get_the_same_model() -> None:
    learner = LearnedStrategy(AGENT)
    assert learner.fault() is None
    one, other = await asyncio.gather(learner.load(), learner.load())
    assert one is other
    assert one.name == "entrainment_simulated"
    assert len(one.strategy(History().heard(UserScores(NEUTRAL, NEUTRAL, SILENT)), "hello").z) == len(NEUTRAL)


async def test_a_folder_that_was_changed_is_not_run_and_the_fault_is_known_without_torch(tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(SHIPPED, folder)
    script = folder / "model.ts"
    script.write_bytes(script.read_bytes()[:-1])
    learner = LearnedStrategy(AGENT, folder)
    fault = learner.fault()
    assert fault is not None and "is not the file that was saved" in fault
    with pytest.raises(EngineUnavailable, match="Copy the folder again; the other strategies work without it"):
        await learner.load()


async def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineUnavailable, match=r"torch is not installed \(pip install torch\)"):
        await LearnedStrategy(AGENT).load()


async def test_what_fails_once_may_be_mended(tmp_path: Path) -> None:
    learner = LearnedStrategy(AGENT, tmp_path / "entrainment")
    with pytest.raises(EngineUnavailable, match="there is no folder"):
        await learner.load()
    shutil.copytree(SHIPPED, tmp_path / "entrainment")
    assert (await learner.load()).name == "entrainment"
