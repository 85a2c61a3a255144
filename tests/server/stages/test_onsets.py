"""Sounds by their level alone; frames of 512 samples in four parts."""

from __future__ import annotations

from collections.abc import Sequence

from tandem_models.signal import VAD_FRAME
from tandem_server.stages.onsets import Onsets


def since(levels: Sequence[float]) -> list[int | None]:
    """Of frames of these levels: the number of the frame with which the sound began."""
    onsets = Onsets()
    found = [onsets.heard((number + 1) * VAD_FRAME, (level,) * 4) for number, level in enumerate(levels)]
    return [None if one is None else one // VAD_FRAME for one in found]


def test_a_sound_begins_where_it_is_15_db_louder_than_the_room_and_lasts_while_it_is() -> None:
    assert since([-50, -50, -34.6, -20, -30, -36, -20]) == [None, None, 2, 2, 2, None, 6]
    assert since([-50, -50, -35.1]) == [None, None, None]


def test_half_a_frame_of_a_sound_3_db_louder_than_that_is_one() -> None:
    onsets = Onsets()
    onsets.heard(VAD_FRAME, (-50.0,) * 4)
    assert onsets.heard(2 * VAD_FRAME, (-50.0, -50.0, -31.0, -31.0)) == VAD_FRAME


def test_silence_that_was_cut_out_makes_no_sound_of_a_breath() -> None:
    assert since([-120, -120, -51, -49]) == [None, None, None, 3]


def test_a_room_that_grows_louder_is_no_sound_for_ever() -> None:
    found = since([-60] + [-40] * 100)
    assert found[1:50] == [1] * 49  # 20 dB louder than it was, and 5 are forgotten in 50 frames
    assert found[52:] == [None] * 49
