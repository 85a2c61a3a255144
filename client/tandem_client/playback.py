"""Where in which reply the loudspeaker is: pure bookkeeping of samples queued and samples played."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from tandem_models.signal import WIRE_RATE, exact_div

SAMPLES_PER_MS: Final = exact_div(WIRE_RATE, 1000)


@dataclass(slots=True, eq=False)
class Part:
    """One content part of one item of a reply; counts are samples."""

    item_id: str
    content_index: int
    received: int = 0
    played: int = 0
    complete: bool = False
    """The server has said that no more audio of it will come."""

    @property
    def heard_whole(self) -> bool:
        """Has all there is of it been played?"""
        return self.complete and self.played == self.received


@dataclass(slots=True, eq=False)
class Reply:
    """A reply that is not over for the user: still being made by the server, or still being played."""

    response_id: str
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    status: str | None = None
    """The server's last word on it; None while it is being made."""
    message: str = ""
    forgotten: bool = False
    """The server knows nothing of it any more."""

    def part(self, item_id: str, content_index: int) -> Part:
        """Its part, new or known."""
        return self.parts.setdefault((item_id, content_index), Part(item_id, content_index))

    @property
    def heard_ms(self) -> int:
        """Milliseconds of it that were played."""
        return sum(part.played for part in self.parts.values()) // SAMPLES_PER_MS

    @property
    def over(self) -> bool:
        """Made and played to its end."""
        return self.status is not None and all(part.played == part.received for part in self.parts.values())

    def unheard(self) -> Iterator[tuple[Part, int]]:
        """The parts of which the user has not heard all there is or would be, and the milliseconds heard."""
        for part in self.parts.values():
            if not part.heard_whole:
                yield part, part.played // SAMPLES_PER_MS


class Playback:
    """The queue of the loudspeaker as the dialogue knows it, from cumulative reports of its position."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Part, int]] = deque()
        self._total = 0

    def __len__(self) -> int:
        """Samples queued that are not known to be played."""
        return sum(samples for _, samples in self._queue)

    def queue(self, part: Part, samples: int) -> None:
        """More audio of a part."""
        part.received += samples
        self._queue.append((part, samples))

    def played(self, total: int) -> None:
        """The position reached; reports that go back, or beyond what was queued, change nothing more."""
        left = total - self._total
        self._total = max(self._total, total)
        while left > 0 and self._queue:
            part, samples = self._queue.popleft()
            taken = min(left, samples)
            part.played += taken
            left -= taken
            if taken < samples:
                self._queue.appendleft((part, samples - taken))

    def drop(self, replies: Collection[Reply]) -> None:
        """What is queued of these replies will not be played."""
        gone = {id(part) for reply in replies for part in reply.parts.values()}
        self._queue = deque(entry for entry in self._queue if id(entry[0]) not in gone)
