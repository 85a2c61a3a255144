"""What an endpoint streams, made into pieces of text and of function calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tandem_server.stages.protocols import CallPiece


@dataclass(slots=True)
class ChatPieces:
    """Of one streamed answer. Reasoning and usage are passed over; servers differ in what they leave out."""

    _calls: list[tuple[object, str]] = field(default_factory=list)
    """(index, id) of each call so far"""

    def of(self, chunk: object) -> list[str | CallPiece]:
        """What is new in a chunk."""
        choices = getattr(chunk, "choices", None) or []
        delta = getattr(choices[0], "delta", None) if choices else None
        content = getattr(delta, "content", None)
        pieces: list[str | CallPiece] = [content] if isinstance(content, str) and content else []
        for call in getattr(delta, "tool_calls", None) or []:
            pieces += self._call(call)
        return pieces

    def _call(self, call: Any) -> list[CallPiece]:
        """A new index or a new id begins another call: some servers count no indices, others repeat no ids."""
        index, name_of_it = getattr(call, "index", None), getattr(call, "id", None)
        function = getattr(call, "function", None)
        name, arguments = getattr(function, "name", None) or "", getattr(function, "arguments", None) or ""
        if not isinstance(name, str) or not isinstance(arguments, str):
            return []
        known = [number for number, (place, _) in enumerate(self._calls) if place == index]
        number = known[-1] if known else None
        if number is None or (name_of_it and self._calls[number][1] not in ("", name_of_it)):
            number = len(self._calls)
            self._calls.append((index, name_of_it or ""))
        return [CallPiece(number, name, arguments)]
