"""Who has left is told from who was cut off, in the messages that uvicorn 0.54 makes of both."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.websockets import WebSocket

from tandem_server.dialects import GA
from tandem_server.equipment import Limits
from tandem_server.line import ConnectionLostError
from tandem_server.routes.socket import Socket


@pytest.mark.parametrize(
    ("message", "final"),
    [
        ({"code": 1000, "reason": ""}, True),
        ({"code": 1001, "reason": "the page was closed"}, True),
        ({"code": 1005, "reason": ""}, True),  # a close frame without a code
        ({"code": 1005}, False),  # no close frame at all
        ({"code": 1006}, False),
        ({"code": 1011, "reason": "keepalive ping timeout"}, False),
    ],
)
async def test_only_a_close_frame_with_an_ordinary_code_is_a_goodbye(message: dict[str, Any], final: bool) -> None:
    inbox = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", **message}]

    async def receive() -> dict[str, Any]:
        return inbox.pop(0)

    async def send(_: Any) -> None: ...

    websocket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    await websocket.accept()
    with pytest.raises(ConnectionLostError) as lost:
        await Socket(websocket, GA, Limits()).receive()
    assert lost.value.final is final
