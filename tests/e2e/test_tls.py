"""The server behind TLS, over real sockets: browsers and clients that take nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from .serving import FAKES, Served, refused, serving
from .talking import calling, tone


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure_server(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("secure")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    with serving(folder / "data", **FAKES, tls_certificate=certificate, tls_key=key) as served:
        yield served


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client that knows the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_addresses_that_are_said_are_secure(secure_server: Served) -> None:
    assert f"Open https://127.0.0.1:{secure_server.port}" in secure_server.said
    assert f"Clients: wss://127.0.0.1:{secure_server.port}/v1/realtime" in secure_server.said
    assert "http://" not in secure_server.said


async def test_conversation_is_held_over_tls(secure_server: Served, trusting: ssl.SSLContext) -> None:
    origin = secure_server.http
    async with calling(secure_server.realtime, ssl=trusting, origin=origin) as caller:
        done = await caller.turn(tone(1.0))

    assert done["response"]["status"] == "completed"
    assert len(caller.audio()) > 0


async def test_stock_client_comes_in_by_https(secure_server: Served, trusting: ssl.SSLContext) -> None:
    http = DefaultAsyncHttpxClient(verify=trusting)
    options: Any = {"ssl": trusting}
    async with (
        AsyncOpenAI(api_key="not-needed", base_url=f"{secure_server.http}/v1", http_client=http) as client,
        client.realtime.connect(model="tandem", websocket_connection_options=options) as connection,
    ):
        assert (await connection.recv()).type == "session.created"
        secret = await client.realtime.client_secrets.create()
    assert secret.value.startswith("ek_")


def test_rest_is_served_over_tls_and_nothing_without(secure_server: Served, trusting: ssl.SSLContext) -> None:
    assert secure_server.get("/health", verify=trusting).json()["status"] == "ok"
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{secure_server.port}/health", timeout=10.0)
    with pytest.raises(httpx.ConnectError):
        secure_server.get("/health")  # by a client that does not know the authority


def test_wrong_certificate_is_said_in_one_line(tmp_path: Path) -> None:
    failed = refused(tmp_path, **FAKES, tls_certificate=tmp_path / "none.pem", tls_key=tmp_path / "none.key")

    assert failed.code == 2
    assert len(failed.lines) == 1
    assert "none.pem cannot be read" in failed.lines[0]
