"""From a dictionary to a lexicon and a model of letters and sounds, on a small regular language."""

from __future__ import annotations

import json
import lzma
from itertools import product
from pathlib import Path

import pytest

from tandem_models import letter_to_sound
from tandem_training.job import Job
from tandem_training.metrics import edit_distance
from tandem_training.pronunciation.alignment import aligned, graphone_probabilities
from tandem_training.recipes import pronunciation
from tandem_training.specs import Pronunciation

SOUNDS = {"b": "B", "t": "T", "sh": "SH", "n": "N", "a": "AE1", "o": "AA1", "x": "K S"}


def language() -> list[str]:
    """CMUdict lines of words such as `shob`: two letters may be one sound, one letter two."""
    words = product(("b", "t", "sh", "n"), "ao", ("b", "t", "n", "x"))
    return [f"{''.join(word)} {' '.join(SOUNDS[part] for part in word)}" for word in words]


def test_letters_find_their_phones_without_being_told() -> None:
    entries = [
        (word, tuple(phone.lower().rstrip("1") for phone in phones)) for word, *phones in map(str.split, language())
    ]
    known = graphone_probabilities(entries)

    assert aligned("nax", ("n", "ae1", "k", "s"), known) == (("n", ("n",)), ("a", ("ae1",)), ("x", ("k", "s")))
    assert aligned("nab", ("s", "s", "s"), known) is None


def test_a_model_says_words_that_it_never_saw(tmp_path: Path) -> None:
    lines = [line for line in language() if not line.startswith("shab ")]
    dictionary = tmp_path / "dictionary"
    dictionary.write_text("\n".join([*lines, "a AH0", "a(2) EY1", "a. EY1 # the letter"]), "utf-8")
    spec = Pronunciation(dictionary=dictionary, provenance="a test", held_out=1)

    pronunciation.run(spec, Job.begin(tmp_path / "job", "pronunciation", spec))

    model = letter_to_sound.read(str(tmp_path / "job" / "letter_to_sound.npz"))
    assert model.phones("shab") == ("sh", "ae1", "b")
    assert model.phones("noxbat") == ("n", "aa1", "k", "s", "b", "ae1", "t")
    assert model.phones("") == model.phones("!") == ()
    lexicon = lzma.decompress((tmp_path / "job" / "lexicon.txt.xz").read_bytes()).decode().splitlines()
    assert lexicon[:2] == ["a ax0", "a. ey1"]
    assert lexicon == sorted(lexicon)
    card = json.loads((tmp_path / "job" / "pronunciation.json").read_text("utf-8"))
    assert card["held_out"]["words"] == 1
    assert card["words"] == len(lexicon)


def test_a_file_in_another_form_is_refused_with_its_line(tmp_path: Path) -> None:
    dictionary = tmp_path / "dictionary"
    dictionary.write_text("cat K AE1 T\ndog d O g\n", "utf-8")
    with pytest.raises(ValueError, match="line 2"):
        list(pronunciation.read_dictionary(dictionary))


@pytest.mark.parametrize(
    ("found", "right", "distance"), [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
)
def test_edit_distance(found: str, right: str, distance: int) -> None:
    assert edit_distance(found, right) == distance
