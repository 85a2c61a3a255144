"""Vocoders: the neural one tiny and with random weights, Griffin-Lim as it is; and the mel that they are made from."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from torch import Tensor

from tandem_models.excitation import NOISE, edges, noise, noise_table, pulses
from tandem_models.griffin_lim import griffin_lim
from tandem_models.mel import BANDS, HOP, RATE, band_edges, filterbank, from_mel, log_mel, to_mel
from tandem_models.vocoder import LOWEST_PITCH, PITCH_BINS, PITCH_STEP, Vocoder, VocoderConfig, overlap_add, pitch_hertz

CONFIG = VocoderConfig(width=16, blocks=2, kernel=3, expansion=2, points=33)


@pytest.fixture(scope="module")
def model() -> Vocoder:
    torch.manual_seed(1)
    return Vocoder(CONFIG).eval()


def tone(hertz: float, seconds: float = 0.5) -> Tensor:
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return (0.3 * torch.sin(2.0 * torch.pi * hertz * time)).float().unsqueeze(0)


def test_the_mel_scale_is_slaneys() -> None:
    """Values of the Auditory Toolbox: 15 mel at 1 kHz, 27 more steps for each factor of 6.4."""
    assert to_mel(np.array([0.0, 500.0, 1000.0, 6400.0])) == pytest.approx([0.0, 7.5, 15.0, 42.0])
    assert from_mel(np.array([7.5, 42.0])) == pytest.approx([500.0, 6400.0])
    assert filterbank().shape == (BANDS, 513)
    # Each triangle has an area of 1 Hz: the sum over bins 21.5 Hz apart. Narrow ones are sampled too coarsely to tell.
    assert (filterbank()[-20:].sum(axis=1) * RATE / 1024) == pytest.approx(1.0, abs=0.01)


def test_a_tone_is_in_its_band_and_ten_times_louder_is_a_logarithm_of_ten_more() -> None:
    mel = log_mel(tone(1000.0))
    band = int(mel[0, :, 20].argmax())

    assert mel.shape == (1, BANDS, 11025 // HOP)
    assert band_edges()[band] < 1000.0 < band_edges()[band + 2]
    assert (log_mel(tone(1000.0) * 3.0) - mel)[0, band, 20].item() == pytest.approx(np.log(3.0), abs=1e-3)


def test_silence_is_the_floor() -> None:
    assert log_mel(torch.zeros(1, 4096)).unique().tolist() == pytest.approx([np.log(1e-5)])


def test_pulses_have_the_pitch_they_are_told() -> None:
    count = 40
    train, after = pulses(
        torch.full((1, count + 1), 200.0), torch.ones(1, count + 1), torch.zeros(1, dtype=torch.float64)
    )
    spectrum = torch.fft.rfft(train[0] * torch.hann_window(train.size(1))).abs()
    strongest = spectrum.argsort(descending=True)[:30] * RATE / train.size(1)

    assert train.shape == (1, count * HOP)
    assert ((strongest / 200.0 - (strongest / 200.0).round()).abs() * 200.0).max() < 2.0 * RATE / train.size(1)
    assert after.item() == pytest.approx(200.0 * count * HOP / RATE % 1.0)
    # As loud in each Hertz as white noise of variance 1, which has all of its power below RATE / 2.
    assert train.square().mean().item() == pytest.approx(10_000.0 / (RATE / 2.0), rel=0.1)


def test_pulses_without_voice_are_silent() -> None:
    assert not pulses(torch.full((1, 4), 200.0), torch.zeros(1, 4), torch.zeros(1, dtype=torch.float64))[0].any()


def test_pulses_in_pieces_are_the_whole() -> None:
    hertz = edges(torch.linspace(90.0, 310.0, 30).unsqueeze(0))
    voicing = edges((torch.arange(30) % 7 > 1).float().unsqueeze(0))
    whole, after = pulses(hertz, voicing, torch.zeros(1, dtype=torch.float64))
    phase, parts = torch.zeros(1, dtype=torch.float64), []
    for begin in (0, 1, 12):
        end = {0: 1, 1: 12, 12: 30}[begin]
        part, phase = pulses(hertz[:, begin : end + 1], voicing[:, begin : end + 1], phase)
        parts.append(part)

    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-4, rtol=0.0)
    assert phase.item() == pytest.approx(after.item())


def test_the_noise_is_one_of_unit_variance_that_goes_round() -> None:
    table = noise_table()

    assert table.std().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(noise(table, 3, 2), table[3 * HOP : 5 * HOP])
    assert torch.equal(noise(table, NOISE // HOP - 1, 2), torch.cat([table[-HOP:], table[:HOP]]))


def test_pitch_is_read_between_two_bins() -> None:
    logits = torch.full((1, 1, PITCH_BINS), -20.0)
    logits[0, 0, 30] = logits[0, 0, 31] = 5.0
    logits[0, 0, 70] = 4.9  # an octave error that must not pull

    expected = 100.0 * 2.0 ** ((LOWEST_PITCH + 30.5 * PITCH_STEP) / 12.0)
    assert pitch_hertz(logits).item() == pytest.approx(expected, rel=1e-4)


def test_overlap_add_of_ones_counts_the_frames() -> None:
    added = overlap_add(torch.ones(1, 5, 1024))[0, ::HOP]

    assert added.tolist() == [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0]


@torch.no_grad()
def test_a_frame_is_a_hop_of_audio_and_the_same_every_time(model: Vocoder) -> None:
    mel = log_mel(tone(300.0))
    audio = model(mel)

    assert audio.shape == (1, mel.size(2) * HOP)
    assert torch.equal(model(mel), audio)


@torch.no_grad()
def test_envelopes_are_gains(model: Vocoder) -> None:
    """Envelopes of 0 give back the pulses as they are, but for the pulses' own phase."""
    hertz = torch.full((1, 40), 150.0)
    silent = torch.full((1, 40, 513), -30.0)
    audio = model.synthesise(hertz, torch.ones(1, 40), torch.zeros(1, 40, 513), silent, 0)
    train, _ = pulses(edges(hertz), torch.ones(1, 41), torch.zeros(1, dtype=torch.float64))
    inside = slice(4 * HOP, -4 * HOP)

    torch.testing.assert_close(audio[:, inside], train[:, inside], atol=1e-3, rtol=0.0)
    louder = model.synthesise(hertz, torch.ones(1, 40), torch.full((1, 40, 513), 1.0), silent, 0)
    torch.testing.assert_close(louder, audio * np.e, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_torchscript_frozen_and_loaded_again_sounds_as_the_model(model: Vocoder) -> None:
    file, mel = io.BytesIO(), log_mel(tone(300.0))
    methods = ["analyse", "excite", "shape", "synthesise", "context"]
    torch.jit.save(torch.jit.freeze(torch.jit.script(model), preserved_attrs=methods), file)
    loaded = torch.jit.load(io.BytesIO(file.getvalue()))

    torch.testing.assert_close(loaded(mel), model(mel), atol=1e-5, rtol=0.0)
    assert loaded.context == model.context == 3


@torch.no_grad()
def test_a_frame_depends_on_its_context_only(model: Vocoder) -> None:
    mel = log_mel(tone(300.0, 1.0))
    other = mel.clone()
    other[:, :, 40:] += 1.0
    heard, changed = model.analyse(mel), model.analyse(other)
    safe = 40 - model.context

    for one, two in zip(heard, changed, strict=True):
        torch.testing.assert_close(one[:, :safe], two[:, :safe], atol=1e-4, rtol=1e-4)
    assert not torch.equal(heard[1][:, safe], changed[1][:, safe])


def test_griffin_lim_gives_back_the_mel_and_is_always_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    noisy = 0.1 * torch.randn(1, RATE // 2, generator=random) + tone(220.0)
    mel = log_mel(noisy)
    audio = griffin_lim(mel)

    assert audio.shape == (1, mel.size(2) * HOP)
    assert (log_mel(audio) - mel).abs().mean() < 0.25
    assert torch.equal(griffin_lim(mel), audio)
