"""The parallel acoustic model, tiny and with random weights: what holds whatever it has learnt."""

from __future__ import annotations

import io
import math

import pytest
import torch
from torch import Tensor

from tandem_models.fastpros import Fastpros, FastprosConfig
from tandem_models.tts import FEATURES, VoiceConfig, contour, places, positions, whole_frames

VOICE = VoiceConfig(
    ("pau", "aa", "b", "s"), (0.0,) * FEATURES, (1.0,) * FEATURES, "test", pitch_mean=10.0, pitch_sd=2.0,
    energy_mean=60.0, energy_sd=5.0,
)  # fmt: skip
CONFIG = FastprosConfig(VOICE, width=16, condition=8, encoder_blocks=2, decoder_blocks=2, expansion=2)
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def model() -> Fastpros:
    torch.manual_seed(3)
    return Fastpros(CONFIG).eval()


def inputs(rows: int = 1, count: int = 9) -> Inputs:
    random = torch.Generator().manual_seed(rows + count)
    overrides = torch.zeros(rows, count, 3)
    overrides[:, :, 0] = 1.0
    return (
        torch.randint(1, 5, (rows, count), generator=random),
        torch.randint(0, 3, (rows, count), generator=random),
        torch.randn(rows, FEATURES, generator=random),
        torch.ones(rows, FEATURES),
        overrides,
    )


@torch.no_grad()
def test_shapes_and_units(model: Fastpros) -> None:
    mel, frames, durations, pitch, energy = model(*inputs(2))

    assert mel.shape == (2, 80, int(frames.max()))
    assert durations.sum(dim=1).tolist() == frames.tolist()
    assert pitch.shape == energy.shape == durations.shape == (2, 9)
    assert (pitch - 10.0).abs().max() < 10.0
    assert (energy - 60.0).abs().max() < 25.0


@torch.no_grad()
def test_the_same_input_gives_the_same_speech(model: Fastpros) -> None:
    first, second = model(*inputs()), model(*inputs())

    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@torch.no_grad()
def test_an_item_is_the_same_alone_and_padded_in_a_batch(model: Fastpros) -> None:
    phones, stress, prosody, known, overrides = inputs(2, 12)
    phones[1, 7:] = 0
    together = model(phones, stress, prosody, known, overrides)
    alone = model(phones[1:, :7], stress[1:, :7], prosody[1:], known[1:], overrides[1:, :7])
    frames = int(alone[1])

    torch.testing.assert_close(together[0][1:, :, :frames], alone[0], atol=1e-5, rtol=0.0)
    assert not together[0][1, :, frames:].any()
    assert together[2][1].tolist() == [*alone[2][0].tolist(), 0, 0, 0, 0, 0]
    torch.testing.assert_close(together[3][1, :7], alone[3][0], atol=1e-5, rtol=0.0)
    assert not together[3][1, 7:].any() and not together[4][1, 7:].any()


@torch.no_grad()
def test_torchscript_frozen_and_loaded_again_speaks_as_the_model(model: Fastpros) -> None:
    file = io.BytesIO()
    torch.jit.save(torch.jit.freeze(torch.jit.script(model), preserved_attrs=["plan", "decode", "context"]), file)
    loaded = torch.jit.load(io.BytesIO(file.getvalue()))

    for one, other in zip(loaded(*inputs(2)), model(*inputs(2)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0.0)
    assert loaded.context == model.context == 6


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 7, 20])
def test_speech_in_stretches_is_the_whole(model: Fastpros, size: int) -> None:
    call = inputs(1, 14)
    whole = model(*call)[0]
    memory, gain, *_ = model.plan(*call)
    total, parts = memory.size(1), []
    for begin in range(0, total, size):
        left, right = max(begin - model.context, 0), min(begin + size + model.context, total)
        part = model.decode(memory[:, left:right], gain[:, left:right], call[2], call[3])
        parts.append(part[:, :, begin - left : min(begin + size, total) - left])

    torch.testing.assert_close(torch.cat(parts, dim=2), whole, atol=1e-5, rtol=0.0)


@torch.no_grad()
def test_a_duration_factor_changes_the_length_by_it_and_nothing_else(model: Fastpros) -> None:
    call = inputs(1, 40)
    before = model(*call)
    call[4][:, :, 0] = 1.5
    after = model(*call)

    assert after[1].item() == pytest.approx(1.5 * before[1].item(), abs=1.0)
    torch.testing.assert_close(after[3], before[3])
    torch.testing.assert_close(after[4], before[4])


@torch.no_grad()
def test_a_pitch_shift_moves_that_phone_by_as_many_semitones(model: Fastpros) -> None:
    call = inputs()
    before = model(*call)
    call[4][0, 4, 1] = 3.0
    after = model(*call)
    moved = (after[3] - before[3])[0]

    assert moved[4].item() == pytest.approx(3.0, abs=1e-4)
    assert moved.abs().sum().item() == pytest.approx(3.0, abs=1e-3)
    assert after[2].tolist() == before[2].tolist()
    assert (after[0] - before[0]).abs().max() > 1e-3


@torch.no_grad()
def test_an_energy_shift_is_exactly_as_many_decibels_of_mel(model: Fastpros) -> None:
    call = inputs()
    before = model(*call)
    call[4][:, :, 2] = 6.0
    after = model(*call)

    torch.testing.assert_close(
        after[0] - before[0], torch.full_like(before[0], 6.0 * math.log(10.0) / 20.0), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(after[4] - before[4], torch.full_like(before[4], 6.0), atol=1e-4, rtol=0.0)


@torch.no_grad()
def test_a_feature_that_is_not_known_does_not_matter(model: Fastpros) -> None:
    phones, stress, prosody, known, overrides = inputs()
    known[0, 2] = 0.0
    before = model(phones, stress, prosody, known, overrides)
    prosody[0, 2] = math.nan
    after = model(phones, stress, prosody, known, overrides)
    prosody[0, 1] += 1.0
    other = model(phones, stress, prosody, known, overrides)

    assert torch.equal(before[0], after[0])
    assert not torch.equal(other[3], after[3])


@torch.no_grad()
def test_one_phone_speaks_and_no_phone_takes_for_ever(model: Fastpros) -> None:
    phones, stress, prosody, known, overrides = inputs(1, 1)
    overrides[:, :, 0] = 1e9
    assert model(phones, stress, prosody, known, overrides)[1].item() == 200
    overrides[:, :, 0] = 0.0
    assert model(phones, stress, prosody, known, overrides)[1].item() == 1


def test_rounding_keeps_the_sum() -> None:
    assert whole_frames(torch.tensor([[1.4, 1.4, 1.4, 1.4, 1.4]])).tolist() == [[1, 2, 1, 2, 1]]


def test_frames_know_their_phone_and_their_place_in_it() -> None:
    phone, mask = places(torch.tensor([[2, 0, 1], [1, 0, 0]]))

    assert phone[0].tolist() == [0, 0, 2]
    assert mask[:, :, 0].tolist() == [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    where = positions(torch.tensor([[2, 0, 1]]), phone[:1])
    assert where[0, :, 0].tolist() == [0.25, 0.75, 0.5]
    assert where[0, 0].tolist() == pytest.approx([0.25, math.log(1.5), math.log(2.5)])


def test_a_contour_goes_straight_from_middle_to_middle() -> None:
    durations = torch.tensor([[2, 4, 2]])
    phone, _ = places(durations)

    # Middles at 1, 4 and 7; frames at 0.5, 1.5, ... 7.5.
    expected = [0.0, 0.5, 1.5, 2.5, 2.5, 1.5, 0.5, 0.0]
    assert contour(torch.tensor([[0.0, 3.0, 0.0]]), durations, phone)[0].tolist() == pytest.approx(expected)


def test_training_sees_the_frames_of_the_truth(model: Fastpros) -> None:
    phones, stress, prosody, known, _ = inputs(2)
    durations = torch.full((2, 9), 3)
    truth = (durations, torch.zeros(2, 9), torch.zeros(2, 9))
    mel, mask, *heads, further = model.teach(phones, stress, prosody, known, truth, torch.zeros(2, 27, 80))

    assert mel.shape == (2, 27, 80) and mask.all()
    assert [head.shape for head in heads] == [(2, 9)] * 3
    assert further.item() == 0.0
