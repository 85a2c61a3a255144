"""Who decides a session's strategy: a plan over its client, and a donor that was found over none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tandem_models.prosody import NAMES
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import DonorLoaded, KeepSettings, LoadDonor, LoadSpeaker, SpeakerLoaded
from tandem_server.donors import LEAST, find_donor
from tandem_server.experiment import Plan, parse_plan
from tandem_server.predictor_events import LoadPredictor, PredictorLoaded
from tandem_server.record.memory import MemoryStore

from .callers import Call
from .driver import Driver, errors, everywhere
from .record.examples import conversation, turn

CONDITIONS: dict[str, dict[str, Any]] = {
    "follow": {"strategy": "match", "strength": 0.5},
    "yoked": {"strategy": "yoked"},
}
PEOPLE = ["ada", "ben"]


def plan(**changes: object) -> Plan:
    fields = {"name": "pilot", "design": "within", "conditions": CONDITIONS, "participants": PEOPLE, "seed": 3}
    return parse_plan(json.dumps({**fields, **changes}), "plan.json")


def strategies(driver: Driver) -> list[str]:
    """Of the agent's turns as they were recorded."""
    return [one.strategy for one in driver.records().values() if one.role == "agent"]


# A plan ---------------------------------------------------------------------------------------------------------------
def test_a_participant_who_says_who_they_are_is_put_under_their_condition_and_it_is_kept() -> None:
    made = plan()
    for earlier, condition in enumerate(made.order("ada")):
        driver = Driver(plan=made)
        driver.update(tandem={"user_id": "ada"})
        assert driver.take(LoadSpeaker) == LoadSpeaker("ada", "pilot")
        driver.tell(SpeakerLoaded("ada", None, earlier))
        shown = driver.events("session.updated")[-1]["session"]["tandem"]
        assert shown["assignment"] == {"plan": "pilot", "condition": condition, "session": earlier + 1}
        assert shown["strategy"] == CONDITIONS[condition]["strategy"]
        assert len(driver.all(KeepSettings)) == 2
        driver.settle()
        driver.speak_turn()
        driver.settle()
        assert strategies(driver) == [CONDITIONS[condition]["strategy"]]


@pytest.mark.parametrize("change", [{"strategy": "anti"}, {"strength": 0.1}, {"features": ["rate"]}, {"seed": 9}])
def test_under_a_plan_its_client_decides_none_of_what_it_decides(change: dict[str, object]) -> None:
    driver = Driver(plan=plan())
    assert errors(driver.update(tandem={**change, "user_id": "ada"})) == ["decided_by_plan"]
    assert driver.events("error")[0]["error"]["message"].startswith("the experiment plan 'pilot' decides")
    assert errors(driver.update(instructions="Be kind.", tandem={"speculate": False})) == []


def test_a_stranger_to_the_plan_is_refused_by_name() -> None:
    driver = Driver(plan=plan())
    assert errors(driver.update(tandem={"user_id": "eve"})) == ["not_a_participant"]
    assert not driver.all(LoadSpeaker)


def test_nobody_can_put_themselves_under_a_condition() -> None:
    driver = Driver()
    assignment = {"plan": "pilot", "condition": "follow", "session": 1}
    driver.update(tandem={"assignment": assignment})
    assert driver.events("session.updated")[-1]["session"]["tandem"]["assignment"] is None


async def test_the_next_conversation_of_a_participant_is_under_their_next_condition() -> None:
    store, made = MemoryStore(), plan()
    for number, condition in enumerate(made.order("ben")):
        call = Call(store=store, plan=made, session_id=f"sess_{number}")
        await call.client.until("session.created")
        session = {"type": "realtime", "tandem": {"user_id": "ben"}}
        call.client.say({"type": "session.update", "session": session})
        await call.client.until("session.updated", 2)
        call.client.speak()
        await call.client.until("response.done")
        await call.end()
        kept = await store.conversation(f"sess_{number}")
        assert kept is not None
        assert kept.settings["tandem"]["assignment"]["condition"] == condition  # type: ignore[index]


# A donor --------------------------------------------------------------------------------------------------------------
def test_yoked_speaks_as_the_donor_was_asked_to_and_says_whose_targets_they_were() -> None:
    driver = Driver()
    driver.update(tandem={"strategy": "yoked", "user_id": "ada", "seed": 4})
    assert driver.all(LoadDonor) == [LoadDonor(None, "ada", 4)]
    driver.settle()
    for _ in range(3):
        driver.speak_turn()
        driver.settle()
    targets = [event["z"]["rate"] for event in driver.events("tandem.agent.target")]
    assert targets == [0.5, -0.25, 0.5]
    kept = [one.strategy_settings["donor"] for one in driver.records().values() if one.role == "agent"]
    assert kept == ["sess_d"] * 3


def test_a_donor_that_was_found_stays_unless_another_is_named() -> None:
    driver = Driver(TandemSettings(strategy="yoked"))
    driver.settle()
    driver.update(tandem={"strength": 0.5})
    driver.update(tandem={"donor": "sess_d"})
    assert len(driver.all(LoadDonor)) == 1
    driver.update(tandem={"donor": "sess_e"})
    assert driver.all(LoadDonor)[1:] == [LoadDonor("sess_e", None, 0)]


def test_without_a_donor_the_client_is_told_and_the_voice_is_at_its_normal() -> None:
    driver = Driver(TandemSettings(strategy="yoked"))
    driver.take(LoadDonor)
    assert errors(driver.tell(DonorLoaded(None, (), "record one first"))) == ["donor_not_found"]
    driver.speak_turn()
    driver.settle()
    assert set(driver.events("tandem.agent.target")[0]["z"].values()) == {0.0}


# A learned strategy ---------------------------------------------------------------------------------------------------
def test_neural_is_loaded_when_it_is_asked_for_and_kept() -> None:
    driver = Driver()
    assert not driver.all(LoadPredictor)
    driver.update(tandem={"strategy": "neural"})
    driver.settle()
    driver.update(tandem={"strategy": "match"})
    driver.update(tandem={"strategy": "neural"})
    assert driver.all(LoadPredictor) == [LoadPredictor()]


def test_neural_reads_the_first_words_says_how_sure_it_is_and_moves_less_for_that() -> None:
    """Three words are 0.3 more. A spread of 0.5 leaves 1 / (1 + 0.25) = 0.8 of the wish; tanh within 2.5, 0.75 a
    turn."""
    driver = Driver(TandemSettings(strategy="neural"))
    driver.reply = "I hear you. Tell me a lot more."
    driver.settle()
    driver.speak_turn()
    driver.settle()
    target, level = driver.events("tandem.agent.target")[0], driver.events("tandem.user.prosody")[-1]["level"]
    wanted = 0.8 * (level["pitch_mean"] + 0.3)
    assert target["z"]["rate"] == pytest.approx(min(2.5 * math.tanh(wanted / 2.5), 0.75), abs=1e-3)
    assert target["z"]["rate"] != pytest.approx(2.5 * math.tanh(0.8 * level["pitch_mean"] / 2.5), abs=0.1)
    assert set(target["spread"].values()) == {0.5}
    assert [one.strategy_settings["model"] for one in driver.records().values() if one.role == "agent"] == ["taught"]


def test_neural_that_cannot_be_had_is_said_to_be_and_the_session_is_neutral() -> None:
    driver = Driver()
    driver.update(tandem={"strategy": "neural", "strength": 0.5})
    driver.take(LoadPredictor)
    effects = driver.tell(PredictorLoaded(None, "no torch here"))
    assert errors(effects) == ["strategy_not_available"]
    tandem = driver.events("session.updated")[-1]["session"]["tandem"]
    assert (tandem["strategy"], tandem["strength"]) == ("neutral", 0.5)
    assert driver.all(KeepSettings)[-1] in effects


def test_until_neural_is_there_the_voice_stays_at_its_normal() -> None:
    driver = Driver(TandemSettings(strategy="neural"))
    waits = driver.take(LoadPredictor)
    driver.speak_turn()
    driver.settle()
    driver.answer_one(waits)
    driver.speak_turn()
    driver.settle()
    first, second = driver.events("tandem.agent.target")
    assert set(first["z"].values()) == {0.0}
    assert set(second["z"].values()) != {0.0}
    models = [one.strategy_settings["model"] for one in driver.records().values() if one.role == "agent"]
    assert models == [None, "taught"]


def test_a_condition_of_a_plan_may_be_neural() -> None:
    driver = Driver(plan=plan(conditions={"learned": {"strategy": "neural"}, "also": {"strategy": "neural"}}))
    driver.update(tandem={"user_id": "ada"})
    driver.answer(LoadSpeaker, LoadPredictor)
    assert driver.events("session.updated")[-1]["session"]["tandem"]["strategy"] == "neural"


async def recorded(*strategies: str, replies: int = LEAST) -> MemoryStore:
    """A conversation of another user for each strategy: c0, c1 ..."""
    store = MemoryStore()
    for number, strategy in enumerate(strategies):
        await store.open_conversation(replace(conversation(f"c{number}", number), user_id=f"u{number}"))
        for index in range(replies):
            target = dict.fromkeys(NAMES, index / 10)
            agents = replace(turn(index, f"c{number}"), role="agent", target_z=target, strategy=strategy)
            await store.record_turn(agents)
    return store


async def test_a_donor_is_another_users_who_was_followed_and_the_seed_says_which() -> None:
    store = await recorded("match", "neutral", "rule", "yoked", "anti", "match")
    drawn = {seed: await find_donor(store, LoadDonor(None, "u0", seed), "here") for seed in range(30)}
    assert {one.donor for one in drawn.values()} == {"c2", "c4", "c5"}
    assert drawn[7] == await find_donor(store, LoadDonor(None, "u0", 7), "here")
    assert drawn[7].targets == tuple(everywhere(index / 10) for index in range(LEAST))


async def test_a_conversation_is_no_donor_of_itself_nor_one_with_few_replies() -> None:
    store = await recorded("match")
    assert (await find_donor(store, LoadDonor(None, "u9", 0), "c0")).donor is None
    few = await find_donor(await recorded("match", replies=LEAST - 1), LoadDonor(None, "u9", 0), "here")
    assert few.donor is None and few.error is not None and "record one" in few.error


async def test_a_donor_may_be_named_whatever_it_was() -> None:
    store = await recorded("neutral", replies=2)
    assert (await find_donor(store, LoadDonor("c0", "u0", 0), "here")).donor == "c0"
    missing = await find_donor(store, LoadDonor("c9", "u0", 0), "here")
    assert missing.donor is None and missing.error is not None and "'c9'" in missing.error
