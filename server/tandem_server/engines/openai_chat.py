"""Responder: any endpoint that speaks OpenAI's chat completions, streamed (OpenAI, llama.cpp, vLLM, Ollama, ...)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tandem_server.engines.chat_messages import chat_messages, chat_tools
from tandem_server.engines.chat_pieces import ChatPieces
from tandem_server.errors import ConfigurationError, EngineError, EngineTimeout
from tandem_server.stages.protocols import NO_TOOLS, CallPiece, Message, Tools

if TYPE_CHECKING:
    from openai import AsyncStream
    from openai.types.chat import ChatCompletionChunk

ATTEMPTS: Final = 2
"""A request that failed before its first word is made once more."""
QUOTED: Final = 200
"""Characters of what the endpoint says about an error"""
STATUS: Final = {
    400: "does not accept the request; check the model's name, and that its context is large enough",
    401: "refuses the API key; set the key of this endpoint",
    403: "does not allow this with your API key; check what the key may do",
    404: "knows no such model or address; check the model's name and the base URL, which mostly ends in /v1",
    422: "does not accept the request; check that it speaks OpenAI's chat completions",
    429: "has had too many requests; wait, or look at the account's limits",
}
"""HTTP status -> what an operator should do about it."""


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """Where to ask and within which bounds. Raises ConfigurationError."""

    model: str
    base_url: str = field(default="https://api.openai.com/v1", repr=False)
    """It may hold a password: people are shown `place`."""
    api_key: str | None = field(default=None, repr=False)
    """None for an endpoint that asks for none."""
    first_word_timeout: float = 10.0
    """Seconds"""
    between_timeout: float = 8.0
    """Seconds from one piece to the next; below the conversation's own deadline for a reply"""
    total_timeout: float = 60.0
    """Seconds of the endpoint's time at each attempt, the listener's not counted"""
    max_messages: int = 40
    max_characters: int = 16_000
    """Of all messages together; the oldest are left out first."""
    max_reply: int = 4_000
    """Characters, about four minutes of speech; what follows is cut off."""
    max_arguments: int = 32_768
    """Characters of all function calls of a reply together; more is an error, since a part of them is no use."""
    temperature: float | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigurationError("the chat model has no name; write openai:MODEL@URL")
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigurationError("the chat endpoint's address must begin with http:// or https://")
        try:
            urlsplit(self.base_url).port  # noqa: B018  raises for an address that is none
        except ValueError:
            raise ConfigurationError("the chat endpoint's address cannot be read; write http://HOST:PORT/v1") from None

    @property
    def place(self) -> str:
        """Scheme, host and port of the endpoint, without what may be secret."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def without_secrets(self, text: str) -> str:
        """What somebody else's server or library said, which may repeat what it was sent."""
        account = urlsplit(self.base_url).netloc.rpartition("@")[0]
        for secret in (self.api_key, account, *account.split(":")):
            text = text.replace(secret, "***") if secret else text
        return text


class OpenAIChat:
    """A Responder over HTTP; closing the iterator of a reply closes its request."""

    def __init__(self, settings: ChatSettings) -> None:
        import openai  # slow to load, and only needed here

        self._openai = openai
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url,
            # The client insists on some key; servers at home take any.
            api_key=settings.api_key or "none",
            max_retries=0,
            timeout=settings.total_timeout,
        )
        self.name = f"openai ({settings.model} at {self._client.base_url.host})"

    async def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str | CallPiece]:
        """Pieces as they arrive, `max_reply` characters of text at most. Raises EngineError, EngineTimeout."""
        length = called = 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with aclosing(self._pieces(messages, tools)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, CallPiece):
                            called += len(piece.name) + len(piece.arguments)
                            if called > self._settings.max_arguments:
                                raise self._error("calls a function with more arguments than fit; is it stuck?")
                            yield piece
                            continue
                        text = piece[: self._settings.max_reply - length]
                        length += len(text)
                        yield text
                        if length >= self._settings.max_reply:
                            return
                if length or called:
                    return
                raise self._error("answered with no text; check that the base URL is a chat endpoint")
            except EngineError:
                raise
            except Exception as error:  # the client's own, and its HTTP library's, which differs between versions
                if length or called or attempt == ATTEMPTS or not self._is_passing(error):
                    raise self._explained(error) from error

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.close()

    async def _pieces(self, messages: Sequence[Message], tools: Tools) -> AsyncGenerator[str | CallPiece, None]:
        """The answer to one request, piece by piece; raises whatever the client raises."""
        clock = asyncio.get_running_loop().time
        left = self._settings.total_timeout
        allowed = min(self._settings.first_word_timeout, left)
        stream: AsyncStream[ChatCompletionChunk] | None = None
        read = ChatPieces()
        try:
            while True:
                start = clock()
                try:
                    async with asyncio.timeout(allowed):
                        stream = stream or await self._request(messages, tools)
                        pieces = await next_pieces(stream, read)
                except TimeoutError as error:
                    raise self._late(allowed) from error
                if not pieces:
                    return
                # Only waiting counts: whoever listens may take his time.
                left -= clock() - start
                allowed = max(min(left, self._settings.between_timeout), 0.0)
                for piece in pieces:
                    yield piece
        finally:
            if stream is not None:
                await stream.close()

    async def _request(self, messages: Sequence[Message], tools: Tools) -> AsyncStream[ChatCompletionChunk]:
        extra = chat_tools(tools)
        if self._settings.temperature is not None:
            extra["temperature"] = self._settings.temperature
        prompt: Any = chat_messages(messages, self._settings.max_messages, self._settings.max_characters)
        stream: AsyncStream[ChatCompletionChunk] = await self._client.chat.completions.create(
            model=self._settings.model, messages=prompt, stream=True, **extra
        )
        return stream

    def _is_passing(self, error: Exception) -> bool:
        """Whether the same request may well succeed a moment later."""
        if isinstance(error, self._openai.APITimeoutError):
            return False
        if isinstance(error, self._openai.APIStatusError):
            return error.status_code >= 500 or error.status_code in (408, 409)
        return isinstance(error, self._openai.APIConnectionError) or not isinstance(error, self._openai.APIError)

    def _explained(self, error: Exception) -> EngineError:
        """The error in plain words."""
        if isinstance(error, self._openai.APITimeoutError):
            return self._late(self._settings.total_timeout)
        if isinstance(error, self._openai.APIStatusError):
            told = STATUS.get(error.status_code, "failed; the fault is there, look at its log")
            # The body of a refusal may repeat the key.
            quoted = "" if error.status_code == 401 else error.message
            return self._error(f"{told} (HTTP {error.status_code})", quoted)
        if isinstance(error, self._openai.APIConnectionError):
            return self._error(f"cannot be reached ({reason(error)}); is it running, and is the base URL right?")
        return self._error(f"broke off its answer ({type(error).__name__}); look at its log", str(error))

    def _error(self, told: str, quoted: str = "") -> EngineError:
        settings = self._settings
        quoted = settings.without_secrets(quoted)[:QUOTED]
        return EngineError(f"the chat endpoint {settings.place} {told}", stage="response", quoted=quoted)

    def _late(self, seconds: float) -> EngineTimeout:
        told = f"did not go on within {seconds:.3g} s; is the model loaded, and fast enough to talk with?"
        return EngineTimeout(f"the chat endpoint {self._settings.place} {told}", stage="response")


def reason(error: BaseException) -> str:
    """Why a connection failed, in the system's words, else by the kind of error: the text of a library's error may
    hold the header or the address it could not use, and with them a key or a password."""
    known, cause = type(error.__cause__ or error).__name__, error.__cause__
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            number = cause.errno or 0  # that of a name which leads nowhere is negative, and no errno
            return os.strerror(number) if number > 0 else cause.strerror
        cause = cause.__cause__ or cause.__context__
    return known


async def next_pieces(stream: AsyncStream[ChatCompletionChunk], read: ChatPieces) -> list[str | CallPiece]:
    """What is in the next chunk that says or calls something; nothing at the end."""
    while (chunk := await anext(stream, None)) is not None:
        if pieces := read.of(chunk):
            return pieces
    return []
