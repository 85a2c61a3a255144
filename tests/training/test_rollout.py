"""Nothing leaks: no prediction depends on a later turn, and an agent is never fed what it should have said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tandem_models.entrainment import CONFIGURATIONS, EntrainmentModel
from tandem_training.recipes.entrainment import absolute_error, free_running, listening
from tandem_training.simulate import WORLDS, Dialogues, simulate
from tandem_training.turns import Talk, Targets, Units, as_agent, calibrated, collate, cut, fit_units, with_partner

from ..models.planted_core import plant

NAMES = ("full", "residual-gru", "plain-gru", "2022", "no mask", "corpus z")
WORLD = replace(WORLDS["reference"], convergence=0.0)


@pytest.fixture(scope="module")
def units() -> Units:
    return fit_units(simulate(WORLD, 60, 1))


@pytest.fixture(scope="module")
def dialogues() -> Dialogues:
    return simulate(WORLD, 12, 2, turns=12)


def network(name: str) -> EntrainmentModel:
    torch.manual_seed(3)
    config = replace(CONFIGURATIONS[name], text="given", text_size=16, hidden=8)
    model = EntrainmentModel(config)
    torch.nn.init.normal_(model.out.weight, std=0.3)
    return model.eval()


def knowing(units: Units) -> EntrainmentModel:
    """A model that was given the truth instead of training; its units differ a little between features."""
    model = EntrainmentModel(replace(CONFIGURATIONS["full"], text="given", text_size=16))
    plant(model.core, WORLD, float(units.within.mean()))
    with torch.no_grad():
        model.lexical.weight.copy_(torch.from_numpy(WORLD.lexicon[2] / units.within[:, None]))
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turn", [1, 4, 9])
def test_the_future_changes_not_a_bit(name: str, turn: int, dialogues: Dialogues, units: Units) -> None:
    """Values, words and vectors from a turn on are replaced; that turn's own text is known beforehand."""
    other = simulate(WORLD, 12, 99, turns=12)
    mixed = {part: getattr(dialogues, part).copy() for part in ("values", "words", "length", "embedding")}
    for part, kept in mixed.items():
        start = turn if part == "values" else turn + 1
        kept[:, start:] = getattr(other, part)[:, start:]
    model = network(name)
    before = listening(model, collate(dialogues, units)[0])
    after = listening(model, collate(replace(dialogues, **mixed), units)[0])

    assert torch.equal(before.quantiles[:, : turn + 1], after.quantiles[:, : turn + 1])
    assert not torch.equal(before.quantiles[:, turn + 1 :], after.quantiles[:, turn + 1 :])


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_is_never_fed_what_it_should_have_said(name: str, dialogues: Dialogues, units: Units) -> None:
    agent = torch.tensor([0, 1] * 6)
    own = dialogues.speaker == agent.numpy()[:, None]
    told = replace(dialogues, values=np.where(own[..., None], 7.0, dialogues.values))
    found = [free_running(network(name), as_agent(collate(one, units)[0], agent)) for one in (dialogues, told)]

    assert torch.equal(found[0].quantiles, found[1].quantiles)
    assert torch.equal(found[0].fed.nan_to_num(), found[1].fed.nan_to_num())


def test_validation_cannot_be_forced(dialogues: Dialogues, units: Units) -> None:
    with pytest.raises(ValueError, match="take the agent's away with as_agent first"):
        free_running(network("full"), collate(dialogues, units)[0])


def test_a_talk_without_the_agent_holds_none_of_its_turns(dialogues: Dialogues, units: Units) -> None:
    talk, _ = collate(dialogues, units)
    alone = as_agent(talk, torch.ones(12, dtype=torch.int64))

    assert torch.isnan(alone.value[:, 1::2]).all()
    assert torch.equal(alone.value[:, ::2].nan_to_num(), talk.value[:, ::2].nan_to_num())
    assert alone.given[0].tolist() == [True, False] * 6


def test_running_changes_neither_talk_nor_targets(dialogues: Dialogues, units: Units) -> None:
    talk, targets = collate(dialogues, units)
    value, aim, m = talk.value.clone(), targets.value.clone(), talk.normaliser.m.copy()
    free_running(network("full"), as_agent(talk, torch.zeros(12, dtype=torch.int64)))

    assert torch.equal(talk.value.nan_to_num(), value.nan_to_num())
    assert torch.equal(targets.value, aim)
    np.testing.assert_array_equal(talk.normaliser.m, m)


def test_what_a_voice_makes_of_a_wish_is_heard_not_the_wish(dialogues: Dialogues, units: Units) -> None:
    found = free_running(network("full"), as_agent(collate(dialogues, units)[0], torch.zeros(12, dtype=torch.int64)))

    assert torch.isfinite(found.fed[:, ::2]).all()
    assert float((found.fed[:, ::2] - found.median[:, ::2]).std()) > 0.1


def test_targets_of_other_dialogues_are_not_predicted(units: Units) -> None:
    """A model that knows the world, on its own targets and on another dialogue's: no better than knowing nothing."""
    drawn = simulate(WORLD, 80, 4)
    talk, targets = collate(drawn, units)
    median = listening(knowing(units), talk).median[:, 4:]
    right = Targets(targets.value[:, 4:], targets.seen[:, 4:])
    wrong = Targets(right.value.roll(1, 0), right.seen.roll(1, 0))

    nothing = absolute_error(torch.zeros_like(median), right)
    assert absolute_error(median, right) < 0.75 * nothing
    assert absolute_error(median, wrong) > nothing


def test_pure_noise_is_not_predicted(units: Units) -> None:
    """L1 of N(0, 1) noise is sqrt(2/pi) at best; three standard errors below it would be a leak."""
    drawn = simulate(WORLD, 80, 5)
    noise = np.random.default_rng(6).normal(size=drawn.values.shape[:2])
    values = drawn.values.copy()
    values[..., 3] = units.centre[3] + units.within[3] * noise
    talk, targets = collate(replace(drawn, values=values), units)
    for name in ("full", "plain-gru"):
        model = knowing(units) if name == "full" else network(name)
        error = (listening(model, talk).median - targets.value)[..., 3].abs()
        floor, standard_error = np.sqrt(2.0 / np.pi), np.sqrt((1.0 - 2.0 / np.pi) / error.numel())
        assert float(error.mean()) >= floor - 3.0 * standard_error


def test_a_shuffled_partner_is_another_dialogues_and_the_own_side_stays(dialogues: Dialogues, units: Units) -> None:
    talk, _ = collate(dialogues, units)
    partners = torch.arange(12).roll(1)
    changed = with_partner(talk, torch.zeros(12, dtype=torch.int64), partners)

    assert torch.equal(changed.value[:, ::2].nan_to_num(), talk.value[:, ::2].nan_to_num())
    assert torch.equal(changed.value[3, 1::2].nan_to_num(), talk.value[2, 1::2].nan_to_num())


def test_a_calibrated_voice_is_expected_where_it_is(dialogues: Dialogues, units: Units) -> None:
    agent = torch.zeros(12, dtype=torch.int64)
    talk = calibrated(collate(dialogues, units)[0], agent, dialogues.usual, units, np.random.default_rng(1))
    true = (dialogues.usual[:, 0] - units.centre) / units.within

    assert (talk.normaliser.k[:, 0] == 20.0).all()
    assert np.abs(talk.normaliser.m[:, 0] - true).mean() == pytest.approx(np.sqrt(2.0 / np.pi / 20.0), rel=0.25)
    assert (talk.normaliser.m[:, 1] == 0.0).all()


def test_dialogues_are_cut_before_a_turn_of_speaker_0(dialogues: Dialogues) -> None:
    assert cut(dialogues, 4).values.shape[1] == 8
    with pytest.raises(ValueError, match="even turn, not 3"):
        cut(dialogues, 3)


def test_units_are_fitted_to_the_speakers_they_are_given(units: Units) -> None:
    """Within-speaker sd of the simulation is 0.75 to 0.8, and speakers differ by 0.8: k is about 1."""
    assert units.within == pytest.approx(np.full(8, 0.79), abs=0.08)
    assert [belief.k for belief in units.prior] == pytest.approx([1.0] * 8, abs=0.5)


def test_a_talk_is_as_long_as_its_dialogues(dialogues: Dialogues, units: Units) -> None:
    talk, targets = collate(dialogues, units)

    assert isinstance(talk, Talk)
    assert len(talk) == 12
    assert torch.equal(targets.seen.bool(), torch.isfinite(talk.value))
