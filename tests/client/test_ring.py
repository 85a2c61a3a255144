"""What waits for the loudspeaker."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tandem_client.ring import PlaybackRing
from tandem_models.signal import Audio


def ones(samples: int) -> Audio:
    return np.ones(samples, np.float32)


def test_an_empty_ring_gives_silence_that_does_not_count() -> None:
    ring = PlaybackRing(prebuffer=0)
    assert ring.pull(4).tolist() == [0, 0, 0, 0]
    assert ring.played == 0


def test_playing_begins_when_the_prebuffer_is_full() -> None:
    ring = PlaybackRing(prebuffer=10)
    ring.push(ones(9))
    assert ring.pull(4).tolist() == [0, 0, 0, 0]
    ring.push(ones(1))
    assert ring.pull(4).tolist() == [1, 1, 1, 1]
    assert ring.played == 4


def test_a_reply_shorter_than_the_prebuffer_is_played_when_the_time_to_fill_it_has_passed() -> None:
    ring = PlaybackRing(prebuffer=10)
    ring.push(ones(2))
    assert [ring.pull(5).sum() for _ in range(4)] == [0, 0, 2, 0]
    assert ring.played == 2


def test_a_ring_run_dry_gathers_the_prebuffer_again() -> None:
    ring = PlaybackRing(prebuffer=4)
    ring.push(ones(4))
    ring.pull(4)
    ring.push(ones(3))
    assert ring.pull(2).sum() == 0


def test_a_flush_drops_what_waits_and_tells_the_position() -> None:
    ring = PlaybackRing(prebuffer=0)
    ring.push(ones(10))
    ring.pull(3)
    assert ring.flush() == 3
    assert ring.pull(4).sum() == 0
    ring.push(ones(2))
    assert ring.pull(4).tolist() == [1, 1, 0, 0]
    assert ring.played == 5


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30))), st.integers(0, 40))
def test_samples_come_out_once_in_their_order(walk: list[tuple[bool, int]], prebuffer: int) -> None:
    ring, pushed, heard = PlaybackRing(prebuffer), 0, []
    for push, amount in walk:
        if push:
            ring.push(np.arange(pushed + 1, pushed + amount + 1, dtype=np.float32))
            pushed += amount
        else:
            heard += ring.pull(amount).tolist()
    while ring.played < pushed:
        heard += ring.pull(10).tolist()
    assert [sample for sample in heard if sample] == list(range(1, pushed + 1))
