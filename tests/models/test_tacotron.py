"""The autoregressive models, tiny and with random weights: the same signature as fastpros, and attention that stays."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tandem_models.autoregressive import heard_before
from tandem_models.nat import Nat, NatConfig
from tandem_models.tacotron import Tacotron, TacotronConfig, guided, stopping, warped
from tandem_models.tts import FEATURES, VoiceConfig, places

VOICE = VoiceConfig(
    ("pau", "aa", "b", "s"), (0.0,) * FEATURES, (1.0,) * FEATURES, "test", pitch_mean=10.0, pitch_sd=2.0,
    energy_mean=60.0, energy_sd=5.0,
)  # fmt: skip
SIZES: dict[str, Any] = {"width": 16, "condition": 8, "encoder_blocks": 1, "prenet": 8, "units": 12, "postnet": 8}
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def make(kind: str) -> Any:
    torch.manual_seed(3)
    model = Nat(NatConfig(VOICE, **SIZES)) if kind == "nat" else Tacotron(TacotronConfig(VOICE, **SIZES))
    return model.eval()


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


both = pytest.mark.parametrize("kind", ["nat", "tacotron"])


@both
@torch.no_grad()
def test_shapes_units_and_determinism(kind: str) -> None:
    model = make(kind)
    mel, frames, durations, pitch, energy = model(*inputs(2))

    assert mel.shape == (2, 80, int(frames.max()))
    assert durations.sum(dim=1).tolist() == frames.tolist()
    assert (durations >= 1).all()
    assert pitch.shape == energy.shape == durations.shape == (2, 9)
    assert torch.equal(model(*inputs(2))[0], mel)


@both
@torch.no_grad()
def test_an_item_is_the_same_alone_and_padded_in_a_batch(kind: str) -> None:
    model = make(kind)
    phones, stress, prosody, known, overrides = inputs(2, 12)
    phones[1, 7:] = 0
    together = model(phones, stress, prosody, known, overrides)
    alone = model(phones[1:, :7], stress[1:, :7], prosody[1:], known[1:], overrides[1:, :7])
    frames = int(alone[1])

    assert together[2][1].tolist() == [*alone[2][0].tolist(), 0, 0, 0, 0, 0]
    torch.testing.assert_close(together[0][1:, :, :frames], alone[0], atol=1e-4, rtol=0.0)


@both
@torch.no_grad()
def test_the_whole_loop_is_in_torchscript(kind: str) -> None:
    model, file = make(kind), io.BytesIO()
    torch.jit.save(torch.jit.freeze(torch.jit.script(model), preserved_attrs=["plan", "decode", "context"]), file)
    loaded = torch.jit.load(io.BytesIO(file.getvalue()))

    for one, other in zip(loaded(*inputs(2)), model(*inputs(2)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0.0)


@both
@torch.no_grad()
def test_speech_in_stretches_is_the_whole(kind: str) -> None:
    model, call = make(kind), inputs(1, 14)
    whole = model(*call)[0]
    memory, gain, *_ = model.plan(*call)
    total, parts = memory.size(1), []
    for begin in range(0, total, 11):
        left, right = max(begin - model.context, 0), min(begin + 11 + model.context, total)
        part = model.decode(memory[:, left:right], gain[:, left:right], call[2], call[3])
        parts.append(part[:, :, begin - left : min(begin + 11, total) - left])

    torch.testing.assert_close(torch.cat(parts, dim=2), whole, atol=1e-4, rtol=0.0)


@both
@torch.no_grad()
def test_overrides_move_their_own_output(kind: str) -> None:
    model, call = make(kind), inputs(1, 30)
    before = model(*call)
    call[4][:, :, 2] = 6.0
    louder = model(*call)
    call[4][:, :, 2] = 0.0
    call[4][0, 4, 1] = 3.0
    higher = model(*call)
    call[4][:, :, 1] = 0.0
    call[4][:, :, 0] = 1.5
    longer = model(*call)

    gained = (louder[0] - before[0]).flatten()
    torch.testing.assert_close(gained, torch.full_like(gained, 6.0 * math.log(10.0) / 20.0), atol=1e-4, rtol=0.0)
    assert (higher[3] - before[3])[0, 4].item() == pytest.approx(3.0, abs=1e-4)
    assert longer[1].item() == pytest.approx(1.5 * before[1].item(), abs=1.0)


@both
def test_what_comes_later_is_not_heard_in_training(kind: str) -> None:
    """Change the true frames from 20 on: what is said before then is the same."""
    model = make(kind)
    model.postnet.blocks = torch.nn.ModuleList()  # it looks ahead
    phones, stress, prosody, known, _ = inputs(2)
    truth = (torch.full((2, 9), 4), torch.zeros(2, 9), torch.zeros(2, 9))
    mel = torch.randn(2, 36, 80)
    other = mel.clone()
    other[:, 20:] += 1.0
    first, mask, *_, loss = model.teach(phones, stress, prosody, known, truth, mel)
    second = model.teach(phones, stress, prosody, known, truth, other)[0]

    assert first.shape == (2, 36, 80) and mask.all() and loss.item() > 0.0
    torch.testing.assert_close(first[:, :20], second[:, :20])
    assert not torch.allclose(first[:, 24:], second[:, 24:])


@torch.no_grad()
def test_attention_that_never_ends_is_ended_and_every_phone_is_spoken() -> None:
    model = make("tacotron")
    torch.nn.init.zeros_(model.stop.weight)
    torch.nn.init.constant_(model.stop.bias, -9.0)
    _, frames, durations, _, _ = model(*inputs(1, 6))

    assert frames.item() <= 6 * (80 + 3)
    assert (durations >= 1).all()


def test_the_frame_before_a_step_is_the_last_of_the_step_before() -> None:
    mel = torch.arange(1.0, 8.0).reshape(1, 7, 1)

    assert heard_before(mel, 3)[0, :, 0].tolist() == [0.0, 3.0, 6.0]
    assert heard_before(mel, 2)[0, :, 0].tolist() == [0.0, 2.0, 4.0, 6.0]


def test_a_stretch_is_on_straight_lines() -> None:
    said = torch.tensor([[0.0, 1.0, 10.0, 20.0]]).unsqueeze(2)
    durations = torch.tensor([[4, 1]])
    phone, _ = places(durations)

    # Two frames become four, a quarter of a frame off at either end; two become one, between them.
    found = warped(said, torch.tensor([[2, 2]]), durations, phone)[0, :, 0]
    assert found.tolist() == pytest.approx([0.0, 0.25, 0.75, 3.25, 15.0])


def test_attention_on_the_diagonal_costs_nothing() -> None:
    diagonal = torch.eye(6).unsqueeze(0)

    assert guided(diagonal, torch.tensor([6]), torch.tensor([6])).item() == 0.0
    # All of it on the first phone: the mean of 1 - exp(-t^2 / 0.08) over t = 0, 1/2.
    first = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    expected = (1.0 - math.exp(-0.25 / 0.08)) / 2.0
    assert guided(first, torch.tensor([2]), torch.tensor([2])).item() == pytest.approx(expected)


def test_the_stop_is_wanted_from_the_last_step_on() -> None:
    right = torch.tensor([[-20.0, -20.0, 20.0, 20.0]])

    assert stopping(right, torch.tensor([3])).item() == pytest.approx(0.0, abs=1e-6)
    assert stopping(right, torch.tensor([4])).item() > 1.0
