"""The `tandem.*` events of one reply: how it was to be spoken, how it was, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tandem_models.extract import TurnProsody
from tandem_models.prosody import NAMES
from tandem_server.contract import (
    AgentRealisedEvent,
    AgentTargetEvent,
    EntrainmentEvent,
    EntrainmentMeasure,
    FeatureMeasure,
    LatencyEvent,
    PitchTrack,
    StrategyName,
)
from tandem_server.conversation_events import Send
from tandem_server.shared_state import SharedState, by_name
from tandem_server.stages.entrain import NEUTRAL, Aimed, History, Scores
from tandem_server.stages.meter import readings


@dataclass(frozen=True, slots=True)
class MannerWire:
    """Builds the events of one reply; every event gets its own id."""

    shared: SharedState
    response_id: str
    item_id: str
    strategy: StrategyName

    def target(self, aimed: Aimed) -> Send:
        """`tandem.agent.target`."""
        return Send(
            AgentTargetEvent(
                event_id=self.shared.event_id(),
                response_id=self.response_id,
                item_id=self.item_id,
                strategy=self.strategy,
                features=by_name(aimed.asked.values),
                z=by_name(aimed.target),
                spread=by_name(aimed.spread),
            )
        )

    def realised(self, measured: TurnProsody, scores: Scores, limits: tuple[str, ...]) -> Send:
        """`tandem.agent.realised`."""
        pitch = [None if value is None else round(value, 2) for value in measured.track]
        return Send(
            AgentRealisedEvent(
                event_id=self.shared.event_id(),
                response_id=self.response_id,
                item_id=self.item_id,
                features=by_name(measured.prosody.values),
                z=by_name(scores),
                track=PitchTrack(start_ms=0, hop_ms=10, pitch=pitch),
                limits=list(limits),
            )
        )

    def latency(self, stages_ms: Mapping[str, float]) -> Send:
        """`tandem.latency`."""
        stages = {stage: round(value, 1) for stage, value in stages_ms.items()}
        return Send(LatencyEvent(event_id=self.shared.event_id(), response_id=self.response_id, stages_ms=stages))

    def entrainment(self, exchange: int, aimed: Aimed | None, realised: Scores) -> Send:
        """`tandem.entrainment`: where the user stood, where the agent was to stand, and where it stood."""
        history = self.shared.history
        user = history.user[-1].level if history.user else (None,) * len(NAMES)
        rows = zip(NAMES, user, aimed.target if aimed else NEUTRAL, realised, strict=True)
        measures = {name: _measure(theirs, wanted, ours) for name, theirs, wanted, ours in rows}
        return Send(
            EntrainmentEvent(
                event_id=self.shared.event_id(),
                exchange=exchange,
                strategy=self.strategy,
                features=measures,
                measures=so_far(history),
            )
        )


def so_far(history: History) -> list[EntrainmentMeasure]:
    """What the meter reads, as `tandem.entrainment` says it."""
    return [
        EntrainmentMeasure(
            measure=one.finding.measure,
            responder=one.responder,
            feature=one.feature,
            n=one.finding.n,
            effect=_rounded(one.finding.effect, 4),
            p=_rounded(one.finding.p, 5),
            p_adjusted=_rounded(one.p_adjusted, 5),
        )
        for one in readings(history.turns)
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _measure(user: float | None, target: float | None, realised: float | None) -> FeatureMeasure:
    distance = None if user is None or realised is None else round(abs(user - realised), 4)
    values = (None if value is None else round(value, 4) for value in (user, target, realised))
    theirs, wanted, ours = values
    return FeatureMeasure(user=theirs, target=wanted, realised=ours, distance=distance)
