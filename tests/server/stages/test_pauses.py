"""What is expected of a speaker's next pause; the prior counts as one pause, so that means are worked out by hand."""

from __future__ import annotations

import math

import pytest

from tandem_server.stages.pauses import PausePrior, SpeakerPauses

PRIOR = PausePrior(400.0, 0.6, 0.6)


def heard(*milliseconds: float) -> SpeakerPauses:
    speaker = SpeakerPauses(PRIOR)
    for pause in milliseconds:
        speaker = speaker.heard(pause)
    return speaker


def test_a_speaker_nobody_has_heard_is_like_everybody() -> None:
    # One deviation up from the median: exp(.6 sqrt 2) = 2.3363 times as long, exceeded by 15.866 % of pauses.
    assert heard().longer_than(400.0) == pytest.approx(0.5)
    assert heard().longer_than(400.0 * 2.3363) == pytest.approx(0.15866, abs=1e-4)
    assert heard().quantile(0.15866) == pytest.approx(400.0 * 2.3363, rel=1e-4)


def test_what_a_speaker_does_counts_as_much_as_the_prior_at_first_and_more_each_time() -> None:
    assert heard(1600.0).quantile(0.5) == pytest.approx(800.0)
    assert heard(1600.0, 1600.0, 1600.0).quantile(0.5) == pytest.approx(400.0 * 4.0**0.75)
    assert heard(100.0).quantile(0.5) == pytest.approx(200.0)


def test_the_next_pause_is_known_better_the_more_were_heard() -> None:
    # .6 sqrt(1 + 1 / 2) after one pause, .6 sqrt(1 + 1 / 4) after three.
    spread = [math.log(one.quantile(0.15866) / one.quantile(0.5)) for one in (heard(400.0), heard(*[400.0] * 3))]
    assert spread == pytest.approx([0.6 * math.sqrt(1.5), 0.6 * math.sqrt(1.25)], abs=1e-4)


def test_a_pause_of_no_length_is_a_very_short_one() -> None:
    assert heard(0.0) == heard(1.0)
    assert heard().longer_than(0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("numbers", [(0.0, 0.6, 0.6), (400.0, -0.6, 0.6), (400.0, 0.6, math.nan), (math.inf, 1.0, 1.0)])
def test_what_is_no_distribution_is_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no distribution of pauses"):
        PausePrior(*numbers)
