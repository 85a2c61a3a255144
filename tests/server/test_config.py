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


# As people write them ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("variable", ["TANDEM_API_KEY", "OPENAI_API_KEY"])
def test_a_key_comes_without_the_line_end_it_was_pasted_with(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(variable, " sk-secret\n")
    assert load({"response": "openai:m"}).chat_key == "sk-secret"


@pytest.mark.parametrize("variable", ["TANDEM_API_KEY", "OPENAI_API_KEY"])
@pytest.mark.parametrize("key", ["sk-sec\nret", "sk-sec ret", "sk-secr\u00e9t"])
def test_a_key_that_no_header_carries_stops_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, key: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(variable, key)
    with pytest.raises(ConfigurationError, match="TANDEM_API_KEY") as refused:
        load({"response": "openai:m"})
    assert "sec" not in str(refused.value)
    assert load({"response": "listener"}).response == "listener"  # which asks for none


@pytest.mark.parametrize(
    ("name", "meant"),
    [("MAX_SESSION", "TANDEM_MAX_SESSIONS"), ("ORIGIN", "TANDEM_ORIGINS"), ("LOGLEVEL", "TANDEM_LOG_LEVEL")],
)
def test_a_misspelt_setting_stops_the_start_and_the_right_one_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(f"TANDEM_{name}", "3")
    with pytest.raises(ConfigurationError, match=f"TANDEM_{name}: did you mean {meant}"):
        load({})


def test_what_is_near_no_setting_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_ZZZ", "")
    with pytest.raises(ConfigurationError, match="the README lists all settings"):
        load({})


@pytest.mark.parametrize(
    "name",
    ["TANDEM_URL", "TANDEM_DEBUG", "TANDEM_SHARED", "TANDEM_SERVICE_HOST", "TANDEM_PORT_8000_TCP_ADDR", "tandem_vad"],
)
def test_variables_that_others_read_or_set_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "fake")
    assert load({}).port == 8000


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATA_DIR", "~/x")
    assert load({}).data_dir == tmp_path / "x"
    assert load({"data_dir": Path("~/y")}).data_dir == tmp_path / "y"
    assert load({"tls_key": "~/key.pem"}).tls_key == tmp_path / "key.pem"


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_path_is_refused_and_not_the_working_directory(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TANDEM_DATA_DIR", value)
    with pytest.raises(ConfigurationError, match=r"TANDEM_DATA_DIR.*it is empty"):
        load({})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://example.org/", "https://example.org"),
        ("HTTPS://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("null", "null"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, meant: str) -> None:
    assert load({"origins": [written]}).origins == [meant]


@pytest.mark.parametrize(
    "written", ["", "example.org", "https://", "https://example.org/page", "https://[", "https://x:y"]
)
def test_an_origin_that_no_browser_sends_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TANDEM_ORIGINS.*write it as https://example.org"):
        load({"origins": [written]})


@pytest.mark.parametrize("written", ["Talk.example.org", "talk.example.org:443", "https://talk.example.org/"])
def test_a_host_is_kept_as_the_name_that_is_compared(written: str) -> None:
    assert load({"hosts": [written], "token": "a" * 16}).hosts == ["talk.example.org"]


def test_behind_a_proxy_there_must_be_a_token() -> None:
    with pytest.raises(ConfigurationError, match=r"TANDEM_HOSTS.*set TANDEM_TOKEN to a secret, or unset TANDEM_HOSTS"):
        load({"hosts": ["talk.example.org"]})
    with pytest.raises(ConfigurationError, match=r"TANDEM_HOSTS.*fewer than 16 characters"):
        load({"hosts": ["talk.example.org"], "token": "a" * 15})
    assert load({"hosts": ["talk.example.org"], "token": "a" * 16}).reachable
    assert not load({}).reachable


def test_a_token_comes_without_the_line_end_of_its_file() -> None:
    token = load({"token": "a" * 16 + "\n"}).token
    assert token is not None
    assert token.get_secret_value() == "a" * 16
