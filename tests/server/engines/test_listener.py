"""The built-in listener: the same conversation gets the same answer, and poor transcripts get no nonsense."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem_server.engines import listener_rules as say
from tandem_server.engines.listener import RECENT, Listener, fields, reply_to, sentences
from tandem_server.engines.listener_hearing import MAX_CAUGHT, VOCABULARY, caught, is_odd, name_in, understand
from tandem_server.engines.listener_rules import RULES
from tandem_server.engines.listener_topics import TOPICS
from tandem_server.engines.spoken_clock import spoken_date, spoken_time
from tandem_server.stages.protocols import Message, Tool, ToolCall, Tools

NOW = datetime(2026, 6, 2, 15, 10, tzinfo=UTC)
LONGEST_SENTENCE = 20
DEMONSTRATION = (
    "hello", "i'm fine thanks", "my name is anna", "i have two brothers and a dog", "he likes to run in the park",
    "yes", "no not really", "my sister lives in berlin", "last summer we went to italy by train", "it was wonderful",
    "i want to learn to play the guitar", "do you like music", "i like playing football with my friends", "yeah",
    "i don't know", "i think my boss does not like me", "because i am always late", "i'm a bit tired today",
    "what do you think", "we cooked soup for dinner", "it was raining all day", "i have to work tomorrow", "okay",
    "my grandmother died last year", "she was a teacher", "i remember her garden", "the house is very old", "no",
    "i read a book about the sea", "it is about an island", "yes i did", "i hate the winter", "maybe", "you are funny",
)  # fmt: skip
"""About five minutes of talk, as a recogniser writes it."""


def converse(lines: tuple[str, ...] | list[str]) -> list[str]:
    """The listener's replies to a conversation, its opening first."""
    messages: list[Message] = []
    replies = [reply_to(messages, NOW)]
    for line in lines:
        messages += [Message("assistant", replies[-1]), Message("user", line)]
        replies.append(reply_to(messages, NOW))
    return replies


def answer(text: str) -> str:
    """The reply to the first thing somebody says."""
    return converse([text])[-1]


def garbled(line: str, dice: random.Random) -> str:
    """The line with about four words in ten wrong or lost."""
    words = sorted(VOCABULARY)
    heard = [dice.choice(words) if dice.random() < 0.3 else word for word in line.split() if dice.random() > 0.1]
    return " ".join(heard)


def test_the_same_conversation_gets_the_same_answer() -> None:
    assert converse(DEMONSTRATION) == converse(DEMONSTRATION)
    assert len({answer(text) for text in ("yes", "yes i do", "yeah", "sure", "of course")}) > 1


def test_nothing_is_said_twice_within_the_last_replies() -> None:
    replies = converse(DEMONSTRATION)
    for number, reply in enumerate(replies):
        lately = "\n".join(replies[max(0, number - RECENT) : number])
        assert [each for each in sentences(reply) if each.strip() in lately] == []


def test_a_dozen_grunts_get_a_dozen_answers() -> None:
    replies = converse(["yes", "no", "okay"] * 4)

    assert len(set(replies)) == len(replies)


@pytest.mark.parametrize("seed", range(20))
def test_a_poor_transcript_gets_short_fresh_sentences(seed: int) -> None:
    dice = random.Random(seed)
    replies = converse([garbled(line, dice) for line in DEMONSTRATION])

    for number, reply in enumerate(replies):
        assert reply not in replies[max(0, number - 3) : number]
        assert all(len(each.split()) <= LONGEST_SENTENCE for each in sentences(reply))


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_gets_an_answer(lines: list[str]) -> None:
    for reply in converse(lines):
        assert reply == reply.strip() != ""
        assert "{" not in reply or any("{" in line for line in lines)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("what time is it", "ten past three"),
        ("What day is it today?", "Tuesday, the second of June"),
        ("my name is john", "John|meet you"),
        ("what can you do", "listen|voice|hear"),
        ("how are you", "How|What about you"),
        ("thank you", "welcome|pleasure|Any time"),
        ("goodbye", "Goodbye|Take care|next time"),
        ("i want to die", "emergency number"),
        ("i like pizza very much", "pizza|like it|begin|into|special"),
        ("what is the capital of france", "don't know|question|look things up|Hard to say|guess"),
        ("are you a robot", "program|software|machine"),
    ],
)
def test_common_moves_are_met(said: str, expected: str) -> None:
    assert re.search(expected, answer(said)), answer(said)


@pytest.mark.parametrize("said", ["", "   ", "um", "uh hmm", "..."])
def test_what_was_not_heard_is_asked_for_again(said: str) -> None:
    assert answer(said) in say.UNHEARD


def test_the_name_is_remembered() -> None:
    assert "Anna" in converse(["my name is anna", "yes", "what is my name"])[-1]
    assert answer("what is my name") == "I don't think you have told me yet. What is your name?"
    assert name_in("my name is very") is None


def test_the_last_reply_is_repeated_when_asked_for() -> None:
    replies = converse(["hello", "pardon", "say that again"])

    assert replies[-3] in replies[-2]
    assert replies[-3] in replies[-1]


def test_who_says_the_same_again_is_told_so() -> None:
    assert converse(["the shop was closed", "the shop was closed"])[-1] in say.AGAIN


@pytest.mark.parametrize(
    ("fragment", "said", "action", "expected"),
    [
        ("my old dog very much", "i like my old dog very much", False, "your old dog"),
        ("swim in the sea", "i want to swim in the sea", True, "swim in the sea"),
        ("pottery", "i like pottery", False, None),
        ("pottery", "I like pottery.", False, "pottery"),
        ("the of", "i like the of", False, None),
        ("albatross quickly", "i want to albatross quickly", True, None),
        ("when he goes", "i like when he goes", False, None),
        ("a b c d e f", "I like a b c d e f.", False, None),
    ],
)
def test_only_a_likely_fragment_is_said_back(fragment: str, said: str, action: bool, expected: str | None) -> None:
    assert caught(fragment, understand(said), action=action) == expected


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("the of it", True), ("a my dog", True), ("i went went home", True), ("to in the house", True),
        ("i went to the house", False), ("bye bye", False), ("it is about to rain", False),
    ],
)  # fmt: skip
def test_words_that_never_stand_together_are_odd(text: str, odd: bool) -> None:
    assert is_odd(text.split()) is odd


def test_every_rule_and_topic_is_sound() -> None:
    for rule in RULES:
        re.compile(rule.pattern)
        assert all(fields(reply) <= {"it", "name", "time", "date", "last", "noun"} for reply in rule.replies), rule.name
        for reply in rule.replies:
            # {it} stands for up to five words.
            lengths = [len(each.split()) + each.count("{it}") * (MAX_CAUGHT - 1) for each in sentences(reply)]
            assert max(lengths) <= LONGEST_SENTENCE, reply
    assert len({rule.name for rule in RULES}) == len(RULES)
    for topic in TOPICS:
        assert len(topic.questions) >= 4
        assert all(question.endswith("?") for question in topic.questions)


@pytest.mark.parametrize(
    ("hour", "minute", "expected"),
    [
        (0, 0, "twelve o'clock in the morning"), (9, 15, "a quarter past nine in the morning"),
        (12, 30, "half past twelve in the afternoon"), (23, 59, "one minute to twelve in the evening"),
        (14, 35, "twenty five to three in the afternoon"), (13, 22, "twenty two minutes past one in the afternoon"),
    ],
)  # fmt: skip
def test_the_time_is_told_in_words(hour: int, minute: int, expected: str) -> None:
    assert spoken_time(NOW.replace(hour=hour, minute=minute)) == expected


def test_every_day_of_a_month_has_its_ordinal() -> None:
    assert spoken_date(NOW.replace(month=12, day=31)) == "Thursday, the thirty first of December"
    assert spoken_date(NOW.replace(month=8, day=20)) == "Thursday, the twentieth of August"
    assert len({spoken_date(NOW.replace(month=1, day=day)) for day in range(1, 32)}) == 31


async def test_sentences_come_one_by_one_and_join_to_the_reply() -> None:
    listener = Listener(now=lambda: NOW)
    messages = [Message("user", "are you a robot")]
    pieces = [piece async for piece in listener.respond(messages)]
    await listener.close()

    assert len(pieces) > 1
    assert "".join(pieces) == reply_to(messages, NOW)


def test_a_user_who_says_nothing_is_encouraged_and_not_asked_to_repeat() -> None:
    talk = [Message("user", "hello"), Message("assistant", "Hi."), Message("user", ""), Message("system", "Silence.")]
    assert reply_to(talk, NOW) in say.SILENCES
    assert reply_to(talk[:-1], NOW) not in say.SILENCES


async def test_it_takes_no_notice_of_tools() -> None:
    listener, hello = Listener(now=lambda: NOW), Message("user", "hello")
    talk = [hello, Message("assistant", "", ToolCall("c", "look", "{}")), Message("tool", "a lamp", call_id="c")]
    pieces = [piece async for piece in listener.respond(talk, Tools((Tool("look"),), required=True))]
    assert "".join(pieces) == reply_to([hello], NOW)


async def test_the_own_clock_has_a_zone() -> None:
    assert [piece async for piece in Listener().respond([Message("system", "Be nice."), Message("user", "hello")])]
