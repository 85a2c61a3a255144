"""What a caller of the entrainment model can rely on, in every configuration, trained or not."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tandem_models.entrainment import (
    CONFIGURATIONS,
    MEDIAN,
    EntrainmentConfig,
    EntrainmentModel,
    Prediction,
    Spoken,
    State,
    Upcoming,
)
from tandem_models.entrainment_text import indices, numbered, read_vectors, tokens

WORDS = ("yes", "no", "where", "there")
SMALL = {name: replace(one, text="words", vocabulary=WORDS, hidden=8) for name, one in CONFIGURATIONS.items()}


def untrained(config: EntrainmentConfig, seed: int = 1) -> EntrainmentModel:
    """Weights that all matter: none is left at the zero from which training starts."""
    torch.manual_seed(seed)
    model = EntrainmentModel(config)
    with torch.no_grad():
        for parameter in (model.out.weight, model.lexical.weight, model.out.bias):
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def turn(rows: int, seed: int, speaker: int) -> tuple[Upcoming, Spoken]:
    draw = torch.Generator().manual_seed(seed)
    words = torch.randint(0, 5, (rows, 3), generator=draw)
    usual, certainty = torch.randn(rows, 8, generator=draw), torch.randn(rows, 8, generator=draw)
    value, z = torch.randn(rows, 8, generator=draw), torch.randn(rows, 8, generator=draw)
    seen = (torch.rand(rows, 8, generator=draw) < 0.8).float()
    who = torch.full((rows,), speaker)
    upcoming = Upcoming(who, words, torch.full((rows,), 3.0), torch.zeros(rows, 0), usual, certainty)
    return upcoming, Spoken(value, seen, z, (torch.rand(rows, generator=draw) < 0.3).float())


def talk(model: EntrainmentModel | torch.jit.ScriptModule, rows: int = 3, turns: int = 6) -> list[Prediction]:
    state: State = model.start(torch.zeros(rows, 2, 8), torch.zeros(rows, 2, 8))
    found = []
    with torch.inference_mode():
        for number in range(turns):
            upcoming, spoken = turn(rows, number, number % 2)
            prediction, state = model.predict(state, upcoming)
            state = model.observe(state, spoken)
            found.append(prediction)
    return found


def only(rows: slice, *parts: Tensor) -> list[Tensor]:
    return [part[rows] for part in parts]


@pytest.mark.parametrize("name", SMALL)
def test_the_exported_model_says_what_the_model_says(name: str) -> None:
    model = untrained(SMALL[name])
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(model), file)
    loaded = torch.jit.load(io.BytesIO(file.getvalue()))

    for eager, exported in zip(talk(model), talk(loaded), strict=True):
        for one, other in zip(eager, exported, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_a_dialogue_is_predicted_alike_alone_and_in_company(name: str) -> None:
    model = untrained(SMALL[name])
    together = talk(model, 3)
    state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    for number, expected in enumerate(together):
        upcoming, spoken = turn(3, number, number % 2)
        prediction, state = model.predict(state, Upcoming(*only(slice(1, 2), *upcoming)))
        state = model.observe(state, Spoken(*only(slice(1, 2), *spoken)))
        torch.testing.assert_close(prediction.quantiles, expected.quantiles[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", ["words", "bidirectional"])
def test_padding_changes_nothing(text: str) -> None:
    model = untrained(replace(SMALL["full"], text=text))  # type: ignore[arg-type]
    state = model.start(torch.zeros(2, 2, 8), torch.zeros(2, 2, 8))
    upcoming, _ = turn(2, 1, 0)
    padded = upcoming._replace(words=torch.cat((upcoming.words, torch.zeros(2, 5, dtype=torch.int64)), 1))

    torch.testing.assert_close(model.predict(state, upcoming)[0].quantiles, model.predict(state, padded)[0].quantiles)


@pytest.mark.parametrize("name", SMALL)
def test_quantiles_rise_and_the_median_is_one_of_them(name: str) -> None:
    for prediction in talk(untrained(SMALL[name])):
        assert (prediction.quantiles.diff(dim=-1) > 0.0).all()
        assert prediction.quantiles[..., MEDIAN].shape == prediction.mean.shape


@pytest.mark.parametrize(("name", "deaf"), [("full", False), ("no partner", True), ("no history", True)])
def test_only_a_model_with_a_partner_and_a_history_hears_the_partner(name: str, deaf: bool) -> None:
    model = untrained(SMALL[name])
    medians = []
    for said in (0.0, 3.0):
        state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
        _, state = model.predict(state, turn(1, 1, 1)[0])
        ones = torch.ones(1, 8)
        state = model.observe(state, Spoken(said * ones, ones, said * ones, torch.zeros(1)))
        medians.append(model.predict(state, turn(1, 2, 0)[0])[0].quantiles[..., MEDIAN])

    assert torch.equal(*medians) is deaf


def test_both_speakers_are_treated_alike() -> None:
    """Role-relative: the same talk with the names exchanged gives the same predictions."""
    model = untrained(SMALL["full"])
    found = []
    for first in (0, 1):
        state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
        for number in range(5):
            upcoming, spoken = turn(1, number, (number + first) % 2)
            prediction, state = model.predict(state, upcoming)
            state = model.observe(state, spoken)
        found.append(prediction.quantiles)

    torch.testing.assert_close(*found)


def test_what_the_partner_said_moves_the_prediction_by_less_than_itself() -> None:
    """Local gain: the sum over outputs of |d median / d partner's value| of the filters, with trained-size gates."""
    model = EntrainmentModel(SMALL["full"]).eval()
    value = torch.zeros(1, 8, requires_grad=True)
    state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    _, state = model.predict(state, turn(1, 1, 1)[0])
    state = model.observe(state, Spoken(value, torch.ones(1, 8), torch.zeros(1, 8), torch.zeros(1)))
    median = model.predict(state, turn(1, 2, 0)[0])[0].mean
    for feature in range(8):
        (gradient,) = torch.autograd.grad(median[0, feature], value, retain_graph=True)
        assert float(gradient.abs().sum()) <= 0.8


def test_what_was_generated_says_less_than_what_was_said() -> None:
    model = untrained(SMALL["full"])
    state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    _, state = model.predict(state, turn(1, 1, 0)[0])
    far, ones = torch.full((1, 8), 3.0), torch.ones(1, 8)
    said = model.observe(state, Spoken(far, ones, far, torch.zeros(1))).core.mean[..., 0]
    generated = model.observe(state, Spoken(far, ones, far, torch.ones(1))).core.mean[..., 0]

    assert ((said > generated) & (generated > state.core.mean[..., 0])).all()


def test_a_long_talk_keeps_a_bounded_memory() -> None:
    model = untrained(replace(SMALL["full"], memory=4))
    state = model.start(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    for number in range(7):
        upcoming, spoken = turn(1, number, number % 2)
        _, state = model.predict(state, upcoming)
        state = model.observe(state, spoken)

    assert state.memory.shape[2] == 4
    assert float(state.turn) == 7.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "words"}, "needs a vocabulary"),
        ({"text": "none", "hidden": 0}, "at least 1"),
        ({"text": "none", "dropout": 1.0}, "dropout is from 0 to below 1"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntrainmentConfig(**fields)  # type: ignore[arg-type]


# Text ---------------------------------------------------------------------------------------------------------------
def test_words_are_numbered_from_one_and_unknown_ones_count() -> None:
    words, length = indices([tokens("Where? THERE, uh-huh!"), tokens("")], numbered(WORDS))

    assert words.tolist() == [[3, 4, 0], [0, 0, 0]]
    assert length.tolist() == [3.0, 1.0]


def test_vectors_are_read_from_a_glove_file(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("no 1.5 2\nmaybe 0 0\nyes -1 4\n", "utf-8")

    assert read_vectors(path, ("yes", "no", "where"), 2).tolist() == [[0, 0], [-1, 4], [1.5, 2], [0, 0]]
    with pytest.raises(ValueError, match=r"line 1: 2 numbers, not 3"):
        read_vectors(path, ("yes",), 3)
