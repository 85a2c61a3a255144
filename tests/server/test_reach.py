"""How far the realiser can move a voice, seen from the voice's own scale."""

from __future__ import annotations

import math

import pytest

from tandem_models.normaliser import Normaliser
from tandem_models.prosody import INDEX, NAMES, Prosody
from tandem_models.realise import REACH
from tandem_server.engines.fakes import FakeVoice
from tandem_server.reach import reach_of
from tandem_server.shared_state import AgentVoice

CALIBRATION = FakeVoice.calibration
SCALE = AgentVoice.of(CALIBRATION).normaliser
REACHED = reach_of(SCALE, CALIBRATION.mean)


def test_every_feature_has_its_limits_around_nought() -> None:
    assert len(REACHED.low) == len(REACHED.high) == len(NAMES)
    for low, high in zip(REACHED.low, REACHED.high, strict=True):
        assert low <= 0.0 <= high
        assert math.isfinite(low) and math.isfinite(high)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_at_the_limit_is_what_the_realiser_can_just_do(name: str) -> None:
    own, (least, most) = CALIBRATION.mean[name], REACH[name]
    assert own is not None
    for limit, move in ((REACHED.low, least), (REACHED.high, most)):
        asked = SCALE.inverse(tuple(limit))[name]
        assert asked is not None
        if name in ("pitch_range", "intensity_range"):
            assert asked == pytest.approx(own * math.exp(move), rel=1e-6)
        else:
            assert asked == pytest.approx(own + move, abs=1e-6)


def test_shimmer_cannot_be_lowered_and_harmonicity_not_raised() -> None:
    assert REACHED.low[INDEX["shimmer"]] == 0.0
    assert REACHED.high[INDEX["hnr"]] == 0.0
    assert REACHED.high[INDEX["shimmer"]] > 0.0 > REACHED.low[INDEX["hnr"]]


def test_a_feature_that_the_voice_lacks_cannot_be_moved() -> None:
    lacking = Prosody.from_dict({"rate": 1.5})
    reached = reach_of(Normaliser.from_calibration(lacking, CALIBRATION.sd), lacking)
    moved = [
        name for name, low, high in zip(NAMES, reached.low, reached.high, strict=True) if (low, high) != (0.0, 0.0)
    ]
    assert moved == ["rate"]
