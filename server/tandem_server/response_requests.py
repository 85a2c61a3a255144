"""From `response.create` to a wish to reply: what the client wants to be otherwise in this one response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tandem_server.client_items import item_of
from tandem_server.contract import ItemReference, ResponseParams
from tandem_server.errors import ClientError
from tandem_server.items import AnyItem
from tandem_server.live_reply import ReplyRequest
from tandem_server.settings import Settings, token_limit
from tandem_server.shared_state import SharedState
from tandem_server.tool_settings import tools_of

MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
"""Pairs and characters, as OpenAI's protocol has them."""
MOST_INPUT: Final = 2_000
"""Items of a response's own context"""


def request_of(params: ResponseParams, shared: SharedState) -> ReplyRequest:
    """Every field that is not present is as the session says. Raises ClientError, naming the field."""
    if params.conversation not in (None, "auto", "none"):
        raise ClientError('conversation is "auto" or "none"', param="response.conversation")
    if params.prompt:
        message = "no prompts are stored here; put the prompt's text into `instructions`"
        raise ClientError(message, code="unsupported_value", param="response.prompt")
    _check_metadata(params.metadata or {})
    _check_voice(params, shared)
    return ReplyRequest(
        settings=_overridden(params, shared),
        context=None if params.input is None else _context(params.input, shared),
        in_conversation=params.conversation != "none",
        metadata=params.metadata,
    )


def _overridden(params: ResponseParams, shared: SharedState) -> Settings:
    settings = shared.settings
    if params.instructions is not None:
        settings = replace(settings, instructions=params.instructions)
    if params.output_modalities:
        if sorted(params.output_modalities) == ["audio", "text"]:
            message = 'ask for ["audio"] (which comes with its transcript) or ["text"]'
            raise ClientError(message, code="unsupported_value", param="response.output_modalities")
        settings = replace(settings, text_only=params.output_modalities == ["text"])
    output = params.audio.output if params.audio else None
    if output is not None and output.format is not None and output.format.type is not None:
        settings = replace(settings, output_format=output.format.type)
    if params.max_output_tokens is not None:
        settings = replace(settings, max_output_tokens=token_limit(params.max_output_tokens, "response"))
    fields = params.model_dump(mode="json", exclude_none=True, include={"tools", "tool_choice", "parallel_tool_calls"})
    if not fields:
        return settings
    wanted: dict[str, Any] = {name: shared.session[name] for name in ("tools", "tool_choice", "parallel_tool_calls")}
    wanted |= fields
    tools = tools_of(wanted["tools"], wanted["tool_choice"], parallel=wanted["parallel_tool_calls"], where="response")
    return replace(settings, tools=tools)


def _context(given: list[Any], shared: SharedState) -> tuple[AnyItem, ...]:
    """The items themselves, so that what is not known of them yet will be."""
    if len(given) > MOST_INPUT:
        raise ClientError(f"a response reads at most {MOST_INPUT} items", code="too_many_items", param="response.input")
    return tuple(
        shared.items.get(one.id, "response.input")
        if isinstance(one, ItemReference)
        else item_of(one, shared, "response.input")
        for one in given
    )


def _check_voice(params: ResponseParams, shared: SharedState) -> None:
    """The session's is the only one."""
    output, ours = params.audio.output if params.audio else None, shared.session["audio"]["output"]
    if output is None:
        return
    voice = output.voice if output.voice is None or isinstance(output.voice, str) else output.voice.id
    if voice not in (None, ours["voice"], shared.voice_asked):
        message = f"this server speaks with one voice, {ours['voice']!r}; leave out audio.output.voice"
        raise ClientError(message, code="unsupported_value", param="response.audio.output.voice")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    long = any(len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in metadata.items())
    if len(metadata) > MOST_METADATA or long:
        message = f"metadata has at most {MOST_METADATA} pairs of {LONGEST_KEY} and {LONGEST_VALUE} characters"
        raise ClientError(message, code="too_long", param="response.metadata")
