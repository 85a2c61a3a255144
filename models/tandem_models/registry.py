"""Every network by name. Text only, so that a name can be checked without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Model(NamedTuple):
    """Where a network is; nothing that comes over the network ever names these."""

    config: str
    """module:class of its frozen config"""
    module: str
    """module:class of the network, made from the config alone"""


MODELS: Final[Mapping[str, Model]] = {
    "fastpros": Model("tandem_models.fastpros:FastprosConfig", "tandem_models.fastpros:Fastpros"),
    "nat": Model("tandem_models.nat:NatConfig", "tandem_models.nat:Nat"),
    "tacotron": Model("tandem_models.tacotron:TacotronConfig", "tandem_models.tacotron:Tacotron"),
    "vocoder": Model("tandem_models.vocoder:VocoderConfig", "tandem_models.vocoder:Vocoder"),
}


def config_type(name: str) -> type[Any]:
    """The class of a model's config. Raises KeyError for a name that is not registered."""
    return _resolve(MODELS[name].config)


def build(name: str, config: Any) -> Any:
    """A new network with random weights."""
    return _resolve(MODELS[name].module)(config)


def _resolve(path: str) -> type[Any]:
    module, _, name = path.partition(":")
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found
