"""Fetching the turn model with the real pip, from a folder that holds a wheel made here."""

from __future__ import annotations

import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

import pytest

from tandem_server import turn_model_fetch
from tandem_server.engines.turn_models import FILE, FOLDER
from tandem_server.errors import EngineUnavailable
from tandem_server.turn_model_fetch import fetch_turn_model, prepare_turn_model

MODEL = b"weights" * 20_000
LICENCE = b"Do what you like."
WHEEL = "tandem_test_turns==1.0"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks, and nowhere else; there is nothing yet."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"CONFIG_FILE": "/dev/null", "NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setattr(turn_model_fetch, "WHEEL", WHEEL)
    monkeypatch.setattr(turn_model_fetch, "SHA256", hashlib.sha256(MODEL).hexdigest())
    return folder


def publish(index: Path, model: bytes = MODEL, file: str = FILE) -> None:
    """A wheel that pip takes for one, with the model somewhere inside."""
    info = "tandem_test_turns-1.0.dist-info"
    with zipfile.ZipFile(index / "tandem_test_turns-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"some/where/{file}", model)
        wheel.writestr(f"{info}/licenses/LICENSE", LICENCE)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tandem-test-turns\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: here\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_the_model_and_its_licence_are_kept_and_nothing_else(index: Path, tmp_path: Path) -> None:
    publish(index)
    models = tmp_path / "models"
    target = fetch_turn_model(models)

    assert target == models / FOLDER / FILE
    assert target.read_bytes() == MODEL
    assert (models / FOLDER / "LICENSE").read_bytes() == LICENCE
    assert sorted(path.name for path in models.rglob("*")) == sorted(["LICENSE", FOLDER, FILE])
    (index / "tandem_test_turns-1.0-py3-none-any.whl").unlink()
    assert fetch_turn_model(models) == target, "what is there is not fetched again"


@pytest.mark.parametrize(
    ("model", "file", "told"),
    [(b"other weights", FILE, "another SHA-256"), (MODEL, "other.onnx", "does not hold")],
)
def test_what_is_not_the_model_we_know_is_not_kept(
    index: Path, tmp_path: Path, model: bytes, file: str, told: str
) -> None:
    publish(index, model, file)
    with pytest.raises(EngineUnavailable, match=rf"{told}.*TANDEM_TURN_MODEL"):
        fetch_turn_model(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_without_the_package_the_reason_is_pips_own(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"No matching distribution found.*TANDEM_TURN_MODEL"):
        fetch_turn_model(tmp_path / "models")


def test_without_pip_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(turn_model_fetch, "version", missing)
    with pytest.raises(EngineUnavailable, match="ensurepip"):
        fetch_turn_model(tmp_path / "models")


def test_pip_is_not_waited_for_longer_than_patience_lasts(index: Path, tmp_path: Path) -> None:
    publish(index)
    with pytest.raises(EngineUnavailable, match="it was ended"):
        fetch_turn_model(tmp_path / "models", patience_s=1e-3)


def test_the_first_start_fetches_it_and_says_so(index: Path, tmp_path: Path) -> None:
    publish(index)
    said: list[str] = []
    prepare_turn_model(tmp_path / "models", download=True, say=said.append)
    assert "Fetching the turn model" in said[0]
    assert str(tmp_path / "models" / FOLDER) in said[1]
    prepare_turn_model(tmp_path / "models", download=True, say=said.append)
    assert len(said) == 2, "a model that is there needs no words"


def test_a_start_that_cannot_have_it_goes_on_without(tmp_path: Path) -> None:
    said: list[str] = []
    prepare_turn_model(tmp_path / "models", download=False, say=said.append)
    assert said == []
    prepare_turn_model(tmp_path / "models", download=True, say=said.append)
    assert "The next start tries again" in said[1]
