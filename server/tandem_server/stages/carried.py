"""A learned predictor as a strategy: its state is carried from turn to turn, and is still a function of the history.

A recurrent model takes one step a turn. Replies are prepared in advance from turns that may be taken back, so the state
is kept by the turns that it has seen, not by when it saw them: a history that goes on elsewhere finds the last state
that both share.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, Protocol, TypeVar

from tandem_models.normaliser import Normaliser
from tandem_server.stages.entrain import History, Prediction, Side, Spoken

State = TypeVar("State")
KEPT: Final = 256
"""States, of all conversations: each has two or three in use"""
Turns = tuple[tuple[Side, Spoken], ...]


class Predictor(Protocol[State]):
    """A model that reads a dialogue turn by turn. It must not change a state, but make a new one."""

    def begin(self, speaker: Normaliser) -> State:
        """Before the first turn, with what is known of the user."""

    def learn(self, state: State, side: Side, spoken: Spoken) -> State:
        """After a turn more."""

    def predict(self, state: State, text: str) -> Prediction:
        """Where the agent's next turn should be, with its spread."""


class Carried(Generic[State]):
    """A Strategy. O(1) model steps a turn."""

    def __init__(self, predictor: Predictor[State]) -> None:
        self._predictor: Predictor[State] = predictor
        self._states: OrderedDict[tuple[Normaliser, Turns], State] = OrderedDict()

    def __call__(self, history: History, text: str) -> Prediction:
        return self._predictor.predict(self._after(history.speaker, history.dialogue), text)

    def _after(self, speaker: Normaliser, turns: Turns) -> State:
        known = next((end for end in range(len(turns), 0, -1) if (speaker, turns[:end]) in self._states), 0)
        state = self._states[speaker, turns[:known]] if known else self._predictor.begin(speaker)
        for end in range(known, len(turns)):
            state = self._predictor.learn(state, *turns[end])
            self._states[speaker, turns[: end + 1]] = state
        if turns:
            self._states.move_to_end((speaker, turns))
        while len(self._states) > KEPT:
            self._states.popitem(last=False)
        return state
