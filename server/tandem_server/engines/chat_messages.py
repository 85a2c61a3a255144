"""A conversation and its tools as OpenAI's chat completions take them, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tandem_server.stages.protocols import Message, ToolCall, Tools

PENDING: Final = "There is no result yet."
"""In place of what a tool has not answered: an endpoint refuses a call without its result."""
SAYS_NOTHING: Final = "(says nothing)"
"""The user's silence, when it is what is answered."""
NO_PARAMETERS: Final = {"type": "object", "properties": {}}


def chat_messages(messages: Sequence[Message], most: int, characters: int) -> list[dict[str, Any]]:
    """The system's words first, then as many of the newest messages as the bounds allow, speakers in turn. A call is
    followed by its result, wherever in the conversation that is; a result without its call is left out."""
    system = [message.text for message in messages if message.role == "system"]
    results = {message.call_id: message.text[-characters:] for message in messages if message.role == "tool"}
    spoken = [message for message in messages if message.role in ("user", "assistant")]
    talk = [message for message in spoken if message.text or message.call]
    if spoken and spoken[-1].role == "user" and not spoken[-1].text:
        talk.append(Message("user", SAYS_NOTHING))
    talk = newest(talk, results, most, characters)
    # Some chat templates take only user, assistant, user, ...: who speaks twice is joined,
    while talk and talk[0].role == "assistant" and not talk[0].call:
        # and words of ours before any of the user's become part of the instructions.
        system.append(f'You opened by saying: "{talk.pop(0).text}"')
    joined: list[dict[str, Any]] = []
    for message in talk:
        same = bool(joined) and joined[-1]["role"] == message.role
        if message.call is not None:
            opening = joined.pop() if same else {"role": "assistant", "content": None}
            joined += [{**opening, "tool_calls": [_call(message.call)]}, _result(message.call, results)]
        elif same:
            joined[-1]["content"] += f"\n{message.text}"
        else:
            joined.append({"role": message.role, "content": message.text})
    return [{"role": "system", "content": "\n\n".join(system)}, *joined] if system else joined


def newest(talk: Sequence[Message], results: dict[str | None, str], most: int, characters: int) -> list[Message]:
    """The newest messages within the bounds; of one that is too long by itself, its end."""
    kept: list[Message] = []
    room = characters
    for message in reversed(talk[-most:]):
        call = message.call
        size = len(message.text) if call is None else len(call.arguments) + len(results.get(call.call_id, PENDING))
        if kept and size > room:
            break
        kept.append(Message(message.role, message.text[-characters:], call))
        room -= size
    return kept[::-1]


def chat_tools(tools: Tools) -> dict[str, Any]:
    """What a request says about tools; nothing when there are none."""
    if not tools.functions:
        return {}
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters or NO_PARAMETERS}
        for tool in tools.functions
    ]
    asked: dict[str, Any] = {"tools": [{"type": "function", "function": function} for function in functions]}
    if tools.required:
        asked["tool_choice"] = "required"
    if not tools.parallel:
        asked["parallel_tool_calls"] = False
    return asked


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _result(call: ToolCall, results: dict[str | None, str]) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.call_id, "content": results.get(call.call_id, PENDING)}
