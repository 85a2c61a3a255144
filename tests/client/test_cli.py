"""The command line: what it hands on, and what a person reads when it does not work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from tandem_client import cli, desktop, device
from tandem_client.desktop import Talk
from tandem_client.device import Device
from tandem_client.errors import AudioUnusable, CannotTalk, NoAnswer
from tandem_server import model_fetch
from tandem_server.engines.espeak import CALIBRATED
from tandem_server.errors import ConfigurationError
from tandem_server.stages.entrain import STRATEGIES

RUNNER = CliRunner()
MODEL = "vosk-model-small-en-us-0.15"


def run(*arguments: str, code: int = 0, **environment: str) -> str:
    """What the command writes. COLUMNS: no line is folded."""
    result = RUNNER.invoke(cli.app, arguments, env={"COLUMNS": "200", **environment}, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)  # on some build machines rich insists on colour


def test_the_version_is_the_distributions() -> None:
    assert run("--version") == f"tandem {version('tandem-dialogue')}\n"


def test_every_subcommand_has_help_with_what_it_does() -> None:
    assert all(name in run("--help") for name in ("serve", "talk", "models", "devices"))
    assert "tandem talk --file question.wav" in run("talk", "--help")
    assert "TANDEM_TOKEN" in run("talk", "--help")
    assert f"tandem models fetch {MODEL}" in run("models", "fetch", "--help")
    assert "--recordings LJSpeech-1.1" in run("train", "voice", "--help")


def test_help_is_quick_because_heavy_libraries_wait_for_their_command() -> None:
    heavy = "numpy, torch, openai, websockets, soundfile, sounddevice, fastapi, tandem_server.contract"
    code = f"import sys, tandem_client.cli; print([name for name in {heavy.split(', ')!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The overrides that the server was started with."""
    given: list[dict[str, object]] = []

    def serve(
        overrides: dict[str, object], *, say: Callable[[str], None], progress: model_fetch.Progress, **_: Any
    ) -> int:
        given.append(overrides)
        if overrides.get("asr") == "auto":
            progress(10_000_000, 40_000_000)
            progress(40_000_000, 40_000_000)
        say("ready")
        return 7

    app = ModuleType("tandem_server.app")
    monkeypatch.setattr(app, "serve", serve, raising=False)
    monkeypatch.setitem(sys.modules, "tandem_server.app", app)
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)
    return given


def test_serve_hands_on_what_was_chosen_and_nothing_else(served: list[dict[str, object]], tmp_path: Path) -> None:
    run("serve", code=7)
    run("serve", "--host", "0.0.0.0", "--port", "9000", "--asr", "fake", "--data-dir", str(tmp_path), code=7)
    run("serve", code=7, TANDEM_TOKEN="secret", TANDEM_PORT="1")
    assert served == [
        {},
        {"host": "0.0.0.0", "port": 9000, "asr": "fake", "data_dir": tmp_path},
        {"token": "secret", "port": 1},
    ]


def test_serve_takes_how_sessions_entrain(served: list[dict[str, object]]) -> None:
    run("serve", "--strategy", "rule", "--strength", "0.5", code=7)
    assert served == [{"strategy": "rule", "strength": 0.5}]


def test_the_first_starts_download_has_a_bar_that_ends_with_it(served: list[dict[str, object]]) -> None:
    output = run("serve", "--asr", "auto", code=7)
    assert "40.0/40.0 MB" in output and MODEL in output
    assert output.endswith("ready\n"), "the bar is not drawn again beneath what the server says"
    assert run("serve", code=7) == "ready\n", "no download, no bar"


def test_the_help_of_serve_names_the_voices_and_recognisers_that_there_are() -> None:
    told = " ".join(run("serve", "--help").replace("│", " ").split())
    assert all(name in told for name in ("auto (", "pocketsphinx", "vosk:NAME", "vosk:FOLDER"))
    assert all(name in told for name in CALIBRATED)
    assert all(name in told for name in STRATEGIES)


@pytest.fixture
def talks(monkeypatch: pytest.MonkeyPatch) -> list[Talk]:
    """The conversations that were asked for."""
    asked: list[Talk] = []

    async def hold(options: Talk, _: Any) -> None:
        asked.append(options)

    monkeypatch.setattr(desktop, "talk", hold)
    monkeypatch.delenv("TANDEM_TOKEN", raising=False)
    monkeypatch.delenv("TANDEM_URL", raising=False)
    return asked


def test_talk_without_options_is_by_microphone_with_the_servers_settings(talks: list[Talk]) -> None:
    run("talk")
    assert talks == [Talk()] and talks[0].live


def test_talk_hands_on_every_option(talks: list[Talk]) -> None:
    options = "--url ws://h/ --strategy anti --strength 0.5 --user ada --file a.wav --out o.wav --fast --events e.jsonl"
    run("talk", *options.split(), "--wait", "3", "--microphone", "2", "--loudspeaker", "USB", TANDEM_TOKEN="secret")
    run("talk", "--text", "one", "--text", "two")
    wanted = Talk(
        url="ws://h/",
        token="secret",
        strategy="anti",
        strength=0.5,
        user="ada",
        file=Path("a.wav"),
        out=Path("o.wav"),
        fast=True,
        events=Path("e.jsonl"),
        patience=3.0,
        microphone="2",
        loudspeaker="USB",
    )
    assert talks == [wanted, Talk(texts=("one", "two"))]


def test_ctrl_c_is_how_one_leaves_a_microphone_and_cuts_off_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(desktop, "talk", interrupted)
    assert run("talk", code=0) == ""
    assert run("talk", "--file", "a.wav", code=130) == ""


def main(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *arguments: str) -> int:
    async def hold(*_: Any) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(desktop, "talk", hold)
    monkeypatch.setattr(sys, "argv", ["tandem", *arguments])
    try:
        return cli.main()
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError("set this"), 2), (AudioUnusable("install that"), 2), (NoAnswer("nobody spoke"), 6), (None, 0)],
)
def test_what_a_person_can_put_right_is_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception | None, code: int
) -> None:
    monkeypatch.delenv("TANDEM_DEBUG", raising=False)
    assert main(monkeypatch, error, "talk") == code
    assert capsys.readouterr().err == (f"tandem: {error}\n" if error else "")


def test_with_debug_the_traceback_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DEBUG", "1")
    with pytest.raises(NoAnswer):
        main(monkeypatch, NoAnswer("nobody spoke"), "talk")


def test_a_bug_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        main(monkeypatch, ZeroDivisionError(), "talk")


def test_every_way_to_fail_has_a_code_of_its_own_and_the_help_names_it() -> None:
    codes = [error.exit_code for error in CannotTalk.__subclasses__()]
    assert sorted(codes) == sorted(set(codes)) and not {0, 1, 2} & set(codes)
    assert all(f"{code} " in run("talk", "--help") for code in codes)


def test_devices_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Device(0, "Built-in", 2, 0, 48_000.0, frozenset({"input"})), Device(1, "USB", 1, 2, 44_100.0, frozenset())]
    monkeypatch.setattr(device, "devices", lambda: found)
    rows = [line.split() for line in run("devices").splitlines()]
    assert rows[1:] == [["0", "Built-in", "2", "0", "48000", "input"], ["1", "USB", "1", "2", "44100"]]


def test_models_are_listed_with_which_are_here(tmp_path: Path) -> None:
    (tmp_path / "models" / MODEL).mkdir(parents=True)
    lines = run("models", "list", "--data-dir", str(tmp_path)).splitlines()
    here = [line.split()[0] for line in lines[1:] if line.rstrip().endswith("yes")]
    assert here == [MODEL] and len(lines) > 5


def test_a_model_is_fetched_where_the_server_looks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fetch(name: str, folder: Path, *, progress: model_fetch.Progress) -> Path:
        progress(20_000_000, 40_000_000)
        progress(40_000_000, 40_000_000)
        return folder / name

    monkeypatch.setattr(model_fetch, "fetch", fetch)
    output = run("models", "fetch", MODEL, "--data-dir", str(tmp_path))
    assert "Going on where the last download stopped: 20.0 MB are here." in output
    assert output.endswith(f"{MODEL} is in {tmp_path / 'models' / MODEL}\n")


def test_a_model_that_does_not_exist_has_no_bar(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Vosk model"):
        run("models", "fetch", "nope", "--data-dir", str(tmp_path))


def test_training_a_voice_says_what_went_wrong_and_where_the_log_is(tmp_path: Path) -> None:
    """The real recipe in its own process; there is no corpus in the folder."""
    said = run("train", "voice", str(tmp_path / "voice"), "--corpus", str(tmp_path), code=1)

    assert "acoustic failed: CorpusError" in said
    assert f"Its log is {tmp_path / 'voice' / 'jobs' / 'acoustic.log'}" in said.replace("\n", "")
