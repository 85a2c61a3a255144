"""The stock `openai` client offers a function; the server asks for it and speaks of its result."""

from __future__ import annotations

import json

from openai.types.realtime import RealtimeFunctionToolParam

from .conftest import TOKEN
from .serving import Served
from .stock import in_order, talking, talking_beta
from .talking import AUDIBLE, SILENCE, loudness, tone

WEATHER: RealtimeFunctionToolParam = {
    "type": "function",
    "name": "weather",
    "description": "How is the weather there?",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def test_function_is_asked_for_and_its_result_is_spoken(calling_server: Served) -> None:
    async with talking(calling_server, TOKEN) as talk:
        await talk.connection.session.update(session={"type": "realtime", "tools": [WEATHER]})
        updated = await talk.until("session.updated", "error")
        assert [tool.name for tool in updated.session.tools] == ["weather"]

        await talk.hear(tone(0.8) + SILENCE)
        arguments = await talk.until("response.function_call_arguments.done")
        assert (arguments.name, json.loads(arguments.arguments)) == ("weather", {"city": "Paris"})
        item = (await talk.until("response.output_item.done")).item
        assert (item.type, item.status, item.name) == ("function_call", "completed", "weather")
        assert item.call_id == arguments.call_id
        done = await talk.until("response.done")
        assert [one.type for one in done.response.output] == ["function_call"]
        assert not talk.of("response.output_audio.delta")

        await talk.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": item.call_id, "output": "it rains in Paris"}
        )
        await talk.connection.response.create()
        answered = await talk.until("response.done", "error")
        assert answered.response.output[0].content[0].transcript == "The tool said: it rains in Paris"

        await talk.connection.conversation.item.retrieve(item_id=item.id)
        assert (await talk.until("conversation.item.retrieved")).item.call_id == item.call_id

    assert loudness(talk.audio()) > AUDIBLE
    assert "".join(event.delta for event in talk.of("response.function_call_arguments.delta")) == arguments.arguments
    assert in_order(
        talk.kinds(),
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    )
    assert not talk.of("error")


async def test_function_that_is_not_offered_is_not_asked_for(calling_server: Served) -> None:
    async with talking(calling_server, TOKEN) as talk:
        await talk.hear(tone(0.8) + SILENCE)
        done = await talk.until("response.done")
        assert [item.type for item in done.response.output] == ["message"]
        assert not talk.of("response.function_call_arguments.done")


async def test_function_is_asked_for_in_the_dialect_of_before_ga(calling_server: Served) -> None:
    async with talking_beta(calling_server, TOKEN) as talk:
        parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
        await talk.connection.session.update(
            session={"tools": [{"type": "function", "name": "weather", "parameters": parameters}]}
        )
        await talk.until("session.updated", "error")
        await talk.hear(tone(0.8) + SILENCE)
        arguments = await talk.until("response.function_call_arguments.done")
        item = (await talk.until("response.output_item.done")).item
        assert (item.type, item.name, item.arguments) == ("function_call", "weather", arguments.arguments)
        await talk.until("response.done")
        await talk.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": item.call_id, "output": "it rains in Paris"}
        )
        await talk.connection.response.create()
        answered = await talk.until("response.done", "error")
        assert answered.response.output[0].content[0].transcript == "The tool said: it rains in Paris"
