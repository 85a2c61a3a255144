"""The built-in responder: an attentive listener without a network. The same conversation gets the same answer.

After Weizenbaum's ELIZA (Communications of the ACM 9, 1966), with guards: a transcript may be wrong in every third
word, so what was said is taken up only when it looks like English; else an open question is asked.
"""

from __future__ import annotations

import random
import re
import string
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tandem_server.engines import listener_rules as say
from tandem_server.engines.listener_hearing import Heard, caught, name_in, topic_of, understand
from tandem_server.engines.listener_rules import RULES, Rule, Topic
from tandem_server.engines.spoken_clock import spoken_date, spoken_time
from tandem_server.stages.protocols import NO_TOOLS, Message, Tools

RECENT: Final = 8
"""Replies within which no sentence is said twice."""
TOPIC_SPAN: Final = 4
"""User turns for which a topic stays at hand."""
SENTENCE: Final = re.compile(r"[^.?!]+[.?!]+")


def local_time() -> datetime:
    """Now, on this machine's clock and in its zone."""
    return datetime.now().astimezone()


class Listener:
    """A Responder that reflects, asks and remembers a name."""

    name = "listener (built in, offline)"

    def __init__(self, now: Callable[[], datetime] = local_time) -> None:
        self._now = now
        reply_to((Message("user", "hello"),), now())  # compiles the patterns, so that no caller waits for it

    async def respond(self, messages: Sequence[Message], tools: Tools = NO_TOOLS) -> AsyncIterator[str]:  # noqa: ARG002
        """One sentence at a time; never fails, and never calls a tool."""
        talk = [message for message in messages if message.role != "tool" and message.call is None]
        for sentence in sentences(reply_to(talk, self._now())):
            yield sentence

    async def close(self) -> None:
        """Nothing is held."""


def reply_to(messages: Sequence[Message], now: datetime) -> str:
    """One or two short sentences in answer to the last message."""
    said = [message.text for message in messages if message.role == "user"]
    talk = Talk(messages)
    if not said:
        return talk.choose(say.OPENINGS)
    if messages[-1].role == "system" and not said[-1]:  # asked to say something since the user says nothing
        return talk.choose(say.SILENCES)
    heard = understand(said[-1] if messages[-1].role == "user" else "")
    if not heard.words:
        return talk.choose(say.UNHEARD)
    if len(heard.words) > 2 and len(said) > 1 and understand(said[-2]).words == heard.words:
        return talk.choose(say.AGAIN)
    topic = topic_of([understand(text) for text in said[-TOPIC_SPAN:]])
    known = facts(messages, heard, now)
    for rule in RULES:
        reply = answer(rule, heard, known, talk)
        if reply is not None:
            return f"{reply} {question(topic, talk)}" if rule.asks else reply
    return f"{acknowledgement(heard, topic, talk)} {question(topic, talk)}"


def answer(rule: Rule, heard: Heard, known: Mapping[str, str], talk: Talk) -> str | None:
    """What the rule says, or None: not its case, nothing new to say, or too odd a text to judge by."""
    match = re.search(rule.pattern, heard.text)
    if match is None or (heard.odd and not rule.firm):
        return None
    it = caught(match.group(1), heard, action=rule.action) if match.re.groups and match.group(1) else None
    fills = {**known, "it": it} if it else known
    options = [capital(reply.format_map(fills)) for reply in rule.replies if fields(reply) <= fills.keys()]
    if rule.firm:
        return talk.choose(options)
    return talk.choose(fresh) if (fresh := talk.fresh(options)) else None


def acknowledgement(heard: Heard, topic: Topic | None, talk: Talk) -> str:
    """A short sign of having listened, with a noun of the user's when one can be trusted."""
    noun = heard.noun
    if topic is not None and noun in topic.nouns.split() and not heard.odd:
        mention = topic.mention.format(noun=noun)
        fresh = talk.fresh(capital(template.format(noun=mention)) for template in say.MENTIONS)
        if fresh and not any(mention in spoken.lower() for spoken in talk.spoken[-2:]):
            return talk.choose(fresh)
    return talk.choose(say.UNSURE if heard.odd else say.ACKNOWLEDGEMENTS)


def question(topic: Topic | None, talk: Talk) -> str:
    """Something to go on with: about the topic while it lasts, else an open one."""
    unasked = [] if topic is None else [each for each in topic.questions if each not in "\n".join(talk.spoken)]
    return talk.choose(unasked or say.OPEN_QUESTIONS)


class Talk:
    """What has been said so far, and a choice that depends on nothing else."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.spoken = [message.text for message in messages if message.role == "assistant"]
        told = "\n".join(f"{message.role}: {message.text}" for message in messages)
        self._seed = zlib.crc32(told.encode("utf-8", "replace"))

    def fresh(self, options: Iterable[str]) -> list[str]:
        """Those of which no sentence was said in the last RECENT replies."""
        recent = "\n".join(self.spoken[-RECENT:])
        return [option for option in options if not any(each.strip() in recent for each in sentences(option))]

    def choose(self, options: Sequence[str]) -> str:
        """One of the fresh; when all were said lately, the one said longest ago."""
        dice = random.Random(self._seed)  # noqa: S311  # variety, not secrecy
        fresh = self.fresh(options)
        if fresh:
            return dice.choice(fresh)
        return min(options, key=self._last_said)

    def _last_said(self, option: str) -> int:
        """Number of the last reply that holds any of its sentences."""
        parts = [each.strip() for each in sentences(option)]
        return max(number for number, text in enumerate(self.spoken) if any(part in text for part in parts))


def facts(messages: Sequence[Message], heard: Heard, now: datetime) -> dict[str, str]:
    """What the placeholders of a reply stand for; what is not known is left out."""
    known = {"time": spoken_time(now), "date": spoken_date(now)}
    names = [name for message in messages if message.role == "user" and (name := name_in(message.text))]
    spoken = [message.text.strip() for message in messages if message.role == "assistant" and message.text.strip()]
    if names:
        known["name"] = names[-1]
    if heard.noun:
        known["noun"] = heard.noun
    if spoken:
        known["last"] = re.sub(r"^(I said: |Once more: |Of course\. )+", "", spoken[-1])
    return known


def fields(template: str) -> set[str]:
    """The placeholders of a reply."""
    return {field for _, field, _, _ in string.Formatter().parse(template) if field}


def capital(text: str) -> str:
    """With a capital letter at its start."""
    return text[:1].upper() + text[1:]


def sentences(reply: str) -> list[str]:
    """A reply sentence by sentence; together they are the reply."""
    return SENTENCE.findall(reply) or [reply]
