"""What holds of the source as a whole: who may import whom, sizes, docstrings, and that every name leads somewhere."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

from tandem_server import errors
from tandem_server.engines.recognisers import make_recogniser
from tandem_server.engines.responders import make_responder
from tandem_server.engines.voices import make_voice
from tandem_server.errors import ConfigurationError, TandemError
from tandem_server.stages import protocols
from tandem_training.registry import RECIPES

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server/tandem_server", "client/tandem_client", "models/tandem_models", "training/tandem_training")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST = 400
"""Lines of a file"""


def name(path: Path) -> str:
    """For people."""
    return str(path.relative_to(ROOT))


def test_imports_go_one_way_and_the_core_reaches_no_task_socket_or_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contracts are in pyproject.toml. The core is whatever `conversation` imports, so a new file cannot be left
    out of it."""
    monkeypatch.chdir(ROOT)
    configure()

    assert lint_imports(config_filename="pyproject.toml", cache_dir=None)


def test_only_the_session_makes_tasks() -> None:
    core = ROOT / "server/tandem_server"
    makers = {
        path.relative_to(core).as_posix()
        for path in core.glob("*.py")
        if "create_task(" in path.read_text("utf-8") or "TaskGroup(" in path.read_text("utf-8")
    }
    assert makers <= {"session.py", "app.py"}


def test_no_test_is_in_a_package_and_no_package_is_called_server() -> None:
    assert not (ROOT / "server" / "__init__.py").exists()
    assert not (ROOT / "models" / "__init__.py").exists()
    assert not [name(path) for path in SOURCES if path.name.startswith("test_")]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LONGEST
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None or path.name == "__init__.py" or path.name.startswith("_")


def test_no_path_of_a_machine_is_in_the_source() -> None:
    texts = {name(path): path.read_text("utf-8") for path in SOURCES}
    assert [one for one, text in texts.items() if "/home/" in text or "/work/" in text] == []


# Names lead somewhere -----------------------------------------------------------------------------------------------
def test_doubles_ship_with_the_package_and_are_what_the_names_say(tmp_path: Path) -> None:
    for made in (make_recogniser("fake", tmp_path), make_responder("fake"), make_voice("fake")):
        assert type(made).__module__ == "tandem_server.engines.fakes"
        assert made.name == "fake"


@pytest.mark.parametrize("setting", ["", "nonsense", "os.system", "../fake"])
def test_a_name_that_is_not_registered_makes_nothing(setting: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        make_recogniser(setting, tmp_path)
    with pytest.raises(ConfigurationError):
        make_responder(setting)
    with pytest.raises(ConfigurationError):
        make_voice(setting)


def test_every_recipe_resolves() -> None:
    for recipe in RECIPES.values():
        module, _, spec = recipe.spec.partition(":")
        assert inspect.isclass(getattr(importlib.import_module(module), spec))
        assert importlib.util.find_spec(recipe.module) is not None
        assert recipe.summary.endswith(".")


def test_every_error_is_drawn_in_the_tree() -> None:
    drawn = errors.__doc__ or ""
    defined = {one.__name__ for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, TandemError)}
    assert {one for one in defined if one not in drawn} == set()


def test_a_stage_is_a_protocol_of_few_methods() -> None:
    stages = [
        one
        for _, one in inspect.getmembers(protocols, inspect.isclass)
        if getattr(one, "_is_protocol", False) and one.__module__ == protocols.__name__
    ]
    assert {"VoiceActivityEngine", "Recogniser", "Responder", "Voice"} <= {one.__name__ for one in stages}
    for stage in stages:
        methods = [key for key, value in vars(stage).items() if callable(value) and not key.startswith("_")]
        assert 1 <= len(methods) <= 4
