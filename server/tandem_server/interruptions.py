"""Did the user mean to interrupt? A cough or a "mhm" stops the agent, who then goes on where it stopped. Pure.

What was said is known only after it was said, and a person who means it must be obeyed at once; so the agent stops for
everybody (listening.BARGE_IN), and what turns out to have been no interruption costs a pause and not the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tandem_server.live_reply import Reply, ReplyRequest, answer_to
from tandem_server.user_turn import UserFinished

BACKCHANNELS: Final = frozenset(
    [
        "ah",
        "aha",
        "hm",
        "hmm",
        "huh",
        "mhm",
        "mm",
        "mmhm",
        "mmhmm",
        "mmm",
        "oh",
        "ok",
        "okay",
        "right",
        "sure",
        "uh",
        "uhhuh",
        "uhuh",
        "um",
        "yeah",
        "yep",
        "yes",
        "yup",
        "i",
        "see",
        "go",
        "on",
        "of",
        "course",
        "good",
        "great",
        "nice",
        "wow",
        "really",
    ]
)
"""Words that say "I am listening": alone they ask for nothing. From Switchboard's most frequent backchannels
(Jurafsky et al. 1997), and the ways in which recognisers spell them."""
MOST_WORDS: Final = 3
"""Longer than this even such words are a turn."""
NEAR_THE_END: Final = 2
"""With so few words left, such words are said to what was heard and not along with it."""
HINT: Final = "You were interrupted by a noise. Go on where you stopped."
"""For a responder that had not finished."""


def listens(finished: UserFinished) -> bool:
    """Nothing but a sign of listening."""
    words = ["".join(filter(str.isalpha, word)) for word in finished.text.lower().split()]
    return finished.understood and 0 < len(words) <= MOST_WORDS and BACKCHANNELS.issuperset(words)


def split(reply: Reply) -> tuple[list[str], list[str]]:
    """The words that the user has heard of a reply that was cut off, and the others, from that in which it was cut."""
    heard_ms, audio_ms = reply.item.heard_ms or 0, reply.item.audio_ms
    words = "".join(reply.phrases).split()
    sent = len("".join(reply.phrases[: reply.shown]).split())
    if len(reply.item.words) == sent:
        begun = sum(word.start * 1000.0 < heard_ms for word in reply.item.words)
    else:  # a voice that counts words otherwise
        begun = round(sent * heard_ms / max(audio_ms, 1))
    if heard_ms >= audio_ms and sent == len(words):
        return words, []
    return words[: max(begun - 1, 0)], words[max(begun - 1, 0) :]


def asks(heard: list[str], rest: list[str]) -> bool:
    """Was a question being asked, or just asked?"""
    ending = next((word for word in rest if word[-1] in ".?!"), "")
    return ending.endswith("?") or any(word.endswith("?") for word in heard[-NEAR_THE_END:])


def again(cut: Reply, finished: UserFinished) -> ReplyRequest | None:
    """How a reply that was cut off goes on after what turned out to be nothing; None if that was something, or nothing
    is left to say."""
    if cut.audible_from is None:  # nobody has heard of it: only a noise can be meant for nobody
        return None if finished.substantial else cut.request
    heard, rest = split(cut)
    if finished.substantial and (not listens(finished) or len(rest) <= NEAR_THE_END or asks(heard, rest)):
        return None
    if cut.complete and not cut.output.wanted:
        goes_on = replace(cut.request, to=None, hint=None, say=" ".join(rest), resumes=cut.item.id)
        return goes_on if rest else None
    if finished.substantial:
        return None  # the responder sees the words, and goes on by itself
    return replace(cut.request, to=None, say=None, hint=HINT, resumes=cut.item.id)


@dataclass(slots=True)
class Interruptions:
    """What the agent owes until it is known whether the user meant to interrupt: the reply that was cut off, or the
    answer to a turn after which the user went on. Whatever reply begins pays it."""

    cut: Reply | None = None
    owed: ReplyRequest | None = None
    last: Reply | None = None
    """The newest reply when this began to be owed"""

    def began(self, last: Reply | None, *, cutting: bool, waiting: ReplyRequest | None) -> None:
        """The user speaks, which cuts off the newest reply, or the answer that was waiting for its end."""
        self._still(last)
        self.cut = last if cutting else self.cut
        self.owed = waiting or self.owed

    def known(self, finished: UserFinished, last: Reply | None, *, speaking: bool, resume: bool) -> ReplyRequest | None:
        """A turn is understood: what to reply now, if anything. `speaking`: the user goes on; `resume`: replies that
        were cut off go on."""
        self._still(last)
        resumed = again(self.cut, finished) if self.cut is not None else None
        if resumed is not None and resumed.resumes is not None and not resume:
            resumed = None
        if finished.substantial and resumed is None:
            self.cut, self.owed = None, answer_to(finished)
        if speaking:
            return None
        wanted = resumed or self.owed
        self.forget()
        return wanted

    def forget(self) -> None:
        """Nothing is owed any more."""
        self.cut = self.owed = None

    def _still(self, last: Reply | None) -> None:
        if last is not self.last:
            self.forget()
        self.last = last
