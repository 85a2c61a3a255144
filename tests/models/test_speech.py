"""A whole voice, of small random networks: pauses, words, times, and what is asked of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tandem_models.checkpoint import CheckpointError
from tandem_models.mel import HOP, RATE
from tandem_models.phones import pronounce
from tandem_models.prosody import Prosody
from tandem_models.speech import Stretch, speak, stretches
from tandem_models.voice import Voice
from tandem_models.voice_folders import ABOUT, read

from .small_voice import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("voice") / "small")


@pytest.fixture(scope="module")
def model(folder: Path) -> Voice:
    return Voice.load(folder)


def seconds(spoken: list[Stretch]) -> float:
    return sum(len(one.audio) for one in spoken) / RATE


def test_every_word_is_said_once_in_order_and_within_its_stretch(model: Voice) -> None:
    text = "We met at noon, as we had said, and then we walked along the river until it rained."
    spoken = list(speak(model, text))

    said = " ".join(word for one in spoken for word, _, _ in one.words)
    assert said == text.lower().replace(",", "").rstrip(".")
    for one in spoken:
        times = [time for _, begin, end in one.words for time in (begin, end)]
        assert times == sorted(times)
        assert times[0] >= 0.0 and times[-1] <= len(one.audio) / RATE
        assert np.isfinite(one.audio).all()


@pytest.mark.parametrize("text", ["", "   ", "😀", "ですか", "...", "\x00\ud800"])
def test_text_in_which_there_is_nothing_to_say_is_silence(model: Voice, text: str) -> None:
    assert list(speak(model, text)) == []


def test_ten_thousand_characters_come_stretch_by_stretch(model: Voice) -> None:
    text = "All of it is spoken. " * 476
    spoken = speak(model, text)

    assert len(next(spoken).audio) < 10 * RATE  # and nobody waits for the rest
    assert len(pronounce(text)) == 476


def test_the_stretches_are_the_whole_sentence(model: Voice) -> None:
    text = "One two three four five six, seven eight nine ten eleven twelve."
    (sentence,) = pronounce(text)
    plan = model.speak(sentence.phones, sentence.stress)
    whole = np.concatenate(list(plan.audio))
    spoken = list(speak(model, text))

    assert len(spoken) == 2
    np.testing.assert_array_equal(np.concatenate([one.audio for one in spoken]), whole)
    assert len(whole) == round(plan.seconds * RATE)


def test_rate_is_what_was_asked_for(model: Voice) -> None:
    text = "The slowest boat came in with the evening tide."
    nuclei = 11  # the slow-est boat came in with the eve-ning tide
    for asked in (math.log(4.0), math.log(5.0)):
        (one,) = speak(model, text, Prosody.from_dict({"rate": asked}))
        spoken = one.words[-1][2] - one.words[0][1]
        assert math.log(nuclei / spoken) == pytest.approx(asked, abs=0.1)  # whole frames, and factors that are bounded


def test_stretches_end_in_the_middle_of_pauses_that_are_far_enough_from_others() -> None:
    phones = ("pau", "aa", "pau", "b", "pau", "s", "pau")
    frames = np.array([10, 100, 20, 5, 20, 100, 10])  # half a second is 43 frames
    ends = list(np.cumsum(frames) * HOP / RATE)
    words = [("a", 1, 2), ("b", 3, 4), ("s", 5, 6)]

    assert stretches(phones, ends, words) == [
        (0, 120 * HOP, [("a", 1, 2)]),  # 10 + 100 + 20 / 2
        (120 * HOP, 265 * HOP, [("b", 3, 4), ("s", 5, 6)]),  # the next pause is only a quarter of a second away
    ]
    assert stretches(phones[:3], ends[:3], words[:1]) == [(0, 130 * HOP, words[:1])]


def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no voice: it has no voice\.json"):
        read(tmp_path)
    folder = make(tmp_path / "good")
    about = json.loads((folder / ABOUT).read_text())
    for field, wrong, message in (
        ("extractor", "old", "measured by old"),
        ("mean", [], "cannot be read"),
        ("acoustic", "0" * 64, "other networks"),
    ):
        (folder / ABOUT).write_text(json.dumps({**about, field: wrong}))
        with pytest.raises(CheckpointError, match=message):
            read(folder)
