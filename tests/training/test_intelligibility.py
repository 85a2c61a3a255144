"""Word errors, the sentences by which voices are judged, and the recognisers that write them down."""

from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.normalise_text import normalise
from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_training.intelligibility import PocketSphinx, Vosk, judged, prepared, total, unseen_sentences
from tandem_training.metrics import WordErrors, word_errors
from tandem_training.voice_corpus.sentences import shipped_grammar


# Errors -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "right", "errors"),
    [
        ("a b c", "a b c", (0, 0, 0, 3)),
        ("a x c", "a b c", (1, 0, 0, 3)),
        ("a c", "a b c", (0, 1, 0, 3)),
        ("a b b c", "a b c", (0, 0, 1, 3)),
        ("", "a b", (0, 2, 0, 2)),
        ("a b", "", (0, 0, 2, 0)),
        ("the big the cat", "the cat sat", (2, 0, 1, 3)),
    ],
)
def test_what_was_misheard_skipped_and_added(found: str, right: str, errors: tuple[int, ...]) -> None:
    assert word_errors(found.split(), right.split()) == WordErrors(*errors)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
def test_the_rate_is_that_of_an_independent_tool(found: list[str], right: list[str]) -> None:
    assert word_errors(found, right).rate == pytest.approx(jiwer.wer(" ".join(right), " ".join(found)))


# Sentences ----------------------------------------------------------------------------------------------------------
def test_there_are_two_hundred_sentences_of_every_kind() -> None:
    texts = unseen_sentences()
    assert len(set(texts)) == 200
    said = [normalise(text) for text in texts]
    assert all(len(one) == 1 for one in said)
    assert {one[0].kind for one in said} == {"statement", "question", "exclamation"}


def test_the_corpus_generator_cannot_say_them() -> None:
    """No four words in a row of a test sentence stand in a line of the generator's grammar."""
    lines = [line for several in shipped_grammar().values() for line in several]
    seen = {run for line in lines for run in _runs(line.replace("{", " { ").lower().replace(".", " ").split())}
    shared = {run for text in unseen_sentences() for run in _runs(text.lower().rstrip(".?!").split())} & seen
    assert shared == set()
    whole = {line.lower() for line in lines}
    assert not [text for text in unseen_sentences() if text.lower() in whole]


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[first : first + 4]) for first in range(len(words) - 3)}


# Recognisers --------------------------------------------------------------------------------------------------------
class Parrot:
    """Hears by the length of the audio which sentence it was, and skips every first word."""

    name = "parrot"

    def words(self, audio: Audio) -> list[str]:
        return {9600 + 1600: ["world"], 9600 + 3200: ["two", "dogs"]}[len(audio)]


def test_a_voice_is_judged_sentence_by_sentence() -> None:
    def speech(text: str) -> tuple[Audio, int]:
        return np.full(800 if text == "Hello, world!" else 1600, 0.5, np.float32), 8000

    steps: list[tuple[int, int]] = []
    heard = judged(speech, Parrot(), ["Hello, world!", "2 dogs"], lambda done, of: steps.append((done, of)))

    assert [one.heard for one in heard] == ["world", "two dogs"]
    assert heard[0].errors == WordErrors(0, 1, 0, 2)
    assert total(heard) == WordErrors(0, 1, 0, 4)
    assert total(heard).rate == 0.25
    assert steps == [(1, 2), (2, 2)]


def test_every_voice_is_heard_at_the_same_level() -> None:
    tone = np.sin(np.arange(SAMPLE_RATE) / 5).astype(np.float32)
    assert prepared(0.01 * tone, SAMPLE_RATE) == pytest.approx(prepared(0.5 * tone, SAMPLE_RATE), abs=1e-5)
    assert len(prepared(np.zeros(0, np.float32), SAMPLE_RATE)) == int(0.6 * SAMPLE_RATE)


def test_a_folder_that_is_no_vosk_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"final\.mdl is missing"):
        Vosk(tmp_path)


def test_recognisers_write_down_real_speech(shared_data: Path) -> None:
    audio, rate = soundfile.read(shared_data / "speech" / "pocketsphinx_test" / "goforward.flac", dtype="float32")
    assert PocketSphinx().words(prepared(audio, rate)) == ["go", "forward", "ten", "meters"]
    digit, rate = soundfile.read(shared_data / "digits" / "7_jackson_18.flac", dtype="float32")
    assert Vosk(shared_data / "vosk-digits").words(prepared(digit, rate)) == ["seven"]
