"""A learned predictor as a strategy: its state is carried from turn to turn, and is still a function of the history.

A recurrent model takes one step a turn. Replies are prepared in advance from turns that may be taken back, so the state
is kept by the turns that it has seen, not by when it saw them: a history that goes on elsewhere finds the last state
that both share.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, Protocol, TypeVar

from tandem_server.stages.entrain import History, Prediction, Scores, Side

State = TypeVar("State")
KEPT: Final = 256
"""States, of all conversations: each has two or three in use"""
Turns = tuple[tuple[Side, Scores], ...]


class Predictor(Protocol[State]):
    """A model that reads a dialogue turn by turn. It must not change a state, but make a new one."""

    def begin(self) -> State:
        """Before the first turn."""

    def learn(self, state: State, side: Side, scores: Scores) -> State:
        """After a turn more; `scores` are the user's level or what the agent realised, in z, None where missing."""

    def predict(self, state: State, text: str) -> Prediction:
        """Where the agent's next turn should be, with its spread."""


class Carried(Generic[State]):
    """A Strategy. O(1) model steps a turn."""

    def __init__(self, predictor: Predictor[State]) -> None:
        self._predictor: Predictor[State] = predictor
        self._states: OrderedDict[Turns, State] = OrderedDict()

    def __call__(self, history: History, text: str) -> Prediction:
        return self._predictor.predict(self._after(history.turns), text)

    def _after(self, turns: Turns) -> State:
        known = next((end for end in range(len(turns), 0, -1) if turns[:end] in self._states), 0)
        state = self._states[turns[:known]] if known else self._predictor.begin()
        for end in range(known, len(turns)):
            state = self._predictor.learn(state, *turns[end])
            self._states[turns[: end + 1]] = state
        if turns:
            self._states.move_to_end(turns)
        while len(self._states) > KEPT:
            self._states.popitem(last=False)
        return state
