"""A voice of two tiny networks with random weights: streams that are the whole, and refusals that say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tandem_models.checkpoint import Card, CheckpointError, save
from tandem_models.fastpros import Fastpros, FastprosConfig
from tandem_models.mel import HOP, RATE, log_mel
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, Prosody
from tandem_models.tts import VoiceConfig
from tandem_models.vocoder import Vocoder, VocoderConfig
from tandem_models.vocoder_stream import VocoderStream
from tandem_models.voice import FURTHEST, Override, Voice
from tandem_training.voice_export import ACOUSTIC_METHODS, VOCODER_METHODS, frozen

MEAN = (10.0, 6.0, 65.0, 20.0, -4.0, -2.5, 12.0, 1.5)
SD = (2.0, 1.5, 4.0, 3.0, 0.3, 0.2, 2.0, 0.2)
CARD = Card("Tiny", "Nothing.", "None.", ())
PHONES = ("pau", "hh", "ax", "l", "ow", "pau")
STRESS = (0, 0, 0, 0, 1, 0)


def write(folder: Path, name: str, config: Any, model: nn.Module, methods: tuple[str, ...]) -> None:
    save(folder, name, config, CARD, weights=model.state_dict(), exported={"torchscript": frozen(model, methods)})


def write_acoustic(folder: Path, version: str = EXTRACTOR_VERSION) -> None:
    torch.manual_seed(4)
    voice = VoiceConfig(("pau", "ax", "hh", "l", "ow"), MEAN, SD, version, 10.0, 2.0, 60.0, 5.0)
    config = FastprosConfig(voice, width=16, condition=8, encoder_blocks=1, decoder_blocks=2, expansion=2)
    write(folder, "fastpros", config, Fastpros(config), ACOUSTIC_METHODS)


def write_vocoder(folder: Path) -> None:
    torch.manual_seed(5)
    config = VocoderConfig(width=16, blocks=2, kernel=3, expansion=2, points=33)
    write(folder, "vocoder", config, Vocoder(config), VOCODER_METHODS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("voice")
    write_acoustic(made / "acoustic")
    write_vocoder(made / "vocoder")
    return made


@pytest.fixture(scope="module")
def voice(folder: Path) -> Voice:
    return Voice.load(folder)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 3, 11, 90])
@pytest.mark.parametrize("size", [1, 5, 32, 200])
def test_a_vocoder_stream_is_the_whole(frames: int, size: int) -> None:
    torch.manual_seed(6)
    vocoder = Vocoder(VocoderConfig(width=16, blocks=2, kernel=3, expansion=2, points=33)).eval()
    mel = log_mel(0.1 * torch.randn(1, 100 * HOP))[:, :, :frames]
    stream = VocoderStream(vocoder)
    parts = [stream.feed(mel[0, :, begin : begin + size]) for begin in range(0, frames, size)]
    audio = torch.cat([*parts, stream.flush()])

    whole = vocoder(mel)[0]
    assert len(audio) == frames * HOP
    # F0 differs in its last bit, by how much a convolution is given at once; over a second that turns high harmonics.
    torch.testing.assert_close(audio, whole, atol=5e-3 * float(whole.abs().max()), rtol=0.0)


def test_a_vocoder_stream_waits_for_its_context_and_three_frames_only() -> None:
    vocoder = Vocoder(VocoderConfig(width=16, blocks=2, kernel=3, expansion=2, points=33)).eval()
    stream = VocoderStream(vocoder)
    given = sum(len(stream.feed(torch.zeros(80, 1))) for _ in range(30))

    assert given == (30 - vocoder.context - 3) * HOP - 384


def test_audio_comes_in_pieces_as_long_as_was_planned(voice: Voice) -> None:
    plan = voice.speak(PHONES, STRESS, overrides=[Override(duration=20.0)] * len(PHONES))
    pieces = list(plan.audio)

    assert len(pieces) > 2
    assert sum(map(len, pieces)) == round(plan.seconds * RATE)
    assert len(plan.ends) == len(plan.pitch) == len(plan.energy) == len(PHONES)
    assert list(plan.ends) == sorted(plan.ends)


def test_a_voice_that_is_shared_speaks_as_one_that_is_not(voice: Voice, folder: Path) -> None:
    first, second = voice.speak(PHONES, STRESS), voice.speak(PHONES[1:], STRESS[1:])
    mixed = [next(first.audio), next(second.audio), *first.audio]
    alone = list(Voice.load(folder).speak(PHONES, STRESS).audio)

    np.testing.assert_array_equal(np.concatenate([mixed[0], *mixed[2:]]), np.concatenate(alone))


def test_a_target_is_in_the_units_of_the_registry(voice: Voice) -> None:
    """One sd above the mean is z = 1; beyond FURTHEST nothing changes."""
    z, known = voice._inputs(PHONES, STRESS, Prosody.from_dict({"pitch_mean": 12.0, "rate": 1.3}), ())[2:4]
    far = voice._inputs(PHONES, STRESS, Prosody.from_dict({"pitch_mean": 99.0}), ())[2]

    assert z[0].tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0], abs=1e-6)
    assert known[0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert far[0, 0].item() == FURTHEST


def test_an_override_is_of_its_phone(voice: Voice) -> None:
    before = voice.speak(PHONES, STRESS)
    after = voice.speak(PHONES, STRESS, overrides=[Override()] * 4 + [Override(pitch=2.0, energy=-3.0), Override()])
    moved = np.subtract(after.pitch, before.pitch)

    assert moved == pytest.approx([0.0, 0.0, 0.0, 0.0, 2.0, 0.0], abs=1e-4)
    assert np.subtract(after.energy, before.energy) == pytest.approx([0.0, 0.0, 0.0, 0.0, -3.0, 0.0], abs=1e-4)


@pytest.mark.parametrize(
    ("phones", "stress", "overrides", "target", "message"),
    [
        ((), (), (), MISSING, "0 phones, 0 stresses and 0 overrides do not fit"),
        (PHONES, STRESS[1:], (), MISSING, "6 phones, 5 stresses"),
        (PHONES, STRESS, (Override(),), MISSING, "and 1 overrides do not fit"),
        (("pau", "x1"), (0, 0), (), MISSING, "the voice has no phone 'x1'; it has pau ax"),
        (PHONES, STRESS, (), Prosody((None,) * 8, "old"), "the target is of extractor old"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    voice: Voice, phones: Any, stress: Any, overrides: Any, target: Prosody, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        voice.speak(phones, stress, target, overrides)


def test_a_voice_that_is_not_one_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no folder"):
        Voice.load(tmp_path)
    write_vocoder(tmp_path / "swapped" / "acoustic")
    write_vocoder(tmp_path / "swapped" / "vocoder")
    with pytest.raises(CheckpointError, match="holds a vocoder, which is no acoustic model"):
        Voice.load(tmp_path / "swapped")
    write_acoustic(tmp_path / "old" / "acoustic", "tandem-prosody-0")
    write_vocoder(tmp_path / "old" / "vocoder")
    with pytest.raises(CheckpointError, match=r"was trained on tandem-prosody-0, not .*: train it anew"):
        Voice.load(tmp_path / "old")
    write_acoustic(tmp_path / "twice" / "acoustic")
    write_acoustic(tmp_path / "twice" / "vocoder")
    with pytest.raises(CheckpointError, match="holds a fastpros, not a model with a VocoderConfig"):
        Voice.load(tmp_path / "twice")
