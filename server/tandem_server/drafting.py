"""A reply prepared while the user pauses: what was asked for it, and what came of it. Pure.

Only what makes the first sound is done in advance: the words are asked for and the first phrase is spoken. When the
reply begins, the news is told again as if it came only now, and what has been done already is not asked for twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tandem_server.conversation_events import Effect, ReplyNews, Speak, TextCame, TextEnded, Think
from tandem_server.items import AnyItem, messages
from tandem_server.live_reply import with_speed
from tandem_server.settings import Settings
from tandem_server.shared_state import AgentVoice, SharedState
from tandem_server.stages.entrain import Aimed, History, Strategy, aim
from tandem_server.stages.protocols import Message
from tandem_server.stages.sentences import PhraseSplitter
from tandem_server.stages.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class Wish:
    """All that an answer is made from."""

    settings: Settings
    """The tools too"""
    messages: tuple[Message, ...]
    aimed: Aimed
    """Before the words are known"""
    words_known: Callable[[str], Aimed] = field(compare=False)
    """And once the first of them are, which some strategies read"""


def wish(shared: SharedState, settings: Settings, history: History, context: tuple[AnyItem, ...] | None = None) -> Wish:
    """What would be asked for now."""
    words_known = partial(_aimed, shared.voice, _strategy(shared, settings), settings, history)
    items = shared.items.all() if context is None else context
    return Wish(settings, messages(settings.instructions, items), words_known(""), words_known)


def _strategy(shared: SharedState, settings: Settings) -> Strategy:
    if settings.tandem.strategy == "neural" and shared.learned is not None:
        return shared.learned.strategy
    return STRATEGIES[settings.tandem.strategy][0]


def _aimed(voice: AgentVoice, strategy: Strategy, settings: Settings, history: History, text: str) -> Aimed:
    tandem, prediction = settings.tandem, strategy(history, text)
    target = aim(
        lambda _, __: prediction,
        history,
        text,
        strength=tandem.strength,
        strengths=tandem.strengths,
        features=frozenset(tandem.features),
        reach=voice.reach,
    )
    return Aimed(target, with_speed(voice.normaliser.inverse(target), settings.speed), prediction.spread)


@dataclass(slots=True)
class Draft:
    """The prepared reply `number`."""

    number: int
    wish: Wish
    news: list[ReplyNews] = field(default_factory=list)
    first: Speak | None = None
    _splitter: PhraseSplitter = field(default_factory=PhraseSplitter)

    @property
    def think(self) -> Think:
        """What to ask the responder."""
        return Think(self.number, self.wish.messages, self.wish.settings.tools)

    def told(self, news: ReplyNews) -> list[Effect]:
        """Keep the news; speak the first phrase as soon as it is known."""
        self.news.append(news)
        if self.first is not None or self.wish.settings.text_only:
            return []
        match news:
            case TextCame():
                phrases = self._splitter.feed(news.text)
            case TextEnded():
                phrases = self._splitter.flush()
            case _:
                phrases = []
        if not phrases:
            return []
        phrase = phrases[0].strip()
        self.first = Speak(self.number, 0, phrase, self.wish.words_known(phrase).asked)
        return [self.first]

    def undone(self, effects: list[Effect]) -> list[Effect]:
        """Without what was done in advance."""
        return [effect for effect in effects if effect != self.first]
