"""Finding a donor for `yoked`: a recorded conversation whose targets followed somebody else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from tandem_models.prosody import NAMES
from tandem_server.conversation_events import DonorLoaded, LoadDonor
from tandem_server.record.records import ConversationRecord, TurnRecord, TurnStore
from tandem_server.stages.entrain import Scores
from tandem_server.stages.strategies import CONTINGENT

LEAST: Final = 5
"""Targets that a donor must have: fewer come round again too soon"""
_PAGE, _MOST_SEEN, _MOST_READ = 100, 2000, 50
"""Conversations: of a page, that may be drawn from (the newest), whose turns are read"""


async def find_donor(store: TurnStore, wanted: LoadDonor, here: str) -> DonorLoaded:
    """The one that is named, else one drawn by the seed and who is asking: the same from the same store. `here` is the
    conversation it is for. Raises StoreError."""
    if wanted.donor is not None:
        targets = targets_of(await store.turns(wanted.donor))
        if targets:
            return DonorLoaded(wanted.donor, targets)
        message = f"conversation {wanted.donor!r} has no targets to repeat: it is not recorded here, or was only typed"
        return DonorLoaded(None, (), message)
    found = [one for one in await _newest(store) if one.id != here and not _same_user(one, wanted.user_id)]
    asking = wanted.user_id or here
    ranked = sorted(found, key=lambda one: hashlib.sha256(f"{wanted.seed}:{asking}:{one.id}".encode()).digest())
    for candidate in ranked[:_MOST_READ]:
        turns = await store.turns(candidate.id)
        targets = targets_of(turns)
        if len(targets) >= LEAST and all(turn.strategy in CONTINGENT for turn in turns if turn.target_z):
            return DonorLoaded(candidate.id, targets)
    message = (
        f"yoked repeats another person's conversation, and none is recorded with {LEAST} replies under "
        f"{', '.join(sorted(CONTINGENT))}: record one, or name one in tandem.donor; the voice stays at its normal"
    )
    return DonorLoaded(None, (), message)


def targets_of(turns: Sequence[TurnRecord]) -> tuple[Scores, ...]:
    """What the agent was asked for, reply by reply."""
    return tuple(tuple(turn.target_z.get(name) for name in NAMES) for turn in turns if turn.target_z)


async def _newest(store: TurnStore) -> list[ConversationRecord]:
    found: list[ConversationRecord] = []
    while len(found) < _MOST_SEEN:
        page = await store.conversations(_PAGE, found[-1].id if found else None)
        found += page
        if len(page) < _PAGE:
            break
    return found


def _same_user(one: ConversationRecord, user_id: str | None) -> bool:
    return user_id is not None and one.user_id == user_id
