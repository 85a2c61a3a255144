"""What a response has used, in tokens.

The tokeniser of the responder is not known here, so text is counted by OpenAI's rule of thumb for English: a token for
every four characters begun. Audio is counted as OpenAI counts it: a token for every 100 ms of the user's speech begun,
and for every 50 ms of the agent's. What was spoken counts as audio when it is read, and as audio and text when it is
made; a function call counts as its name and arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from openai.types.realtime import (
    RealtimeResponseUsage,
    RealtimeResponseUsageInputTokenDetails,
    RealtimeResponseUsageOutputTokenDetails,
)

from tandem_server.items import AnyItem, CallItem, Item, OutputItem
from tandem_server.stages.protocols import Tools

CHARACTERS: Final = 4
"""Of text, for one token"""
USER_MS, AGENT_MS = 100, 50
"""Milliseconds of audio for one token"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of one direction."""

    text: int = 0
    audio: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def all(self) -> int:
        """Of either kind."""
        return self.text + self.audio


NOTHING: Final = Tokens()


def of_text(text: str) -> Tokens:
    """Of what is written."""
    return Tokens(text=-(-len(text) // CHARACTERS))


def of_speech(text: str, audio_ms: int) -> Tokens:
    """Of what the agent says: its words and its sound."""
    return of_text(text) + Tokens(audio=-(-audio_ms // AGENT_MS))


def of_call(name: str, arguments: str) -> Tokens:
    """Of a function call."""
    return of_text(name + arguments)


def of_input(instructions: str, items: Iterable[AnyItem], tools: Tools) -> Tokens:
    """Of all that a response was made from."""
    total = of_text(instructions)
    for tool in tools.functions:
        total += of_text(tool.name + tool.description + (json.dumps(tool.parameters) if tool.parameters else ""))
    for item in items:
        total += _of_item(item)
    return total


def reported(read: Tokens, made: Tokens) -> RealtimeResponseUsage:
    """As `response.done` shows it. Nothing is ever read from a cache."""
    return RealtimeResponseUsage(
        total_tokens=read.all + made.all,
        input_tokens=read.all,
        output_tokens=made.all,
        input_token_details=RealtimeResponseUsageInputTokenDetails(
            text_tokens=read.text, audio_tokens=read.audio, image_tokens=0, cached_tokens=0
        ),
        output_token_details=RealtimeResponseUsageOutputTokenDetails(text_tokens=made.text, audio_tokens=made.audio),
    )


def _of_item(item: AnyItem) -> Tokens:
    match item:
        case CallItem():
            return of_call(item.call.name, item.call.arguments)
        case OutputItem():
            return of_text(item.output)
        case Item() if item.message() is None:  # it is not read
            return NOTHING
        case Item() if item.spoken and item.audio_ms:
            heard = item.audio_ms if item.heard_ms is None else item.heard_ms
            return Tokens(audio=-(-heard // (USER_MS if item.role == "user" else AGENT_MS)))
    return of_text(item.text or "")
