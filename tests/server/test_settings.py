"""What a client may set, what it gets echoed, and the snapshot that the core reads."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest, RealtimeTranscriptionSessionCreateRequest

from tandem_models.prosody import NAMES
from tandem_models.signal import SAMPLES_PER_MS
from tandem_server.contract import TandemSettings
from tandem_server.errors import ClientError
from tandem_server.settings import DEFAULT_INSTRUCTIONS, SERVER_VAD, Wire, default_session, derived, merged
from tandem_server.stages.protocols import Tool, Tools

MS = SAMPLES_PER_MS


LOOK: Wire = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}


def default() -> Wire:
    return default_session("sess_1", "ears", "mouth", TandemSettings())


def update(session: Wire, **fields: Any) -> Wire:
    """After a session.update with these fields."""
    return merged(session, RealtimeSessionCreateRequest.model_validate({"type": "realtime", **fields}))


def detect(**fields: Any) -> Wire:
    return update(default(), audio={"input": {"turn_detection": fields}})


def refused(session: Wire, **fields: Any) -> ClientError:
    with pytest.raises(ClientError) as error:
        derived(update(session, **fields))
    return error.value


def test_a_session_begins_as_openais_does() -> None:
    settings = derived(default())
    assert (settings.turn.on, settings.turn.patience, settings.padding) == (0.5, 500 * MS, 300 * MS)
    assert settings.turn.off == pytest.approx(0.35)
    assert (settings.create_response, settings.interrupt_response, settings.turn.manual) == (True, True, False)
    assert (settings.text_only, settings.speed, settings.instructions) == (False, 1.0, DEFAULT_INSTRUCTIONS)
    assert settings.tandem == TandemSettings()


def test_only_what_is_present_changes() -> None:
    before = default()
    after = update(before, instructions="Sing.")
    assert after == {**before, "instructions": "Sing."}
    assert update(before) == before


def test_a_transcription_update_brings_no_unchecked_field_of_a_conversation() -> None:
    """Its type declares neither, so nobody has looked at what they hold."""
    unchecked = {"output_modalities": [1, "text"], "tools": 3, "audio": {"output": {"speed": "fast"}, "input": {}}}
    asked = RealtimeTranscriptionSessionCreateRequest.model_validate({"type": "transcription", **unchecked})
    after = merged(default(), asked)
    assert after == {**default(), "type": "transcription"}


def test_an_update_never_touches_the_session_it_is_made_from() -> None:
    before = default()
    kept = copy.deepcopy(before)
    update(
        before,
        instructions="x",
        output_modalities=["text"],
        audio={"input": {"turn_detection": None, "transcription": None}, "output": {"speed": 1.5, "voice": "cedar"}},
        tandem={"strategy": "anti"},
    )
    assert before == kept
    assert SERVER_VAD["silence_duration_ms"] == 500


def test_who_the_session_is_cannot_be_changed() -> None:
    after = update(default(), model="gpt-realtime", id="sess_2", object="x", audio={"output": {"voice": "marin"}})
    assert (after["id"], after["model"], after["object"]) == ("sess_1", "tandem", "realtime.session")
    assert after["audio"]["output"]["voice"] == "mouth"


def test_what_has_no_effect_here_is_accepted_and_the_echo_says_what_is_in_force() -> None:
    after = update(
        default(),
        tracing="auto",
        include=["item.input_audio_transcription.logprobs"],
        prompt={"id": "p"},
        reasoning={"effort": "low"},
        truncation={"type": "retention_ratio", "retention_ratio": 0.5},
        audio={"input": {"noise_reduction": {"type": "near_field"}}},
    )
    assert after == default()
    assert (after["include"], after["prompt"], after["truncation"]) == (None, None, "auto")
    assert after["audio"]["input"]["noise_reduction"] is None
    assert "tracing" not in after


def test_clearing_is_by_null_or_empty() -> None:
    for empty in (None, ""):
        assert derived(update(default(), instructions=empty)).instructions == ""
    assert update(default(), audio=None, tandem=None) == default()
    assert update(default(), audio={"input": None, "output": None}) == default()
    changed = update(
        default(),
        instructions="Sing.",
        output_modalities=["text"],
        tools=[LOOK],
        tool_choice="required",
        parallel_tool_calls=False,
        max_output_tokens=100,
        audio={"output": {"speed": 1.5}},
    )
    cleared: dict[str, Any] = {
        "instructions": "",
        "output_modalities": ["audio"],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "max_output_tokens": "inf",
    }
    for name, value in cleared.items():
        assert update(changed, **{name: None}) == {**changed, name: value}
    for name in ("tools", "output_modalities"):
        assert update(changed, **{name: []}) == {**changed, name: cleared[name]}
    assert update(changed, audio={"output": {"speed": None}})["audio"]["output"]["speed"] == 1.0


# Tools --------------------------------------------------------------------------------------------------------------
def test_tools_are_echoed_as_they_were_offered_and_read_as_they_are_meant() -> None:
    offered = [{**LOOK, "strict": True}, {"type": "function", "name": "wave"}]
    after = update(default(), tools=offered, tool_choice={"type": "function", "name": "wave"})
    assert (after["tools"], after["tool_choice"]) == (offered, {"type": "function", "name": "wave"})
    assert derived(after).tools == Tools((Tool("wave"),), required=True)
    assert derived(update(after, tool_choice="auto")).tools.functions[0] == Tool("look", "Look.", {"type": "object"})


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ("auto", Tools((Tool("look", "Look.", {"type": "object"}),))),
        ("required", Tools((Tool("look", "Look.", {"type": "object"}),), required=True)),
        ("none", Tools()),
    ],
)
def test_a_choice_is_what_may_be_called(choice: str, tools: Tools) -> None:
    assert derived(update(default(), tools=[LOOK], tool_choice=choice)).tools == tools


def test_nothing_is_required_where_nothing_is_offered() -> None:
    assert derived(update(default(), tool_choice="required")).tools == Tools()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "mcp", "server_label": "m", "server_url": "http://m"}]}, "session.tools"),
        ({"tools": [{"type": "function"}]}, "session.tools"),
        ({"tools": [{"type": "function", "name": "two words"}]}, "session.tools"),
        ({"tools": [{"type": "function", "name": "n" * 65}]}, "session.tools"),
        ({"tools": [{"type": "function", "name": "f", "parameters": [1]}]}, "session.tools"),
        ({"tools": [LOOK, LOOK]}, "session.tools"),
        ({"tools": [{"type": "function", "name": f"f{n}"} for n in range(129)]}, "session.tools"),
        ({"tool_choice": {"type": "function", "name": "wave"}}, "session.tool_choice"),
        ({"tools": [LOOK], "tool_choice": {"type": "function", "name": "wave"}}, "session.tool_choice"),
        ({"tool_choice": {"type": "mcp", "server_label": "m"}}, "session.tool_choice"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"max_output_tokens": 4097}, "session.max_output_tokens"),
    ],
)
def test_a_tool_or_a_limit_that_cannot_be_is_refused_by_its_field(fields: dict[str, Any], param: str) -> None:
    assert refused(default(), **fields).param == param


def test_a_limit_of_tokens_is_taken_at_its_bounds() -> None:
    for limit in (1, 4096):
        assert derived(update(default(), max_output_tokens=limit)).max_output_tokens == limit
    assert derived(update(default(), max_output_tokens="inf")).max_output_tokens is None


# Turn detection -----------------------------------------------------------------------------------------------------
def test_turn_detection_is_replaced_whole_and_completed() -> None:
    once = detect(type="server_vad", threshold=0.9, prefix_padding_ms=100)
    again = update(once, audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700}}})
    detection = again["audio"]["input"]["turn_detection"]
    assert detection == {**SERVER_VAD, "silence_duration_ms": 700}
    assert derived(again).turn.patience == 700 * MS


@pytest.mark.parametrize("kind", ["server_vad", "semantic_vad"])
def test_the_echo_says_whether_the_server_interrupts(kind: str) -> None:
    assert detect(type=kind)["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert detect(type=kind, interrupt_response=None)["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    after = detect(type=kind, interrupt_response=False, create_response=False)
    assert after["audio"]["input"]["turn_detection"]["interrupt_response"] is False
    assert (derived(after).interrupt_response, derived(after).create_response) == (False, False)


@pytest.mark.parametrize(
    ("eagerness", "ms", "most"),
    [("low", 800, 8000), ("medium", 500, 4000), ("auto", 500, 4000), ("high", 350, 2000), (None, 500, 4000)],
)
def test_eagerness_is_how_long_to_wait_and_how_long_at_most(eagerness: str | None, ms: int, most: int) -> None:
    settings = derived(detect(type="semantic_vad", eagerness=eagerness))
    assert (settings.turn.patience, settings.turn.most_patience) == (ms * MS, most * MS)
    assert settings.padding == 300 * MS


def test_a_server_vad_has_no_limit_of_its_own() -> None:
    assert derived(detect(type="server_vad", silence_duration_ms=700)).turn.most_patience is None


def test_no_turn_detection_is_the_clients_own() -> None:
    after = update(default(), audio={"input": {"turn_detection": None}})
    assert after["audio"]["input"]["turn_detection"] is None
    settings = derived(after)
    assert (settings.turn.manual, settings.create_response, settings.interrupt_response) == (True, False, False)
    assert derived(update(after, instructions="x")).turn.manual
    assert derived(update(after, audio={"input": {"turn_detection": {"type": "server_vad"}}})).turn.manual is False


@pytest.mark.parametrize(("on", "off"), [(0.5, 0.35), (0.3, 0.15), (0.2, 0.1), (0.05, 0.025), (0.99, 0.84)])
def test_silence_begins_below_speech_and_never_at_nought(on: float, off: float) -> None:
    assert derived(detect(type="server_vad", threshold=on)).turn.off == pytest.approx(off)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("threshold", 0.05, 0.99), ("prefix_padding_ms", 0, 5_000), ("silence_duration_ms", 50, 10_000)],
)
def test_numbers_are_taken_at_their_bounds_and_refused_beyond(field: str, low: float, high: float) -> None:
    step = 0.01 if field == "threshold" else 1
    for value in (low, high):
        derived(detect(type="server_vad", **{field: value}))
    for value in (low - step, high + step):
        session = detect(type="server_vad", **{field: value})
        with pytest.raises(ClientError) as error:
            derived(session)
        assert error.value.param == f"session.audio.input.turn_detection.{field}"


@pytest.mark.parametrize("speed", [0.25, 1.5])
def test_speed_has_bounds(speed: float) -> None:
    assert derived(update(default(), audio={"output": {"speed": speed}})).speed == speed
    beyond = speed + (0.01 if speed > 1 else -0.01)
    assert refused(default(), audio={"output": {"speed": beyond}}).param == "session.audio.output.speed"
    assert refused(default(), audio={"output": {"speed": float("nan")}}).param == "session.audio.output.speed"


# Audio and words ----------------------------------------------------------------------------------------------------
def test_a_model_of_the_cloud_is_what_is_here_and_the_echo_says_so() -> None:
    after = update(default(), audio={"input": {"transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"}}})
    assert after["audio"]["input"]["transcription"] == {"model": "ears"}


def test_transcription_that_was_turned_off_can_be_turned_on_again() -> None:
    off = update(default(), audio={"input": {"transcription": None}})
    on = update(off, audio={"input": {"transcription": {"model": "whisper-1"}}})
    assert on["audio"]["input"]["transcription"] == {"model": "ears"}


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
@pytest.mark.parametrize("side", ["input", "output"])
def test_a_telephones_format_is_taken_and_each_side_has_its_own(side: str, kind: str) -> None:
    other = "output" if side == "input" else "input"
    after = update(default(), audio={side: {"format": {"type": kind}}})
    assert after["audio"][side]["format"] == {"type": kind}
    assert after["audio"][other]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert derived(after).output_format == (kind if side == "output" else "audio/pcm")
    for back in ({"type": "audio/pcm"}, {"rate": 24000}, {}, None):
        again = update(after, audio={side: {"format": back}})
        assert again["audio"][side]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_a_reply_is_spoken_or_written() -> None:
    assert refused(default(), output_modalities=["text", "audio"]).param == "session.output_modalities"
    assert derived(update(default(), output_modalities=["text"])).text_only is True


# Ours ---------------------------------------------------------------------------------------------------------------
def test_tandem_is_merged_field_by_field() -> None:
    once = update(default(), tandem={"strategy": "anti"})
    twice = update(once, tandem={"strength": 0.5, "features": ["rate"]})
    settings = derived(twice).tandem
    assert (settings.strategy, settings.strength, settings.features) == ("anti", 0.5, ["rate"])
    assert derived(update(twice, tandem={"features": []})).tandem.features == []


@pytest.mark.parametrize(
    ("tandem", "param"),
    [
        ({"strategy": "mimic"}, "session.tandem.strategy"),
        ({"strength": 1.51}, "session.tandem.strength"),
        ({"strength": -0.01}, "session.tandem.strength"),
        ({"strength": None}, "session.tandem.strength"),
        ({"strenght": 1.0}, "session.tandem.strenght"),
        ({"features": ["pitch"]}, "session.tandem.features"),
        ({"audio_frames": "opus"}, "session.tandem.audio_frames"),
        ({"user_id": "x" * 129}, "session.tandem.user_id"),
        ({"user_id": ""}, "session.tandem.user_id"),
        ({"user_id": " \t"}, "session.tandem.user_id"),
        ("match", "session.tandem"),
        (5, "session.tandem"),
    ],
)
def test_a_misspelt_or_impossible_setting_of_ours_is_an_error(tandem: object, param: str) -> None:
    assert refused(default(), tandem=tandem).param == param


def test_the_bounds_of_strength_are_taken_and_the_names_are_the_registrys() -> None:
    for strength in (0.0, 1.5):
        assert derived(update(default(), tandem={"strength": strength})).tandem.strength == strength
    assert derived(default()).tandem.features == list(NAMES)
    assert "pitch_mean" in str(refused(default(), tandem={"features": ["pitch"]}))
