"""A walk through what clients can do, several at once, at a running server: drawn by hypothesis, checked over the wire.

The server is told of the events of `fuzz_events` in any order, of audio, and of connections that end in any way. After
each step nothing that arrived may be wrong (see `WireAudit`); in the end every client that is still in is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, ClassVar, Final

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from . import fuzz_events
from .fuzz_client import Client, Tally
from .serving import FAKES, Served
from .talking import Event

SETTINGS: Final = {**FAKES, "response": 'fake:call look {"n": 1}', "resume_seconds": 2, "max_sessions": 12}
"""Of a server to walk at: it asks for a tool when it is offered one, and waits a moment for who was cut off."""
STEPS: Final = 30
"""Of one walk"""
AT_ONCE: Final = 4
"""Clients"""
ORDINARY: Final[dict[str, Any]] = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1.0},
    },
}
ORDINARY_FLAT: Final[dict[str, Any]] = {
    "type": "realtime",  # else a session of transcription stays one
    "modalities": ["audio", "text"],
    "tools": [],
    "tool_choice": "auto",
    "max_response_output_tokens": "inf",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "turn_detection": {"type": "server_vad"},
}
clients = st.integers(0, AT_ONCE - 1)


class Walk(RuleBasedStateMachine):
    """Made anew for every walk; the server and the tally stay."""

    served: ClassVar[Served]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._clients: list[Client] = []

    # What clients do ----------------------------------------------------------------------------------------------
    @initialize(beta=st.booleans())
    def first(self, beta: bool) -> None:
        """Somebody is in."""
        self._run(self._connect(beta, intent=""))

    @precondition(lambda self: len(self._clients) < AT_ONCE)
    @rule(beta=st.booleans(), intent=st.sampled_from(["", "transcription", "chat"]), prepared=st.booleans())
    def connect(self, beta: bool, intent: str, prepared: bool) -> None:
        """Another client comes, perhaps with a key for a session that was prepared."""
        secret = prepare(self.served) if prepared else None
        self._run(self._connect(beta, intent, secret))

    @rule(who=clients, data=st.data())
    def say(self, who: int, data: st.DataObject) -> None:
        """Well-formed events, one after the other, with ids that exist and ids that do not."""
        client = self._client(who)
        one = fuzz_events.beta if client.beta else fuzz_events.ga
        events = data.draw(st.lists(one, min_size=1, max_size=8))
        self._run(self._say(client, [json.dumps(event) for event in events]))

    @rule(who=clients, sent=st.lists(fuzz_events.nonsense, min_size=1, max_size=4))
    def babble(self, who: int, sent: list[str | bytes]) -> None:
        """What is no event, or hardly one."""
        self._run(self._say(self._client(who), sent))

    @rule(
        who=clients,
        stretches=st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=3),
        binary=st.booleans(),
    )
    def speak(self, who: int, stretches: list[tuple[int, bool]], binary: bool) -> None:
        """Speech and silence."""

        async def spoken(client: Client) -> None:
            for pieces, loud in stretches:
                await client.speak(pieces, loud=loud, binary=binary)

        self._run(spoken(self._client(who)))

    @rule(who=clients)
    def turn(self, who: int) -> None:
        """A whole turn; nobody waits for the answer."""

        async def spoken(client: Client) -> None:
            await client.speak(6, loud=True, binary=False)
            await client.speak(7, loud=False, binary=False)

        self._run(spoken(self._client(who)))

    @rule(who=clients)
    def listen(self, who: int) -> None:
        """Wait until the server has caught up."""
        self._run(self._client(who).listen())

    @rule(who=clients, cut=st.booleans(), counting=st.sampled_from([True, True, False]))
    def come_back(self, who: int, cut: bool, counting: bool) -> None:
        """Go on over another connection, while the last one is there or after it has broken."""

        async def back(client: Client) -> None:
            if cut:
                await client.cut()
            await client.resume(counting=counting)

        self._run(back(self._client(who)))

    @precondition(lambda self: len(self._clients) > 1)
    @rule(who=clients, cut=st.booleans())
    def go(self, who: int, cut: bool) -> None:
        """Leave for good, with or without a word."""
        client = self._client(who)
        self._clients.remove(client)
        self._run(client.cut() if cut else client.leave())

    # What must hold -------------------------------------------------------------------------------------------------
    @invariant()
    def nothing_is_wrong(self) -> None:
        """Neither what was told nor how it ended."""
        for client in self._clients:
            if client.wrong is not None:
                raise client.wrong
        self._clients = [client for client in self._clients if not client.over]

    def teardown(self) -> None:
        """Whoever is in is answered as if nothing had happened."""
        try:
            for client in self._clients:
                self._run(self._answered(client))
                self.nothing_is_wrong()
        finally:
            for client in self._clients:
                self._run(client.cut())
            self._loop.close()

    async def _answered(self, client: Client) -> None:
        await client.listen()
        if client.over or client.wrong is not None:
            return
        if client.beta:
            await client.say("session.update", session=ORDINARY_FLAT)
        else:
            await client.say("session.update", session=ORDINARY)
        await client.say("input_audio_buffer.clear")
        await client.come_to_rest()
        begin = client.place
        await client.speak(8, loud=True, binary=False)
        await client.speak(10, loud=False, binary=False)
        if await client.until(completed, begin) is not None:
            self.tally.answered += 1
        elif client.wrong is None:
            raise AssertionError("the server closed instead of answering")

    # Helpers --------------------------------------------------------------------------------------------------------
    def _run(self, doing: Coroutine[Any, Any, object]) -> None:
        self._loop.run_until_complete(doing)

    def _client(self, number: int) -> Client:
        """One that is in: when all were sent away, somebody comes."""
        if not self._clients:
            self._run(self._connect(number % 2 == 0, intent=""))
        return self._clients[number % len(self._clients)]

    async def _connect(self, beta: bool, intent: str, secret: str | None = None) -> None:
        client = Client(self.served, self.tally, beta=beta)
        query = {"intent": intent} if intent else {}
        assert await client.dial(secret=secret, **query) or client.wrong, "no place, though there should be some"
        self._clients.append(client)

    async def _say(self, client: Client, sent: list[str] | list[str | bytes]) -> None:
        for message in sent:
            whole = fuzz_events.with_ids(message, client.known) if isinstance(message, str) else message
            await client.send(whole)
            await asyncio.sleep(0)


def completed(event: Event) -> bool:
    """A response came to its own end."""
    return event["type"] == "response.done" and bool(event["response"]["status"] == "completed")


def walk(served: Served, tally: Tally, *, walks: int, seed: int) -> None:
    """So many walks at a server, the same for the same seed. Raises AssertionError, with the steps that led there."""

    class Here(Walk):
        pass

    Here.served, Here.tally = served, tally
    run_state_machine_as_test(
        hypothesis_seed(seed)(Here),
        settings=settings(
            max_examples=walks,
            stateful_step_count=STEPS,
            phases=[Phase.generate],  # the server remembers what was sent to it: a shorter walk is another story
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def prepare(served: Served) -> str:
    """A client secret, for the shortest time."""
    body = {"expires_after": {"seconds": 10}, "session": {"type": "realtime", "instructions": "Be brief."}}
    value: str = httpx.post(f"{served.http}/v1/realtime/client_secrets", json=body, timeout=30.0).json()["value"]
    return value
