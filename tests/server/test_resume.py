"""A conversation whose connection is cut anywhere goes on over another one as if nothing had happened."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tandem_server.contract import AudioFrame, TandemSettings
from tandem_server.deadlines import Deadlines
from tandem_server.engines.fakes import FakeVoice
from tandem_server.equipment import Limits
from tandem_server.line import Message
from tandem_server.routes.sessions import BUSY, ENDING, Held, Sessions

from .callers import SILENCE, SPEECH, Call, Client, Gate

WAITS = Limits(away=60.0)


class Brittle(Client):
    """A client whose connection is cut after it has got so many messages."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.takes = takes

    async def send(self, message: Message) -> None:
        if len(self.messages) >= self.takes and not self.gone:
            self.gone = True
            self.leave()
        await super().send(message)


async def resumed(call: Call, old: Client, new: Client, *, seen: int | None = None) -> asyncio.Task[None]:
    """The client is back; it has read `seen` of the messages it got."""
    got = old.messages if seen is None else old.messages[:seen]
    last = name(got[-1])
    return asyncio.create_task(call.line.resume(new, call.session.greeting(), last))


def name(message: Message) -> str:
    """The event id; a binary frame has the id its event would have."""
    if isinstance(message, bytes):
        return f"event_t_a{AudioFrame.decode(message).sequence}"
    return str(json.loads(message)["event_id"])


async def whole(binary: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """A conversation of one exchange that is not cut: event ids without those of `session.created`, and events."""
    call = Call(tandem=TandemSettings(audio_frames="binary" if binary else "base64", events=True))
    call.client.speak()
    await call.client.until("response.done")
    await call.end()
    return [name(message) for message in call.client.messages], call.client.sent


@pytest.mark.parametrize("binary", [False, True], ids=["base64", "binary"])
async def test_wherever_it_is_cut_every_message_comes_once_and_in_order(binary: bool) -> None:
    expected, _ = await whole(binary)
    for cut in range(2, len(expected) - 1, 5):
        client, back = Brittle(cut), Client()
        call = Call(
            tandem=TandemSettings(audio_frames="binary" if binary else "base64", events=True),
            limits=WAITS,
            client=client,
        )
        client.speak()
        await client.missed.wait()
        unread = cut % 2  # the last message got lost on the way, or was read
        again = await resumed(call, client, back, seen=cut - unread)
        await back.until("response.done")
        await call.line.close(1000, "")
        await asyncio.gather(again, return_exceptions=True)
        await call.over()

        greeting = json.loads(back.messages[0])
        assert (greeting["type"], greeting["session"]["id"]) == ("session.created", "sess_t")
        ids = [name(message) for message in (*client.messages[: cut - unread], *back.messages[1:])]
        assert len(ids) == len(set(ids)), f"said twice when cut after {cut}"
        audio = [one for one in ids if one.startswith("event_t_a")]
        assert audio == [f"event_t_a{number}" for number in range(1, len(audio) + 1)]
        others = {int(one.removeprefix("event_t_")) for one in ids if not one.startswith("event_t_a")}
        others.add(int(greeting["event_id"].removeprefix("event_t_")))
        assert others == set(range(1, max(others) + 1)), f"lost when cut after {cut}"


async def test_a_turn_that_is_cut_in_the_middle_is_heard_whole() -> None:
    call, back = Call(limits=WAITS), Client()
    call.client.speak(SPEECH[: len(SPEECH) // 2])
    await call.client.until("input_audio_buffer.speech_started")
    call.client.leave()
    again = await resumed(call, call.client, back)
    back.speak(SPEECH[len(SPEECH) // 2 :] + SILENCE)
    await back.until("response.done")

    assert len(back.events("input_audio_buffer.committed")) == 1
    assert back.events("conversation.item.input_audio_transcription.completed")[0]["transcript"] == "hello there"
    await call.line.close(1000, "")
    await again
    await call.over()


async def test_a_long_reply_waits_for_who_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of it than is queued is not spoken yet; that is no news of it, and every deadline passes meanwhile."""
    away, arm = asyncio.Event(), Deadlines.arm
    monkeypatch.setattr("tandem_server.outgoing.ROOM_BYTES", 1)
    monkeypatch.setattr(
        Deadlines, "arm", lambda self, name, seconds: arm(self, name, 0.0 if away.is_set() else seconds)
    )
    gate, back = Gate(), Client()
    call = Call(limits=WAITS, voice=FakeVoice(pause=gate))
    call.client.speak()
    await gate.waiting.wait()
    call.client.leave()
    away.set()
    gate.open()
    for _ in range(50):  # until all that can happen has happened
        await asyncio.sleep(0)
    away.clear()
    again = await resumed(call, call.client, back)

    done = await back.until("response.done")
    assert (done["response"]["status"], back.events("error")) == ("completed", [])
    assert done["response"]["output"][0]["content"][0]["transcript"] == "Nice to hear you. Go on."
    await call.line.close(1000, "")
    await asyncio.gather(again, return_exceptions=True)
    await call.over()


async def test_a_client_that_never_comes_back_is_waited_for_no_longer_than_said() -> None:
    call = Call(limits=Limits(away=0.01))
    call.client.speak()
    await call.client.until("response.done")
    await call.end()
    assert len(await call.turns()) == 2


async def test_who_is_away_keeps_a_place_until_somebody_needs_it() -> None:
    sessions = Sessions(2)
    calls = [Call(limits=WAITS, session_id=f"sess_{number}") for number in range(3)]
    first, second, third = (Held(call.session, call.line) for call in calls)
    sessions.enter("a", first)
    assert sessions.closed is None
    sessions.enter("b", second)
    assert sessions.closed is BUSY
    await asyncio.gather(*(call.client.until("session.created") for call in calls))

    calls[0].client.leave()
    for _ in range(20):  # until the session has noticed
        await asyncio.sleep(0)
    assert (sessions.count, sessions.away, sessions.find("a")) == (2, 1, first)
    assert sessions.closed is None
    sessions.enter("c", third)
    assert sessions.find("a") is None
    await asyncio.wait([calls[0].task])

    sessions.draining = True
    assert sessions.closed is ENDING
    assert sessions.find("b") is second  # who is in may finish
    sessions.give_up()
    assert sessions.find("b") is None
    for call in calls[1:]:
        call.client.leave()
    await asyncio.wait([call.task for call in calls])
    await calls[0].over()


async def test_who_has_been_away_for_longest_gives_way_whoever_came_first() -> None:
    sessions = Sessions(3)
    calls = [Call(limits=WAITS, session_id=f"sess_{number}") for number in range(4)]
    for name, call in zip("abc", calls, strict=False):
        sessions.enter(name, Held(call.session, call.line))
    await asyncio.gather(*(call.client.until("session.created") for call in calls))
    for number in (1, 0):
        calls[number].client.leave()
        for _ in range(20):  # until the session has noticed
            await asyncio.sleep(0)
    assert sessions.away == 2

    sessions.enter("d", Held(calls[3].session, calls[3].line))
    assert sessions.find("b") is None
    assert sessions.find("a") is not None
    sessions.give_up()
    for call in calls[2:]:
        call.client.leave()
    await asyncio.wait([call.task for call in calls])
    await calls[0].over()
