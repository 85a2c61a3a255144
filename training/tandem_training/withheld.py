"""What a trained model makes use of: parts are taken away when it is tested, without training it anew.

That is cheaper than an ablation and says something else: how much the prediction rests on a part, not how well a model
could do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Final

import torch

from tandem_models.entrainment import EntrainmentConfig, EntrainmentModel
from tandem_models.entrainment_text import UNKNOWN
from tandem_training.turns import Talk

Change = Callable[[Talk], Talk]


def without_text(talk: Talk) -> Talk:
    """Nobody knows what is about to be said, but how long it is."""
    return replace(talk, words=torch.full_like(talk.words, UNKNOWN), sentence=torch.zeros_like(talk.sentence))


def without_history(talk: Talk) -> Talk:
    """Nothing could be measured."""
    return replace(talk, value=torch.full_like(talk.value, torch.nan))


def without_speaker(talk: Talk, speaker: int) -> Talk:
    """Nothing of one speaker could be measured."""
    silent = (talk.speaker == speaker)[..., None]
    return replace(talk, value=talk.value.masked_fill(silent, torch.nan))


TALKS: Final[Mapping[str, Change]] = {"text": without_text, "history": without_history}
"""What is withheld -> what is left of the talk."""


def without_attention(model: EntrainmentModel) -> EntrainmentModel:
    """The attention's context is zero."""
    found = deepcopy(model)
    with torch.no_grad():
        found.inner.weight[:, -model.encoder.hidden :] = 0.0
    return found


def without_network(model: EntrainmentModel) -> EntrainmentModel:
    """Filters and text alone: no gates, no residual, no widening."""
    found = deepcopy(model)
    with torch.no_grad():
        found.out.weight.zero_()
        found.out.bias.zero_()
    return found


def otherwise(model: EntrainmentModel, **fields: bool | str) -> EntrainmentModel:
    """The same weights under another config."""
    config: EntrainmentConfig = replace(model.config, **fields)  # type: ignore[arg-type]
    found = EntrainmentModel(config)
    found.load_state_dict(model.state_dict())
    return found.eval()


def variants(model: EntrainmentModel) -> dict[str, EntrainmentModel]:
    """What is withheld -> the model without it."""
    found = {
        "mask (missing counts as usual)": otherwise(model, mask=False),
        "normaliser (corpus z instead)": otherwise(model, normaliser="population"),
    }
    if model.uses_core:
        found["network (filters and text alone)"] = without_network(model)
    if model.uses_attention and not model.recurrent:
        found["attention"] = without_attention(model)
    return found
