"""The stock `openai-agents` package for Python runs the functions that the server asks for."""

from __future__ import annotations

from agents import function_tool

from .agents_call import calling_agent, spoken
from .serving import Served
from .talking import AUDIBLE, SILENCE, loudness, tone


async def test_function_is_run_and_its_result_is_spoken(calling_server: Served) -> None:
    asked: list[str] = []

    @function_tool
    def weather(city: str) -> str:
        """How is the weather there?"""
        asked.append(city)
        return f"it rains in {city}"

    async with calling_agent(calling_server, weather) as call:
        await call.hear(tone(0.8) + SILENCE)
        await call.until("tool_start")
        ended = await call.until("tool_end")
        assert (ended.tool.name, ended.output) == ("weather", "it rains in Paris")
        await call.until("audio_end")
        await call.until("agent_end")
        assert loudness(call.audio()) > AUDIBLE

    assert asked == ["Paris"]
    assert [item.type for item in call.history] == ["message", "function_call", "message"]
    assert spoken(call.history[-1]) == "The tool said: it rains in Paris"
