"""A caller from hello to goodbye over a connection in memory; whatever happens, nothing is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from openai.types.realtime import RealtimeTranscriptionSessionCreateRequest

from tandem_server import line, outgoing, session
from tandem_server.contract import AudioFrame, TandemSettings
from tandem_server.engines.fakes import (
    FakeCaller,
    FakeDetector,
    FakeRecogniser,
    FakeRecogniserStream,
    FakeResponder,
    FakeTurnModel,
    FakeVoice,
    FakeVoiceActivity,
)
from tandem_server.equipment import Limits
from tandem_server.errors import EngineError, ProtocolViolation, StoreError
from tandem_server.line import ClientTooSlowError
from tandem_server.record.memory import MemoryStore
from tandem_server.record.records import ConversationRecord, TurnRecord
from tandem_server.stages.protocols import NO_TOOLS, Message, Tools, Transcript

from .callers import SILENCE, SPEECH, Call, Gate, Here

CHUNK = 960
"""20 ms on the wire"""


# Whole conversations ------------------------------------------------------------------------------------------------
async def test_the_turn_model_hears_the_turn_and_is_believed() -> None:
    model = FakeTurnModel(0.99)
    call = Call(turn_model=model)
    call.client.speak(SPEECH + SILENCE[: 10 * CHUNK], size=CHUNK)
    while not model.asked:  # noqa: ASYNC110  it says nothing
        await asyncio.sleep(0)
    call.client.speak(SILENCE[: 5 * CHUNK], size=CHUNK)  # 300 ms in all; where nothing is known 500 are waited
    await call.client.until("response.done")
    await call.end()

    (user, _) = await call.turns()
    (samples,) = model.asked
    assert samples / 16 == pytest.approx(user.ended_ms - user.started_ms, abs=150)  # up to the first silent frame
    kept = await call.engines.store.conversation("sess_t")
    assert kept is not None and kept.engines["turn"] == "fake"


async def test_a_whole_conversation_by_base64() -> None:
    call = Call()
    call.client.speak(size=CHUNK)
    await call.client.until("response.done")
    call.client.speak(SILENCE * 3 + SPEECH + SILENCE, size=CHUNK)  # let the agent finish first
    done = await call.client.until("response.done", 2)
    await call.client.until("conversation.item.input_audio_transcription.completed", 2)
    await call.end()

    assert done["response"]["status"] == "completed"
    turns = await call.turns()
    assert [(turn.role, turn.text, turn.status) for turn in turns] == [
        ("user", "hello there", "completed"),
        ("agent", "Nice to hear you. Go on.", "completed"),
        ("user", "how are you", "completed"),
        ("agent", "I see.", "completed"),
    ]
    assert [turn.index for turn in turns] == [0, 1, 2, 3]
    assert turns[0].features["pitch_mean"] == pytest.approx(6.0, abs=0.5)
    assert turns[1].realised["pitch_mean"] is not None
    agent_ms = sum(turn.ended_ms - turn.started_ms for turn in turns if turn.role == "agent")
    assert len(call.client.audio()) * 1000 / 24_000 == pytest.approx(agent_ms, abs=2)
    ids = [event["event_id"] for event in call.client.sent]
    assert len(set(ids)) == len(ids)
    kept = await call.engines.store.conversation("sess_t")
    assert kept is not None and kept.ended_at is not None
    assert kept.engines == {
        "vad": "fake",
        "asr": "fake",
        "response": "fake",
        "voice": "fake",
        "turn": "silence, words and melody",
    }


async def test_a_whole_conversation_by_binary_frames() -> None:
    call = Call(tandem=TandemSettings(audio_frames="binary"))
    pcm = SPEECH + SILENCE
    for number, begin in enumerate(range(0, len(pcm), CHUNK)):
        call.client.say(AudioFrame("input", number, 20.0 * number, pcm[begin : begin + CHUNK]).encode())
    await call.client.until("response.done")
    await call.end()

    frames = [AudioFrame.decode(message) for message in call.client.messages if isinstance(message, bytes)]
    assert call.client.events("response.output_audio.delta") == []
    assert {frame.kind for frame in frames} == {"output"}
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
    heard = 0
    for frame in frames:
        assert frame.time_ms == pytest.approx(heard / 24.0)
        heard += len(frame.pcm) // 2
    announced = call.client.messages.index(next(m for m in call.client.messages if "content_part.added" in str(m)))
    first = next(place for place, message in enumerate(call.client.messages) if isinstance(message, bytes))
    assert announced < first


async def test_ten_seconds_sent_at_once_are_heard_like_any_other() -> None:
    call = Call()
    call.client.speak(SPEECH + SILENCE * 3 + SPEECH + SILENCE * 5)
    await call.client.until("conversation.item.input_audio_transcription.completed", 2)
    await call.client.until("response.done", 1)
    await call.end()

    starts = [event["audio_start_ms"] for event in call.client.events("input_audio_buffer.speech_started")]
    ends = [event["audio_end_ms"] for event in call.client.events("input_audio_buffer.speech_stopped")]
    assert len(starts) == len(ends) == 2
    assert starts[0] == 0 and ends[0] < starts[1] < 4000 < ends[1]


async def test_a_typed_question_is_answered_in_text() -> None:
    call = Call()
    content = [{"type": "input_text", "text": "hello"}]
    call.client.say(
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
    )
    call.client.say({"type": "response.create", "response": {"output_modalities": ["text"]}})
    await call.client.until("response.done")
    await call.end()
    assert [turn.text for turn in await call.turns()] == ["hello", "Nice to hear you. Go on."]


async def test_a_tool_is_called_and_what_it_said_is_spoken() -> None:
    call = Call(responder=FakeCaller("look", '{"where": "up"}'))
    tools = [{"type": "function", "name": "look"}]
    call.client.say({"type": "session.update", "session": {"type": "realtime", "tools": tools}})
    call.client.speak()
    done = await call.client.until("response.done")
    (wanted,) = done["response"]["output"]
    output = {"type": "function_call_output", "call_id": wanted["call_id"], "output": "a lamp"}
    call.client.say({"type": "conversation.item.create", "item": output})
    call.client.say({"type": "response.create"})
    await call.client.until("response.done", 2)
    await call.end()

    assert (wanted["name"], wanted["arguments"]) == ("look", '{"where": "up"}')
    assert [turn.text for turn in await call.turns()] == ["hello there", "", "The tool said: a lamp"]
    assert len(call.client.audio()) > 0


async def test_responses_outside_the_conversation_come_beside_the_one_that_is_heard() -> None:
    gate = Gate()
    call = Call(responder=FakeResponder(["One. Two."], pause=gate))
    for number in "12":
        response = {"conversation": "none", "output_modalities": ["text"], "metadata": {"n": number}}
        call.client.say({"type": "response.create", "response": response})
    call.client.say({"type": "response.create"})
    await gate.waiting.wait()
    call.client.say({"type": "response.cancel", "response_id": "resp_t_aside_1"})
    await call.client.until("response.done")
    gate.open()
    await call.client.until("response.done", 3)
    await call.end()

    ended = [event["response"] for event in call.client.events("response.done")]
    assert {one["id"]: one["status"] for one in ended} == {
        "resp_t_aside_1": "cancelled",
        "resp_t_aside_2": "completed",
        "resp_t_1": "completed",
    }
    assert [turn.text for turn in await call.turns()] == ["One. Two."]


async def test_a_reply_that_is_long_enough_is_not_thought_on() -> None:
    responder = FakeResponder(["word " * 1000], pause=lambda: asyncio.sleep(0))
    call = Call(responder=responder)
    call.client.say({"type": "response.create", "response": {"output_modalities": ["text"], "max_output_tokens": 8}})
    done = await call.client.until("response.done")
    await call.end()

    assert done["response"]["status"] == "incomplete"
    assert responder.cut_off == 1


async def test_who_leaves_while_something_is_made_outside_the_conversation_leaves_nothing() -> None:
    gate = Gate()
    call = Call(responder=FakeResponder(["One."], pause=gate))
    call.client.say({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}})
    await gate.waiting.wait()
    await call.end()
    assert await call.turns() == []


async def test_a_session_that_was_opened_for_transcription_only_listens() -> None:
    call = Call(preset=RealtimeTranscriptionSessionCreateRequest(type="transcription"))
    call.client.speak()
    await call.client.until("conversation.item.input_audio_transcription.completed")
    await call.end()

    assert call.client.events("session.created")[0]["session"]["type"] == "transcription"
    assert call.client.events("response.created") == []
    assert [turn.text for turn in await call.turns()] == ["hello there"]


async def test_push_to_talk_is_answered_with_the_words_that_were_said() -> None:
    responder = FakeResponder()
    call = Call(responder=responder)
    off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    call.client.say({"type": "session.update", "session": off})
    call.client.speak(SPEECH, size=CHUNK)
    call.client.say({"type": "input_audio_buffer.commit"})
    call.client.say({"type": "response.create"})
    await call.client.until("response.done")
    await call.end()
    assert [turn.text for turn in await call.turns()] == ["hello there", "You said: hello there"]


async def test_who_speaks_while_the_agent_does_interrupts_it() -> None:
    call = Call()
    call.client.speak(size=CHUNK)
    await call.client.until("response.done")  # sent, and still being played
    call.client.speak(SPEECH + SILENCE, size=CHUNK)
    await call.client.until("conversation.item.input_audio_transcription.completed", 2)
    await call.client.until("response.done", 2)
    await call.end()
    turns = await call.turns()
    assert (turns[1].status, turns[1].role) == ("interrupted", "agent")
    assert turns[1].heard_text is not None and turns[1].heard_text != turns[1].text


async def test_a_speaker_with_a_name_is_known_the_next_time() -> None:
    store = MemoryStore()
    first = Call(store=store, tandem=TandemSettings(user_id="anna"))
    first.client.speak()
    await first.client.until("response.done")
    await first.end()
    assert await store.load_speaker("anna") is not None

    second = Call(store=store, tandem=TandemSettings(user_id="anna"), session_id="sess_u")
    await second.client.until("session.created")
    second.client.speak()
    await second.client.until("response.done")
    await second.end()
    before, after = (await store.turns("sess_t"))[0], (await store.turns("sess_u"))[0]
    assert before.z["rate"] is not None and after.z["rate"] is not None
    assert abs(after.z["rate"]) < abs(before.z["rate"])  # the same rate is no surprise the second time


# Mistakes of the client ---------------------------------------------------------------------------------------------
async def test_mistakes_are_told_and_the_session_goes_on() -> None:
    call = Call()
    mistakes: list[tuple[str | bytes, str, str | None]] = [
        ("{", "invalid_json", None),
        ('{"type": "nonsense", "event_id": "e1"}', "unknown_event_type", "e1"),
        ('{"type": "input_audio_buffer.append", "audio": "?", "event_id": "e2"}', "invalid_audio", "e2"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e3"}', "invalid_audio", "e3"),
        ('{"type": "input_audio_buffer.commit", "event_id": "e4"}', "input_audio_buffer_commit_empty", "e4"),
        (b"", "invalid_audio_frame", None),
        (AudioFrame("output", 0, 0.0, b"").encode(), "invalid_audio_frame", None),
        (AudioFrame("input", 0, 0.0, b"").encode() + b"x", "invalid_audio_frame", None),
    ]
    for message, _, _ in mistakes:
        call.client.say(message)
    await call.client.until("error", len(mistakes))
    call.client.speak()
    await call.client.until("response.done")
    await call.end()

    told = [(event["error"]["code"], event["error"].get("event_id")) for event in call.client.events("error")]
    assert told == [(code, cause) for _, code, cause in mistakes]
    assert {event["error"]["type"] for event in call.client.events("error")} == {"invalid_request_error"}


async def test_too_many_messages_in_a_row_that_make_no_sense_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_MISTAKES", 3)
    call = Call()
    for message in ("{", "{", "{", '{"type": "input_audio_buffer.clear"}', "{", "{", "{"):
        call.client.say(message)
    await call.client.until("error", 6)
    assert not call.task.done()
    call.client.say("{")
    with pytest.raises(ProtocolViolation) as error:
        await call.over()
    assert (error.value.code, error.value.close_code) == ("too_many_errors", 1008)


# Leaving ------------------------------------------------------------------------------------------------------------
class SlowRecogniser(FakeRecogniser):
    """Finishes when the gate opens."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(["hello there"])
        self.gate = gate

    async def open(self, on_partial: Callable[[str], None]) -> FakeRecogniserStream:
        stream = await super().open(on_partial)
        finish = stream.finish

        async def slowly() -> Transcript:
            await self.gate()
            return await finish()

        stream.finish = slowly  # type: ignore[method-assign]
        return stream


class SlowStore(MemoryStore):
    """Keeps turns of one side when the gate opens."""

    def __init__(self, gate: Gate, role: str) -> None:
        super().__init__()
        self.gate = gate
        self.role = role

    async def record_turn(self, turn: TurnRecord) -> None:
        if turn.role == self.role:
            await self.gate()
        await super().record_turn(turn)


async def test_who_leaves_at_once_leaves_nothing() -> None:
    call = Call()
    await call.end()
    assert "user" not in [turn.role for turn in await call.turns()]


async def test_who_leaves_while_speaking_has_what_was_said_recorded() -> None:
    call = Call()
    call.client.speak(SPEECH)
    await call.client.until("input_audio_buffer.speech_started")
    await call.end()
    (turn,) = await call.turns()
    assert (turn.text, turn.flags["closed_by"]) == ("hello there", "commit")


async def test_who_leaves_while_being_understood_is_still_understood() -> None:
    gate = Gate()
    call = Call(recogniser=SlowRecogniser(gate))
    call.client.speak()
    await call.client.until("input_audio_buffer.committed")
    call.client.leave()
    await gate.waiting.wait()
    gate.open()
    await call.over()
    assert [turn.text for turn in await call.turns()] == ["hello there"]
    assert call.client.events("response.created") == []


async def test_who_leaves_while_the_agent_thinks_leaves_an_interrupted_turn() -> None:
    gate = Gate()
    responder = FakeResponder(["Nice."], pause=gate)
    call = Call(responder=responder)
    call.client.speak()
    await call.client.until("response.created")
    await gate.waiting.wait()
    await call.end()
    turns = await call.turns()
    assert [(turn.role, turn.status, turn.heard_text) for turn in turns][1:] == [("agent", "interrupted", "")]
    assert responder.cut_off == 1


async def test_who_leaves_while_the_agent_speaks_leaves_an_interrupted_turn() -> None:
    pieces: list[Gate] = []

    async def first_only() -> None:
        pieces.append(Gate(is_open=not pieces))
        await pieces[-1]()

    call = Call(voice=FakeVoice(pause=first_only))
    call.client.speak()
    await call.client.until("response.output_audio.delta")
    await call.end()
    turns = await call.turns()
    assert (turns[1].status, turns[1].text) == ("interrupted", "Nice to hear you.")


async def test_who_leaves_while_the_store_writes_is_waited_for() -> None:
    for role in ("user", "agent"):
        gate = Gate()
        call = Call(store=SlowStore(gate, role))
        call.client.speak()
        await gate.waiting.wait()
        call.client.leave()
        gate.open()
        await call.over()
        assert role in [turn.role for turn in await call.turns()]


async def test_who_leaves_after_the_end_changes_nothing() -> None:
    call = Call()
    call.client.speak()
    await call.client.until("response.done")
    await call.end()
    assert [turn.status for turn in await call.turns()] == ["completed", "completed"]


async def test_a_client_whose_absence_is_noticed_while_sending_is_recorded_like_any_other() -> None:
    gate = Gate()
    call = Call(responder=FakeResponder(["Nice."], pause=gate))
    call.client.speak()
    await gate.waiting.wait()
    await call.client.until("conversation.item.input_audio_transcription.completed")
    call.client.gone = True
    call.client.say({"type": "session.update", "session": {"type": "realtime"}})  # its answer finds nobody
    await call.client.missed.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not call.task.done()
    await call.end()
    assert [(turn.role, turn.status) for turn in await call.turns()] == [
        ("user", "completed"),
        ("agent", "interrupted"),
    ]


async def test_audio_that_was_cleared_is_not_recognised() -> None:
    call = Call()
    call.client.speak(SPEECH)
    await call.client.until("input_audio_buffer.speech_started")
    call.client.say({"type": "input_audio_buffer.clear"})
    await call.client.until("input_audio_buffer.cleared")
    call.client.speak()
    await call.client.until("response.done")
    await call.end()
    turn = (await call.turns())[0]
    assert turn.words[0].start >= 1.0 - 0.1
    assert turn.words[-1].end * 1000 <= turn.ended_ms + 200


async def test_a_turn_hears_nothing_of_the_next() -> None:
    gate = Gate()
    call = Call(recogniser=SlowRecogniser(gate))
    call.client.speak((SPEECH + SILENCE) * 2)
    await call.client.until("input_audio_buffer.committed", 2)
    gate.open()
    await call.client.until("conversation.item.input_audio_transcription.completed", 2)
    await call.end()

    (_, second) = call.client.events("input_audio_buffer.speech_started")
    tracks = [event for event in call.client.events("tandem.user.prosody") if not event["final"]]
    first = [event["track"]["start_ms"] for event in tracks if event["item_id"] != second["item_id"]]
    assert max(first) < second["audio_start_ms"]
    assert len(set(map(str, tracks))) == len(tracks)


async def test_engines_that_never_answer_do_not_keep_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FAREWELL", 0.0)
    call = Call(recogniser=SlowRecogniser(Gate()))
    call.client.speak()
    await call.client.until("input_audio_buffer.committed")
    await call.end()
    (turn,) = await call.turns()
    assert (turn.text, turn.status) == ("", "failed")

    monkeypatch.setattr(session, "LAST_WRITES", 0.0)
    call = Call(store=SlowStore(Gate(), "user"))
    call.client.speak()
    await call.client.until("input_audio_buffer.committed")
    await call.end()
    assert "user" not in [turn.role for turn in await call.turns()]


async def test_a_session_that_is_cancelled_leaves_nothing() -> None:
    for kind in ("session.created", "input_audio_buffer.speech_started", "response.created"):
        call = Call(responder=FakeResponder(["Nice."], pause=Gate()))
        call.client.speak(SPEECH if "speech" in kind else SPEECH + SILENCE)
        await call.client.until(kind)
        call.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.over()
        kept = await call.engines.store.conversation("sess_t")
        assert kept is not None and kept.ended_at is not None


# Limits -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch looks without waiting."""
    sleep = asyncio.sleep

    async def at_once(_: float) -> None:
        await sleep(0)

    monkeypatch.setattr("tandem_server.session.asyncio.sleep", at_once)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("limits", "says"), [(Limits(idle=-1.0), "nothing was heard"), (Limits(duration=-1.0), "at most")]
)
async def test_a_session_ends_when_nothing_comes_or_it_takes_too_long(limits: Limits, says: str) -> None:
    call = Call(limits=limits)
    with pytest.raises(TimeoutError, match=says):
        await call.over()


@pytest.mark.usefixtures("hurried")
async def test_a_turn_is_closed_when_no_audio_comes_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "STALL", -1.0)
    call = Call()
    call.client.speak(SPEECH)
    await call.client.until("response.done")
    await call.end()
    assert (await call.turns())[0].flags["closed_by"] == "stall"


async def test_a_client_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MOST_BYTES", 100_000)
    monkeypatch.setattr(outgoing, "ROOM_BYTES", 100_000)
    call = Call()
    await call.client.until("session.created")
    call.client.reads = Gate()
    for _ in range(200):
        call.client.say({"type": "session.update", "session": {"type": "realtime"}})
    with pytest.raises(ClientTooSlowError):
        await call.over()


async def test_a_client_that_takes_nothing_at_all_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "SEND_TIMEOUT", 0.0)
    call = Call()
    call.client.reads = Gate()
    with pytest.raises(ClientTooSlowError):
        await call.over()


# When an engine fails -----------------------------------------------------------------------------------------------
class NoVoiceActivity(FakeVoiceActivity):
    async def open(self) -> FakeDetector:
        raise EngineError("no model", stage="vad")


class NoRecogniser(FakeRecogniser):
    async def open(self, on_partial: Callable[[str], None]) -> FakeRecogniserStream:
        raise EngineError("no model", stage="asr")


class NoStore(MemoryStore):
    async def open_conversation(self, record: ConversationRecord) -> None:
        raise StoreError("no disk")


async def test_a_conversation_that_cannot_begin_says_why_and_takes_nothing() -> None:
    for call, error in (
        (Call(vad=NoVoiceActivity()), EngineError),
        (Call(recogniser=NoRecogniser()), EngineError),
        (Call(store=NoStore()), StoreError),
    ):
        with pytest.raises(error, match="no "):
            await call.over()
        assert call.client.messages == []
        kept = await call.engines.store.conversation("sess_t")
        assert kept is None or kept.ended_at is not None


class Bomb(FakeResponder):
    """A bug, not an EngineError."""

    async def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str]:
        for _ in ():
            yield ""
        raise ZeroDivisionError("a bug")


async def test_a_bug_in_one_session_ends_that_session_and_no_other() -> None:
    healthy = Call()
    await healthy.client.until("session.created")
    broken = Call(responder=Bomb(), session_id="sess_u")
    broken.client.speak()
    async with asyncio.timeout(30):
        await asyncio.wait([broken.task])
    with pytest.raises(ZeroDivisionError):
        broken.task.result()

    healthy.client.speak()
    assert (await healthy.client.until("response.done"))["response"]["status"] == "completed"
    await healthy.end()


async def test_a_bug_found_while_a_deadline_passes_ends_the_session_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem_server.listening.FINALISE_DEADLINE", 0.0)

    def bug(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    call = Call(recogniser=SlowRecogniser(Gate()))
    await call.client.until("session.created")
    monkeypatch.setattr("tandem_server.listening.Listening.expired", bug)
    call.client.speak()
    with pytest.raises(ZeroDivisionError):
        await call.over()


async def test_a_recogniser_that_fails_is_apologised_for() -> None:
    call = Call(recogniser=FakeRecogniser([EngineError("deaf", stage="asr")]))
    call.client.speak()
    await call.client.until("response.done")
    failed = await call.client.until("conversation.item.input_audio_transcription.failed")
    await call.end()
    assert failed["error"]["message"] == "deaf"
    assert [turn.status for turn in await call.turns()] == ["failed", "completed"]


async def test_a_responder_that_fails_is_apologised_for() -> None:
    call = Call(responder=FakeResponder([EngineError("no network", stage="response")]))
    call.client.speak()
    done = await call.client.until("response.done")
    await call.end()
    assert done["response"]["status"] == "completed"
    assert call.client.events("error")[0]["error"]["code"] == "response_failed"


async def test_a_voice_that_fails_fails_its_reply_and_the_next_turn_is_heard() -> None:
    call = Call(voice=FakeVoice(failing=EngineError("hoarse", stage="voice")))
    call.client.speak()
    assert (await call.client.until("response.done"))["response"]["status"] == "failed"
    call.client.speak()
    assert (await call.client.until("response.done", 2))["response"]["status"] == "failed"
    await call.end()
    assert [turn.status for turn in await call.turns()] == ["completed", "failed", "completed", "failed"]


class FullStore(MemoryStore):
    async def record_turn(self, turn: TurnRecord) -> None:
        raise StoreError("the disk is full")


async def test_a_store_that_fails_is_told_and_the_conversation_goes_on() -> None:
    call = Call(store=FullStore())
    call.client.speak()
    assert (await call.client.until("response.done"))["response"]["status"] == "completed"
    await call.client.until("conversation.item.input_audio_transcription.completed")
    await call.end()
    assert [event["error"]["code"] for event in call.client.events("error")] == ["turn_not_recorded"] * 2


async def test_measuring_that_fails_takes_the_numbers_and_not_the_conversation() -> None:
    workers = Here()
    call = Call(workers=workers)
    await call.client.until("session.created")
    workers.failing = EngineError("the worker died", stage="prosody")
    call.client.speak()
    await call.client.until("response.created")
    done = await call.client.until("response.done")
    await call.end()
    turns = await call.turns()
    assert (turns[0].text, turns[0].features) == ("hello there", {})
    assert done["response"]["status"] == "failed"  # no audio without the realiser


async def test_what_is_sent_is_json_or_a_frame() -> None:
    call = Call()
    call.client.speak()
    await call.client.until("response.done")
    await call.end()
    assert all(isinstance(message, str) and json.loads(message)["type"] for message in call.client.messages)
    assert call.id == "sess_t"


async def test_a_client_that_is_sent_away_has_its_turn_recorded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_MISTAKES", 0)
    call = Call()
    call.client.speak(SPEECH)
    await call.client.until("input_audio_buffer.speech_started")
    call.client.say("{")
    with pytest.raises(ProtocolViolation):
        await call.over()
    assert [(turn.role, turn.text) for turn in await call.turns()] == [("user", "hello there")]


async def test_the_record_holds_the_settings_in_force() -> None:
    call = Call()
    await call.client.until("session.created")
    for strategy in ("rule", "anti"):
        call.client.say(
            {
                "type": "session.update",
                "session": {"type": "realtime", "tandem": {"strategy": strategy, "user_id": "ada"}},
            }
        )
    await call.client.until("session.updated", 2)
    began = (await call.engines.store.conversations())[0].started_at
    await call.end()
    (kept,) = await call.engines.store.conversations()
    assert (kept.user_id, kept.settings["tandem"]["strategy"]) == ("ada", "anti")  # type: ignore[index]
    assert kept.started_at == began and kept.ended_at is not None


async def test_events_of_ours_go_only_to_clients_that_know_them() -> None:
    call = Call(tandem=TandemSettings())
    call.client.speak()
    await call.client.until("response.done")
    assert not [event for event in call.client.sent if event["type"].startswith("tandem.")]

    call.client.say({"type": "session.update", "session": {"type": "realtime", "tandem": {"strength": 0.5}}})
    updated = await call.client.until("session.updated")
    assert updated["session"]["tandem"]["events"] is True
    call.client.speak()
    await call.client.until("tandem.agent.realised")
    await call.end()
