"""Did the user mean to interrupt? A cough or a "mhm" stops the agent, who then goes on where it stopped. Pure.

What was said is known only after it was said, and a person who means it must be obeyed at once; so the agent stops for
everybody (listening.BARGE_IN), and what turns out to have been no interruption costs a pause and not the reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tandem_server.live_reply import Reply, ReplyRequest
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
HINT: Final = "You were interrupted by a noise. Go on where you stopped."
"""For a responder that had not finished."""


def meant_nothing(finished: UserFinished) -> bool:
    """A noise, or a sign of listening."""
    if not finished.understood:
        return False
    words = ["".join(filter(str.isalpha, word)) for word in finished.text.lower().split()]
    return not finished.substantial or (0 < len(words) <= MOST_WORDS and BACKCHANNELS.issuperset(words))


def unheard(reply: Reply) -> str | None:
    """What the user has not heard of a reply that was cut off, from the word in which it was cut; None if nothing is
    left, or not all of it was known."""
    heard_ms, audio_ms = reply.item.heard_ms, reply.item.audio_ms
    if not reply.complete or heard_ms is None or audio_ms <= 0:
        return None
    words = "".join(reply.phrases).split()
    sent = len("".join(reply.phrases[: reply.shown]).split())
    if len(reply.item.words) == sent:
        begun = sum(word.start * 1000.0 < heard_ms for word in reply.item.words)
    else:  # a voice that counts words otherwise
        begun = round(sent * heard_ms / audio_ms)
    over = heard_ms >= audio_ms and sent == len(words)
    return None if over else " ".join(words[max(begun - 1, 0) :])


@dataclass(slots=True)
class Interruptions:
    """Remembers what the user has cut off until it is known what was said."""

    cut: Reply | None = None

    def began(self, hearing: Reply | None) -> None:
        """The user speaks while hearing this."""
        self.cut = hearing or self.cut

    def judged(self, finished: UserFinished) -> ReplyRequest | None:
        """What to say now if it was no interruption; None if it was, or there was none."""
        cut, self.cut = self.cut, None
        if cut is None or not meant_nothing(finished):
            return None
        rest = unheard(cut)
        if rest is not None:
            return ReplyRequest(say=rest, resumes=cut.item.id)
        if not cut.complete and not finished.substantial:
            return ReplyRequest(hint=HINT, resumes=cut.item.id)
        return None
