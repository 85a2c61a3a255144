"""The stock `openai-agents` package for Python checks every event it is sent, and tells its user of each mistake."""

from __future__ import annotations

from .agents_call import calling_agent
from .serving import Served
from .talking import tone


async def test_package_finds_no_mistake(fake_server: Served) -> None:
    """Every event of an ordinary conversation passes the package's own types: its user is told of no error."""
    async with calling_agent(fake_server) as call:
        for _ in range(2):
            await call.exchange(tone(0.8))
    assert [str(event.error) for event in call.of("error")] == []
