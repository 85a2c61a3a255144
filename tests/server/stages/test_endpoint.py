"""How long to wait in a pause; every number is worked out by hand from the factors 0.4 and 1.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.stages.endpoint import HANGING, LEAST, Evidence, completeness, final_fall, patience

HALF = 500 * SAMPLES_PER_MS


@pytest.mark.parametrize(
    ("text", "fall", "score"),
    [
        ("", None, 0.0),
        ("", -9.0, 0.0),  # melody without words says nothing
        ("i like tea", None, 0.0),
        ("i like tea", -2.0, 0.0),
        ("i like tea", -2.75, 0.5),  # half the clear fall
        ("i like tea", -3.5, 1.0),
        ("i like tea", -9.0, 1.0),
        ("i like tea", -1.25, -0.5),
        ("i like tea", 0.0, -1.0),  # level: more is to come
        ("i like tea", 3.0, -1.0),
        ("i like tea", 3.1, 0.0),  # a rise may be a question
        ("i like the", None, -1.0),
        ("i like the", -9.0, -1.0),  # whatever the melody says
        ("I like THE,", None, -1.0),
        ("um", None, -1.0),
        ("thermometer", None, 0.0),
    ],
)
def test_words_and_melody_say_how_finished_it_sounds(text: str, fall: float | None, score: float) -> None:
    assert completeness(Evidence(text, fall)) == pytest.approx(score)


def test_words_that_still_change_shorten_nothing() -> None:
    assert completeness(Evidence("i like tea", -9.0, stable=False)) == 0.0
    assert completeness(Evidence("i like tea", 0.0, stable=False)) == -1.0


@pytest.mark.parametrize(
    ("evidence", "milliseconds"),
    [
        (None, 500),
        (Evidence("", None), 500),
        (Evidence("i like tea", -2.75), 350),  # 500 * (1 - 0.5 * 0.6)
        (Evidence("i like tea", -9.0), 200),  # 500 * 0.4
        (Evidence("i like tea", -1.25), 575),  # 500 * (1 + 0.5 * 0.3)
        (Evidence("i like the", None), 650),  # 500 * 1.3
    ],
)
def test_patience_is_the_sessions_moved_by_the_evidence(evidence: Evidence | None, milliseconds: int) -> None:
    assert patience(HALF, evidence) == milliseconds * SAMPLES_PER_MS


def test_there_is_a_least_silence_unless_the_session_asks_for_less() -> None:
    sure = Evidence("i like tea", -9.0)
    assert patience(499 * SAMPLES_PER_MS, sure) == LEAST  # 0.4 of it would be 199.6 ms
    assert patience(501 * SAMPLES_PER_MS, sure) == round(501 * SAMPLES_PER_MS * 0.4)
    assert patience(200 * SAMPLES_PER_MS, sure) == LEAST
    assert patience(50 * SAMPLES_PER_MS, sure) == 50 * SAMPLES_PER_MS


@given(st.integers(50, 10_000), st.text(), st.one_of(st.none(), st.floats(-48, 48)))
def test_patience_stays_between_its_factors_whatever_is_heard(silence: int, text: str, fall: float | None) -> None:
    waited = patience(silence * SAMPLES_PER_MS, Evidence(text, fall))
    assert 0.4 * silence * SAMPLES_PER_MS - 1 <= waited <= 1.3 * silence * SAMPLES_PER_MS + 1


def test_a_fall_is_the_last_voice_against_the_whole_turn() -> None:
    # 20 frames at 6 semitones and 20 at 4: the median of all is 5, of the last 20 it is 4.
    track = [6.0] * 20 + [None] * 7 + [4.0] * 20 + [None] * 3
    assert final_fall(track) == -1.0
    assert final_fall([4.0] * 20 + [6.0] * 20) == 1.0


def test_too_little_voice_has_no_melody() -> None:
    assert final_fall([5.0] * 39) is None
    assert final_fall([5.0] * 40) == 0.0
    assert final_fall([None] * 500) is None
    assert final_fall([]) is None


def test_the_words_that_hang_are_as_a_recogniser_writes_them() -> None:
    assert all(word == word.lower().strip(".,?!") and " " not in word for word in HANGING)
