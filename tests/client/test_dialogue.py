"""The client's half of a conversation: one sentence for each rule, then random walks against the invariants."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem_client.actions import (
    Action,
    AgentText,
    Away,
    Back,
    BeganAnew,
    ConnectionCut,
    Exchange,
    Failed,
    Flush,
    Flushed,
    Latency,
    PhaseChanged,
    Play,
    Played,
    Ready,
    ReplyEnded,
    Send,
    ServerSaid,
    ServerSpoke,
    Typed,
    UserText,
)
from tandem_client.dialogue import _HANDLERS, UPDATE_ID, Dialogue
from tandem_server.contract import AudioFrame, parse_client_event

SETTINGS = {"type": "realtime", "tandem": {"strategy": "match"}}
MS = 24
"""Samples."""


class Desk:
    """A dialogue and the obedient shell around it: performs `Flush` at once, as shells must."""

    def __init__(self, *, interrupt_response: bool = True) -> None:
        self.dialogue = Dialogue(SETTINGS)
        self.position = 0
        self.queued = 0
        detection = {"type": "server_vad", "interrupt_response": interrupt_response}
        self.session = {"type": "realtime", "id": "sess_1", "audio": {"input": {"turn_detection": detection}}}
        self.say("session.created", session=self.session)
        self.say("session.updated", session=self.session)

    def do(self, event: Any) -> list[Action]:
        done: list[Action] = []
        for action in self.dialogue.handle(event):
            done.append(action)
            if isinstance(action, Play):
                self.queued += len(action.pcm) // 2
            if isinstance(action, Flush):
                self.queued = 0
                done += self.do(Flushed(self.position))
        return done

    def say(self, kind: str, **fields: Any) -> list[Action]:
        return self.do(ServerSaid({"type": kind, "event_id": "e", **fields}))

    def begin(self, name: str = "r1") -> list[Action]:
        part = {"type": "audio", "transcript": ""}
        created = self.say("response.created", response={"id": name, "status": "in_progress"})
        return created + self.say("response.content_part.added", **self.where(name), part=part)

    def audio(self, milliseconds: int, name: str = "r1") -> list[Action]:
        delta = base64.b64encode(bytes(2 * MS * milliseconds)).decode()
        return self.say("response.output_audio.delta", **self.where(name), delta=delta)

    def audio_done(self, name: str = "r1") -> list[Action]:
        return self.say("response.output_audio.done", **self.where(name))

    def done(self, name: str = "r1", status: str = "completed", **details: Any) -> list[Action]:
        return self.say("response.done", response={"id": name, "status": status, "status_details": details or None})

    def play(self, milliseconds: int) -> list[Action]:
        played = min(MS * milliseconds, self.queued)
        self.queued -= played
        self.position += played
        return self.do(Played(self.position))

    def interrupt(self) -> list[Action]:
        return self.say("input_audio_buffer.speech_started", item_id="u2", audio_start_ms=0)

    @staticmethod
    def where(name: str) -> dict[str, Any]:
        return {"response_id": name, "item_id": f"item_{name}", "output_index": 0, "content_index": 0}


def truncated(name: str, audio_end_ms: int) -> Send:
    fields = {"item_id": f"item_{name}", "content_index": 0, "audio_end_ms": audio_end_ms}
    return Send({"type": "conversation.item.truncate", **fields})


def test_the_settings_are_sent_when_the_session_is_created_and_audio_flows_when_they_are_taken() -> None:
    dialogue = Dialogue(SETTINGS)
    created = dialogue.handle(ServerSaid({"type": "session.created", "session": {"id": "sess_1"}}))
    updated = dialogue.handle(ServerSaid({"type": "session.updated", "session": {"id": "sess_1"}}))
    assert created == (Send({"type": "session.update", "event_id": UPDATE_ID, "session": SETTINGS}),)
    assert updated == (PhaseChanged("listening"), Ready("sess_1"))


def test_the_session_is_ready_only_once_however_often_it_is_updated() -> None:
    desk = Desk()
    assert desk.say("session.updated", session=desk.session) == []


def test_an_error_about_our_settings_is_fatal_and_any_other_is_not() -> None:
    desk = Desk()
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "no such strategy"}
    assert desk.say("error", error=error) == [Failed("invalid_value", "no such strategy")]
    assert desk.say("error", error={**error, "event_id": UPDATE_ID})[0] == Failed(
        "invalid_value", "no such strategy", fatal=True
    )


def test_a_turn_goes_from_hearing_through_thinking_and_speaking_back_to_listening() -> None:
    desk = Desk()
    seen = [desk.interrupt(), desk.say("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=9)]
    seen += [desk.begin(), desk.audio(10), desk.audio_done(), desk.done(), desk.play(10)]
    phases = [action.phase for actions in seen for action in actions if isinstance(action, PhaseChanged)]
    assert phases == ["hearing", "thinking", "speaking", "listening"]


def test_a_turn_committed_while_the_agent_speaks_does_not_hide_that_it_speaks() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    assert desk.say("input_audio_buffer.committed", item_id="u1") == []


def test_a_reply_begun_and_ended_while_the_user_speaks_does_not_hide_that_the_user_speaks() -> None:
    desk = Desk(interrupt_response=False)
    desk.interrupt()
    assert desk.begin() == []
    assert desk.done() == [ReplyEnded("r1", "completed", 0)]


def test_a_second_reply_is_played_after_the_first_without_a_pause_in_speaking() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    desk.done()
    assert desk.begin("r2") == []
    desk.audio(50, "r2")
    assert desk.play(100) == [ReplyEnded("r1", "completed", 100)]
    desk.done("r2")
    assert desk.play(50) == [ReplyEnded("r2", "completed", 50), PhaseChanged("listening")]


def test_a_reply_announced_twice_is_one_reply() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    desk.say("response.created", response={"id": "r1", "status": "in_progress"})
    desk.done()
    assert desk.play(100)[0] == ReplyEnded("r1", "completed", 100)


def test_base64_and_binary_audio_are_played_alike() -> None:
    desk = Desk()
    desk.begin()
    assert desk.audio(10)[0] == Play(bytes(480))
    assert desk.do(ServerSpoke(AudioFrame("output", 0, 10.0, bytes(480)))) == [Play(bytes(480))]


def test_a_reply_ends_when_its_last_sample_has_been_played_and_not_when_the_server_is_done() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    assert desk.done() == []
    assert desk.play(99) == []
    assert desk.play(1) == [ReplyEnded("r1", "completed", 100), PhaseChanged("listening")]


def test_a_reply_that_is_played_faster_than_it_comes_does_not_end_before_the_server_is_done() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    assert desk.play(100) == []
    assert desk.done() == [ReplyEnded("r1", "completed", 100), PhaseChanged("listening")]


def test_a_user_who_speaks_into_a_reply_silences_it_and_the_server_learns_what_was_heard() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(120)
    assert desk.interrupt() == [
        Flush(),
        truncated("r1", 120),
        ReplyEnded("r1", "interrupted", 120),
        PhaseChanged("hearing"),
    ]


def test_what_is_played_between_the_last_report_and_the_flush_counts_as_heard() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(120)
    desk.position += 30 * MS
    assert truncated("r1", 150) in desk.interrupt()


def test_a_reply_that_the_server_has_finished_can_still_be_interrupted() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.audio_done()
    desk.done()
    desk.play(499)
    assert truncated("r1", 499) in desk.interrupt()


def test_a_reply_played_to_its_end_is_not_truncated_when_the_user_speaks() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.audio_done()
    desk.play(500)
    assert desk.interrupt() == [ReplyEnded("r1", "interrupted", 500), PhaseChanged("hearing")]


def test_a_reply_interrupted_before_its_first_sample_is_truncated_to_nothing_without_a_flush() -> None:
    desk = Desk()
    desk.begin()
    assert desk.interrupt() == [truncated("r1", 0), ReplyEnded("r1", "interrupted", 0), PhaseChanged("hearing")]


def test_a_user_who_speaks_into_silence_changes_nothing_but_the_phase() -> None:
    assert Desk().interrupt() == [PhaseChanged("hearing")]


def test_what_comes_late_of_an_interrupted_reply_is_ignored() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.interrupt()
    late = desk.audio(100) + desk.do(ServerSpoke(AudioFrame("output", 5, 500.0, bytes(480))))
    late += desk.say("response.content_part.added", **desk.where("r1"), part={"type": "audio"})
    late += desk.say("response.output_audio_transcript.delta", **desk.where("r1"), delta="more")
    late += desk.say("response.output_audio_transcript.done", **desk.where("r1"), transcript="more")
    assert late + desk.audio_done() + desk.done(status="cancelled") == []


def test_the_reply_after_an_interrupted_one_is_played() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(100)
    desk.interrupt()
    desk.done(status="cancelled")
    desk.begin("r2")
    assert desk.audio(50, "r2")[0] == Play(bytes(2 * MS * 50))
    desk.done("r2")
    assert desk.play(50)[0] == ReplyEnded("r2", "completed", 50)


def test_no_audio_is_taken_of_a_reply_that_the_server_has_ended() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(100)
    desk.done()
    assert desk.audio(100) == []


def test_the_server_is_told_to_cancel_only_where_it_does_not_interrupt_by_itself() -> None:
    cancel = Send({"type": "response.cancel", "response_id": "r1"})
    for interrupts in (True, False):
        desk = Desk(interrupt_response=interrupts)
        desk.begin()
        desk.audio(100)
        assert (cancel in desk.interrupt()) is not interrupts


def test_a_cancellation_that_came_too_late_is_no_error() -> None:
    error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "nothing to cancel"}
    assert Desk().say("error", error=error) == []


def test_a_reply_cancelled_by_somebody_else_falls_silent_too() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(100)
    ended = ReplyEnded("r1", "interrupted", 100)
    assert desk.done(status="cancelled") == [Flush(), truncated("r1", 100), ended, PhaseChanged("listening")]


def test_a_failed_reply_says_why_and_leaves_the_agent_listening() -> None:
    desk = Desk()
    desk.begin()
    ended = desk.done(status="failed", error={"code": "voice_failed", "message": "the voice broke"})
    assert ended == [ReplyEnded("r1", "failed", 0, "the voice broke"), PhaseChanged("listening")]


def test_a_typed_turn_stops_the_agent_before_it_is_sent() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(100)
    actions = desk.do(Typed("hello"))
    kinds = [action.event["type"] for action in actions if isinstance(action, Send)]
    assert kinds == [
        "response.cancel",
        "conversation.item.truncate",
        "conversation.item.create",
        "response.create",
    ]
    assert desk.dialogue.phase == "thinking"


def test_every_event_that_is_sent_is_one_of_the_contract() -> None:
    desk = Desk(interrupt_response=False)
    desk.begin()
    desk.audio(500)
    actions = desk.interrupt() + desk.do(Typed("hello"))
    actions += desk.say("session.created", session={**desk.session, "id": "sess_2"})
    kinds = {parse_client_event(json.dumps(action.event)).type for action in actions if isinstance(action, Send)}
    assert kinds == {
        "session.update",
        "response.cancel",
        "conversation.item.truncate",
        "conversation.item.create",
        "response.create",
    }


def test_a_reply_whose_connection_is_cut_goes_on_as_if_nothing_had_happened() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(300)
    assert desk.do(ConnectionCut("lost")) == [Away("lost")]
    desk.play(200)
    assert desk.dialogue.phase == "speaking"
    assert desk.say("session.created", session=desk.session) == [Back()], "the settings are known there"
    desk.audio(200)
    desk.audio_done()
    desk.done()
    assert desk.play(300)[0] == ReplyEnded("r1", "completed", 500)


def test_a_cut_before_the_settings_were_taken_sends_them_again() -> None:
    dialogue = Dialogue(SETTINGS)
    created = ServerSaid({"type": "session.created", "session": {"id": "sess_1"}})
    dialogue.handle(created)
    dialogue.handle(ConnectionCut("lost"))
    back, sent = dialogue.handle(created)
    assert back == Back() and isinstance(sent, Send) and sent.event["type"] == "session.update"


def test_a_new_conversation_ends_the_old_one_and_is_told_nothing_of_it() -> None:
    desk = Desk()
    desk.begin()
    desk.audio(500)
    desk.play(100)
    desk.do(ConnectionCut("lost"))
    fresh = {**desk.session, "id": "sess_2"}
    actions = desk.say("session.created", session=fresh)
    assert actions[0] == BeganAnew()
    assert ReplyEnded("r1", "interrupted", 100) in actions
    (update,) = [action.event for action in actions if isinstance(action, Send)]
    assert update["type"] == "session.update" and desk.queued == 0
    assert desk.dialogue.phase == "connecting"
    assert desk.say("session.updated", session=fresh) == [PhaseChanged("listening"), Ready("sess_2")]
    desk.begin("r2")
    desk.audio(200, "r2")
    desk.audio_done("r2")
    desk.done("r2")
    assert desk.play(200)[0] == ReplyEnded("r2", "completed", 200)


def test_partial_texts_of_both_sides_grow_and_the_final_one_replaces_them() -> None:
    desk = Desk()
    user = "conversation.item.input_audio_transcription"
    assert desk.say(f"{user}.delta", item_id="u1", delta="hello ") == [UserText("u1", "hello ", final=False)]
    assert desk.say(f"{user}.delta", item_id="u1", delta="wor") == [UserText("u1", "hello wor", final=False)]
    assert desk.say(f"{user}.completed", item_id="u1", transcript="Hello.") == [UserText("u1", "Hello.", final=True)]
    assert desk.say(f"{user}.delta", item_id="u1", delta="more") == [UserText("u1", "more", final=False)]
    desk.begin()
    agent, where = "response.output_audio_transcript", desk.where("r1")
    assert desk.say(f"{agent}.delta", **where, delta="Good ") == [AgentText("item_r1", "Good ", final=False)]
    assert desk.say(f"{agent}.delta", **where, delta="day") == [AgentText("item_r1", "Good day", final=False)]
    assert desk.say(f"{agent}.done", **where, transcript="Good day.") == [AgentText("item_r1", "Good day.", final=True)]
    assert desk.say(f"{agent}.delta", **where, delta="And") == [AgentText("item_r1", "And", final=False)]


def test_a_reply_in_text_alone_is_shown_and_ends_with_the_server() -> None:
    desk = Desk()
    desk.say("response.created", response={"id": "r1", "status": "in_progress"})
    assert desk.say("response.output_text.done", **desk.where("r1"), text="Hi.")[0] == AgentText(
        "item_r1", "Hi.", final=True
    )
    assert desk.done()[0] == ReplyEnded("r1", "completed", 0)


def test_a_turn_that_could_not_be_transcribed_is_reported() -> None:
    failed = Desk().say("conversation.item.input_audio_transcription.failed", item_id="u1", error={"message": "no"})
    assert failed == [Failed("transcription_failed", "no")]


def test_audio_taken_back_leaves_the_agent_listening() -> None:
    desk = Desk()
    desk.interrupt()
    assert desk.say("input_audio_buffer.cleared") == [PhaseChanged("listening")]


def test_an_exchange_carries_what_was_doubted_and_what_could_not_be_reached() -> None:
    desk = Desk()
    desk.say("tandem.user.prosody", final=False, flags=["not yet"])
    desk.say("tandem.user.prosody", final=True, flags=["short turn"])
    desk.say("tandem.agent.realised", limits=["pitch clipped"])
    event = {"type": "tandem.entrainment", "event_id": "e", "exchange": 1, "strategy": "match", "features": {}}
    (exchange,) = desk.do(ServerSaid(event))
    assert isinstance(exchange, Exchange)
    assert exchange.notes == ("you: short turn", "voice: pitch clipped")
    (again,) = desk.do(ServerSaid(event))
    assert isinstance(again, Exchange)
    assert again.notes == ()


def test_latency_is_passed_on() -> None:
    assert Desk().say("tandem.latency", response_id="r1", stages_ms={"asr": 12}) == [Latency({"asr": 12.0})]


@pytest.mark.parametrize("kind", sorted(set(_HANDLERS) - {"input_audio_buffer.speech_started"}))
def test_a_malformed_event_is_reported_and_changes_nothing(kind: str) -> None:
    desk = Desk()
    desk.begin()
    before = desk.dialogue.phase
    actions = desk.do(ServerSaid({"type": kind, "session": 1, "response": 1, "delta": "%", "error": 1, "final": True}))
    assert all(isinstance(action, Failed) and action.code == "malformed_event" for action in actions)
    assert desk.dialogue.phase == before


@pytest.mark.parametrize("event", [{}, {"type": None}, {"type": 3}, {"type": "rate_limits.updated"}])
def test_events_that_mean_nothing_to_us_are_ignored(event: dict[str, Any]) -> None:
    assert Desk().do(ServerSaid(event)) == []


def test_binary_audio_before_any_content_part_is_reported() -> None:
    frame = AudioFrame("output", 0, 0.0, bytes(4))
    assert isinstance(Desk().do(ServerSpoke(frame))[0], Failed)


def test_half_a_sample_is_reported_and_not_played() -> None:
    desk = Desk()
    desk.begin()
    (failed,) = desk.say("response.output_audio.delta", **desk.where("r1"), delta=base64.b64encode(b"abc").decode())
    assert isinstance(failed, Failed)


@dataclass
class Book:
    """What the walk has seen, checked as it goes."""

    begun: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)


MOVES = ["begin", "audio", "frame", "audio_done", "done", "cancelled", "failed", "play", "interrupt", "type", "stop"]


@settings(max_examples=400)
@given(walk=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3), st.integers(1, 40)), max_size=60))
def test_random_walks_keep_the_invariants(walk: list[tuple[str, int, int]]) -> None:
    desk, book = Desk(), Book()
    for move, which, amount in walk:
        before = desk.queued
        step(desk, book, move, f"r{which}", amount, before)
        assert all(number == 1 for number in book.ended.values()), "exactly one end per reply"
    drain(desk, book)
    assert set(book.ended) == set(book.begun), "every reply begun has ended"
    assert desk.dialogue.phase != "speaking"


def step(desk: Desk, book: Book, move: str, name: str, amount: int, before: int) -> None:
    moves: dict[str, Any] = {
        "begin": lambda: desk.begin(name) if name not in book.begun else [],
        "audio": lambda: desk.audio(amount, name),
        "frame": lambda: desk.do(ServerSpoke(AudioFrame("output", 0, 0.0, bytes(2 * MS * amount)))),
        "audio_done": lambda: desk.audio_done(name),
        "done": lambda: desk.done(name),
        "cancelled": lambda: desk.done(name, "cancelled"),
        "failed": lambda: desk.done(name, "failed", error={"message": "broken"}),
        "play": lambda: desk.play(amount),
        "interrupt": desk.interrupt,
        "type": lambda: desk.do(Typed("hi")),
        "stop": lambda: desk.say("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=0),
    }
    actions = moves[move]()
    if move == "begin" and name not in book.begun:
        book.begun.append(name)
    speaker = book.begun[-1] if move == "frame" and book.begun else name
    if any(isinstance(action, Play) for action in actions):
        assert speaker in book.begun and speaker not in book.ended, "audio only of replies that are open"
    for action in actions:
        check(action, book, before)
    if move in ("interrupt", "type"):
        assert desk.queued == 0, "nothing plays on after the user has spoken"


def check(action: Action, book: Book, before: int) -> None:
    match action:
        case ReplyEnded():
            assert action.response_id in book.begun
            book.ended[action.response_id] += 1
        case Flush():
            assert before > 0, "there is something to flush"
        case Send() if action.event["type"] == "conversation.item.truncate":
            assert action.event["audio_end_ms"] >= 0
        case Failed():
            assert action.code == "malformed_event"
        case _:
            pass


def drain(desk: Desk, book: Book) -> None:
    for name in book.begun:
        for action in desk.done(name) + desk.play(10_000):
            check(action, book, before=1)
    for action in desk.play(10_000):
        check(action, book, before=1)


@given(
    walk=st.lists(
        st.one_of(
            st.tuples(st.just("audio"), st.integers(1, 40)),
            st.tuples(st.just("play"), st.integers(1, 40)),
        ),
        max_size=30,
    )
)
def test_what_the_server_is_told_was_heard_is_what_was_played(walk: list[tuple[str, int]]) -> None:
    desk = Desk()
    desk.begin()
    for move, amount in walk:
        desk.audio(amount) if move == "audio" else desk.play(amount)
    told = [action for action in desk.interrupt() if isinstance(action, Send)]
    assert told == [truncated("r1", desk.position // MS)]
