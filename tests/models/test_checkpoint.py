"""A folder with a trained model: what was saved is what is loaded, and anything else is refused with a reason."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tandem_models import registry
from tandem_models.checkpoint import Card, Checkpoint, CheckpointError, load, save


@dataclass(frozen=True)
class TinyConfig:
    width: int
    scale: float = 1.0
    names: tuple[str, ...] = ("a", "b")


class Tiny(nn.Module):
    """Something to save."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.layer = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))


CARD = Card(
    "Tiny",
    "Does nothing.",
    "No data.",
    ("Keep this notice.",),
    training={"steps": 3},
    figures={"valid_l1": 0.123456},
    command="tandem train voice",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole checkpoint."""
    monkeypatch.setitem(registry.MODELS, "tiny", registry.Model(f"{__name__}:TinyConfig", f"{__name__}:Tiny"))
    torch.manual_seed(0)
    model = registry.build("tiny", TinyConfig(4))
    exported = io.BytesIO()
    torch.jit.save(torch.jit.script(model.eval()), exported)
    save(
        tmp_path / "tiny",
        "tiny",
        TinyConfig(4, 0.5),
        CARD,
        weights=model.state_dict(),
        exported={"torchscript": exported.getvalue()},
    )
    return tmp_path / "tiny"


def test_what_was_saved_is_what_is_loaded(folder: Path) -> None:
    found = load(folder)
    model = Tiny(found.config(TinyConfig))
    model.load_state_dict(found.weights())
    x = torch.ones(2, 4)

    assert (found.model, found.format, found.config(TinyConfig)) == ("tiny", "torchscript", TinyConfig(4, 0.5))
    assert found.card == CARD
    assert torch.equal(found.script()(x), model(x))


def test_the_card_says_figures_licences_and_how_to_make_it_again(folder: Path) -> None:
    card = (folder / "card.md").read_text("utf-8")

    assert all(
        part in card for part in ("# Tiny", "| valid_l1 | 0.1235 |", "- Keep this notice.", "tandem train voice")
    )


def test_a_folder_is_written_once(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="already holds a checkpoint: save to a new folder"):
        save(folder, "tiny", TinyConfig(4), CARD)


@pytest.mark.parametrize("name", ["model.ts", "model.safetensors", "config.json", "card.json"])
def test_one_changed_byte_is_refused_and_the_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(CheckpointError, match=rf"{name} is not the file that was saved .* Copy the folder again"):
        use(load(folder))


def test_a_file_that_the_manifest_does_not_list_is_never_run(folder: Path) -> None:
    listed = json.loads((folder / "manifest.json").read_text("utf-8"))
    del listed["sha256"]["model.ts"]
    (folder / "manifest.json").write_text(json.dumps(listed), "utf-8")

    with pytest.raises(CheckpointError, match=r"manifest.json does not list model.ts"):
        load(folder).script()


def edit(name: str, change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    """Change a JSON file and put its new sha256 in the manifest: a valid folder of somebody else."""

    def apply(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content), "utf-8")
        if name != "manifest.json":
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "has no manifest.json: .*copying was cut off"),
        (lambda folder: (folder / "manifest.json").write_text("{", "utf-8"), "is not JSON .*Copy the folder again"),
        (lambda folder: (folder / "manifest.json").write_text("[]", "utf-8"), "is not a JSON object"),
        (edit("manifest.json", lambda c: c.update(version=2)), "has version 2, this Tandem reads 1: upgrade"),
        (edit("manifest.json", lambda c: c.update(sha256={"../secret": "0"})), "does not list files"),
        (lambda folder: (folder / "card.json").unlink(), "cannot read .*card.json"),
        (edit("config.json", lambda c: c.update(model="os:system")), "holds a 'os:system'; this Tandem knows .*tiny"),
        (edit("config.json", lambda c: c.update(format="pickle")), "format 'pickle' is not one of torchscript, onnx"),
        (edit("config.json", lambda c: c.update(config={"width": 4, "depth": 2})), "has no field 'depth'; .*newer"),
        (edit("config.json", lambda c: c.update(config={})), "needs 'width'; was it saved by an older"),
        (edit("config.json", lambda c: c.update(config={"width": "4"})), "'4' is not of type int"),
        (edit("config.json", lambda c: c.update(config={"width": True})), "True is not of type int"),
        (edit("config.json", lambda c: c.update(config={"width": 4, "names": [1]})), "1 is not of type str"),
    ],
)
def test_a_folder_that_is_wrong_says_what_and_what_to_do(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)

    with pytest.raises(CheckpointError, match=message):
        use(load(folder))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder .*none: name the folder"):
        load(tmp_path / "none")


def test_a_config_of_another_model_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds a tiny, not a model with a Card"):
        load(folder).config(Card)
    with pytest.raises(TypeError, match="a tiny is configured by a TinyConfig, not a Card"):
        save(folder.parent / "other", "tiny", CARD, CARD)


def test_a_checkpoint_may_hold_weights_only(folder: Path) -> None:
    found = save(folder.parent / "bare", "tiny", TinyConfig(4), CARD, weights={"w": torch.ones(2)})

    assert found.format is None and torch.equal(found.weights()["w"], torch.ones(2))
    with pytest.raises(CheckpointError, match=r"does not list model.ts: this checkpoint was saved without it"):
        found.script()


def use(found: Checkpoint) -> None:
    """Everything that an engine would."""
    found.config(TinyConfig)
    found.weights()
    found.script()
