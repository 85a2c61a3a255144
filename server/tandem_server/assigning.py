"""What decides a session's strategy besides its client: the experiment's plan, and what strategies need. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from openai.types.realtime import SessionUpdatedEvent

from tandem_server.conversation_events import DonorLoaded, Effect, KeepSettings, LoadDonor, LoadSpeaker, Send
from tandem_server.errors import ClientError
from tandem_server.experiment import DECIDED
from tandem_server.predictor_events import LoadPredictor, PredictorLoaded
from tandem_server.settings import Settings, Wire, derived, echo
from tandem_server.shared_state import SharedState


def check(shared: SharedState, session: Wire, settings: Settings) -> None:
    """May these be the settings? Raises ClientError for what the plan decides, and for a stranger to it."""
    plan, user_id = shared.plan, settings.tandem.user_id
    if plan is None:
        return
    before, after = shared.session["tandem"], session["tandem"]
    if changed := [name for name in DECIDED if before[name] != after[name]]:
        message = f"the experiment plan {plan.name!r} decides {changed[0]}; leave it out"
        raise ClientError(message, code="decided_by_plan", param=f"session.tandem.{changed[0]}")
    if user_id is not None:
        plan.place(user_id)


def load(shared: SharedState) -> list[Effect]:
    """What is to be looked up for a user who has just said who they are."""
    user_id = shared.settings.tandem.user_id
    return [] if user_id is None else [LoadSpeaker(user_id, None if shared.plan is None else shared.plan.name)]


def donor_wanted(shared: SharedState) -> list[Effect]:
    """`yoked` needs a donor; one that was found stays, unless another is named."""
    tandem = shared.settings.tandem
    found = shared.donor is not None and tandem.donor in (None, shared.donor)
    if tandem.strategy != "yoked" or found:
        return []
    return [LoadDonor(tandem.donor, tandem.user_id, tandem.seed)]


def needed(shared: SharedState) -> list[Effect]:
    """What the strategy in force cannot do without."""
    untaught = shared.settings.tandem.strategy == "neural" and shared.learned is None
    return [*donor_wanted(shared), *([LoadPredictor()] if untaught else [])]


def predictor_loaded(shared: SharedState, news: PredictorLoaded) -> list[Effect]:
    """`neural` is there; if it cannot be, the session goes on as `neutral`, which is what it would be, and says so."""
    shared.learned = news.learned or shared.learned
    if shared.learned is not None or shared.settings.tandem.strategy != "neural":
        return []
    error = shared.error(f"{news.error}; this session is neutral now", "strategy_not_available")
    return [error, *_decide(shared, {"strategy": "neutral"})]


def _decide(shared: SharedState, decided: Mapping[str, object]) -> list[Effect]:
    """Change the session in place of its client."""
    shared.session = {**shared.session, "tandem": {**shared.session["tandem"], **decided}}
    shared.settings = derived(shared.session)
    updated = SessionUpdatedEvent(type="session.updated", event_id=shared.event_id(), session=echo(shared.session))
    return [Send(updated), KeepSettings()]


def donor_loaded(shared: SharedState, news: DonorLoaded) -> list[Effect]:
    """The donor is there, or there is none: then the voice stays at its normal, and the client is told."""
    if news.donor is None:
        return [shared.error(news.error or "there is no donor", "donor_not_found")]
    shared.donor = news.donor
    shared.history = replace(shared.history, donor=news.targets)
    return []


def assign(shared: SharedState, user_id: str, earlier: int) -> list[Effect]:
    """The participant is known: from now on the session is under the plan's condition."""
    if shared.plan is None or user_id != shared.settings.tandem.user_id:
        return []
    decided = shared.plan.settings(shared.plan.assign(user_id, earlier))
    return [*_decide(shared, decided), *needed(shared)]
