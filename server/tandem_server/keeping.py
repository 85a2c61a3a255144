"""What one session writes into the store and reads from it; every failure becomes news or a line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from tandem_models.prosody import EXTRACTOR_VERSION
from tandem_server.conversation_events import (
    DonorLoaded,
    LoadDonor,
    LoadSpeaker,
    News,
    Record,
    Remember,
    SpeakerLoaded,
    StoreReported,
)
from tandem_server.donors import find_donor
from tandem_server.errors import EngineError, StoreError
from tandem_server.predictor_events import LoadPredictor, PredictorLoaded
from tandem_server.record.records import ConversationRecord, JsonObject, SpeakerRecord, TurnStore
from tandem_server.stages.protocols import Learner
from tandem_server.telemetry import Log

STORE_DEADLINE: Final = 10.0
"""Seconds that the store may take to open a conversation, and to close it; it waits 5 s for another program's lock."""
_MOST_SESSIONS: Final = 1000
"""Of one participant"""


class Keeper:
    """Performs Record, KeepSettings and everything that is to be loaded."""

    def __init__(
        self, store: TurnStore, tell: Callable[[News], None], log: Log, learner: Learner | None = None
    ) -> None:
        self._store = store
        self._learner = learner
        self._tell = tell
        self._log = log
        self._conversation: ConversationRecord | None = None
        self._unsaved: JsonObject | None = None
        self._saving = False

    async def begin(self, record: ConversationRecord) -> None:
        """Open the conversation. Raises StoreError."""
        try:
            async with asyncio.timeout(STORE_DEADLINE):
                await self._store.open_conversation(record)
        except TimeoutError:
            raise StoreError(f"the store did not answer within {STORE_DEADLINE:g} s; try again") from None
        self._conversation = record

    async def end(self) -> None:
        """Close the conversation; whoever was in it has left, so a failure is for the log."""
        if self._conversation is None:
            return
        try:
            async with asyncio.timeout(STORE_DEADLINE):
                await self._store.close_conversation(self._conversation.id, datetime.now(UTC))
        except (StoreError, TimeoutError) as failure:
            self._log.error("conversation_not_closed", error=failure)

    async def settings(self, session: JsonObject) -> None:
        """The settings in force; of many changes at once only the last is written."""
        self._unsaved = session
        if self._saving or self._conversation is None:
            return
        self._saving = True
        try:
            while self._unsaved is not None:
                session, self._unsaved = self._unsaved, None
                self._conversation = replace(self._conversation, settings=session, user_id=user_of(session))
                await self._store.open_conversation(self._conversation)
        except StoreError as failure:
            self._log.error("settings_not_recorded", error=failure)
        finally:
            self._saving = False

    async def keep(self, effect: Record) -> None:
        """The turn, and what was learnt of the speaker."""
        error: str | None = None
        try:
            await self._store.record_turn(effect.turn)
            if effect.speaker is not None:
                await self._store.save_speaker(_speaker(effect.speaker))
        except StoreError as failure:
            error = str(failure)
            self._log.error("turn_not_recorded", error=failure)
        self._tell(StoreReported(effect.turn.item_id, error))

    async def load(self, wanted: LoadSpeaker | LoadDonor | LoadPredictor) -> None:
        """What is remembered of a user, or of a conversation to repeat; or the learned strategy."""
        if isinstance(wanted, LoadPredictor):
            self._tell(await self._predictor())
            return
        try:
            loaded = await (self._speaker(wanted) if isinstance(wanted, LoadSpeaker) else self._donor(wanted))
        except StoreError as failure:
            speaker = isinstance(wanted, LoadSpeaker)
            self._log.error(f"{'speaker' if speaker else 'donor'}_not_loaded", error=failure)
            if isinstance(wanted, LoadSpeaker):
                self._tell(SpeakerLoaded(wanted.user_id, None, error=failure.plain))
            else:
                self._tell(DonorLoaded(None, (), failure.plain))
            return
        self._tell(loaded)

    async def _speaker(self, wanted: LoadSpeaker) -> News:
        earlier = 0
        if wanted.plan is not None:
            done = await self._store.conversations(_MOST_SESSIONS, user_id=wanted.user_id)
            under = [one.id for one in done if plan_of(one.settings) == wanted.plan and one.id != self._id]
            earlier = sum([bool(await self._store.turns(one)) for one in under])
            self._log.info("participant_known", plan=wanted.plan, earlier=earlier)
        return SpeakerLoaded(wanted.user_id, await self._store.load_speaker(wanted.user_id), earlier)

    async def _predictor(self) -> PredictorLoaded:
        if self._learner is None:
            return PredictorLoaded(None, "this server has no learned strategy")
        try:
            learned = await self._learner.load()
        except EngineError as failure:
            self._log.error("strategy_not_available", error=failure)
            return PredictorLoaded(None, str(failure))
        self._log.info("strategy_loaded", model=learned.name)
        return PredictorLoaded(learned)

    async def _donor(self, wanted: LoadDonor) -> News:
        found = await find_donor(self._store, wanted, self._id)
        self._log.info("donor_chosen", donor=found.donor, seed=wanted.seed)
        return found

    @property
    def _id(self) -> str:
        return "" if self._conversation is None else self._conversation.id


def conversation_record(
    session_id: str, session: JsonObject, engines: Mapping[str, str], software_version: str
) -> ConversationRecord:
    """A conversation that begins now, with the settings as the protocol shows them."""
    return ConversationRecord(
        id=session_id,
        started_at=datetime.now(UTC),
        user_id=user_of(session),
        settings=session,
        engines=engines,
        software_version=software_version,
        extractor_version=EXTRACTOR_VERSION,
    )


def user_of(session: JsonObject) -> str | None:
    """Whose conversation it is, if that is known."""
    tandem = session["tandem"]
    assert isinstance(tandem, Mapping)
    user_id: str | None = tandem["user_id"]
    return user_id


def plan_of(session: JsonObject) -> str | None:
    """The experiment plan under which a recorded conversation was."""
    tandem = session.get("tandem")
    assignment = tandem.get("assignment") if isinstance(tandem, Mapping) else None
    return assignment["plan"] if isinstance(assignment, Mapping) else None


def _speaker(known: Remember) -> SpeakerRecord:
    return SpeakerRecord(known.user_id, known.normaliser, known.pitch_range, datetime.now(UTC))
