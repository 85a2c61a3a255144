"""What is exported says what the model says, in both formats."""

from __future__ import annotations

import io

import onnxruntime
import pytest
import torch
from torch import Tensor

from tandem_models.fastpros import Fastpros, FastprosConfig
from tandem_models.tts import FEATURES, VoiceConfig
from tandem_models.vocoder import Vocoder, VocoderConfig
from tandem_training.voice_export import ACOUSTIC_METHODS, export, onnx_acoustic, onnx_vocoder, quantised

VOICE = VoiceConfig(("pau", "aa", "b"), (0.0,) * FEATURES, (1.0,) * FEATURES, "test", 10.0, 2.0, 60.0, 5.0)


def tiny() -> Fastpros:
    torch.manual_seed(2)
    return Fastpros(FastprosConfig(VOICE, width=16, condition=8, encoder_blocks=1)).eval()


def call(count: int) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(count)
    overrides = torch.ones(1, count, 1) * torch.tensor([1.3, 0.5, -2.0])
    phones = torch.randint(1, 4, (1, count), generator=random)
    return phones, torch.zeros_like(phones), torch.zeros(1, FEATURES), torch.ones(1, FEATURES), overrides


@torch.no_grad()
def test_onnx_speaks_as_the_model_at_any_length() -> None:
    model = tiny()
    session = onnxruntime.InferenceSession(onnx_acoustic(model, call(7)))
    names = ("phones", "stress", "prosody", "known", "overrides")
    found = session.run(None, {key: value.numpy() for key, value in zip(names, call(19), strict=True)})

    for one, other in zip(found, model(*call(19)), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-3, rtol=0.0)


@torch.no_grad()
def test_onnx_hears_as_the_vocoder() -> None:
    torch.manual_seed(2)
    vocoder = Vocoder(VocoderConfig(width=16, blocks=1, points=33)).eval()
    session = onnxruntime.InferenceSession(onnx_vocoder(vocoder, torch.zeros(1, 80, 9)))
    mel = torch.randn(1, 80, 30, generator=torch.Generator().manual_seed(0))
    found = session.run(None, {"mel": mel.numpy()})

    for one, other in zip(found, vocoder.analyse(mel), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-2, rtol=1e-4)


@torch.no_grad()
def test_int8_is_nearly_the_model_and_a_model_that_runs_is_kept() -> None:
    model = tiny()
    same_durations = [one[2].tolist() for one in (model(*call(12)), quantised(model)(*call(12)))]
    exported = export(model, ACOUSTIC_METHODS, [call(12)], lambda found: float(found[1].sum()))
    loaded = torch.jit.load(io.BytesIO(exported.content))

    assert abs(sum(same_durations[0][0]) - sum(same_durations[1][0])) <= 3
    assert exported.figures["precision"] in ("float32", "int8")
    assert exported.figures["megabytes"] == len(exported.content) / 1e6
    assert int(loaded(*call(12))[1]) == pytest.approx(sum(same_durations[0][0]), abs=3)
