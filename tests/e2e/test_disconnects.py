"""Two hundred clients that are cut off, each in another way and at a random moment: nothing outlives its session."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import sqlite3
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .cutting import network, reset
from .raw_bytes import HANDSHAKE
from .serving import FAKES, UNWANTED, Served, Usage, eventually, serving
from .talking import CHUNK, PATIENCE, SILENCE, Caller, calling, encoded, tone

SLACK: Final = 4
"""Files that a pool of database connections may open late"""
PLACES: Final = 8
AT_ONCE: Final = 8
STORY: Final = " ".join(["This is a sentence of a rather long story."] * 6)
FRAME: Final = b"\x81\xfe\x10\x00" + bytes(4) + b"x" * 100
"""The first bytes of a text message of 4096"""
PIECES: Final = [(tone(1.0) + SILENCE)[begin : begin + CHUNK] for begin in range(0, 4 * 12000 * 2, CHUNK)]


class Calls:
    """What the clients of a test have begun."""

    def __init__(self, served: Served, seed: int) -> None:
        self.served = served
        self.dice = random.Random(seed)
        self.turns: dict[str, int] = {}
        """Session -> user turns that it was told of"""

    async def somewhere(self, caller: Caller) -> None:
        """Say something, and stop at a random moment: before, while or after it is answered."""
        session: str = caller.events[0]["session"]["id"]
        for piece in PIECES[: self.dice.randrange(len(PIECES) + 1)]:
            await caller.send("input_audio_buffer.append", audio=encoded(piece))
        last = self.dice.choice(
            ["", "", "input_audio_buffer.committed", "response.output_audio.delta", "response.done"]
        )
        with contextlib.suppress(TimeoutError):
            while last and (await caller.next(within=1.0))["type"] != last:
                pass
        self.turns[session] = len(caller.of("input_audio_buffer.committed"))


Way = Callable[[Calls], Awaitable[None]]


async def rst(calls: Calls) -> None:
    """Reset, without a word."""
    async with calling(calls.served.realtime) as caller:
        await calls.somewhere(caller)
        reset(caller.socket)


async def fin(calls: Calls) -> None:
    """The end of the stream, without a close frame."""
    async with network(calls.served.port) as net, calling(f"ws://127.0.0.1:{net.port}/v1/realtime") as caller:
        await calls.somewhere(caller)
        await net.wires[0].cut()


async def half_open(calls: Calls) -> None:
    """Nothing goes either way any more, and neither end is told until much later."""
    async with network(calls.served.port) as net, calling(f"ws://127.0.0.1:{net.port}/v1/realtime") as caller:
        await calls.somewhere(caller)
        net.wires[0].stall()
        await comes_back(calls, caller)
        reset(caller.socket)


async def in_mid_frame(calls: Calls) -> None:
    """Of the last message only the beginning was sent."""
    async with calling(calls.served.realtime) as caller:
        await calls.somewhere(caller)
        caller.socket.transport.write(FRAME[: calls.dice.randrange(1, len(FRAME))])
        await asyncio.sleep(0)
        reset(caller.socket)


async def in_the_handshake(calls: Calls) -> None:
    """Before it is complete, or just then."""
    sent = HANDSHAKE[: calls.dice.choice([0, 10, len(HANDSHAKE) - 1, len(HANDSHAKE), len(HANDSHAKE)])]
    _, writer = await asyncio.open_connection("127.0.0.1", calls.served.port)
    writer.write(sent)
    if calls.dice.random() < 0.5:
        linger = struct.pack("ii", 1, 0)
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def and_back(calls: Calls) -> None:
    """Cut off, back, and cut off again."""
    async with calling(calls.served.realtime) as caller:
        await calls.somewhere(caller)
        reset(caller.socket)
        await comes_back(calls, caller)


async def while_the_last_connection_is_there(calls: Calls) -> None:
    """Back before anybody has noticed."""
    async with calling(calls.served.realtime) as caller:
        await calls.somewhere(caller)
        await comes_back(calls, caller)
        reset(caller.socket)


async def twice_at_once(calls: Calls) -> None:
    """Two connections want the same conversation: one of them has it in the end."""
    async with calling(calls.served.realtime) as caller:
        await calls.somewhere(caller)
        if calls.dice.random() < 0.5:
            reset(caller.socket)
        await asyncio.gather(comes_back(calls, caller), comes_back(calls, caller))


WAYS: Final[tuple[Way, ...]] = (
    rst, fin, half_open, in_mid_frame, in_the_handshake, and_back, while_the_last_connection_is_there, twice_at_once,
)  # fmt: skip


async def comes_back(calls: Calls, caller: Caller) -> None:
    """Go on, say something more, and break off again, all at some moment; the conversation may be over by then."""
    session: str = caller.events[0]["session"]["id"]
    try:
        async with calling(f"{calls.served.realtime}?session_id={session}", created=False) as again:
            assert (await again.next())["session"]["id"] == session
            for piece in PIECES[: calls.dice.randrange(len(PIECES))]:
                await again.send("input_audio_buffer.append", audio=encoded(piece))
            reset(again.socket)
    except InvalidStatus as refusal:
        if refusal.response.status_code not in (404, 503):
            raise
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code not in (1000, 1008):
            raise


def counted(served: Served, query: str) -> dict[str, int]:
    """Of the server's database: what the query counts for each conversation."""
    with contextlib.closing(sqlite3.connect(served.database)) as database:
        return dict(database.execute(query).fetchall())


def tasks(served: Served) -> float:
    text = served.get("/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("tandem_event_loop_tasks "))


async def crowd(calls: Calls, count: int) -> None:
    """So many, AT_ONCE at once, every way as often as the others."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(way: Way) -> None:
        async with places, asyncio.timeout(2 * PATIENCE):
            try:
                await way(calls)
            except InvalidStatus as refusal:  # all places are taken, and nobody is away
                if refusal.response.status_code != 503:
                    raise

    await asyncio.gather(*(one(way) for way in itertools.islice(itertools.cycle(WAYS), count)))


async def answered(served: Served) -> None:
    """Somebody new is served as ever."""
    async with calling(served.realtime) as caller:
        assert (await caller.turn(tone(0.6)))["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("patience", "places"), [(0.2, 64), (30, PLACES)], ids=["nobody_is_waited_for", "all_places_are_full"]
)
def test_nothing_outlives_its_session(tmp_path: Path, patience: float, places: int) -> None:
    settings = {**FAKES, "response": f"fake:{STORY}", "resume_seconds": patience, "max_sessions": places}
    with serving(tmp_path, **settings) as served:
        asyncio.run(answered(served))
        assert served.rests(Usage(0, 10**6, 10**6, 0))
        before, tasks_before = served.usage(), tasks(served)
        calls = Calls(served, seed=5)

        asyncio.run(crowd(calls, 100))

        asyncio.run(answered(served))
        assert served.rests(Usage(0, before.files + SLACK, before.processes, 0), within=patience + 20), served.usage()
        assert eventually(lambda: tasks(served) <= tasks_before), tasks(served)
        assert not counted(served, "select id, 1 from conversations where ended_at is null")
        kept = counted(served, "select conversation_id, count(*) from turns where role = 'user' group by 1")
        lost = {session: told for session, told in calls.turns.items() if told > kept.get(session, 0)}
        assert not lost, "turns that were begun are recorded"
        assert not [word for word in UNWANTED if word in served.log], served.log
