"""How long to wait in a pause. Likelihood ratios are worked out by hand from the published shares, waits from tables of
the normal distribution."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.stages.cues import Ending
from tandem_server.stages.endpoint import (
    HANGING,
    LEAST,
    LEAST_JUDGED,
    SHIPPED,
    Cues,
    EndpointModel,
    Evidence,
    cues,
    finished,
    patience,
)
from tandem_server.stages.pauses import PausePrior, SpeakerPauses

PAUSES = PausePrior(400.0, 0.6, 0.6)
"""Half of all pauses last 400 ms; the logarithm of the next one of an unknown speaker has deviation .6 sqrt 2."""
TEA = "i like tea"


def model(ratio: float) -> EndpointModel:
    """One that hears nothing, and finds an end so many times as likely as a hold whatever is said."""
    return EndpointModel(Cues(0.0, 0.0, 0.0, 0.0), math.log(ratio), PAUSES)


def ms(milliseconds: float) -> int:
    return round(milliseconds * SAMPLES_PER_MS)


# The turn model -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("complete", "log_odds"),
    [
        (None, 0.0),
        (0.5, 0.0),
        (0.8, math.log(4.0)),
        (0.2, -math.log(4.0)),
        (0.92, math.log(11.5)),
        (0.99, math.log(11.5)),  # it is right in 92 of 100 turns, whatever it says
        (0.0, -math.log(11.5)),
    ],
)
def test_the_turn_model_is_taken_at_its_word_as_far_as_it_is_right(complete: float | None, log_odds: float) -> None:
    assert cues(Evidence("", complete=complete)).turn_model == pytest.approx(log_odds)
    assert finished(Evidence("", complete=complete)) == pytest.approx(log_odds)


def test_less_silence_is_enough_where_the_turn_model_has_heard_the_pause() -> None:
    sure = model(1000.0)
    assert patience(ms(300), Evidence(TEA), model=sure) == LEAST
    assert patience(ms(300), Evidence(TEA, complete=0.5), model=sure) == LEAST_JUDGED
    assert patience(ms(100), Evidence(TEA, complete=0.5), model=sure) == ms(100)  # nobody waits longer than asked


def test_a_session_that_asks_for_patience_keeps_some_of_it_however_sure_the_turn_model_is() -> None:
    sure = model(1000.0)
    assert patience(ms(500), Evidence(TEA, complete=1.0), model=sure) == ms(200)
    assert patience(ms(2000), Evidence(TEA, complete=1.0), model=sure) == ms(800)


# What the cues say --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fall", "ratio"),
    [
        # Falling N(-4, 2) in .472 of switches and .247 of holds, level N(-.5, 1.5) .139 and .523, rising N(3.5, 2.5)
        # .362 and .206. At -4 the densities (but for 1 / sqrt 2 pi) are .5, .04382 and .00444.
        (-4.0, 0.24370 / 0.14733),
        (-0.5, 0.18397 / 0.39829),  # .10813, .66667, .11122
        (3.5, 0.14766 / 0.09247),  # .00044, .01904, .4
        (-30.0, 0.24370 / 0.14733),  # no more than a clear fall: what is further down is a mistake of measurement
        (30.0, 0.14766 / 0.09247),
        (None, 1.0),
    ],
)
def test_a_fall_or_a_rise_ends_a_turn_and_a_level_melody_holds_it(fall: float | None, ratio: float) -> None:
    assert cues(Evidence("", Ending(fall=fall))).melody == pytest.approx(math.log(ratio), abs=1e-4)


@pytest.mark.parametrize(
    ("text", "stable", "said"),
    [
        # .7 of last words are heard right, .4 of the others are small words by chance; of switches .09, of holds .235
        # hang: .7 * .09 + .12 = .183 and .7 * .235 + .12 = .2845 are heard to.
        ("i like the", True, math.log(0.183 / 0.2845)),
        ("I like THE,", True, math.log(0.183 / 0.2845)),
        ("um", True, math.log(0.183 / 0.2845)),
        (TEA, True, math.log(0.817 / 0.7155)),
        ("thermometer", True, math.log(0.817 / 0.7155)),
        ("i like the", False, 0.0),  # words that still change are not believed
        (TEA, False, 0.0),
        ("", True, 0.0),
    ],
)
def test_a_word_that_hangs_holds_the_turn_as_far_as_it_can_be_believed(text: str, stable: bool, said: float) -> None:
    assert cues(Evidence(text, stable=stable)).words == pytest.approx(said)


@pytest.mark.parametrize(
    ("ending", "decay", "lengthening"),
    [
        (Ending(decay=-3.0, lengthening=0.4), 0.0, 0.0),
        (Ending(decay=-5.0, lengthening=0.0), 0.2, 0.24),  # -.1 a dB, -.6 a unit
        (Ending(decay=0.0, lengthening=0.9), -0.3, -0.3),
        (Ending(decay=-40.0, lengthening=-3.0), 0.6, 0.6),
        (Ending(decay=40.0, lengthening=3.0), -0.6, -0.6),
        (Ending(), 0.0, 0.0),
    ],
)
def test_a_voice_that_fades_ends_a_turn_and_a_drawl_holds_it(ending: Ending, decay: float, lengthening: float) -> None:
    said = cues(Evidence("", ending))
    assert (said.decay, said.lengthening) == pytest.approx((decay, lengthening))


def test_cues_add_up_with_their_weights() -> None:
    evidence = Evidence(TEA, Ending(fall=-4.0, decay=-5.0, lengthening=0.9))
    weighted = EndpointModel(Cues(2.0, 3.0, 4.0, 5.0), 0.25, PAUSES)
    expected = 0.25 + 2 * math.log(0.24370 / 0.14733) + 3 * 0.2 - 4 * 0.3 + 5 * math.log(0.817 / 0.7155)
    assert finished(evidence, weighted) == pytest.approx(expected, abs=1e-3)


# How long that is ---------------------------------------------------------------------------------------------------
def test_without_evidence_the_session_waits_as_long_as_it_asks_for() -> None:
    assert patience(ms(500), None) == ms(500)
    assert patience(ms(500), Evidence("")) == ms(500)
    assert patience(ms(123), Evidence(""), SpeakerPauses(PAUSES), None, model(1.0)) == ms(123)


@pytest.mark.parametrize(
    ("ratio", "limit", "milliseconds"),
    [
        # At 400 ms half of the holds would be cut off; so many may be for each that is expected.
        (1.5, None, 225.7),  # three quarters of pauses are longer than 400 exp(-.67449 * .84853)
        (1.9, None, 200.0),  # 95 % last longer than 99 ms, but nothing is shorter than the least
        (2.0, None, 200.0),
        (9.0, None, 200.0),
        (0.5, None, 400.0),  # a quarter last longer than 709 ms, but what was asked for is the most
        (0.5, ms(4000), 708.9),
        (1e-9, ms(4000), 4000.0),
        (0.0, ms(4000), 4000.0),
        (0.5, ms(300), 400.0),  # a limit never takes from what the session asks for
    ],
)
def test_evidence_moves_the_wait_to_where_the_risk_is_the_same(
    ratio: float, limit: int | None, milliseconds: float
) -> None:
    sure = replace(model(1.0), bias=math.log(ratio) if ratio else -math.inf)
    waited = patience(ms(400), Evidence(""), None, limit, sure)
    assert waited == pytest.approx(ms(milliseconds), abs=ms(0.1))


def test_there_is_a_least_silence_unless_the_session_asks_for_less() -> None:
    assert patience(ms(500), Evidence(""), None, None, model(99.0)) == LEAST
    assert patience(ms(50), Evidence(""), None, None, model(99.0)) == ms(50)


def test_who_pauses_long_is_waited_for_and_who_never_does_is_answered_sooner() -> None:
    # One pause of 1600 ms and a prior that counts as much: half of this speaker's pauses last sqrt(400 * 1600) ms.
    slow = SpeakerPauses(PAUSES).heard(1600.0)
    assert patience(ms(400), Evidence(""), slow, ms(4000), model(1.0)) == pytest.approx(ms(800), abs=1)
    assert patience(ms(400), Evidence(""), slow, None, model(1.0)) == ms(400)  # never beyond what the session allows
    quick = SpeakerPauses(PAUSES).heard(144.0)
    assert patience(ms(400), Evidence(""), quick, None, model(1.0)) == pytest.approx(ms(240), abs=1)


evidences = st.builds(
    Evidence,
    st.text(),
    st.builds(Ending, *(st.one_of(st.none(), st.floats(-bound, bound)) for bound in (60.0, 60.0, 5.0))),
    st.booleans(),
)


@given(st.integers(50, 10_000), evidences, st.lists(st.floats(0.0, 60_000.0), max_size=20))
def test_the_wait_is_never_longer_than_asked_for_nor_shorter_than_the_least(
    silence: int, evidence: Evidence, held: list[float]
) -> None:
    speaker = SpeakerPauses(SHIPPED.pauses)
    for pause in held:
        speaker = speaker.heard(pause)
    assert min(ms(silence), LEAST) <= patience(ms(silence), evidence, speaker) <= ms(silence)


@given(st.integers(50, 5_000), st.integers(50, 5_000), evidences)
def test_who_asks_for_more_patience_is_never_answered_sooner(one: int, other: int, evidence: Evidence) -> None:
    short, long = sorted((one, other))
    assert patience(ms(short), evidence) <= patience(ms(long), evidence)


# The model ----------------------------------------------------------------------------------------------------------
def test_a_model_survives_its_file() -> None:
    assert EndpointModel.from_json(SHIPPED.to_json()) == SHIPPED
    fitted = EndpointModel(Cues(0.5, 0.25, 0.0, -1.0), 0.125, PausePrior(312.5, 0.75, 0.5))
    assert EndpointModel.from_json(fitted.to_json()) == fitted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"words"', '"wrods"'),
        ('"bias": 0.0', '"bias": NaN'),
        ('"bias": 0.0', '"bias": "none"'),
        ("400.0", "-400.0"),
        ("400.0", "null"),
        ("{", "["),
    ],
)
def test_what_is_no_model_is_refused(old: str, new: str) -> None:
    text = SHIPPED.to_json()
    assert old in text
    with pytest.raises(ValueError, match=r"not an endpoint model|no distribution of pauses|Expecting"):
        EndpointModel.from_json(text.replace(old, new))


def test_the_words_that_hang_are_as_a_recogniser_writes_them() -> None:
    assert all(word == word.lower().strip(".,?!") and " " not in word for word in HANGING)
