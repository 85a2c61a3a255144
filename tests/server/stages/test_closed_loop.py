"""Two who adapt to each other: 400 turns with every strategy and users who mirror, amplify or contradict the agent."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from tandem_models.checkpoint import load
from tandem_models.entrainment_shipped import SHIPPED
from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES
from tandem_server.engines.entrainment_model import EntrainmentPredictor
from tandem_server.engines.fakes import FakeVoice
from tandem_server.shared_state import AgentVoice
from tandem_server.stages.carried import Carried
from tandem_server.stages.entrain import (
    UNKNOWN,
    Guards,
    History,
    Prediction,
    Scores,
    Side,
    Spoken,
    Strategy,
    UserScores,
    aim,
)
from tandem_server.stages.strategies import STRATEGIES

TURNS = 400
GUARDS = Guards()
AGENT = AgentVoice.of(FakeVoice.calibration)


def everywhere(value: float) -> Scores:
    return (value,) * len(NAMES)


class Overdone:
    """A learned predictor gone wrong: it wants three times the user's last level, and knows nothing of its spread."""

    def begin(self, speaker: Normaliser) -> float:
        return 0.0

    def learn(self, state: float, side: Side, spoken: Spoken) -> float:
        level = Normaliser.new().population_z(spoken.prosody)[0]
        return level if side == "user" and level is not None else state

    def predict(self, state: float, text: str) -> Prediction:
        return Prediction(everywhere(3.0 * state))


LOOPS: dict[str, Strategy] = {
    **{name: one for name, (one, _) in STRATEGIES.items()},  # neural is replaced by the trained one
    "neural": Carried(EntrainmentPredictor(load(SHIPPED), AGENT.normaliser)),
    "learned gone wrong": Carried(Overdone()),
}


def loop(strategy: Strategy, gain: float, seed: int = 7, error: float = 0.2) -> list[float]:
    """The agent's targets: the user stands at `gain` times what was heard last, the voice misses by `error`."""
    dice, level, targets = random.Random(seed), 1.0, []
    history = History(donor=tuple(everywhere(0.8 * (-1.0) ** turn) for turn in range(12)))
    for _ in range(TURNS):
        known = Normaliser.new()
        said = Spoken(known.inverse(everywhere(level)), "it was near the river", 1.0)
        history = history.heard(UserScores(everywhere(level), everywhere(level), said))
        history = replace(history, target=aim(strategy, history, "", strength=1.5))
        assert history.target is not None and history.target[0] is not None
        targets.append(history.target[0])
        spoken = targets[-1] + dice.gauss(0.0, error)
        said = Spoken(AGENT.normaliser.inverse(everywhere(spoken)), "so it was", 1.0)
        history = history.said(everywhere(spoken), said)
        level = gain * spoken + dice.gauss(0.0, 0.3)
    return targets


@pytest.mark.parametrize("gain", [1.0, -1.0, 1.5, 3.0], ids=["mirrors", "contradicts", "amplifies", "overdoes"])
@pytest.mark.parametrize("name", sorted(LOOPS))
def test_every_loop_stays_within_the_limit_and_its_steps(name: str, gain: float) -> None:
    targets = loop(LOOPS[name], gain)
    assert max(map(abs, targets)) <= GUARDS.zmax
    steps = [abs(after - before) for before, after in pairwise(targets)]
    assert max(steps) <= GUARDS.slew + 1e-9
    # What it does late it did early: nothing grows.
    assert max(map(abs, targets[200:])) <= max(map(abs, targets[:200])) + GUARDS.slew


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_those_that_do_not_listen_are_not_moved_by_any_user(gain: float) -> None:
    assert loop(LOOPS["neutral"], gain) == [0.0] * TURNS
    assert loop(LOOPS["yoked"], gain) == loop(LOOPS["yoked"], -gain, seed=8)


def test_a_user_who_falls_silent_lets_the_agent_go_home() -> None:
    history = History(target=everywhere(2.0))
    for _ in range(60):
        history = history.heard(UserScores(UNKNOWN, UNKNOWN))
        history = replace(history, target=aim(LOOPS["match"], history, ""))
    assert history.target is not None and history.target[0] is not None
    assert 0.0 < history.target[0] < 0.01
