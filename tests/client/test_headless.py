"""A conversation by file or by typing, against a scripted server and a clock that jumps: no socket, no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from tandem_client.actions import ReplyEnded, UserText
from tandem_client.dialogue import Dialogue
from tandem_client.errors import ConnectionLost, NoAnswer, ReplyFailed, SettingsRefused
from tandem_client.fakes import JumpingClock, RememberingView, ScriptedServer, ScriptedTransport, Turn
from tandem_client.headless import Headless
from tandem_client.link import Link, Listener
from tandem_client.recording import VirtualLoudspeaker
from tandem_models.signal import WIRE_RATE, Audio

SESSION = {"type": "realtime", "tandem": {"audio_frames": "binary"}}


@dataclass
class Stage:
    """A headless conversation and all that is around it."""

    server: ScriptedServer
    headless: Headless
    view: RememberingView
    clock: JumpingClock

    async def speak(self, seconds: float) -> None:
        audio = np.full(round(seconds * WIRE_RATE), 0.5, np.float32)
        await self.headless.link.run(lambda: self.headless.speak(audio))

    async def type(self, *texts: str) -> None:
        await self.headless.link.run(lambda: self.headless.type(texts))

    def ends(self) -> list[tuple[str, int]]:
        return [(end.status, end.heard_ms) for end in self.headless.link.replies]

    def sides(self, folder: Path) -> tuple[Audio, Audio]:
        self.headless.save(folder / "out.wav")
        stereo, _ = sf.read(folder / "out.wav", dtype="float32")
        return stereo[:, 0], stereo[:, 1]


def stage(*turns: Turn, fast: bool = False, patience: float = 30.0, **faults: Any) -> Stage:
    server, view, clock = ScriptedServer(turns, **faults), RememberingView(), JumpingClock()

    def join(player: VirtualLoudspeaker, listeners: Sequence[Listener]) -> Link:
        return Link(ScriptedTransport(server), Dialogue(SESSION), player, view, clock=clock, listeners=listeners)

    return Stage(server, Headless(join, clock, patience, fast=fast), view, clock)


def heard_at(right: Audio) -> tuple[int, int]:
    """First and last millisecond at which the agent is heard."""
    sounding = np.flatnonzero(right)
    return int(sounding[0]) // 24, (int(sounding[-1]) + 1) // 24


def truncations(server: ScriptedServer) -> list[int]:
    return [event["audio_end_ms"] for event in server.received if event["type"] == "conversation.item.truncate"]


async def test_a_spoken_turn_is_answered_and_recorded_on_one_clock(tmp_path: Path) -> None:
    scene = stage(Turn(200, 1000, said="hi", reply_ms=700))
    await scene.speak(0.9)
    left, right = scene.sides(tmp_path)
    assert scene.ends() == [("completed", 700)]
    assert np.flatnonzero(left)[-1] + 1 == round(0.9 * WIRE_RATE)
    assert heard_at(right) == (980, 1680), "from the block that was being sent when the turn ended at 1000 ms"
    assert UserText("user_1", "hi", final=True) in scene.view.shown


async def test_the_file_is_paced_in_real_time() -> None:
    scene = stage(Turn(200, 1000, reply_ms=700))
    await scene.speak(0.9)
    assert scene.clock.now() == pytest.approx(1.9, abs=0.02), "the file and a second of silence"
    assert scene.server.heard == pytest.approx(scene.clock.now() * WIRE_RATE)


async def test_silence_goes_on_until_the_reply_has_been_played() -> None:
    scene = stage(Turn(200, 1000, reply_ms=5000))
    await scene.speak(0.9)
    assert scene.clock.now() == pytest.approx(6.0, abs=0.03)


async def test_several_turns_get_their_replies() -> None:
    scene = stage(Turn(0, 1000, reply_ms=500), Turn(2000, 3000, reply_ms=400), Turn(4000, 5000, reply_ms=300))
    await scene.speak(4.9)
    assert scene.ends() == [("completed", 500), ("completed", 400), ("completed", 300)]
    assert truncations(scene.server) == []


async def test_a_user_who_speaks_into_the_reply_cuts_it_off_and_gets_another(tmp_path: Path) -> None:
    scene = stage(Turn(0, 1000, reply_ms=5000), Turn(2000, 3000, reply_ms=400))
    await scene.speak(2.9)
    (status, heard), last = scene.ends()
    _, right = scene.sides(tmp_path)
    assert (status, last) == ("interrupted", ("completed", 400))
    assert heard == pytest.approx(1000, abs=20), "from 1000 to 2000 ms"
    assert truncations(scene.server) == [heard]
    assert np.count_nonzero(right) == (heard + 400) * 24, "what was flushed is not in the recording"


async def test_no_answer_is_waited_for_and_then_said() -> None:
    scene = stage(Turn(200, 1000, status="none"), patience=5.0)
    with pytest.raises(NoAnswer, match=r"within 5 s .*did not begin to speak"):
        await scene.speak(0.9)
    assert scene.clock.now() == pytest.approx(0.9 + 1.0 + 5.0, abs=0.1)


async def test_any_news_of_the_server_keeps_up_hope() -> None:
    scene = stage(Turn(2500, 4500, reply_ms=300), patience=2.5)  # which began at 1.9, and again at 2.5
    await scene.speak(0.9)
    assert scene.ends() == [("completed", 300)]


async def test_a_file_in_which_nothing_is_heard_is_told_from_a_server_that_thinks() -> None:
    with pytest.raises(NoAnswer, match="heard no speech"):
        await stage(patience=1.0).speak(0.5)


async def test_a_last_turn_without_an_answer_is_not_hidden_by_an_earlier_one() -> None:
    scene = stage(Turn(0, 1000), Turn(2000, 3000, status="none"), patience=5.0)
    with pytest.raises(NoAnswer):
        await scene.speak(2.9)


async def test_a_long_reply_is_not_taken_for_silence() -> None:
    scene = stage(Turn(0, 1000, reply_ms=20_000), patience=2.0)
    await scene.speak(0.9)
    assert scene.ends() == [("completed", 20_000)]


async def test_a_failed_reply_is_an_error_with_its_reason() -> None:
    with pytest.raises(ReplyFailed, match="the voice broke"):
        await stage(Turn(0, 1000, status="failed")).speak(0.9)


async def test_a_connection_lost_in_the_middle_ends_it_and_leaves_a_recording(tmp_path: Path) -> None:
    scene = stage(Turn(0, 500, reply_ms=300), lost_at_ms=900)
    with pytest.raises(ConnectionLost):
        await scene.speak(3.0)
    left, right = scene.sides(tmp_path)
    assert len(left) == 880 * 24 and np.count_nonzero(right) == 300 * 24


async def test_settings_that_the_server_refuses_end_it() -> None:
    with pytest.raises(SettingsRefused, match="no such strategy"):
        await stage(refuses="no such strategy").speak(0.5)


async def test_fast_takes_no_time_and_places_the_reply_at_the_end_of_its_turn(tmp_path: Path) -> None:
    scene = stage(Turn(200, 1000, reply_ms=700), fast=True)
    await scene.speak(60.0)
    _, right = scene.sides(tmp_path)
    assert scene.clock.now() == 0.0
    assert heard_at(right) == (1000, 1700)


async def test_fast_goes_on_in_real_time_when_the_server_needs_more_silence(tmp_path: Path) -> None:
    scene = stage(Turn(200, 5000, reply_ms=700), fast=True)
    await scene.speak(1.0)
    assert scene.clock.now() == pytest.approx(5.0 - 2.0, abs=0.05)
    assert heard_at(scene.sides(tmp_path)[1]) == (5000, 5700)


async def test_typed_turns_are_answered_one_after_another(tmp_path: Path) -> None:
    scene = stage(fast=True)
    await scene.type("one", "two")
    kinds = [event["type"] for event in scene.server.received]
    assert kinds == ["session.update"] + 2 * ["conversation.item.create", "response.create"]
    assert scene.ends() == [("completed", 500), ("completed", 500)]
    assert heard_at(scene.sides(tmp_path)[1]) == (0, 1000)
    ended = [index for index, action in enumerate(scene.view.shown) if isinstance(action, ReplyEnded)]
    assert len(ended) == 2


async def test_a_typed_turn_without_an_answer_is_given_up() -> None:
    scene = stage(fast=True, patience=3.0, deaf_to_text=True)
    with pytest.raises(NoAnswer, match="typed turn within 3 s"):
        await scene.type("hello")
