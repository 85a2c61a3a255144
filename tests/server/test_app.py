"""What a start says, and the REST reference, without a running server."""

from __future__ import annotations

import json
import re
import socket
from functools import partial
from pathlib import Path

import httpx
import pytest

from tandem_server import app as composition
from tandem_server.app import addresses, close_engines, create_app, make_engines, notes, read_plan, serve
from tandem_server.config import Config, load
from tandem_server.engines.learned import LearnedStrategy
from tandem_server.errors import ConfigurationError, EngineUnavailable
from tandem_server.model_fetch import Progress

HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("bound", "shown", "elsewhere"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", None),
        ("::1", "http://[::1]:8000", None),
        ("192.0.2.7", "http://192.0.2.7:8000", None),
        ("0.0.0.0", "http://127.0.0.1:8000", f"http://{HERE}:8000"),
        ("::", "http://[::1]:8000", f"http://{HERE}:8000"),
    ],
)
def test_the_address_that_is_shown_can_be_opened(bound: str, shown: str, elsewhere: str | None) -> None:
    assert addresses(bound, 8000) == (shown, elsewhere)
    secure = (shown.replace("http", "https"), elsewhere and elsewhere.replace("http://", "https://"))
    assert addresses(bound, 8000, tls=True) == secure


def test_the_first_starts_download_is_told_to_whoever_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []

    def prepare(folder: Path, *, download: bool, say: object, progress: Progress) -> None:
        assert (folder, download) == (tmp_path / "models", True)
        progress(1, 40)

    def refuse(host: str, port: int) -> socket.socket:
        raise ConfigurationError("the port is taken")

    monkeypatch.setattr(composition, "prepare_default_model", prepare)
    monkeypatch.setattr(composition, "prepare_turn_model", lambda *_, **__: None)
    monkeypatch.setattr(composition, "_bind", refuse)
    wanted = {"asr": "auto", "data_dir": tmp_path, "host": "127.0.0.1", "fetch_models": True}
    with pytest.raises(ConfigurationError, match="taken"):
        serve(wanted, progress=lambda *step: steps.append(step))
    assert steps == [(1, 40)]


async def test_the_rest_reference_comes_from_here_alone_and_under_the_policy(tmp_path: Path) -> None:
    app = create_app(load({"data_dir": tmp_path, "host": "127.0.0.1"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        page = await client.get("/docs")
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        files = {name: await client.get(name) for name in named if name.startswith("/docs/")}
    assert page.status_code == 200
    assert len(files) == 3 and all(name.startswith("/") and not name.startswith("//") for name in named)
    assert "://" not in page.text and "<script>" not in page.text
    assert all(file.status_code == 200 and file.content for file in files.values())
    assert "javascript" in files["/docs/swagger-ui-bundle.js"].headers["content-type"]
    assert "validatorUrl: null" in files["/docs/start.js"].text
    for answer in (page, *files.values()):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_plan_that_cannot_be_read_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.json cannot be read \(No such file or directory\)"):
        read_plan(tmp_path / "nowhere.json")
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigurationError, match="is no text: it is a JSON file in UTF-8"):
        read_plan(tmp_path / "plan.json")


def fakes(folder: Path, **settings: object) -> Config:
    return load(
        {
            "asr": "fake",
            "voice": "fake",
            "response": "fake",
            "vad": "fake",
            "data_dir": folder,
            "workers": 1,
            **settings,
        }
    )


async def test_without_the_trained_model_all_but_neural_works_and_the_start_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(composition, "LearnedStrategy", partial(LearnedStrategy, folder=tmp_path / "none"))
    engines = await make_engines(fakes(tmp_path / "data"))
    try:
        [note] = notes(engines)
        assert re.fullmatch("neural cannot be used: there is no folder .*; the other strategies work without it", note)
    finally:
        await close_engines(engines)


async def test_a_server_that_is_to_speak_as_neural_does_not_start_without_its_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(composition, "LearnedStrategy", partial(LearnedStrategy, folder=tmp_path / "none"))
    plan = tmp_path / "plan.json"
    conditions = {"learned": {"strategy": "neural"}, "still": {"strategy": "neutral"}}
    plan.write_text(json.dumps({"name": "pilot", "design": "within", "conditions": conditions}), "utf-8")
    for settings in ({"strategy": "neural"}, {"plan": plan}):
        with pytest.raises(EngineUnavailable, match="neural cannot be used: there is no folder"):
            await make_engines(fakes(tmp_path / "data", **settings))
