"""What the comparison with another server means, with ratios worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tandem_models.signal import float_to_pcm16
from tandem_server.contract import AudioFrame

from .callers import Raw, Realtime
from .latency import compare, percentile


def row(waits: list[tuple[int, float]], cpu: float = 1.0, peak: float = 1.0) -> dict[str, Any]:
    return {"waits_ms": waits, "cpu_percent_of_a_core_per_session": cpu, "peak_mb": peak}


def test_only_recordings_that_both_answered_are_compared() -> None:
    ours = row([(0, 240.0), (1, 260.0), (2, 900.0)])
    theirs = row([(0, 200.0), (1, 520.0), (3, 10.0)])

    ratios = compare(ours, theirs)

    assert ratios["wait p50"] == 260.0 / 520.0  # by nearest rank, of two the second
    assert ratios["wait p95"] == 260.0 / 520.0


def test_a_ratio_under_one_means_that_ours_uses_less() -> None:
    ratios = compare(row([(0, 1.0)], cpu=3.0, peak=300.0), row([(0, 1.0)], cpu=6.0, peak=200.0))

    assert (ratios["CPU"], ratios["memory"]) == (0.5, 1.5)


def test_without_a_common_recording_there_is_no_ratio_of_waits() -> None:
    assert np.isnan(compare(row([(0, 1.0)]), row([(1, 1.0)]))["wait p50"])


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3.0), (0.95, 4.0), (0.0, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_both_wires_carry_the_same_samples() -> None:
    pcm = float_to_pcm16(np.array([0.0, 0.5, -0.5], np.float32))

    sent = Realtime({"type": "server_vad"}).frame(7, pcm)

    assert AudioFrame.decode(sent).pcm == Realtime(None).pcm(sent) == Raw().pcm(Raw().frame(7, pcm)) == pcm
    assert AudioFrame.decode(sent).time_ms == 140.0  # seven frames of 20 ms
