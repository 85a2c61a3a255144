"""A predictor with carried state: one step a turn, and the same answer as when it reads the dialogue from its start."""

from __future__ import annotations

from dataclasses import replace

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import NAMES, Prosody
from tandem_server.stages.carried import KEPT, Carried
from tandem_server.stages.entrain import UNHEARD, History, Prediction, Scores, Side, Spoken, UserScores


def everywhere(value: float) -> Scores:
    return (value,) * len(NAMES)


class Counting:
    """Remembers what it has read, and says how much work it was."""

    def __init__(self) -> None:
        self.steps = 0

    def begin(self, speaker: Normaliser) -> tuple[str, ...]:
        return ()

    def learn(self, state: tuple[str, ...], side: Side, spoken: Spoken) -> tuple[str, ...]:
        self.steps += 1
        return (*state, f"{side[0]}{spoken.prosody['rate']}")

    def predict(self, state: tuple[str, ...], text: str) -> Prediction:
        self.read = state
        return Prediction(everywhere(float(len(state))))


def spoken(level: float) -> Spoken:
    return Spoken(Prosody(everywhere(level)), "well", 1.0)


def heard(level: float) -> UserScores:
    return replace(UNHEARD, spoken=spoken(level))


def test_a_turn_costs_a_step_however_long_the_conversation_is() -> None:
    model = Counting()
    strategy, history = Carried(model), History()
    for turn in range(50):
        history = history.heard(heard(float(turn))).said(everywhere(0.0), spoken(0.5))
        strategy(history, "")
    assert model.steps == 100
    assert model.read[:3] == ("u0.0", "a0.5", "u1.0")


def test_what_was_not_said_after_all_is_not_remembered() -> None:
    model = Counting()
    strategy, history = Carried(model), History().heard(heard(1.0))
    strategy(history.heard(heard(2.0)), "")
    strategy(history.heard(heard(3.0)), "")
    assert model.read == ("u1.0", "u3.0")
    assert model.steps == 3  # the turn that both share was read once


def test_conversations_do_not_mix_and_the_oldest_are_let_go() -> None:
    model = Counting()
    strategy = Carried(model)
    for one in range(KEPT + 10):
        strategy(History().heard(heard(float(one))), "")
    assert model.read == (f"u{float(KEPT + 9)}",)
    before = model.steps
    strategy(History().heard(heard(0.0)), "")
    assert (model.steps, model.read) == (before + 1, ("u0.0",))


def test_before_anybody_has_spoken_there_is_an_answer() -> None:
    assert Carried(Counting())(History(), "").z == everywhere(0.0)


def test_a_user_who_is_known_from_before_has_states_of_their_own() -> None:
    model = Counting()
    strategy, first = Carried(model), History().heard(heard(1.0))
    strategy(first, "")
    known = Normaliser.new().updated(Prosody(everywhere(1.0)))
    strategy(replace(first, speaker=known), "")
    assert model.steps == 2
