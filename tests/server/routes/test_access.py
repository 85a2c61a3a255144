"""Who may talk to the server, tried from outside, and the rules by themselves."""

from __future__ import annotations

import pytest

from tandem_server.client_secrets import ClientSecrets, digest
from tandem_server.config import load
from tandem_server.errors import ConfigurationError
from tandem_server.routes.access import EXPIRED, Access, host_name

from ...e2e.serving import Served, eventually
from ...e2e.talking import calling
from .conftest import TOKEN
from .raw import ask, knock

PATHS = ("/", "/health", "/v1/engines", "/v1/conversations", "/docs", "/openapi.json")
GUARDED = ("/v1/engines", "/v1/strategies", "/v1/conversations", "/v1/conversations/x", "/docs", "/openapi.json")


# --- names and pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:{port}", "127.0.0.1.rebound.example", "", "[::1"])
@pytest.mark.parametrize("path", PATHS)
def test_name_that_is_not_ours_is_refused(local_server: Served, host: str, path: str) -> None:
    answer = ask(local_server, path, host=host.format(port=local_server.port))

    assert answer.status == 403
    assert answer.problem["title"] == "Unknown host"


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
def test_names_of_this_machine_are_ours(local_server: Served, host: str) -> None:
    assert ask(local_server, "/v1/engines", host=host.format(port=local_server.port)).status == 200


def test_rebound_name_gets_no_socket(local_server: Served) -> None:
    answer = knock(local_server, host=f"rebound.example:{local_server.port}", origin="http://rebound.example")

    assert answer.status == 403
    assert answer.problem["title"] == "Unknown host"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil.example/127.0.0.1:{port}",
        "http://127.0.0.1:{port}@evil.example",
        "null",
        "",
        "http://[::1",
        "http://[",
        "\xff\xfe",
    ],
)
def test_foreign_page_gets_no_socket_and_no_data(local_server: Served, origin: str) -> None:
    origin = origin.format(port=local_server.port)

    for answer in (knock(local_server, origin=origin), ask(local_server, "/v1/conversations", origin=origin)):
        assert answer.status == 403
        assert answer.problem["title"] == "Foreign page"


def test_own_page_and_no_page_get_a_socket(local_server: Served) -> None:
    assert knock(local_server, origin=f"http://127.0.0.1:{local_server.port}").status == 101
    assert knock(local_server).status == 101


def test_page_on_the_list_gets_a_socket(public_server: Served) -> None:
    bearer = f"Bearer {TOKEN}"

    assert knock(public_server, origin="https://friend.example.evil", authorization=bearer).status == 403
    assert knock(public_server, origin="https://friend.example", authorization=bearer).status == 101
    assert eventually(lambda: not public_server.usage().sessions)


# --- the token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"],
)
def test_wrong_token_is_refused(public_server: Served, path: str, authorization: str) -> None:
    answer = ask(public_server, path, authorization=authorization)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.problem["detail"]


@pytest.mark.parametrize("path", ["/v1/engines", "/docs", "/openapi.json"])
def test_token_opens(public_server: Served, path: str) -> None:
    assert ask(public_server, path, authorization=f"Bearer {TOKEN}").status == 200
    assert ask(public_server, path, authorization=f"bearer {TOKEN}").status == 200


@pytest.mark.parametrize(
    "host", ["x/y", "x/", "x?y", "x#y", "x\\y", "127.0.0.1:1/health?", "a b", "/", "@", "[", "x:port"]
)
@pytest.mark.parametrize("path", ["/v1/conversations", "/openapi.json"])
def test_odd_host_is_no_way_round_the_token(public_server: Served, host: str, path: str) -> None:
    assert ask(public_server, path, host=host).status in (400, 401, 403)


@pytest.mark.parametrize(
    "path",
    ["//v1/conversations", "/%76%31/conversations", "/v1%2Fconversations", "/./v1/conversations",
     "/x/../v1/conversations",
     "/V1/conversations", "/v1/conversations/", "/openapi%2Ejson", "/;/v1/conversations", "/\\v1/conversations",
     "http://127.0.0.1/v1/conversations"],
)  # fmt: skip
def test_odd_path_is_no_way_round_the_token(public_server: Served, path: str) -> None:
    answer = ask(public_server, path)

    assert answer.status in (307, 400, 401, 403, 404)
    assert b'"list"' not in answer.body


def test_health_and_page_need_no_token(public_server: Served) -> None:
    assert ask(public_server, "/health").status == 200
    assert ask(public_server, "/").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"sec_websocket_protocol": "realtime"},
        {"sec_websocket_protocol": "realtime, openai-insecure-api-key.wrong"},
        {"sec_websocket_protocol": f"realtime, {TOKEN}"},
        {"sec_websocket_protocol": "openai-insecure-api-key."},
    ],
)
def test_socket_needs_the_token(public_server: Served, headers: dict[str, str]) -> None:
    answer = knock(public_server, **headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.problem["title"] == "Token needed"


def test_token_by_header_opens_the_socket(public_server: Served) -> None:
    assert knock(public_server, authorization=f"Bearer {TOKEN}").status == 101
    assert eventually(lambda: not public_server.usage().sessions)


async def test_token_by_subprotocol_opens_the_socket_and_is_not_said_back(public_server: Served) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{TOKEN}", "openai-agents-sdk.0.20.0"]
    async with calling(public_server.realtime, subprotocols=offered) as caller:
        assert caller.socket.subprotocol == "realtime"
    assert eventually(lambda: not public_server.usage().sessions)


def test_token_is_in_no_log(public_server: Served) -> None:
    assert TOKEN not in public_server.log


# --- places ----------------------------------------------------------------------------------------------------------


async def test_full_server_says_when_to_come_again(public_server: Served) -> None:
    bearer = f"Bearer {TOKEN}"
    async with calling(public_server.realtime, additional_headers={"Authorization": bearer}):
        answer = knock(public_server, authorization=bearer)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.problem["title"] == "All places are taken"
    assert eventually(lambda: not public_server.usage().sessions)
    assert knock(public_server, authorization=bearer).status == 101
    assert eventually(lambda: not public_server.usage().sessions)


# --- where it may listen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "[::]", "192.168.1.5", "tandem.example", "", "127.0.0.1.evil.example"]
)
@pytest.mark.parametrize("token", [None, ""])
def test_address_that_others_reach_needs_a_token(host: str, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_TOKEN", raising=False)
    given: dict[str, object] = {"host": host} if token is None else {"host": host, "token": token}

    with pytest.raises(ConfigurationError, match="others can reach the server: set TANDEM_TOKEN to a secret, or use"):
        load(given)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
def test_own_address_needs_no_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_TOKEN", raising=False)

    assert load({"host": host}).on_loopback


def test_token_makes_any_address_good() -> None:
    assert load({"host": "0.0.0.0", "token": "a-secret-that-is-long"}).token


@pytest.mark.parametrize("token", ["two words", "comma,", "umläut", "ta\tb", 'quote"'])
def test_token_that_no_browser_can_send_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="TANDEM_TOKEN"):
        load({"token": token})


# --- the rules by themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8000", "localhost"),
        ("[::1]:80", "::1"),
        ("", ""),
        ("[::1", ""),
        ("A.B", "a.b"),
        (":80", ""),
        ("x:y", "x"),
    ],
)
def test_host_name_is_without_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_page_must_be_on_the_same_port() -> None:
    rules = Access()

    assert rules.check({"host": "localhost:8000", "origin": "http://localhost:8000"}) is None
    assert rules.check({"host": "localhost:8000", "origin": "http://localhost:8001"}) is not None


@pytest.mark.parametrize("token", [TOKEN, None])
def test_secret_that_has_expired_goes_on_with_the_session_it_opened_and_opens_no_other(token: str | None) -> None:
    now = [1_000.0]
    kept = ClientSecrets(lambda: now[0])
    rules = Access(token, client_secrets=kept)
    opener, other = (kept.issue(seconds, None).value for seconds in (10, 60))
    opened = digest(opener)
    assert rules.check_session(bearing(opener), []) is None
    now[0] = 1_030.0

    assert rules.check_session(bearing(opener), []) is EXPIRED
    assert rules.may_resume(bearing(opener), [], opened)
    assert rules.may_resume({"host": "localhost"}, [f"openai-insecure-api-key.{opener}"], opened)
    assert not rules.may_resume(bearing(other), [], opened)
    assert not rules.may_resume(bearing("ek_unknown"), [], opened)
    assert not rules.may_resume(bearing(opener) | {"origin": "https://evil.example"}, [], opened)


@pytest.mark.parametrize("token", [TOKEN, None])
def test_session_of_who_has_no_secret_is_gone_on_with_by_no_secret(token: str | None) -> None:
    kept = ClientSecrets()
    rules = Access(token, client_secrets=kept)

    assert not rules.may_resume(bearing(kept.issue(60, None).value), [], None)
    assert rules.may_resume(bearing(TOKEN), [], None)
    assert rules.may_resume({"host": "localhost"}, [], None) is (token is None)


def bearing(key: str) -> dict[str, str]:
    """The headers of a request with a key."""
    return {"host": "localhost", "authorization": f"Bearer {key}"}
