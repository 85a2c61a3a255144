"""An experiment plan: which participant speaks under which condition, by the plan's seed and nothing else. Pure.

`within`: every participant has every condition, a conversation each, in the order of a row of a balanced Latin square
(Williams, 1949: every condition comes at every place, and after every other, equally often). `between`: every
participant has one, drawn in blocks in which each condition comes once. Rows and conditions go to participants by their
place in the plan's list; without a list by a hash of the user id, which is balanced on average only.
"""

from __future__ import annotations

import hashlib
import random
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from tandem_models.prosody import NAMES
from tandem_server.contract import Assignment, StrategyName, Strength, TandemModel
from tandem_server.errors import ClientError, ConfigurationError

Name = Annotated[str, Field(min_length=1, max_length=64)]
DECIDED: Final = ("strategy", "strength", "strengths", "features", "donor", "seed")
"""Fields of a session's `tandem` that are the plan's"""


class Condition(TandemModel):
    """What a session's `tandem` says under it."""

    strategy: StrategyName
    strength: Strength = 1.0
    strengths: dict[str, Strength] = Field(default_factory=dict)
    features: list[str] = Field(default_factory=lambda: list(NAMES))
    donor: Name | None = None

    @model_validator(mode="after")
    def _known_features(self) -> Condition:
        if unknown := sorted({*self.features, *self.strengths} - set(NAMES)):
            raise ValueError(f"unknown feature {unknown[0]!r}; known are {', '.join(NAMES)}")
        return self


class Plan(TandemModel):
    """The operator's file (TANDEM_PLAN), as JSON."""

    name: Name
    design: Literal["within", "between"]
    conditions: dict[Name, Condition] = Field(min_length=2)
    participants: list[Name] = Field(default_factory=list)
    """User ids in the order in which they are expected; empty takes anybody"""
    seed: int = 0

    @model_validator(mode="after")
    def _each_once(self) -> Plan:
        if twice := sorted({one for one in self.participants if self.participants.count(one) > 1}):
            raise ValueError(f"participant {twice[0]!r} is listed twice")
        return self

    def place(self, user_id: str) -> int:
        """From 0. Raises ClientError for somebody who is not in the list."""
        if user_id in self.participants:
            return self.participants.index(user_id)
        if self.participants:
            message = f"{user_id!r} is not among the participants of the experiment plan {self.name!r}"
            raise ClientError(message, code="not_a_participant", param="session.tandem.user_id")
        digest = hashlib.sha256(f"{self.seed}:{self.name}:{user_id}".encode()).digest()
        return int.from_bytes(digest[:6], "big")

    def order(self, user_id: str) -> list[str]:
        """The participant's conditions, one a conversation. Raises ClientError as `place` does."""
        place, names = self.place(user_id), list(self.conditions)
        rows = latin_square(len(names)) if self.design == "within" else [[at] for at in range(len(names))]
        block, at = divmod(place, len(rows))
        drawn = list(range(len(rows)))
        random.Random(f"{self.seed}:{self.name}:{block}").shuffle(drawn)  # noqa: S311 (nobody must not guess it)
        return [names[position] for position in rows[drawn[at]]]

    def assign(self, user_id: str, earlier: int) -> Assignment:
        """For the participant's next conversation, after so many under this plan; after the last condition the order
        begins anew. Raises ClientError as `place` does."""
        order = self.order(user_id)
        return Assignment(plan=self.name, condition=order[earlier % len(order)], session=earlier + 1)

    def settings(self, assignment: Assignment) -> dict[str, Any]:
        """The fields of a session's `tandem` under it."""
        condition = self.conditions[assignment.condition].model_dump()
        return {**condition, "seed": self.seed, "assignment": assignment.model_dump()}


def parse_plan(text: str, where: str) -> Plan:
    """Raises ConfigurationError that names the file, the field at fault and what is wrong with it."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"the plan {where}: {f'{field}: ' if field else ''}{first['msg']}") from None


def latin_square(count: int) -> list[list[int]]:
    """Rows of a Latin square of `count` that is balanced for what comes before what: `count` rows when that is even,
    twice as many when it is odd (the second half is the first, backwards)."""
    first = [(step + 1) // 2 if step % 2 else -step // 2 % count for step in range(count)]  # 0, 1, -1, 2, -2 ...
    rows = [[(at + shift) % count for at in first] for shift in range(count)]
    return rows if count % 2 == 0 else rows + [row[::-1] for row in rows]
