"""REST over real sockets: what it says, and how it says no."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import tandem_client
from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_server.routes import problems
from tandem_server.stages.strategies import STRATEGIES

from ...e2e.serving import FAKES, Served, eventually, serving
from ...e2e.talking import calling
from .raw import ask

IN_USE = {**FAKES, "turn": "silence, words and melody"}
SECRET = "this file is outside the page"


def test_engines_are_named(local_server: Served) -> None:
    engines = local_server.get("/v1/engines").json()

    assert engines == {**IN_USE, "notes": []}


def test_strategies_are_those_there_are(local_server: Served) -> None:
    listed = local_server.get("/v1/strategies").json()

    assert listed["object"] == "list"
    assert {one["id"]: one["description"] for one in listed["data"]} == {
        name: text for name, (_, text) in STRATEGIES.items()
    }


# --- conversations ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server where five conversations took place, and their ids, oldest first."""

    async def call() -> str:
        async with calling(served.realtime) as caller:
            await caller.type("hello")
            return str(caller.events[0]["session"]["id"])

    with serving(tmp_path_factory.mktemp("five"), **FAKES) as served:
        ids = [asyncio.run(call()) for _ in range(5)]
        assert eventually(lambda: served.get("/v1/conversations").json()["data"][0]["ended_at"] is not None)
        yield served, ids


def test_conversations_come_newest_first(five: tuple[Served, list[str]]) -> None:
    served, ids = five
    listed = served.get("/v1/conversations").json()

    assert [one["id"] for one in listed["data"]] == ids[::-1]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[-1], ids[0], False)


def test_turns_of_a_long_conversation_come_in_pages(local_server: Served) -> None:
    async def talk() -> str:
        async with calling(local_server.realtime) as caller:
            for text in ("one", "two", "three"):
                await caller.type(text)
            return str(caller.events[0]["session"]["id"])

    path = f"/v1/conversations/{asyncio.run(talk())}"
    first = local_server.get(f"{path}?limit=2").json()
    rest = local_server.get(f"{path}?limit=2&after={first['turns'][-1]['index']}").json()
    assert ([turn["text"] for turn in first["turns"]], first["has_more"]) == (["one", "two"], True)
    assert ([turn["text"] for turn in rest["turns"]], rest["has_more"]) == (["three"], False)
    assert local_server.get(f"{path}?limit=0").status_code == 422


def test_a_conversation_has_a_report_as_page_json_and_tables(five: tuple[Served, list[str]]) -> None:
    served, ids = five
    page = served.get(f"/v1/conversations/{ids[0]}/report")
    assert page.headers["content-type"].startswith("text/html") and ids[0] in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    made = served.get(f"/v1/conversations/{ids[0]}/report?format=json").json()
    assert (made["format"], made["conversation"]) == ("tandem-report-1", ids[0])
    table = served.get(f"/v1/conversations/{ids[0]}/report?format=csv&table=turns")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.startswith("conversation,turn,role,") and len(table.text.splitlines()) == 1 + 8
    assert served.get("/v1/conversations/nobody/report").status_code == 404
    assert served.get(f"/v1/conversations/{ids[0]}/report?format=pdf").status_code == 422


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_hold_every_conversation_once(five: tuple[Served, list[str]], limit: int) -> None:
    served, ids = five
    found: list[str] = []
    query: dict[str, str | int] = {"limit": limit}
    more = True
    while more:
        page = served.get("/v1/conversations", params=query).json()
        assert len(page["data"]) <= limit
        found += [one["id"] for one in page["data"]]
        more = page["has_more"]
        query["after"] = page["last_id"]

    assert found == ids[::-1]


def test_page_after_the_oldest_is_empty(five: tuple[Served, list[str]]) -> None:
    served, ids = five
    page = served.get("/v1/conversations", params={"after": ids[0]}).json()

    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_one_conversation_comes_with_its_turns(five: tuple[Served, list[str]]) -> None:
    served, ids = five
    one = served.get(f"/v1/conversations/{ids[2]}").json()

    assert one["object"] == "conversation"
    assert one["engines"] == IN_USE
    assert one["extractor_version"] == EXTRACTOR_VERSION
    assert [(turn["role"], turn["text"]) for turn in one["turns"]] == [("user", "hello")]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/v1/conversations/nobody", 404, "nobody"),
        ("/v1/conversations/%00", 404, ""),
        ("/v1/conversations/" + "x" * 5000, 422, "conversation_id"),
        ("/v1/conversations?limit=0", 422, "limit"),
        ("/v1/conversations?limit=101", 422, "limit"),
        ("/v1/conversations?limit=many", 422, "limit"),
        ("/v1/conversations?after=nobody", 400, "nobody"),
        ("/v1/conversations?after=" + "x" * 129, 422, "after"),
        ("/v1/nothing", 404, ""),
        ("/nothing.html", 404, ""),
        ("/v1/realtime", 426, "WebSocket"),
    ],
)
def test_every_error_is_a_problem_document(local_server: Served, path: str, status: int, word: str) -> None:
    answer = ask(local_server, path)

    assert answer.status == status
    assert word in answer.problem["detail"]
    assert len(answer.body) < 1000


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/conversations"), ("DELETE", "/health"), ("PUT", "/")])
def test_method_that_is_not_there_is_a_problem_document(local_server: Served, method: str, path: str) -> None:
    answer = ask(local_server, path, method, content_length="0")

    assert answer.status == 405
    assert answer.problem["title"] == "Method Not Allowed"


def test_failure_of_ours_is_a_problem_document(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES) as served:
        with sqlite3.connect(served.database) as database:
            database.execute("DROP TABLE turns")
            database.execute("DROP TABLE conversations")
        database.close()
        answer = ask(served, "/v1/conversations")

    assert answer.status == 503
    assert answer.problem["title"] == "Not available"


async def test_bug_of_ours_is_a_problem_document() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def broken() -> None:
        raise LookupError("nobody is to see this")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nobody" not in answer.text


def test_openapi_page_describes_every_route(local_server: Served) -> None:
    schema = local_server.get("/openapi.json").json()

    assert schema["openapi"].startswith("3.")
    assert schema["info"]["title"] == "Tandem"
    assert set(schema["paths"]) == {
        "/health",
        "/ready",
        "/metrics",
        "/v1/engines",
        "/v1/strategies",
        "/v1/conversations",
        "/v1/conversations/{conversation_id}",
        "/v1/conversations/{conversation_id}/report",
        "/v1/realtime",
        "/v1/realtime/client_secrets",
        "/v1/realtime/sessions",
        "/v1/realtime/schema",
    }
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["responses"]["200"]
    assert "swagger" in local_server.get("/docs").text.lower()


# --- the page --------------------------------------------------------------------------------------------------------


def test_page_comes_with_its_policy(local_server: Served) -> None:
    answer = ask(local_server, "/")

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer.headers["permissions-policy"].startswith("microphone=(self)")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/health", "/v1/engines", "/nothing", "/v1/conversations?limit=0", "/main.js"])
def test_policy_comes_with_every_answer(local_server: Served, path: str) -> None:
    assert "default-src 'self'" in ask(local_server, path).headers["content-security-policy"]


def test_refusal_has_the_policy_too(local_server: Served) -> None:
    assert "default-src 'self'" in ask(local_server, "/", host="evil.example").headers["content-security-policy"]


def test_scripts_of_the_page_are_served_as_such(local_server: Served) -> None:
    scripts = [path.name for path in Path(tandem_client.__file__).parent.joinpath("web").glob("*.js")]

    assert scripts
    for name in scripts:
        answer = ask(local_server, f"/{name}")
        assert answer.status == 200
        assert "javascript" in answer.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/../cli.py",
        "/../../pyproject.toml",
        "/%2e%2e/cli.py",
        "/..%2fcli.py",
        "/%2e%2e%2fcli.py",
        "/%252e%252e/cli.py",
        "/vendor/../../cli.py",
        "/vendor/%2e%2e/%2e%2e/cli.py",
        "/..\\cli.py",
        "/..%5ccli.py",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%2Fetc%2Fpasswd",
        "/.%00./cli.py",
        "/index.html%00.js",
        "/....//cli.py",
        "/%c0%ae%c0%ae/cli.py",
        "/file:///etc/passwd",
        "/" + "a" * 5000,
        "/" + "a/" * 2000,
    ],
)
def test_no_path_leaves_the_page(local_server: Served, path: str) -> None:
    answer = ask(local_server, path)

    assert answer.status in (400, 404)
    assert b"root:" not in answer.body
    assert b"typer" not in answer.body


def test_server_is_still_well(local_server: Served) -> None:
    assert local_server.alive
    assert "Traceback" not in local_server.log
