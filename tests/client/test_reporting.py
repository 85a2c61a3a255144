"""`tandem report`: from the store to a file, and what it says when there is nothing to report on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tandem_client.cli import app
from tandem_server.errors import ConfigurationError
from tandem_server.record.store import Store

from ..server.report.recorded import recorded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two conversations."""

    async def fill() -> None:
        store = await Store.open(f"sqlite:///{tmp_path / 'tandem.sqlite'}")
        for number in range(2):
            conversation, turns = recorded(f"sess_{number}", 9, seed=number)
            await store.open_conversation(conversation)
            for turn in turns:
                await store.record_turn(turn)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def report(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["report", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_one_conversation_becomes_a_page(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.html"
    assert report("sess_1", "-o", str(out), "--data-dir", str(data)) == f"1 conversation: {out}\n"
    assert "<code>sess_1</code>" in out.read_text("utf-8")


@pytest.mark.parametrize(("table", "rows"), [("tests", 2 * 56), ("turns", 2 * 18 * 8)])
def test_all_become_one_table(data: Path, tmp_path: Path, table: str, rows: int) -> None:
    out = tmp_path / "all.csv"
    report("--all", "-o", str(out), "--table", table, "--data-dir", str(data))
    assert len(out.read_text("utf-8").splitlines()) == 1 + rows


def test_all_become_json_with_the_tests_of_the_group(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    report("--all", "-o", str(out), "--data-dir", str(data))
    made = json.loads(out.read_text("utf-8"))
    assert [one["conversation"] for one in made["conversations"]] == ["sess_0", "sess_1"]
    assert {one["strategy"] for one in made["tests"]} == {"match"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "or say --all"),
        (["sess_1", "--all"], "or say --all"),
        (["sess_9"], "there is no conversation 'sess_9' here"),
        (["sess_1", "-o", "report.pdf"], "is an .html, .json or .csv file"),
        (["sess_1", "--table", "words"], "--table is tests or turns"),
        (["sess_1", "-o", "/nowhere/report.html"], "choose another with -o"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(data: Path, arguments: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        CliRunner().invoke(app, ["report", *arguments, "--data-dir", str(data)], catch_exceptions=False)


def test_an_empty_store_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no conversation is recorded here"):
        CliRunner().invoke(app, ["report", "--all", "--data-dir", str(tmp_path)], catch_exceptions=False)
