"""The user's turn: the full table, an example on both sides of every guard, and random walks against the invariants."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_models.signal import VAD_FRAME
from tandem_server import reply, turn
from tandem_server.turn import (
    Clear,
    CloseTurn,
    Commit,
    DropTurn,
    Event,
    Frame,
    Hearing,
    MissAudio,
    Onset,
    OpenTurn,
    Pausing,
    Quiet,
    Resume,
    Settle,
    Stall,
    State,
    TurnSettings,
    step,
)

F = VAD_FRAME
SETTINGS = TurnSettings(on=0.5, off=0.35, min_speech=2 * F, settle=3 * F, patience=10 * F, longest=100 * F)
MANUAL = replace(SETTINGS, manual=True)
SPEECH, BETWEEN, SILENCE = 0.9, 0.4, 0.1


def test_the_table_has_a_rule_that_always_holds_for_every_state_and_event() -> None:
    states, events = State.__args__, Event.__args__

    assert set(turn.TABLE) == set(product(states, events))
    assert all(rules[-1].guard is turn.always for rules in turn.TABLE.values())


@pytest.mark.parametrize("settings", [SETTINGS, MANUAL])
@pytest.mark.parametrize("probability", [0.0, 0.34, 0.35, 0.49, 0.5, 1.0])
def test_every_rule_leads_where_the_table_says(settings: TurnSettings, probability: float) -> None:
    states: tuple[State, ...] = (
        Quiet(3),
        Onset(3, 4 * F, 4 * F),
        Hearing(3, 0),
        Pausing(3, 0, 5 * F, settled=False),
        Pausing(3, 0, F, settled=True),
    )
    for state, end in product(states, (6 * F, 8 * F, 30 * F, 200 * F)):
        for event in (Frame(end, probability), Commit(end), Clear(end), Stall(end)):
            after, _ = step(state, event, settings)
            rule = next(r for r in turn.TABLE[type(state), type(event)] if r.guard(state, event, settings))

            assert type(after) is rule.to


def test_a_voiced_frame_is_an_onset_and_opens_nothing_yet() -> None:
    assert step(Quiet(0), Frame(5 * F, 0.5), SETTINGS) == (Onset(0, 4 * F, 4 * F), ())
    assert step(Quiet(0), Frame(5 * F, 0.49), SETTINGS) == (Quiet(0), ())


def test_a_turn_opens_where_its_sound_began_once_it_is_long_enough() -> None:
    onset = Onset(0, 4 * F, 4 * F)
    assert step(onset, Frame(6 * F, SPEECH), SETTINGS) == (Hearing(0, 4 * F), (OpenTurn(0, 4 * F),))
    assert step(onset, Frame(6 * F - 1, SPEECH), SETTINGS) == (onset, ())


def test_a_sound_counts_from_before_the_detector_hears_it_but_not_from_long_before() -> None:
    def sound(loud_since: int | None) -> int:
        state, _ = step(Quiet(0), Frame(9 * F, SPEECH, loud_since=loud_since), SETTINGS)
        assert isinstance(state, Onset) and state.start == 8 * F
        return state.sound

    assert sound(None) == 8 * F
    assert sound(8 * F) == 8 * F
    assert sound(7 * F) == 7 * F
    assert sound(6 * F) == 6 * F
    assert sound(F) == 6 * F  # what had long been loud is another sound


def test_what_a_sound_lacks_in_voice_its_beginning_makes_up_for_down_to_what_is_needed() -> None:
    settings = replace(SETTINGS, min_speech=4 * F, min_voiced=2 * F)
    voiced, early = Onset(0, 8 * F, 8 * F), Onset(0, 8 * F, 6 * F)
    assert step(voiced, Frame(11 * F, SPEECH), settings) == (voiced, ())
    assert step(voiced, Frame(12 * F, SPEECH), settings)[1] == (OpenTurn(0, 8 * F),)
    assert step(early, Frame(9 * F, SPEECH), settings) == (early, ())
    assert step(early, Frame(10 * F, SPEECH), settings)[1] == (OpenTurn(0, 8 * F),)
    assert step(early, Frame(10 * F, SPEECH), replace(settings, min_voiced=3 * F)) == (early, ())


def test_an_onset_that_wavers_stays_and_one_that_fades_is_given_up() -> None:
    onset = Onset(0, 4 * F, 4 * F)
    assert step(onset, Frame(9 * F, BETWEEN), SETTINGS) == (onset, ())
    assert step(onset, Frame(9 * F, 0.34), SETTINGS) == (Quiet(0), ())


def test_between_the_thresholds_a_speaker_goes_on_speaking_and_a_pause_goes_on_pausing() -> None:
    assert step(Hearing(0, 0), Frame(9 * F, 0.35), SETTINGS) == (Hearing(0, 0), ())
    assert step(Hearing(0, 0), Frame(9 * F, 0.34), SETTINGS) == (Pausing(0, 0, 8 * F, settled=False), ())
    pausing = Pausing(0, 0, 8 * F, settled=False)
    assert step(pausing, Frame(10 * F, 0.49), SETTINGS) == (pausing, ())
    assert step(pausing, Frame(10 * F, 0.5), SETTINGS) == (Hearing(0, 0), ())


def test_a_pause_begins_where_it_became_quiet_but_not_long_before_the_detector_says_so() -> None:
    def since(quiet_since: int | None, start: int = 0) -> int:
        state, _ = step(Hearing(0, start), Frame(20 * F, SILENCE, quiet_since), SETTINGS)
        assert isinstance(state, Pausing)
        return state.since

    assert since(None) == 19 * F
    assert since(20 * F) == 19 * F
    assert since(17 * F) == 17 * F
    assert since(15 * F) == 15 * F
    assert since(3 * F) == 15 * F  # soft speech: the detector still heard it
    assert since(15 * F, start=18 * F) == 18 * F


def test_a_pause_is_settled_once_and_only_when_it_is_long_enough() -> None:
    pausing = Pausing(7, 0, 8 * F, settled=False)
    settled = replace(pausing, settled=True)

    assert step(pausing, Frame(11 * F - 1, SILENCE), SETTINGS) == (pausing, ())
    assert step(pausing, Frame(11 * F, SILENCE), SETTINGS) == (settled, (Settle(7, 11 * F),))
    assert step(settled, Frame(12 * F, SILENCE), SETTINGS) == (settled, ())


def test_going_on_after_a_settled_pause_is_said_and_after_a_short_one_is_not() -> None:
    assert step(Pausing(7, 0, 8 * F, settled=True), Frame(12 * F, SPEECH), SETTINGS) == (
        Hearing(7, 0),
        (Resume(7, 11 * F),),
    )
    assert step(Pausing(7, 0, 8 * F, settled=False), Frame(12 * F, SPEECH), SETTINGS) == (Hearing(7, 0), ())


def test_patience_ends_the_turn_where_the_speech_ended() -> None:
    pausing = Pausing(7, 0, 8 * F, settled=True)

    assert step(pausing, Frame(17 * F + F // 2, SILENCE), SETTINGS) == (pausing, ())
    assert step(pausing, Frame(18 * F, SILENCE), SETTINGS) == (
        Quiet(8),
        (CloseTurn(7, speech_end=8 * F, at=18 * F, reason="silence"),),
    )


def test_patience_ends_at_the_nearest_frame() -> None:
    pausing = Pausing(7, 0, 8 * F, settled=True)
    for patience, frames in ((200 * 16, 6), (208 * 16 - 1, 6), (208 * 16 + 1, 7)):  # 6 frames are 192 ms
        settings = replace(SETTINGS, patience=patience)
        assert step(pausing, Frame((8 + frames - 1) * F, SILENCE), settings)[1] == ()
        assert isinstance(step(pausing, Frame((8 + frames) * F, SILENCE), settings)[1][0], CloseTurn)


@pytest.mark.parametrize("state", [Hearing(7, 0), Pausing(7, 0, 8 * F, settled=True)])
def test_audio_that_stays_away_closes_a_turn_of_ours_and_is_only_told_of_in_one_of_the_clients(state: State) -> None:
    assert step(state, Stall(9 * F), MANUAL) == (state, (MissAudio(7),))
    after, (closed,) = step(state, Stall(9 * F), SETTINGS)
    assert (after, type(closed)) == (Quiet(8), CloseTurn)


def test_a_turn_that_never_ends_is_ended() -> None:
    assert step(Hearing(7, 0), Frame(100 * F - 1, SPEECH), SETTINGS) == (Hearing(7, 0), ())
    assert step(Hearing(7, 0), Frame(100 * F, SPEECH), SETTINGS) == (
        Quiet(8),
        (CloseTurn(7, 100 * F, 100 * F, "too_long"),),
    )


def test_the_client_can_commit_or_clear_an_open_turn_only() -> None:
    for state in (Quiet(2), Onset(2, F, F)):
        assert step(state, Commit(9 * F), SETTINGS) == (Quiet(2), ())
        assert step(state, Clear(9 * F), SETTINGS) == (Quiet(2), ())
    assert step(Hearing(2, F), Commit(9 * F), SETTINGS) == (Quiet(3), (CloseTurn(2, 9 * F, 9 * F, "commit"),))
    assert step(Pausing(2, F, 4 * F, settled=False), Commit(9 * F), SETTINGS) == (
        Quiet(3),
        (CloseTurn(2, 4 * F, 9 * F, "commit"),),
    )
    assert step(Hearing(2, F), Clear(9 * F), SETTINGS) == (Quiet(3), (DropTurn(2),))


def test_a_stalled_client_ends_its_turn_unless_it_ends_turns_itself() -> None:
    assert step(Hearing(2, F), Stall(9 * F), SETTINGS) == (Quiet(3), (CloseTurn(2, 9 * F, 9 * F, "stall"),))
    assert step(Pausing(2, F, 4 * F, settled=True), Stall(9 * F), SETTINGS)[1] == (CloseTurn(2, 4 * F, 9 * F, "stall"),)


def test_in_manual_mode_any_audio_opens_a_turn_and_no_silence_ends_it() -> None:
    assert step(Quiet(0), Frame(F, 0.0), MANUAL) == (Hearing(0, 0), (OpenTurn(0, 0),))
    assert step(Pausing(0, 0, F, settled=True), Frame(90 * F, 0.0), MANUAL) == (Pausing(0, 0, F, settled=True), ())
    assert step(Pausing(0, 0, F, settled=False), Frame(90 * F, 0.0), MANUAL)[1] == (Settle(0, 90 * F),)


@given(
    steps=st.lists(
        st.one_of(st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.4, 0.5, 0.9]), st.sampled_from([Commit, Clear, Stall])),
        max_size=300,
    ),
    manual=st.booleans(),
)
def test_whatever_happens_a_turn_is_open_exactly_between_its_start_and_its_one_end(
    steps: list[float | type[Commit] | type[Clear] | type[Stall]], manual: bool
) -> None:
    state: State = Quiet(0)
    settings = replace(SETTINGS, manual=manual)
    heard, settled = 0, False
    opened: list[int] = []
    ended: list[int] = []
    for one in steps:
        if isinstance(one, float):
            heard += F
            event: Event = Frame(heard, one)
        else:
            event = one(heard)
        state, effects = step(state, event, settings)
        for effect in effects:
            match effect:
                case OpenTurn():
                    opened.append(effect.turn)
                    assert len(opened) == len(ended) + 1
                    assert 0 <= effect.start <= heard
                    settled = False
                case Settle():
                    assert not settled
                    settled = True
                case Resume():
                    assert settled
                    settled = False
                case CloseTurn() | DropTurn():
                    ended.append(effect.turn)
                    assert opened[-1] == effect.turn
            if isinstance(effect, CloseTurn):
                assert effect.speech_end <= effect.at == heard
        assert isinstance(state, Hearing | Pausing) == (len(opened) > len(ended))
        if isinstance(state, Hearing | Pausing):
            assert heard - state.start < settings.longest + F
    assert opened == sorted(set(opened))


def test_the_page_shows_the_table_as_it_is() -> None:
    page = (Path(turn.__file__).parents[1] / "TURN.md").read_text(encoding="utf-8")

    assert turn.diagram() in page
    assert reply.diagram() in page
