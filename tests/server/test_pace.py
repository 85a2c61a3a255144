"""The token bucket, second by second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_server.pace import TokenBucket


def test_a_burst_comes_at_once_and_what_is_beyond_it_waits_its_turn() -> None:
    bucket = TokenBucket(rate=10.0, burst=60.0)
    assert bucket.take(60.0, now=100.0) == 0.0
    assert bucket.take(5.0, now=100.0) == 0.5
    assert bucket.take(5.0, now=100.5) == 0.5
    assert bucket.take(0.0, now=101.0) == 0.0


def test_how_long_something_would_wait_can_be_asked_and_changes_nothing() -> None:
    bucket = TokenBucket(rate=10.0, burst=60.0)
    assert bucket.wait(60.0, now=100.0) == 0.0
    assert bucket.wait(660.0, now=100.0) == 60.0
    assert bucket.take(60.0, now=100.0) == 0.0
    assert bucket.wait(262.0, now=100.0) == pytest.approx(26.2)
    assert bucket.wait(262.0, now=101.0) == pytest.approx(25.2)


def test_what_was_not_used_is_saved_up_to_the_burst() -> None:
    bucket = TokenBucket(rate=10.0, burst=60.0)
    bucket.take(60.0, now=0.0)
    assert bucket.take(30.0, now=3.0) == 0.0
    assert bucket.take(61.0, now=1_000.0) == pytest.approx(0.1)


def test_who_speaks_in_real_time_never_waits() -> None:
    bucket = TokenBucket(rate=10.0, burst=1.0)
    assert all(bucket.take(0.02, now=0.02 * number) == 0.0 for number in range(10_000))


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=200))
def test_who_waits_as_told_is_read_no_faster_than_the_rate(amounts: list[float]) -> None:
    bucket, now = TokenBucket(rate=10.0, burst=60.0), 0.0
    for amount in amounts:
        now += bucket.take(amount, now)
    assert sum(amounts) <= 60.0 + 10.0 * now + 1e-6
