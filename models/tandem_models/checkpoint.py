"""A trained model is a folder, and nothing in it is run before its sha256 is that of the manifest.

config.json          which model of the registry, and the fields of its config
model.safetensors    weights, to go on from
model.ts, model.onnx the exported model, to run; config.json says which format is the default
card.md, card.json   data, licences, training and figures, for people and for programs
manifest.json        sha256 of every other file, written last: a folder without it is not whole

Nothing is unpickled but what torch.jit reads of a file that the manifest vouches for. A folder comes with the package
or from its user, never from the network: a manifest proves that a copy is whole, not who made it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast, get_args, get_type_hints

from tandem_models.registry import MODELS, config_type

if TYPE_CHECKING:
    from torch import Tensor
    from torch.jit import ScriptModule

Format = Literal["torchscript", "onnx"]
FILES: Final[Mapping[Format, str]] = {"torchscript": "model.ts", "onnx": "model.onnx"}
WEIGHTS: Final = "model.safetensors"
MANIFEST: Final = "manifest.json"
VERSION: Final = 1
"""Of the folder's layout."""
Config = TypeVar("Config")


class CheckpointError(ValueError):
    """The folder cannot be used; the message says whose fault it is and what to do."""


@dataclass(frozen=True, slots=True)
class Card:
    """What somebody must know before using a model."""

    title: str
    summary: str
    """One paragraph: what it does, and what it does not"""
    data: str
    """What it was trained on, and how that was made"""
    licences: tuple[str, ...]
    """Notices that must stay with the weights"""
    training: Mapping[str, float | int | str] = field(default_factory=dict)
    """Steps, seed, spec: enough to do it again"""
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    """What was measured on held-out data; the name says the unit"""
    command: str = ""
    """That makes it again"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that has been read; every file is compared with the manifest when it is used."""

    folder: Path
    model: str
    """Its name in the registry"""
    format: Format | None
    """What to run it from; None if there are only weights"""
    fields: Mapping[str, Any]
    card: Card
    sha256: Mapping[str, str]

    def config(self, kind: type[Config]) -> Config:
        """The model's frozen config. Raises CheckpointError if it is not of that kind."""
        if config_type(self.model) is not kind:
            raise CheckpointError(f"{self.folder} holds a {self.model}, not a model with a {kind.__name__}")
        return config_from(kind, self.fields, self.folder / "config.json")

    def weights(self) -> dict[str, Tensor]:
        """Name -> tensor, for `load_state_dict`."""
        from safetensors.torch import load

        return load(self.read(WEIGHTS))

    def script(self) -> ScriptModule:
        """The TorchScript model, on one CPU, ready to be called."""
        import torch

        module = torch.jit.load(io.BytesIO(self.read(FILES["torchscript"])), map_location="cpu")
        return cast("ScriptModule", module.eval())

    def read(self, name: str) -> bytes:
        """The bytes of a file, which are those that were written. Raises CheckpointError."""
        if name not in self.sha256:
            raise CheckpointError(
                f"{self.folder / MANIFEST} does not list {name}: this checkpoint was saved without it"
            )
        content = _bytes(self.folder / name)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256[name]:
            raise CheckpointError(
                f"{self.folder / name} is not the file that was saved (sha256 {found[:12]}..., the manifest says "
                f"{self.sha256[name][:12]}...): it was changed or cut off after training. Copy the folder again"
            )
        return content


def save(
    folder: Path,
    model: str,
    config: Any,
    card: Card,
    *,
    weights: Mapping[str, Tensor] | None = None,
    exported: Mapping[Format, bytes] | None = None,
) -> Checkpoint:
    """Write a new checkpoint, to a folder that holds none; the first of `exported` is what it is run from."""
    from safetensors.torch import save as tensors

    if config_type(model) is not type(config):
        raise TypeError(f"a {model} is configured by a {config_type(model).__name__}, not a {type(config).__name__}")
    if (folder / MANIFEST).exists():
        raise CheckpointError(f"{folder} already holds a checkpoint: save to a new folder, or remove it first")
    formats = tuple(exported or ())
    about = {"version": VERSION, "model": model, "format": formats[0] if formats else None}
    files = {"config.json": _json(about | {"config": dataclasses.asdict(config)}), "card.json": _json(_plain(card))}
    files |= {FILES[kind]: content for kind, content in (exported or {}).items()}
    if weights is not None:
        files[WEIGHTS] = tensors({name: tensor.detach().contiguous() for name, tensor in weights.items()})
    files["card.md"] = markdown(card, {name: len(content) for name, content in files.items()}).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_atomically(folder / MANIFEST, _json({"version": VERSION, "sha256": sha256}))
    return load(folder)


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError if it is not whole, was changed, or is newer than this Tandem."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}: name the folder of a checkpoint")
    if not (folder / MANIFEST).is_file():
        raise CheckpointError(f"{folder} has no {MANIFEST}: it is no checkpoint, or its copying was cut off")
    manifest = _object(folder / MANIFEST, _bytes(folder / MANIFEST))
    sha256 = manifest.get("sha256")
    if manifest.get("version") != VERSION:
        raise CheckpointError(
            f"{folder} has version {manifest.get('version')}, this Tandem reads {VERSION}: upgrade it"
        )
    if not isinstance(sha256, dict) or not all(name == Path(name).name for name in sha256):
        raise CheckpointError(f"{folder / MANIFEST} does not list files with their sha256. Copy the folder again")
    bare = Checkpoint(folder, "", None, {}, Card("", "", "", ()), sha256)
    about = _object(folder / "config.json", bare.read("config.json"))
    model, kind, fields = about.get("model"), about.get("format"), about.get("config")
    if not isinstance(model, str) or model not in MODELS:
        raise CheckpointError(f"{folder} holds a {model!r}; this Tandem knows {', '.join(MODELS)}: upgrade it")
    if kind not in (None, *FILES) or not isinstance(fields, dict):
        raise CheckpointError(f"{folder / 'config.json'}: format {kind!r} is not one of {', '.join(FILES)}")
    card = config_from(Card, _object(folder / "card.json", bare.read("card.json")), folder / "card.json")
    return Checkpoint(folder, model, kind, fields, card, sha256)


def config_from(kind: type[Config], fields: Mapping[str, Any], where: Path) -> Config:
    """A frozen dataclass from JSON, nothing missing and nothing over. Raises CheckpointError that names the field."""
    hints = get_type_hints(kind)
    known = {one.name: one for one in dataclasses.fields(cast("Any", kind))}
    if unknown := sorted(set(fields) - set(known)):
        raise CheckpointError(f"{where}: {kind.__name__} has no field {unknown[0]!r}; was it saved by a newer Tandem?")
    optional = {
        name
        for name, one in known.items()
        if one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
    }
    if missing := sorted(set(known) - set(fields) - optional):
        raise CheckpointError(f"{where}: {kind.__name__} needs {missing[0]!r}; was it saved by an older Tandem?")
    try:
        return kind(**{name: _typed(hints[name], value, where) for name, value in fields.items()})
    except CheckpointError:
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{where}: {error}") from error


def half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same in 16 bits where they are floating: half the size, and good enough to run or to go on from."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}


def markdown(card: Card, sizes: Mapping[str, int]) -> str:
    """The card for people; `sizes` are bytes of each file."""
    lines = [f"# {card.title}", "", card.summary, "", "## Data", "", card.data, "", "## Licences", ""]
    lines += [f"- {one}" for one in card.licences]
    for heading, table in (("Training", card.training), ("Figures", card.figures)):
        lines += ["", f"## {heading}", "", "| | |", "|---|---|"]
        lines += [
            f"| {name} | {round(value, 4) if isinstance(value, float) else value} |" for name, value in table.items()
        ]
    lines += ["", "## Files", "", "| | MB |", "|---|---|"]
    lines += [f"| {name} | {size / 1e6:.2f} |" for name, size in sizes.items()]
    if card.command:
        lines += ["", "Made by:", "", f"    {card.command}"]
    return "\n".join(lines) + "\n"


def write_atomically(path: Path, content: bytes) -> None:
    """The file appears whole or not at all, also if the machine stops."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _plain(card: Card) -> dict[str, Any]:
    # asdict copies dictionaries by their type, which not every mapping can be made by.
    return {one.name: getattr(card, one.name) for one in dataclasses.fields(card)} | {
        "training": dict(card.training),
        "figures": dict(card.figures),
    }


def _typed(hint: Any, value: Any, where: Path) -> Any:
    """`value` as JSON gives it for a field of type `hint`. Raises ValueError."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return config_from(hint, value, where)
    inner = get_args(hint)
    if getattr(hint, "__origin__", None) is tuple and isinstance(value, list):
        return tuple(_typed(inner[0], one, where) for one in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is not hint:
        raise ValueError(f"{value!r} is not of type {hint.__name__}")
    return value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}. Copy the folder again") from error


def _object(path: Path, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}). Copy the folder again") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is not a JSON object. Copy the folder again")
    return found


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
