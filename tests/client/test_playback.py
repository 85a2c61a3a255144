"""Where in which reply the loudspeaker is."""

from __future__ import annotations

from tandem_client.playback import Playback, Reply


def test_positions_are_counted_reply_by_reply_in_the_order_of_the_queue() -> None:
    playback, one, two = Playback(), Reply("r1"), Reply("r2")
    playback.queue(one.part("a", 0), 240)
    playback.queue(two.part("b", 0), 480)
    playback.played(480)
    assert (one.heard_ms, two.heard_ms, len(playback)) == (10, 10, 240)


def test_a_report_that_goes_back_or_beyond_the_queue_changes_nothing_more() -> None:
    playback, reply = Playback(), Reply("r1")
    playback.queue(reply.part("a", 0), 240)
    playback.played(1000)
    playback.played(100)
    playback.queue(reply.part("a", 0), 240)
    playback.played(1000)
    assert (reply.heard_ms, len(playback)) == (10, 240)


def test_what_is_dropped_is_not_played_and_what_belongs_to_others_stays() -> None:
    playback, stopped, later = Playback(), Reply("r1"), Reply("r2")
    playback.queue(stopped.part("a", 0), 480)
    playback.played(240)
    playback.queue(later.part("b", 0), 240)
    playback.drop([stopped])
    playback.played(480)
    assert (stopped.heard_ms, later.heard_ms, len(playback)) == (10, 10, 0)


def test_a_reply_is_over_when_it_is_made_and_played() -> None:
    playback, reply = Playback(), Reply("r1")
    playback.queue(reply.part("a", 0), 240)
    playback.played(240)
    assert not reply.over
    reply.status = "completed"
    assert reply.over


def test_a_part_played_to_its_end_needs_no_truncation_and_all_others_do() -> None:
    playback, reply = Playback(), Reply("r1")
    whole, cut, silent = reply.part("a", 0), reply.part("b", 0), reply.part("c", 0)
    playback.queue(whole, 240)
    playback.queue(cut, 4800)
    whole.complete = True
    playback.played(240 + 2399)
    assert list(reply.unheard()) == [(cut, 99), (silent, 0)]
