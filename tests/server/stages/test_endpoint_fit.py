"""Fitting to one's own pauses: what is in many is found, and few change little."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tandem_server.stages.endpoint import SHIPPED, Cues
from tandem_server.stages.endpoint_fit import Labelled, fit


def drawn(count: int, *, melody: float, ends: float = 0.5, median_ms: float = 400.0) -> list[Labelled]:
    """Pauses whose melody is worth `melody` times what it says, of ten speakers; nothing else says anything."""
    generator = np.random.default_rng(1)
    pauses = []
    for number in range(count):
        said = float(generator.normal())
        odds = ends / (1.0 - ends) * math.exp(melody * said)
        end = generator.random() < odds / (1.0 + odds)
        held = median_ms * math.exp(float(generator.normal(0.0, 0.5)))
        pauses.append(Labelled(f"speaker {number % 10}", Cues(melody=said), None if end else held))
    return pauses


def test_a_cue_that_tells_more_than_was_thought_is_given_more_weight() -> None:
    # By construction the log odds are twice the melody; the three cues that never spoke stay where they were.
    model = fit(drawn(5000, melody=2.0))
    assert model.weights.melody == pytest.approx(2.0, abs=0.15)
    assert (model.weights.decay, model.weights.lengthening, model.weights.words) == pytest.approx((1.0, 1.0, 1.0))


def test_a_cue_that_tells_nothing_loses_its_weight() -> None:
    assert fit(drawn(5000, melody=0.0)).weights.melody == pytest.approx(0.0, abs=0.1)


def test_a_cue_that_is_very_sure_is_fitted_too() -> None:
    # A turn model that says 99 % or 1 % and is wrong every tenth time: log 9 = 2.197 for log 99 = 4.595, a weight of
    # .478. Newton's first step from a weight of 1 goes past it, for ever farther.
    generator = np.random.default_rng(1)
    pauses = []
    for number in range(2000):
        end, right = number % 2 == 0, generator.random() < 0.9
        said = math.log(99.0) if end == right else -math.log(99.0)
        pauses.append(Labelled("a", Cues(turn_model=said), None if end else 400.0))
    model = fit(pauses)
    assert model.weights.turn_model == pytest.approx(0.478, abs=0.05)
    assert model.bias == pytest.approx(0.0, abs=0.2)


def test_how_often_turns_end_is_no_evidence() -> None:
    # Nine ends to a hold: the intercept is log 9, and all of it is the base rate.
    assert fit(drawn(5000, melody=0.0, ends=0.9)).bias == pytest.approx(0.0, abs=0.1)


def test_how_long_people_pause_is_found() -> None:
    pauses = fit(drawn(5000, melody=1.0, median_ms=800.0)).pauses
    assert pauses.median_ms == pytest.approx(800.0, rel=0.05)
    assert pauses.within == pytest.approx(0.5, abs=0.03)


def test_a_few_pauses_change_little() -> None:
    few = [Labelled("a", Cues(melody=1.0), None), Labelled("a", Cues(melody=-1.0), 3000.0)]
    model = fit(few)
    assert model.weights.melody == pytest.approx(SHIPPED.weights.melody, abs=0.2)
    # Ten pauses' worth of 400 ms and one of 3 s.
    assert model.pauses.median_ms == pytest.approx((400.0**10 * 3000.0) ** (1 / 11))


@pytest.mark.parametrize("held", [None, 500.0])
def test_pauses_of_one_kind_cannot_be_fitted(held: float | None) -> None:
    with pytest.raises(ValueError, match="both pauses that were held and ends of turns are needed"):
        fit([Labelled("a", Cues(), held)] * 5)
