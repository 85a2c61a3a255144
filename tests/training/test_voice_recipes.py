"""From a corpus on disk to a voice that speaks: a few steps, on a corpus of tones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tandem_models.checkpoint import load
from tandem_models.mel import HOP, RATE
from tandem_models.prosody import EXTRACTOR_VERSION, NAMES
from tandem_models.registry import config_type
from tandem_models.voice import Voice
from tandem_training.job import Job
from tandem_training.recipes import vocoder as vocoder_recipe
from tandem_training.recipes import voice as voice_recipe
from tandem_training.recipes.vocoder import spectral_distance, steady
from tandem_training.specs import Run, Vocoder
from tandem_training.specs import Voice as VoiceSpec
from tandem_training.voice_data import CorpusError, Floats, example, load_examples, measure, read_corpus, voice_config

RUN = Run(steps=2, validate_every=2, save_every=2, warmup=1)


def line(number: int, split: str, phones: list[str], ends: list[float]) -> str:
    prosody = {name: float(number % 3) + place for place, name in enumerate(NAMES)}
    content = {
        "id": f"u{number}", "text": "a", "split": split, "audio": f"wavs/u{number}.flac", "phones": phones,
        "ends": ends, "stress": [0, 1, 0], "words": [["a", 1, 2]], "prosody": prosody,
        "extractor_version": EXTRACTOR_VERSION, "augmentation": {},
    }  # fmt: skip
    return json.dumps(content)


def tone(hertz: float, seconds: float, begin: float, end: float) -> Floats:
    """Harmonics of a pitch between two times, silence around."""
    time = np.arange(round(seconds * RATE)) / RATE
    voice = sum(np.sin(2.0 * np.pi * hertz * harmonic * time) / harmonic for harmonic in range(1, 10))
    return np.asarray(0.1 * voice * ((time >= begin) & (time < end)), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve utterances: a pause of 0.3 s, a vowel of 0.6 s, a pause of 0.3 s."""
    made = tmp_path_factory.mktemp("corpus")
    (made / "wavs").mkdir()
    lines = []
    for number in range(12):
        split = "valid" if number == 10 else "test" if number == 11 else "train"
        soundfile.write(made / "wavs" / f"u{number}.flac", tone(150.0 + 10.0 * number, 1.2, 0.3, 0.9), RATE)
        lines.append(line(number, split, ["pau", "aa", "pau"], [0.3, 0.9, 1.2]))
    (made / "utterances.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    about = {"phones": ["pau", "aa"], "teacher": "a tone generator", "notices": ["Keep this."]}
    (made / "corpus.json").write_text(json.dumps(about), "utf-8")
    return made


def test_a_phone_has_the_frames_the_pitch_and_the_energy_of_its_time(folder: Path, tmp_path: Path) -> None:
    corpus = read_corpus(folder)
    [one] = load_examples(corpus, corpus.utterances[:1], tmp_path)

    assert one.frames == int(1.2 * RATE) // HOP == 103
    # Ends at 25.8 and 77.5 frames.
    assert one.durations.tolist() == [26, 52, 25]
    assert one.phone_voiced[1]
    assert one.phone_pitch == pytest.approx(12.0 * np.log2(1.5), abs=0.1)
    assert one.phone_energy[1] - one.phone_energy[0] > 20.0
    assert (one.hertz > 0.0).sum() == pytest.approx(52, abs=5)


def test_features_are_kept_and_read_again(folder: Path, tmp_path: Path) -> None:
    corpus = read_corpus(folder)
    told: list[float] = []
    first = load_examples(corpus, corpus.utterances[:2], tmp_path, told.append)
    (tmp_path / "u1.safetensors").write_bytes(b"cut off")
    again = load_examples(corpus, corpus.utterances[:2], tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["u0.safetensors", "u1.safetensors"]
    assert told == [0.0]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one.mel, other.mel, atol=0.01)  # kept in 16 bits
        np.testing.assert_array_equal(one.hertz, other.hertz)


def test_energy_is_in_decibels_as_praat_has_them() -> None:
    """A sine of amplitude 0.1 has 20 log10(0.1 / sqrt 2 / 2e-5) = 70.97 dB."""
    time = np.arange(RATE) / RATE
    energy = measure(np.asarray(0.1 * np.sin(2.0 * np.pi * 200.0 * time), np.float32))["energy"]

    assert energy[40] == pytest.approx(70.97, abs=0.1)


def test_a_phone_without_voice_lies_between_its_neighbours(folder: Path) -> None:
    one = read_corpus(folder).utterances[0]
    tracks = {"mel": np.zeros((80, 103)), "energy": np.full(103, 60.0, np.float32)}
    hertz = np.zeros(103, np.float32)
    hertz[:26], hertz[78:] = 100.0, 200.0
    found = example(one, {**tracks, "hertz": hertz})

    # 0 and 12 st at frames 13 and 90.5; the middle of the vowel is at frame 52.
    assert found.phone_pitch == pytest.approx([0.0, 12.0 * (52 - 13) / (90.5 - 13), 12.0], abs=1e-4)
    assert found.phone_voiced.tolist() == [True, False, True]


def test_the_voice_knows_the_spread_of_its_corpus(folder: Path, tmp_path: Path) -> None:
    corpus = read_corpus(folder)
    config = voice_config(corpus, load_examples(corpus, corpus.split("train"), tmp_path))

    # Ten utterances with 0, 1, 2, 0, ...: mean 0.9, sd sqrt(0.69), and one more for each feature.
    assert config.prosody_mean == pytest.approx([0.9 + place for place in range(8)])
    assert config.prosody_sd == pytest.approx([0.69**0.5] * 8)
    assert config.phones == ("pau", "aa")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text + "{}\n", r"line 13: (.|\n)*Field required"),
        (
            lambda text: text.replace('"ends": [0.3', '"ends": [0.1, 0.3', 1),
            "line 1: phones, ends and stress do not fit",
        ),
        (lambda text: text.replace('"aa"', '"xx"', 1), "line 1: phones, ends and stress do not fit"),
        (lambda text: text.replace(EXTRACTOR_VERSION, "old", 1), "line 1 was measured by old, not .*: make anew"),
        (lambda text: text.replace('"valid"', '"train"'), "has no utterances to valid with: make it of more sentences"),
    ],
)
def test_a_corpus_that_cannot_be_used_names_the_line(folder: Path, tmp_path: Path, change: Any, message: str) -> None:
    text = (folder / "utterances.jsonl").read_text("utf-8")
    (tmp_path / "utterances.jsonl").write_text(change(text), "utf-8")
    (tmp_path / "corpus.json").write_bytes((folder / "corpus.json").read_bytes())

    with pytest.raises(CorpusError, match=message):
        read_corpus(tmp_path)


def test_no_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is not a voice corpus .*: make one with the recipe voice-corpus"):
        read_corpus(tmp_path)


def test_both_recipes_make_a_voice_that_speaks(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    spec = VoiceSpec(corpus=folder, cache=cache, batch=4, onnx=True, run=RUN)
    voice_recipe.run(spec, Job.begin(tmp_path / "acoustic", "voice", spec))
    other = Vocoder(corpus=folder, cache=cache, batch=4, frames=32, onnx=True, run=RUN)
    vocoder_recipe.run(other, Job.begin(tmp_path / "vocoder", "vocoder", other))
    for part in ("acoustic", "vocoder"):
        (tmp_path / "voice").mkdir(exist_ok=True)
        (tmp_path / part / "model").rename(tmp_path / "voice" / part)
    voice = Voice.load(tmp_path / "voice")
    audio = np.concatenate(list(voice.speak(("pau", "aa", "pau"), (0, 1, 0)).audio))
    figures = load(tmp_path / "voice" / "acoustic").card.figures

    assert len(audio) and np.isfinite(audio).all()
    assert {"test_mel_l1", "test_duration_ms", "test_pitch_st", "rtf_float32"} <= set(figures)
    assert voice.card.licences == ("Keep this.",)
    assert (tmp_path / "voice" / "acoustic" / "model.onnx").exists()
    assert (tmp_path / "voice" / "vocoder" / "model.onnx").exists()
    assert "griffin_lim_mel_l1" in load(tmp_path / "voice" / "vocoder").card.figures


@pytest.mark.parametrize(("name", "bits"), [("fastpros", 32), ("fastpros", 16), ("nat", 32), ("tacotron", 32)])
def test_every_acoustic_model_learns(folder: Path, tmp_path: Path, name: Any, bits: int) -> None:
    corpus = read_corpus(folder)
    examples = load_examples(corpus, corpus.split("train"), tmp_path)
    run = RUN.model_copy(update={"learning_rate": 5e-3, "steps": 100, "bfloat16": bits == 16})
    spec = VoiceSpec(corpus=folder, model=name, batch=10, run=run)
    config = config_type(name)(voice_config(corpus, examples), width=16, condition=8, encoder_blocks=1)
    trainee = voice_recipe.Trainee(config, spec, examples, examples)
    losses = [trainee.step(number)["loss"] for number in range(1, 13)]
    figures = voice_recipe.evaluate(trainee.model, trainee.voice, examples[:1])

    assert min(losses[-3:]) < 0.9 * losses[0]
    assert set(figures) == {"test_mel_l1", "test_duration_ms", "test_pitch_st", "test_length_percent"}


def test_a_run_may_start_from_trained_weights(folder: Path, tmp_path: Path) -> None:
    spec = VoiceSpec(corpus=folder, cache=tmp_path / "cache", batch=4, run=RUN)
    voice_recipe.run(spec, Job.begin(tmp_path / "first", "voice", spec))
    start = tmp_path / "first" / "model"
    # A rate of nearly nothing: what comes out is what went in, in 16 bits.
    still = RUN.model_copy(update={"learning_rate": 1e-12})
    spec = spec.model_copy(update={"start": start, "run": still})
    voice_recipe.run(spec, Job.begin(tmp_path / "second", "voice", spec))

    before, after = load(start).weights(), load(tmp_path / "second" / "model").weights()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_distance_of_spectra_is_nought_for_the_same_and_grows_with_the_difference() -> None:
    audio = torch.from_numpy(tone(200.0, 0.4, 0.0, 0.4)).unsqueeze(0)

    assert spectral_distance(audio, audio).item() == 0.0
    assert 0.0 < spectral_distance(1.1 * audio, audio).item() < spectral_distance(2.0 * audio, audio).item()


def test_f0_goes_straight_where_there_is_no_voice() -> None:
    assert steady(np.array([0.0, 100.0, 0.0, 0.0, 160.0, 0.0], np.float32)).tolist() == [100, 100, 120, 140, 160, 160]
    assert steady(np.zeros(2, np.float32)).tolist() == [150.0, 150.0]
