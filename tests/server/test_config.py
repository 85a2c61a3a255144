"""One configuration: options over environment over defaults, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tandem_server.config import Config, default_data_dir, load
from tandem_server.errors import ConfigurationError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TANDEM_* variable of the machine that runs the tests."""
    import os

    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)


def test_the_defaults_stay_on_this_machine_and_need_nothing() -> None:
    config = load({})
    assert (config.host, config.port, config.token, config.on_loopback) == ("127.0.0.1", 8000, None, True)
    assert (config.strategy, config.strength) == ("match", 1.0)
    assert config.tandem.strategy == "match"


def test_options_win_over_the_environment_and_that_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_PORT", "9001")
    monkeypatch.setenv("TANDEM_STRENGTH", "0.5")
    config = load({"port": 9002})
    assert (config.port, config.strength, config.max_sessions) == (9002, 0.5, 16)


def test_an_agent_may_be_made_to_hear_its_own_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({}).tandem.echo == "suppress"
    monkeypatch.setenv("TANDEM_ECHO", "hear")
    assert load({}).tandem.echo == "hear"
    with pytest.raises(ConfigurationError, match="echo"):
        load({"echo": "loud"})


def test_lists_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_ORIGINS", '["https://example.org"]')
    assert load({}).origins == ["https://example.org"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("port", 65536), ("port", -1), ("strength", 1.51), ("workers", 0), ("strategy", "mimic"), ("session_seconds", 0)],
)
def test_a_wrong_option_is_named_with_its_variable(option: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"TANDEM_{option.upper()}"):
        load({option: value})


@pytest.mark.parametrize(("name", "value"), [("PORT", "many"), ("STRENGTH", "9"), ("VAD", "ears")])
def test_a_wrong_variable_is_named_too(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TANDEM_{name}", value)
    with pytest.raises(ConfigurationError, match=f"TANDEM_{name}"):
        load({})


@pytest.mark.parametrize(("option", "value"), [("port", 0), ("port", 65535), ("strength", 0.0), ("strength", 1.5)])
def test_the_bounds_are_taken(option: str, value: float) -> None:
    assert getattr(load({option: value}), option) == value


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert load({"host": host}).on_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org", ""])
def test_where_others_can_reach_it_there_must_be_a_token(host: str) -> None:
    with pytest.raises(ConfigurationError, match="TANDEM_TOKEN"):
        load({"host": host})
    with pytest.raises(ConfigurationError, match="fewer than 16 characters"):
        load({"host": host, "token": "a" * 15})
    assert not load({"host": host, "token": "a" * 16}).on_loopback


def test_an_empty_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="TANDEM_TOKEN"):
        load({"host": "0.0.0.0", "token": ""})
    monkeypatch.setenv("TANDEM_TOKEN", "")
    with pytest.raises(ConfigurationError, match="TANDEM_TOKEN"):
        load({"host": "0.0.0.0"})


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(load({"token": "hunter2"}))


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError):
        load({}).port = 1


def test_data_is_kept_where_the_desktop_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "tandem"
    config = load({})
    assert config.database == f"sqlite+aiosqlite:///{tmp_path / 'tandem' / 'tandem.sqlite'}"
    assert config.models_dir == tmp_path / "tandem" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert default_data_dir() == Path.home() / ".local" / "share" / "tandem"
    assert Config(database_url="postgresql://x").database == "postgresql://x"
