"""The strategy `neural` on a real server: a trained model that follows the voice it hears, and lets go of none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tandem_models.prosody import NAMES

from .serving import FAKES, Served, serving
from .talking import Caller, calling, tone

TURNS = 4
Event = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It is to speak so from the start: the model is there before the first caller."""
    with serving(tmp_path_factory.mktemp("neural"), **FAKES, strategy="neural") as served:
        yield served


async def talk(caller: Caller, pitch: float) -> Event:
    """TURNS turns of a voice of so many Hz: the last target."""
    await caller.update(tandem={"events": True})
    for _ in range(TURNS):
        await caller.turn(tone(1.2, pitch=pitch))
    return caller.of("tandem.agent.target")[-1]


async def test_its_targets_go_with_the_user_and_say_how_sure_they_are(server: Served) -> None:
    targets = []
    for pitch in (90.0, 320.0):
        async with calling(server.realtime) as caller:
            targets.append(await talk(caller, pitch))
            assert caller.of("tandem.user.prosody")[-1]["features"]["pitch_mean"] is not None
    low, high = (target["z"]["pitch_mean"] for target in targets)

    assert high > low + 0.1
    for target in targets:
        assert target["strategy"] == "neural"
        assert all(0.0 < target["spread"][name] < 2.0 for name in NAMES)


async def test_a_user_who_only_types_lets_the_voice_go_home(server: Served) -> None:
    async with calling(server.realtime) as caller:
        before = (await talk(caller, 320.0))["z"]
        for _ in range(2):
            await caller.type("And now I am typing.")
            await caller.send("response.create")
            await caller.until("response.done")
            after = caller.of("tandem.agent.target")[-1]["z"]
            assert all(abs(after[name]) < abs(before[name]) for name in NAMES if before[name])
            before = after


async def test_a_session_may_ask_a_server_for_it_that_was_not_told_to_have_it(fake_server: Served) -> None:
    async with calling(fake_server.realtime) as caller:
        await caller.update(tandem={"strategy": "neural"})
        for _ in range(20):  # until the model is there, which takes a few seconds
            await caller.turn(tone(1.0, pitch=320.0))
            if any(caller.of("tandem.agent.target")[-1]["z"].values()):
                break
        assert any(caller.of("tandem.agent.target")[-1]["z"].values())
        assert not caller.of("error")
