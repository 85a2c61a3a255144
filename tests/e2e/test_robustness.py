"""Callers that break the rules, the connection or the server's helpers. Whatever they do: a clear error or a clean
close, another conversation that runs alongside gets its reply, and nothing is held on to afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tandem_server.contract import AudioFrame

from .cutting import reset
from .raw_bytes import HANDSHAKE
from .serving import FAKES, UNWANTED, Served, Usage, eventually, serving, workers
from .talking import CHUNK, SILENCE, Caller, Event, calling, encoded, tone

TEXT = "This is quite a long answer to what you have said. It has two sentences, so there is enough to be cut off."
SLACK = 4
"""Files that a pool of database connections may open late."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("robust"), **{**FAKES, "response": f"fake:{TEXT}"}, max_sessions=64) as served:
        asyncio.run(warm_up(served))
        yield served


@pytest.fixture(scope="module")
def sphinx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With real recogniser processes."""
    with serving(tmp_path_factory.mktemp("sphinx"), **{**FAKES, "asr": "pocketsphinx"}) as served:
        asyncio.run(warm_up(served))
        yield served


async def warm_up(served: Served) -> None:
    """Have everything open that is opened on first use."""

    async def one() -> None:
        async with calling(served.realtime) as caller:
            await caller.turn(tone(0.5))

    await asyncio.gather(*(one() for _ in range(6)))


@pytest.fixture(scope="module", autouse=True)
def mute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[tuple[Usage, ...]]]:
    """A caller who never reads, at a server of its own. It takes half a minute until it is let go, so it is begun here
    and looked at in the end."""
    with (
        serving(tmp_path_factory.mktemp("mute"), **FAKES) as served,
        ThreadPoolExecutor(1) as pool,
    ):
        yield pool.submit(never_read, served)


class Watch:
    """A conversation alongside, and what the server held before."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.before = served.usage()
        self.log = len(served.log)

    async def ended_well(self) -> None:
        served = self.served
        async with calling(served.realtime) as next_one:
            assert (await next_one.turn(tone(0.6)))["response"]["status"] == "completed"
        allowed = Usage(0, self.before.files + SLACK, self.before.processes, 0)
        assert served.rests(allowed), (self.before, served.usage())
        assert not [word for word in UNWANTED if word in served.log[self.log :]], served.log[self.log :]


@pytest.fixture
async def undisturbed(server: Served) -> AsyncIterator[Watch]:
    """Before, during and after a test with the fakes' server: another caller is in and gets its reply."""
    watch = Watch(server)
    async with calling(server.realtime) as bystander:
        yield watch
        assert (await bystander.turn(tone(0.6)))["response"]["status"] == "completed"
        assert not bystander.of("error")
    await watch.ended_well()


async def closed(caller: Caller, within: float = 30.0) -> tuple[int, str]:
    """Read to the end: the close code and reason."""
    with pytest.raises(ConnectionClosed) as ended:
        await caller.until("never", within=within)
    frame = ended.value.rcvd
    return (frame.code, frame.reason) if frame is not None else (1006, "")


async def answered(caller: Caller) -> Event:
    """The session goes on: a mistake with a name is answered by name."""
    name = f"probe-{len(caller.events)}"
    await caller.send("conversation.item.retrieve", item_id="nothing", event_id=name)
    while True:
        event = await caller.until("error")
        if event["error"].get("event_id") == name:
            assert event["error"]["code"] == "item_not_found"
            return event


# --- bytes that are no protocol -------------------------------------------------------------------------------------


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A WebSocket frame by hand (RFC 6455, 5.2); payloads below 126 bytes."""
    head = bytes([opcode | (0x80 if final else 0), len(payload) | (0x80 if masked else 0)])
    return head + (bytes(4) if masked else b"") + payload


BROKEN = {
    "noise": os.urandom(5000),
    "noise after a request line": b"GET / HTTP/1.1\r\n" + os.urandom(3000),
    "an endless header": b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000,
    "half a handshake": HANDSHAKE[:-2],
    "noise after the handshake": HANDSHAKE + os.urandom(5000),
    "an unmasked frame": HANDSHAKE + frame(1, b"{}", masked=False),
    "a reserved opcode": HANDSHAKE + frame(3, b"{}"),
    "text that is no UTF-8": HANDSHAKE + frame(1, b"\xff\xfe\xfd"),
    "half a message": HANDSHAKE + frame(1, b"{", final=False),
    "a continuation of nothing": HANDSHAKE + frame(0, b"{}"),
    "a length that never comes": HANDSHAKE + b"\x81\xff\x00\x00\x00\x00\x00\xff\xff\xff" + bytes(4) + b"x" * 100,
    "a length beyond all bounds": HANDSHAKE + b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4),
    "a close frame of one byte": HANDSHAKE + frame(8, b"x"),
}


async def test_bytes_that_are_no_protocol(undisturbed: Watch) -> None:
    for sent in BROKEN.values():
        reader, writer = await asyncio.open_connection("127.0.0.1", undisturbed.served.port)
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(10.0):  # it may answer or not, but it hangs up
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    pass
        writer.transport.abort()


async def test_a_handshake_that_stalls_is_dropped_and_one_that_is_whole_is_not(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES, request_seconds=0.3) as served:
        async with calling(served.realtime) as caller, asyncio.timeout(30.0):
            for sent in (b"", HANDSHAKE[:-2]):
                reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
                writer.write(sent)  # and no end of the stream
                assert b"408" in await reader.readline()
                writer.transport.abort()
            assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


# --- messages that make no sense -------------------------------------------------------------------------------------


SENSELESS = (
    ("", "invalid_json"),
    ("{", "invalid_json"),
    ("null", "invalid_json"),
    ("[]", "invalid_json"),
    ('"session.update"', "invalid_json"),
    ("{}", "missing_required_parameter"),
    ('{"type": null}', "unknown_event_type"),
    ('{"type": "response.created"}', "unknown_event_type"),
    ('{"type": "session.update"}', "missing_required_parameter"),
    ('{"type": "session.update", "session": {}}', ""),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
    ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_value"),
    ("[" * 100_000, "invalid_json"),
    ('{"a":' * 50_000, "invalid_json"),
    ('{"type": "\\ud800"}', "invalid_json"),
    ("\x00", "invalid_json"),
)


async def test_message_that_makes_no_sense_is_an_error(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for message, code in SENSELESS:
            await caller.socket.send(message)
            event = await caller.until("error")
            assert event["error"]["type"] == "invalid_request_error"
            assert event["error"]["message"]
            assert code in event["error"]["code"], message
        await answered(caller)


async def test_message_at_fault_is_named(undisturbed: Watch) -> None:
    wrong: list[Event] = [
        {"type": "input_audio_buffer.append", "audio": "%%%"},
        {"type": "input_audio_buffer.append", "audio": 5},
        {"type": "input_audio_buffer.commit"},
        {"type": "session.update", "session": {"type": "realtime", "tandem": {"strength": 9}}},
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": "loud"}},
        {"type": "conversation.item.delete"},
        {"type": "response.create", "response": {"conversation": "nowhere"}},
        {"type": "nonsense"},
    ]
    async with calling(undisturbed.served.realtime) as caller:
        for number, message in enumerate(wrong):
            await caller.socket.send(json.dumps({**message, "event_id": f"mine-{number}"}))
            event = await caller.until("error")
            assert event["error"]["event_id"] == f"mine-{number}", message


NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999")
NUMBERED = (
    '"tandem": {"strength": %s}',
    '"audio": {"output": {"speed": %s}}',
    '"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": %s}}}',
    '"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": %s}}}',
    '"max_output_tokens": %s',
    '"metadata": %s',
)


async def test_number_that_is_none_never_comes_back(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for session, number in itertools.product(NUMBERED, NOT_NUMBERS):
            update = session % number
            await caller.socket.send(f'{{"type": "session.update", "session": {{"type": "realtime", {update}}}}}')
            await caller.until("session.updated", "error")
            now = json.dumps(await caller.update(instructions=update))
            assert "NaN" not in now.replace(json.dumps(update), "")
            assert "Infinity" not in now.replace(json.dumps(update), "")
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


async def test_nonsense_without_end_is_shown_the_door(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for _ in range(400):
            try:
                await caller.socket.send("nonsense")
            except ConnectionClosed:
                break
        code, reason = await closed(caller)
    assert code == 1008
    assert "made no sense" in reason


# --- audio that is none ----------------------------------------------------------------------------------------------


NO_AUDIO = ("A", "AAA", "AA==", "AAAA=", "A A A A", "AAAA\n", "-_-_", "\u00e9\u00e9\u00e9\u00e9", encoded(b"abc"))
INPUT = AudioFrame("input", 0, 0.0, b"ab").encode()
NO_FRAMES = (
    b"",
    b"\x01",
    INPUT + b"c",
    AudioFrame("output", 0, 0.0, b"ab").encode(),
    b"\x01\x02" + INPUT[2:],
    b"\x09" + INPUT[1:],
    os.urandom(333),
)


async def test_audio_that_is_none_is_an_error(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for audio in NO_AUDIO:
            await caller.send("input_audio_buffer.append", audio=audio, event_id="mine")
            event = await caller.until("error")
            assert event["error"]["code"] == "invalid_audio"
            assert event["error"]["event_id"] == "mine"
        for message in NO_FRAMES:
            await caller.socket.send(message)
            assert (await caller.until("error"))["error"]["code"] == "invalid_audio_frame"
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


async def test_audio_without_samples_changes_nothing(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for _ in range(50):
            await caller.send("input_audio_buffer.append", audio="")
            await caller.socket.send(AudioFrame("input", 1, float("nan"), b"").encode())
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"
        assert not caller.of("error")


async def test_audio_comes_in_pieces_of_any_size(undisturbed: Watch) -> None:
    dice = random.Random(4)
    speech = tone(0.8) + SILENCE
    async with calling(undisturbed.served.realtime) as caller:
        while speech:
            cut = 2 * dice.choice([1, 2, 3, 100, 511, 513, 4000])
            piece, speech = speech[:cut], speech[cut:]
            if dice.random() < 0.5:
                await caller.send("input_audio_buffer.append", audio=encoded(piece))
            else:
                await caller.socket.send(AudioFrame("input", 0, 0.0, piece).encode())
        assert (await caller.until("response.done"))["response"]["status"] == "completed"


async def test_message_beyond_the_limit_closes_with_its_code(undisturbed: Watch) -> None:
    size = 17 * 2**20
    for message in ("x" * size, bytes(size)):
        async with calling(undisturbed.served.realtime) as caller:
            with contextlib.suppress(ConnectionClosed):
                await caller.socket.send(message)
            code, _ = await closed(caller)
        assert code == 1009


# --- too much of it --------------------------------------------------------------------------------------------------


async def test_minute_of_audio_at_once(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        await caller.send("input_audio_buffer.append", audio=encoded(tone(58.0) + SILENCE))
        assert (await caller.until("response.done"))["response"]["status"] == "completed"
        assert len(caller.of("input_audio_buffer.committed")) == 1


async def test_turn_without_end_is_ended(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        await caller.hear(tone(61.0))
        assert await caller.until("input_audio_buffer.committed")
        await caller.until("response.done")


async def test_as_much_audio_as_a_message_holds(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        await caller.send("input_audio_buffer.append", audio=encoded(bytes(11 * 2**20)))
        await answered(caller)
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


async def test_thousands_of_settings(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:

        async def ask() -> None:
            for number in range(5000):
                await caller.send("session.update", session={"type": "realtime", "instructions": f"number {number}"})

        asking = asyncio.create_task(ask())
        last = ""
        while last != "number 4999":
            last = (await caller.until("session.updated"))["session"]["instructions"]
        await asking
        assert len(caller.of("session.updated")) == 5000


async def test_settings_do_not_pile_up(undisturbed: Watch) -> None:
    """Fields that nobody knows are not kept for as long as the session lasts."""
    async with calling(undisturbed.served.realtime) as caller:
        for number in range(20):
            nonsense = {f"x{number}": "y" * 2**20}
            await caller.send("session.update", session={"type": "realtime", **nonsense})
            await caller.send("session.update", session={"type": "realtime", "audio": {"input": nonsense}})
        await caller.send("session.update", session={"type": "realtime", "instructions": "the last"})
        while (event := await caller.until("session.updated"))["session"]["instructions"] != "the last":
            pass
        assert len(json.dumps(event)) < 2**16


async def test_thousands_of_items(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:

        async def ask() -> None:
            part = {"type": "input_text", "text": "more"}
            item = {"type": "message", "role": "user", "content": [part]}
            for _ in range(2100):
                await caller.send("conversation.item.create", item=item)

        asking = asyncio.create_task(ask())
        refusal = await caller.until("error")
        assert refusal["error"]["code"] == "too_many_items"
        await asking
        await answered(caller)
        assert len(caller.of("conversation.item.done")) == 2000


async def test_thousands_of_small_messages(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        sample = encoded(bytes(2))
        for _ in range(10_000):
            await caller.send("input_audio_buffer.append", audio=sample)
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


async def test_replies_asked_for_again_and_again(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        for _ in range(100):
            await caller.send("response.create")
            await caller.send("response.cancel")
        await answered(caller)
        while len(caller.of("response.done")) < len(caller.of("response.created")):
            await caller.until("response.done")
        identities = [event["response"]["id"] for event in caller.of("response.done")]
        assert len(identities) == len(set(identities))


async def test_caller_who_reads_may_ask_as_fast_as_it_likes(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        part = {"type": "input_text", "text": "y" * 32_000}
        item = {"id": "big", "type": "message", "role": "user", "content": [part]}
        await caller.send("conversation.item.create", item=item)
        asking = asyncio.create_task(flood(caller, 1000))
        for _ in range(1000):
            await caller.until("conversation.item.retrieved")
        await asking


async def flood(caller: Caller, times: int) -> None:
    """All in one write."""
    retrieve = masked(json.dumps({"type": "conversation.item.retrieve", "item_id": "big"}).encode())
    caller.socket.transport.write(retrieve * times)


async def test_item_that_takes_the_next_name(undisturbed: Watch) -> None:
    """A client may name its items; the server's own names must stay free for its own."""
    async with calling(undisturbed.served.realtime) as caller:
        session = caller.events[0]["session"]["id"].removeprefix("sess_")
        for number in range(1, 6):
            part = {"type": "input_text", "text": "mine"}
            item = {"id": f"item_{session}_{number}", "type": "message", "role": "user", "content": [part]}
            await caller.send("conversation.item.create", item=item)
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"
        assert (await caller.turn(tone(0.5)))["response"]["status"] == "completed"


# --- stalls ----------------------------------------------------------------------------------------------------------


async def test_caller_who_falls_silent_in_mid_turn_is_answered(undisturbed: Watch) -> None:
    async with calling(undisturbed.served.realtime) as caller:
        await caller.hear(tone(1.0))
        assert (await caller.until("response.done"))["response"]["status"] == "completed"


def masked(payload: bytes) -> bytes:
    """A text frame of any length."""
    head = b"\x81" + (
        bytes([0x80 | len(payload)])
        if len(payload) < 126
        else bytes([0x80 | 126]) + struct.pack("!H", len(payload))
        if len(payload) < 2**16
        else bytes([0x80 | 127]) + struct.pack("!Q", len(payload))
    )
    return head + bytes(4) + payload


def never_read(served: Served) -> tuple[Usage, ...]:
    """Ask for more and more and read nothing: what the server holds before, then once it has let go, then after."""
    asyncio.run(warm_up(served))
    before = served.usage()
    part = {"type": "input_text", "text": "y" * 32_000}
    item = {"id": "big", "type": "message", "role": "user", "content": [part]}
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(1.0)
        link.connect(("127.0.0.1", served.port))
        link.sendall(HANDSHAKE)
        link.sendall(masked(json.dumps({"type": "conversation.item.create", "item": item}).encode()))
        assert eventually(lambda: served.usage().sessions == 1)
        with contextlib.suppress(OSError):
            while True:
                link.sendall(masked(b'{"type": "conversation.item.retrieve", "item_id": "big"}') * 20)
        assert eventually(lambda: not served.usage().sessions, within=60.0), "it keeps its place for ever"
        meanwhile = served.usage()
    served.rests(before)
    return before, meanwhile, served.usage()


# --- connections that break ------------------------------------------------------------------------------------------


async def at_once(caller: Caller) -> None:
    """Nothing was said."""


async def while_the_user_speaks(caller: Caller) -> None:
    await caller.hear(tone(0.5))
    await caller.until("input_audio_buffer.speech_started")


async def in_the_pause(caller: Caller) -> None:
    await caller.hear(tone(1.0) + SILENCE[: 2 * CHUNK])
    await caller.until("conversation.item.input_audio_transcription.delta")


async def while_the_turn_is_understood(caller: Caller) -> None:
    await caller.hear(tone(1.0) + SILENCE)
    await caller.until("input_audio_buffer.committed")


async def while_the_reply_is_prepared(caller: Caller) -> None:
    await caller.hear(tone(1.0) + SILENCE)
    await caller.until("response.created")


async def while_the_agent_speaks(caller: Caller) -> None:
    await caller.hear(tone(1.0) + SILENCE)
    await caller.until("response.output_audio.delta")


async def while_audio_is_on_its_way_both_ways(caller: Caller) -> None:
    await while_the_agent_speaks(caller)
    await caller.hear(tone(2.0))


async def just_after(caller: Caller) -> None:
    await caller.turn(tone(1.0))


MOMENTS = (
    at_once,
    while_the_user_speaks,
    in_the_pause,
    while_the_turn_is_understood,
    while_the_reply_is_prepared,
    while_the_agent_speaks,
    while_audio_is_on_its_way_both_ways,
    just_after,
)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
async def test_connection_breaks(undisturbed: Watch, moment: object) -> None:
    served = undisturbed.served
    ids: list[str] = []

    async def one() -> None:
        async with calling(served.realtime) as caller:
            ids.append(caller.events[0]["session"]["id"])
            await moment(caller)  # type: ignore[operator]
            reset(caller.socket)

    await asyncio.gather(*(one() for _ in range(4)))
    said = {while_the_user_speaks, in_the_pause, while_the_turn_is_understood, while_the_reply_is_prepared}
    spoken = {while_the_agent_speaks, while_audio_is_on_its_way_both_ways, just_after}
    for one_id in ids:
        assert eventually(lambda one_id=one_id: ended(served, one_id))  # type: ignore[misc]
        roles = [turn["role"] for turn in served.get(f"/v1/conversations/{one_id}").json()["turns"]]
        if moment in said:
            assert "user" in roles
        if moment in spoken:
            assert roles[0] == "user"
            assert "agent" in roles


def ended(served: Served, conversation: str) -> bool:
    return served.get(f"/v1/conversations/{conversation}").json()["ended_at"] is not None


async def test_connection_breaks_before_anything_is_said(undisturbed: Watch) -> None:
    for size in (0, 10, len(HANDSHAKE) - 1, len(HANDSHAKE)):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", undisturbed.served.port)) as link:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                link.sendall(HANDSHAKE[:size])


async def test_half_of_a_crowd_leaves_at_random(undisturbed: Watch) -> None:
    dice = random.Random(11)

    async def one(number: int) -> str:
        async with calling(undisturbed.served.realtime) as caller:
            if number % 2:
                await dice.choice(MOMENTS)(caller)
                reset(caller.socket)
                return "left"
            return str((await caller.turn(tone(0.7)))["response"]["status"])

    told = await asyncio.gather(*(one(number) for number in range(10)))
    assert told[::2] == ["completed"] * 5


# --- helpers that die ------------------------------------------------------------------------------------------------


async def test_prosody_workers_die_in_mid_turn(undisturbed: Watch) -> None:
    served = undisturbed.served
    for _ in range(2):
        async with calling(served.realtime) as caller, calling(served.realtime) as other:
            await while_the_agent_speaks(other)
            await caller.hear(tone(1.2))
            await caller.until("input_audio_buffer.speech_started")
            for worker in workers(served, "prosody"):
                worker.kill()
            await caller.hear(SILENCE)
            assert (await caller.until("response.done"))["response"]["status"] == "completed"
            assert (await other.until("response.done"))["response"]["status"] == "completed"
            assert not caller.of("error") + other.of("error")
    assert eventually(lambda: len(workers(served, "prosody")) > 0)


async def test_recogniser_dies_in_mid_turn(sphinx_server: Served) -> None:
    watch = Watch(sphinx_server)
    async with calling(sphinx_server.realtime) as bystander:
        own = {one.pid for one in workers(sphinx_server, "pocketsphinx")}
        async with calling(sphinx_server.realtime) as caller:
            await caller.hear(tone(1.0))
            await caller.until("input_audio_buffer.speech_started")
            assert eventually(lambda: len(workers(sphinx_server, "pocketsphinx")) > len(own))
            for worker in workers(sphinx_server, "pocketsphinx"):
                if worker.pid not in own:
                    worker.kill()
            await caller.hear(tone(0.3) + SILENCE)
            failed = await caller.until("conversation.item.input_audio_transcription.failed")
            assert failed["error"]["message"]
            done = await caller.until("response.done")
            assert done["response"]["status"] == "completed"
            assert "went wrong" in done["response"]["output"][0]["content"][0]["transcript"]
            await caller.hear(tone(1.0) + SILENCE)
            await caller.until("conversation.item.input_audio_transcription.completed")
        assert (await bystander.turn(tone(1.0)))["response"]["status"] == "completed"
        assert not bystander.of("conversation.item.input_audio_transcription.failed")
    await watch.ended_well()


async def test_nursery_of_recognisers_dies(sphinx_server: Served) -> None:
    watch = Watch(sphinx_server)
    async with calling(sphinx_server.realtime) as bystander:
        nursery = [
            child
            for child in psutil.Process(sphinx_server.process.pid).children()
            if "pocketsphinx_worker" in " ".join(child.cmdline())
        ]
        assert len(nursery) == 1
        nursery[0].kill()
        assert eventually(lambda: not nursery[0].is_running() or nursery[0].status() == psutil.STATUS_ZOMBIE)
        async with calling(sphinx_server.realtime) as caller:
            await caller.hear(tone(1.0) + SILENCE)
            await caller.until("response.done")
            assert caller.of("conversation.item.input_audio_transcription.completed")
        assert (await bystander.turn(tone(1.0)))["response"]["status"] == "completed"
    await watch.ended_well()


# --- at the end ------------------------------------------------------------------------------------------------------


async def test_memory_does_not_grow(server: Served) -> None:
    """What a conversation held is free when it is over, not only when the collector comes; some fragments stay."""

    async def crowd() -> None:
        async def one(number: int) -> None:
            async with calling(server.realtime) as caller:
                await caller.turn(tone(1.0))
                if number % 2:
                    reset(caller.socket)

        await asyncio.gather(*(one(number) for number in range(8)))

    await crowd()
    before = server.usage().megabytes
    for _ in range(3):
        await crowd()
    assert server.usage().megabytes < before + 10


def test_caller_who_never_reads_is_let_go(mute: Future[tuple[Usage, ...]]) -> None:
    before, meanwhile, after = mute.result(120.0)

    assert meanwhile.megabytes < before.megabytes + 50
    assert after.files <= before.files + SLACK
    assert after.processes == before.processes


async def test_caller_in_the_wrong_place(server: Served) -> None:
    for path in ("/v1/nothing", "/", "/health"):
        with pytest.raises((InvalidStatus, InvalidMessage)):
            async with calling(f"ws://127.0.0.1:{server.port}{path}"):
                pass
    assert server.alive
