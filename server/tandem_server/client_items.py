"""Items as clients send them: checked, and made into ours."""

from __future__ import annotations

from typing import Any, Final

from openai.types.realtime import (
    ConversationItem,
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemFunctionCall,
    RealtimeConversationItemFunctionCallOutput,
    RealtimeConversationItemSystemMessage,
    RealtimeConversationItemUserMessage,
)

from tandem_server.errors import ClientError
from tandem_server.items import AnyItem, CallItem, Item, OutputItem
from tandem_server.shared_state import SharedState
from tandem_server.stages.protocols import ToolCall

LONGEST_ID: Final = 64
"""Characters; OpenAI's are about 30."""
LONGEST_TEXT: Final = 32_768
"""Characters of one item: of what was typed, of a call's arguments, of its output."""


def item_of(item: ConversationItem, shared: SharedState, where: str = "item") -> AnyItem:
    """Ours, with an id of its own if it has none. Raises ClientError, naming the field under `where`."""
    if item.id and len(item.id) > LONGEST_ID:
        raise ClientError(f"an id has at most {LONGEST_ID} characters", code="too_long", param=f"{where}.id")
    match item:
        case RealtimeConversationItemFunctionCall():
            return _call(item, shared, where)
        case RealtimeConversationItemFunctionCallOutput():
            _check_length(item.output, f"{where}.output")
            return OutputItem(item.id or shared.item_id(), item.call_id, item.output)
        case (
            RealtimeConversationItemSystemMessage()
            | RealtimeConversationItemUserMessage()
            | RealtimeConversationItemAssistantMessage()
        ):
            text, spoken = _content(item.content, f"{where}.content")
            return Item(item.id or shared.item_id(), item.role, spoken, text)
    message = f"items of type {item.type} are not known here; send a message, a function_call or a function_call_output"
    raise ClientError(message, code="unsupported_value", param=f"{where}.type")


def _call(item: RealtimeConversationItemFunctionCall, shared: SharedState, where: str) -> CallItem:
    _check_length(item.arguments, f"{where}.arguments")
    call_id = item.call_id or shared.call_id()
    if max(len(call_id), len(item.name)) > LONGEST_ID:
        message = f"a function's name and a call's id have at most {LONGEST_ID} characters"
        raise ClientError(message, code="too_long", param=where)
    return CallItem(item.id or shared.item_id(), ToolCall(call_id, item.name, item.arguments))


def _content(parts: list[Any], where: str) -> tuple[str, bool]:
    """The words of all parts, and whether any was spoken: such a part must bring its transcript."""
    words, spoken = [], False
    for part in parts:
        if part.type in ("input_text", "output_text"):
            words.append(part.text or "")
        elif part.type in ("input_audio", "output_audio") and part.transcript is not None:
            words.append(part.transcript)
            spoken = True
        elif part.type in ("input_audio", "output_audio"):
            message = "audio inside an item is not listened to: add its `transcript`, or use input_audio_buffer.append"
            raise ClientError(message, code="unsupported_value", param=where)
        else:
            message = f"content of type {part.type} is not understood here; send text, or audio with its transcript"
            raise ClientError(message, code="unsupported_value", param=where)
    text = "".join(words)
    _check_length(text, where)
    return text, spoken


def _check_length(text: str, where: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ClientError(f"an item holds at most {LONGEST_TEXT} characters", code="too_long", param=where)
