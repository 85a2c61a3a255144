"""HTTP as it is written, for requests that no well-behaved client sends."""

from __future__ import annotations

import base64
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from ...e2e.serving import Served


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The RFC 9457 document it must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        return document


def ask(served: Served, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request, the path as it stands; header names with _ for -. A header that is None is left out."""
    lines = {"host": f"127.0.0.1:{served.port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as link:
        closing = "" if "upgrade" in lines else "connection: close\r\n"
        link.sendall((head + closing + "\r\n").encode("latin-1"))
        return _read(link)


def knock(served: Served, path: str = "/v1/realtime", **headers: str) -> Answer:
    """Ask for a WebSocket; of one that is granted, the head of the answer."""
    handshake = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": base64.b64encode(os.urandom(16)).decode(),
    }
    return ask(served, path, **{**handshake, **headers})


def _read(link: socket.socket) -> Answer:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        assert piece, f"the connection ended in the head of the answer: {data!r}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    length = int(headers.get("content-length", "0")) if status != 101 else 0
    while len(body) < length:
        piece = link.recv(65536)
        assert piece
        body += piece
    return Answer(status, headers, body)
