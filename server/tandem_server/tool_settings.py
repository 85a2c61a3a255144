"""Function tools as clients send them: checked, and made into what a responder may call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tandem_server.errors import ClientError
from tandem_server.stages.protocols import Tool, Tools

MOST_TOOLS: Final = 128
"""As OpenAI's chat endpoints have it, which they may be handed on to."""
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHOICES: Final = ("auto", "none", "required")


def tools_of(tools: Sequence[Mapping[str, Any]], choice: object, *, parallel: bool, where: str) -> Tools:
    """Of the wire form; `none` is no tool, and a named function is that one and no other.

    Raises ClientError, naming the field under `where` ("session" or "response").
    """
    if len(tools) > MOST_TOOLS:
        raise ClientError(f"there may be at most {MOST_TOOLS} tools", code="too_many_tools", param=f"{where}.tools")
    functions = tuple(_tool(tool, f"{where}.tools") for tool in tools)
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ClientError(f"there are two tools called {twice!r}", param=f"{where}.tools")
    if isinstance(choice, Mapping):
        wanted = _chosen(choice, names, f"{where}.tool_choice")
        return Tools(tuple(one for one in functions if one.name == wanted), required=True, parallel=parallel)
    if choice not in CHOICES:
        message = f"tool_choice is one of {', '.join(CHOICES)}, or an object that names a function"
        raise ClientError(message, param=f"{where}.tool_choice")
    if choice == "none":
        return Tools(parallel=parallel)
    return Tools(functions, required=choice == "required" and bool(functions), parallel=parallel)


def _tool(tool: Mapping[str, Any], where: str) -> Tool:
    kind = tool.get("type") or "function"
    if kind != "function":
        message = f"tools of type {kind} are not run here; offer a function, and run it in the client"
        raise ClientError(message, code="unsupported_value", param=where)
    name, description, parameters = tool.get("name"), tool.get("description") or "", tool.get("parameters")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ClientError("a tool's name has 1 to 64 letters, digits, _ and -", param=where)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ClientError(f"the parameters of {name!r} must be a JSON Schema, which is an object", param=where)
    return Tool(name, description, parameters)


def _chosen(choice: Mapping[str, Any], names: Sequence[str], where: str) -> str:
    """The name of the function that must be called."""
    if choice.get("type") != "function":
        message = f"a choice of type {choice.get('type')} cannot be met here; name a function"
        raise ClientError(message, code="unsupported_value", param=where)
    name = str(choice.get("name"))
    if name not in names:
        raise ClientError(f"there is no tool called {name!r} to choose; offer it in `tools`", param=where)
    return name
