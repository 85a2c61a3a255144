"""Random walks over a whole conversation. The driver audits every effect; here is what must hold at the end.

The audit (see `driver.Audit`): one live reply at most, one terminal each and nothing after it, speech started and
stopped in turns, audio neither used twice nor overlapping, event ids unique, every event valid to the letter, and no
work asked for what was stopped or forgotten.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem_server import reply
from tandem_server.contract import TandemSettings
from tandem_server.conversation_events import (
    Arm,
    DonorLoaded,
    EndSpeech,
    Finalise,
    Finalised,
    LoadDonor,
    LoadSpeaker,
    PartialHeard,
    Record,
    ReplyMeasured,
    Speak,
    Stalled,
    StopReply,
    StoreReported,
    TextFailed,
    Think,
    TrackGrew,
    VoiceFailed,
)
from tandem_server.predictor_events import LoadPredictor, PredictorLoaded
from tandem_server.stages.protocols import CallPiece

from .driver import SILENCE, SPEECH, Driver, Waiting, spoke

Step = tuple[str, int]
CLIENT: dict[str, Callable[[Driver, int], object]] = {
    "create": lambda driver, _: driver.client("response.create"),
    "create_text": lambda driver, _: driver.client("response.create", response={"output_modalities": ["text"]}),
    "cancel": lambda driver, _: driver.client("response.cancel"),
    "commit": lambda driver, _: driver.client("input_audio_buffer.commit"),
    "clear": lambda driver, _: driver.client("input_audio_buffer.clear"),
    "truncate": lambda driver, n: driver.client(
        "conversation.item.truncate", item_id=f"item_t_{n % 8 + 1}", content_index=0, audio_end_ms=100 * n
    ),
    "delete": lambda driver, n: driver.client("conversation.item.delete", item_id=f"item_t_{n % 8 + 1}"),
    "retrieve": lambda driver, n: driver.client("conversation.item.retrieve", item_id=f"item_t_{n % 8 + 1}"),
    "type": lambda driver, n: driver.client(
        "conversation.item.create",
        item={"type": "message", "role": "user", "id": f"c{n % 5}", "content": [{"type": "input_text", "text": "hi"}]},
    ),
    "manual": lambda driver, _: driver.manual(),
    "automatic": lambda driver, n: driver.detect(
        interrupt_response=n % 2 == 0, create_response=n % 3 > 0, silence_duration_ms=100 + 50 * n
    ),
    "strategy": lambda driver, n: driver.update(
        tandem={
            "strategy": ("match", "anti", "rule", "neutral", "yoked", "neural")[n % 6],
            "audio_frames": ("base64", "binary")[n % 2],
            "user_id": (None, "anna")[n % 2],
        }
    ),
    "offer": lambda driver, n: driver.update(
        tools=[{"type": "function", "name": "look"}] if n % 3 else [], tool_choice=("auto", "required")[n % 2]
    ),
    "call": lambda driver, n: driver.client(
        "conversation.item.create",
        item={"type": "function_call", "name": "look", "arguments": "{}", "call_id": f"call_t_{n % 4}"},
    ),
    "output": lambda driver, n: driver.client(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": f"call_t_{n % 4}", "output": "seen"},
    ),
    "aside": lambda driver, n: driver.client(
        "response.create",
        response={
            "conversation": "none",
            "output_modalities": [("text", "audio")[n % 4 == 0]],
            "input": ([], [{"type": "item_reference", "id": f"item_t_{n % 8 + 1}"}], None)[n % 3],
            "max_output_tokens": (1, 20, "inf")[n % 3],
        },
    ),
    "cancel_aside": lambda driver, n: driver.client("response.cancel", response_id=f"resp_t_aside_{n % 4 + 1}"),
    "limit": lambda driver, n: driver.update(max_output_tokens=(1, 8, 30, "inf")[n % 4]),
    "idle": lambda driver, n: driver.detect(idle_timeout_ms=1000 if n % 2 else None),
    "transcribe": lambda driver, n: driver.client(
        "session.update", session={"type": ("transcription", "realtime")[n % 4 > 0]}
    ),
    "text_only": lambda driver, n: driver.update(output_modalities=[("text", "audio")[n % 2]]),
}
STEPS = ["speak", "silence", "waver", "answer", "answer", "answer", "fail", "expire", "stall", "partial", *CLIENT]
walks = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 19)), max_size=60)


def fail(driver: Driver, effect: Waiting) -> None:
    """The engine that was asked fails."""
    match effect:
        case Finalise():
            driver.tell(Finalised(effect.turn, effect.generation, None, None, "deaf"))
        case Think():
            driver.tell(TextFailed(effect.reply, "speechless"))
        case Speak():
            driver.tell(VoiceFailed(effect.reply, "hoarse"))
        case EndSpeech() | StopReply():
            driver.tell(ReplyMeasured(effect.reply, None))
        case Record():
            driver.tell(StoreReported(effect.turn.item_id, "full"))
        case LoadSpeaker():
            pass
        case LoadDonor():
            driver.tell(DonorLoaded(None, (), "none"))
        case LoadPredictor():
            driver.tell(PredictorLoaded(None, "untaught"))


def step(driver: Driver, kind: str, number: int) -> None:
    """One thing happens."""
    match kind:
        case "speak":
            driver.hear(SPEECH, number + 1)
        case "silence":
            driver.hear(SILENCE, 2 * number + 1)
        case "waver":
            driver.hear(0.4, number % 4 + 1)
        case "stall":
            driver.tell(Stalled())
        case "partial":
            driver.tell(PartialHeard(number % 3, "hello there you"))
            driver.tell(TrackGrew(number % 3, 10 * number, (1.0, None)))
        case "expire" if driver.armed:
            driver.expire(sorted(driver.armed)[number % len(driver.armed)])
        case "answer" | "fail" if driver.waiting:
            effect = driver.waiting.pop(number % len(driver.waiting))
            if kind == "fail":
                fail(driver, effect)
                return
            driver.calls = (CallPiece(0, "look", '{"n": 1}'), CallPiece(1, "look", ""))[: number % 3]
            driver.reply = "" if number % 4 == 1 else "It is nice to hear you. Tell me more."
            driver.line = ("", "hello there", "what is it that you do")[number % 3]
            driver.measured = spoke(voiced=(0.2, 1.0)[number % 2]) if number % 5 else None
            driver.answer_one(effect)
        case _ if kind in CLIENT:
            CLIENT[kind](driver, number)


def at_rest(driver: Driver) -> None:
    """Nothing is under way, and all that was begun is over."""
    assert driver.conversation.idle
    assert driver.armed == {}, "a deadline outlives what it was for"
    owed = driver.conversation._interruptions
    assert (owed.cut, owed.owed) == (None, None), "something is owed to nobody"
    assert driver.audit.created == driver.audit.done
    assert driver.audit.asides == set()
    assert driver.conversation._shared.in_progress == 0
    assert driver.audit.speech_open is None
    assert driver.audit.listening == set()
    assert all(arm.seconds > 0 for arm in driver.all(Arm))
    opened, closed = (driver.events(f"response.output_item.{end}") for end in ("added", "done"))
    ids = [sorted(event["item"]["id"] for event in end) for end in (opened, closed)]  # asides go on beside a reply
    assert ids[0] == ids[1]


@pytest.mark.parametrize("user", [None, "anna"])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(walks)
def test_whatever_happens_who_leaves_is_let_go_when_all_is_answered(user: str | None, walk: list[Step]) -> None:
    driver = Driver(TandemSettings(user_id=user))
    for kind, number in walk:
        step(driver, kind, number)
    driver.perform(driver.conversation.leave(driver.now))
    begun = len(driver.audit.created)
    driver.settle()

    at_rest(driver)
    assert len(driver.audit.created) == begun, "a reply began after the client had left"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(walks)
def test_whatever_happens_who_leaves_is_let_go_though_nothing_is_answered_any_more(walk: list[Step]) -> None:
    driver = Driver()
    for kind, number in walk:
        step(driver, kind, number)
    driver.perform(driver.conversation.leave(driver.now))
    for _ in range(10):
        for deadline in sorted(driver.armed):
            driver.expire(deadline)

    at_rest(driver)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(walks)
def test_news_that_comes_when_all_is_over_changes_nothing(walk: list[Step]) -> None:
    driver = Driver()
    for kind, number in walk:
        step(driver, kind, number)
    asked = [effect for effect in driver.effects if isinstance(effect, Finalise | Think | Speak | EndSpeech)]
    driver.perform(driver.conversation.leave(driver.now))
    driver.settle()
    before = len(driver.effects)
    for effect in asked:
        driver.answer_one(effect)
        fail(driver, effect)

    assert driver.effects[before:] == []
    assert isinstance(driver.conversation._speaking.state, reply.Silent)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 30), st.booleans())
def test_a_deadline_that_passes_at_any_moment_of_an_exchange_leads_to_its_end(answers: int, late: bool) -> None:
    driver = Driver()
    driver.speak_turn()
    for _ in range(answers):
        if driver.waiting:
            driver.answer_one(driver.waiting.pop(0))
    if not late:
        driver.waiting.clear()  # nobody will ever answer
    while driver.armed:
        driver.expire(min(driver.armed))
    driver.settle()

    at_rest(driver)
    assert len(driver.events("conversation.item.input_audio_transcription.completed")) <= 1


def test_the_clock_of_the_wall_decides_nothing() -> None:
    stories = []
    for now in (0.0, 1e9):
        driver = Driver()
        driver.now = now
        driver.speak_turn()
        driver.settle()
        stories.append((driver.kinds(), [type(effect).__name__ for effect in driver.effects]))
    assert stories[0] == stories[1]
