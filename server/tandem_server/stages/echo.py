"""The agent's own voice in the microphone: found by what was sent to the client, and taken out, frame by frame.

A client without an echo canceller sends back what its loudspeaker plays, later by an unknown delay, through a room. The
reference is played here as the client plays it, and looked for in the microphone; from then on it is taken out
(`echo_canceller.py`). Until that leaves little, a frame counts as nothing but echo while the path from one to the other
explains it (`echo_path.py`), which is known within 0.2 s, but lets a user be heard only who is about as loud.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from tandem_models.signal import (
    SAMPLE_RATE,
    SAMPLES_PER_MS,
    VAD_FRAME,
    WIRE_RATE,
    Audio,
    Resampler,
    exact_div,
    pcm16_to_float,
)
from tandem_server.stages.echo_canceller import BLOCK, PARTITIONS, EchoCanceller
from tandem_server.stages.echo_path import (
    BINS,
    CERTAIN,
    COMPARED,
    EARLY,
    HOP,
    LIKELY,
    LONGEST_DELAY,
    MEMORY,
    WINDOW,
    EchoPath,
    Power,
    Spectrum,
    audible_at,
    find_delay,
    power,
    spectrum,
)

UNEXPLAINED: Final = 2.5
"""dB of power above what an echo leaves, from which on somebody else is speaking."""
HELD: Final = 2
"""Frames for which somebody else goes on speaking: syllables let the echo through between them."""
_LEAK: Final = 0.02
"""Share of an echo's power that its path never explains: loudspeakers are not linear, rooms ring on."""
_UNLEARNT, _LEARNING = 0.5, 60.0
"""The same when a path has just been found, and the hops (0.96 s) in which it falls to a third."""
_RELEARNT: Final = 30
"""The same when it has been moved, in hops already spent."""
_RINGING: Final = 0.9
"""From hop to hop: an echo dies away by 29 dB a second, more slowly than most rooms."""
_NOISE: Final = 1.5
"""Its tracker keeps to the least, which is less than the mean."""
_PRESENT: Final = 0.25
"""Share of the microphone's power that an echo must be expected to have for a frame to be called one."""
_SMOOTH: Final = 0.5
"""Of powers, from hop to hop."""
_LOUD: Final = 4.0
"""Power over the quietest of late, from which on there is something to be found."""
_ODD: Final = 4
"""Loud frames, mostly unexplained, after which the echo is looked for elsewhere; a path just found gets twice that."""
_KNOWN: Final = 0.2
"""Share of a loud frame left unexplained, below which the path is worth keeping."""
_BUFFERS: Final = 100 * SAMPLES_PER_MS
"""By how much the delay may change at once without being doubted."""
_CHECKED: Final = 16
"""Frames well explained between two looks at the delay"""
_DRIFTED: Final = 4.0
"""Samples by which a clock may have run ahead since the last look; more is another reflection, taken for the echo."""
_MOVED: Final = 1.0
"""Samples that are a new delay; what has been learnt of the room holds."""
_BREAK: Final = 8
"""Frames of silence before a reply, which may be played with another delay than the last."""
_AWAITED: Final = 5
"""Loud frames of a reply that count as its echo before that is found again, where there was one before; and frames
after it has been found."""
_EAGER, _SELDOM = 16, 8
"""Searches in vain after which only every so many frames are searched: the client cancels echo itself."""
_REMOVED, _WELL, _NOTHING = 0.5, 0.1, 0.003
"""Shares of a frame's power: the canceller works when it leaves less, works well, and has left nobody's voice."""
_PRACTISED, _CONFIRMED = 80, 8
"""Frames in which the canceller must have worked well (2.6 s), and in this reply (0.26 s), to be relied on."""
_FAINTEST: Final = 1e-7
"""Of the room's noise, at any frequency"""
_WIRE_FRAME: Final = exact_div(VAD_FRAME * WIRE_RATE, SAMPLE_RATE)
_AHEAD: Final = 4
"""Frames resampled at once"""
_ASLEEP: Final = (LONGEST_DELAY + COMPARED) // VAD_FRAME + 1
"""Frames of silence after which no echo can come any more, wherever it is."""


class Loudspeaker:
    """What the client plays: everything it was sent, in order, from the moment it was sent on."""

    def __init__(self) -> None:
        self._resampler = Resampler(WIRE_RATE, SAMPLE_RATE)
        self._queue = bytearray()
        self._ready: deque[tuple[bool, Audio]] = deque()
        """Frames at SAMPLE_RATE, and whether they can be heard"""
        self.quiet = _ASLEEP
        """Frames since something was played"""
        self.behind = 0
        """Samples by which what is given out comes too late"""

    def play(self, pcm: bytes) -> None:
        """pcm16 at WIRE_RATE, after what is still to be played."""
        self._queue += pcm

    def stop(self) -> None:
        """The rest is not played."""
        self._queue.clear()
        self._ready.clear()

    def frame(self) -> Audio:
        """The next VAD_FRAME samples at SAMPLE_RATE."""
        if self.quiet >= _ASLEEP and not self._queue and not self._ready:
            return np.zeros(VAD_FRAME, np.float32)
        if not self._ready:
            self._resample()
        audible, played = self._ready.popleft()
        self.quiet = 0 if audible else min(self.quiet + 1, _ASLEEP)
        return played

    def _resample(self) -> None:
        """Several frames at once, if they are there, which costs little more than one."""
        count = min(max(len(self._queue) // (2 * _WIRE_FRAME), 1), _AHEAD)
        pcm = bytes(self._queue[: 2 * _WIRE_FRAME * count]).ljust(2 * _WIRE_FRAME * count, b"\0")
        del self._queue[: len(pcm)]
        played = self._resampler.feed(pcm16_to_float(pcm))
        missing = count * VAD_FRAME - len(played)
        self.behind += missing  # the filter holds back its first 1.5 ms, once in the life of a session
        played = np.pad(played, (missing, 0)) if missing else played
        for number in range(count):
            part = pcm[2 * _WIRE_FRAME * number : 2 * _WIRE_FRAME * (number + 1)]
            self._ready.append((bool(part.strip(b"\0")), played[VAD_FRAME * number : VAD_FRAME * (number + 1)]))


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame of the microphone without the agent's voice."""

    audio: Audio
    """(VAD_FRAME,), 4 ms late once an echo has been found"""
    echo: bool = False
    """The agent's voice was in it."""
    alone: bool = False
    """And nobody else's; what sounds like one in `audio` is what could not be taken out."""

    @property
    def measurable(self) -> Audio:
        """In which the user's voice can be measured: silence where only the agent's is heard."""
        return np.zeros_like(self.audio) if self.alone else self.audio


class EchoRemover:
    """One caller's. O(1) a frame; 0.5 ms more in a search. While nothing is played it costs nothing."""

    def __init__(self) -> None:
        self.loudspeaker = Loudspeaker()
        self._reference: Audio = np.zeros(MEMORY, np.float32)
        self._microphone: Audio = np.zeros(COMPARED, np.float32)
        self._asleep = True
        """Nothing is played, and nothing can come back any more"""
        self._path: EchoPath | None = None
        self._canceller: EchoCanceller | None = None
        self._lag = 0
        """Samples by which the canceller's reference is older than the microphone"""
        self._practised = self._confirmed = 0
        """Frames in which the canceller worked well, ever and in this reply"""
        self._quietest = 1e-3
        """Power of a frame"""
        self._heard: Power = np.zeros(BINS, np.float32)
        self._floor: Power = np.full(BINS, 1e-4, np.float32)
        """The room's noise"""
        self._ringing: Power = np.zeros(BINS, np.float32)
        self._left = self._allowed = self._echo = self._all = 0.0
        """Powers: unexplained, what an echo would leave of it, of the echo, of the microphone"""
        self._learnt = 0
        """Hops of echo that the path has seen"""
        self._last_delay = -1.0
        self._searches = 0
        """In vain"""
        self._odd = 0
        self._good = 0
        """Frames well explained"""
        self._unsure = False
        """A reply has begun, and has not been heard to come back"""
        self._held = 0
        self._settling = 0
        """Frames for which all that is heard counts as the echo that has just been found"""
        self._was_echo = False

    @property
    def delay(self) -> float | None:
        """Samples from sending to hearing; None until an echo has been found."""
        return None if self._path is None else self._path.delay + self.loudspeaker.behind

    def hear(self, frame: Audio) -> Heard:
        """The microphone's next frame (VAD_FRAME,)."""
        before, asleep = self.loudspeaker.quiet, self._asleep
        played = self.loudspeaker.frame()
        level = float(np.dot(frame, frame)) / VAD_FRAME
        self._quietest = min(self._quietest * 1.02, max(level, 1e-8))
        self._asleep = self.loudspeaker.quiet >= self._over
        if asleep:
            if self._asleep:
                _append(self._microphone, frame)
                return Heard(frame)
            self._wake()
        if self.loudspeaker.quiet < _BREAK <= before:
            self._unsure, self._searches = True, 0
            self._doubt()
        _append(self._microphone, frame)
        if self._asleep:
            self._reference[:] = 0.0
            self._searches, self._was_echo = 0, False
            return Heard(frame)
        _append(self._reference, played)
        loud = level > _LOUD * self._quietest
        if loud and (self._unsure or self._odd >= _ODD):
            self._search()
        if self._path is None or self._canceller is None:
            return Heard(frame)
        return self._remove(self._path, self._canceller, frame, level if loud else 0.0)

    @property
    def _over(self) -> int:
        """Frames of silence after which no echo can come any more."""
        known = self._path is not None and not self._unsure
        return min((self._lag + COMPARED) // VAD_FRAME + PARTITIONS, _ASLEEP) if known else _ASLEEP

    def _remove(self, path: EchoPath, canceller: EchoCanceller, frame: Audio, level: float) -> Heard:
        """`level`: the frame's power, or 0 if there is nothing to be heard in it."""
        end = MEMORY - self._lag
        rest = canceller.remove(self._reference[end - 2 * BLOCK : end], frame)
        removed = canceller.left < _REMOVED * level
        if self._relied and canceller.echo > _PRESENT * level > 0.0:
            self._follow(path, removed)
        relied = self._relied
        awaited = self._settling > 0 or (self._unsure and path.known and self._searches <= _AWAITED)
        self._settling = max(self._settling - 1, 0)
        alone = not relied and (self._judge(path, level > 0.0) or awaited)
        alone = alone or float(np.dot(rest, rest)) < _NOTHING * VAD_FRAME * level
        if canceller.left < _WELL * level and (alone or relied):
            self._practised, self._confirmed = self._practised + 1, self._confirmed + 1
        return Heard(rest, level > 0.0 and (removed or alone), alone)

    @property
    def _relied(self) -> bool:
        return self._practised >= _PRACTISED and self._confirmed >= _CONFIRMED

    def _doubt(self) -> None:
        """The echo may not be where it was."""
        if self._relied and self._path is not None:
            self._path.move(self._path.delay, self._reference)  # which has not been followed meanwhile
            self._was_echo = False
        self._confirmed = 0

    def _follow(self, path: EchoPath, removed: bool) -> None:
        """The canceller does the work: see that it still can, and where the echo drifts to."""
        self._count_odd(not removed)
        if self._odd >= 2 * _ODD:
            self._doubt()
        if removed and (delay := self._looked_at(path)) is not None:
            path.move(delay, self._reference)

    def _wake(self) -> None:
        """The agent begins to speak: how loud has the room just been without it?"""
        self._heard = power(spectrum(self._microphone[:WINDOW]))
        self._floor = np.maximum(self._heard, _FAINTEST)
        for end in range(WINDOW + HOP, COMPARED + 1, HOP):
            self._hear(end)

    def _search(self) -> None:
        self._searches += 1
        if self._searches > _EAGER and self._searches % _SELDOM:
            return
        delay, height = find_delay(self._reference, self._microphone)
        again, self._last_delay = abs(delay - self._last_delay) <= 8, delay
        far = self._path is not None and self._path.known and abs(delay - self._path.delay) > _BUFFERS
        enough = (height >= CERTAIN and (again or not far)) or (height >= LIKELY and again and not far)
        if not enough or not audible_at(self._reference, delay):
            return
        self._searches, self._odd, self._unsure = 0, -2 * _ODD, False
        if self._path is not None and abs(delay - self._path.delay) <= _MOVED:
            return  # it is where it was, and somebody else speaks
        if self._path is not None and self._path.known:
            self._lag = max(self._lag + round(delay - self._path.delay), 0)
            self._path.move(delay, self._reference)
        else:
            self._path = EchoPath(delay, self._reference, self._microphone)
            self._canceller = EchoCanceller(self._path.gain)
            self._lag = max(round(delay) - EARLY, 0)
            self._learnt = self._practised = 0
        self._confirmed, self._settling = 0, _AWAITED
        self._learnt = min(self._learnt, _RELEARNT)
        self._left, self._held = 0.0, 0

    def _judge(self, path: EchoPath, loud: bool) -> bool:
        heard = left = 0.0
        for end in range(COMPARED - VAD_FRAME + HOP, COMPARED + 1, HOP):
            share = self._hop(path, end)
            heard, left = heard + share[0], left + share[1]
        if loud:
            self._count_odd(left > 0.5 * heard)
            if left < _KNOWN * heard:
                self._unsure = False
                if (delay := self._looked_at(path)) is not None:
                    path.keep(delay)
        excess = 10.0 * math.log10((self._left + 1e-12) / (self._allowed + 1e-12))
        self._held = HELD + 1 if excess >= UNEXPLAINED else max(self._held - 1, 0)
        # Until something else is heard, what is left after an echo is its end, in which voices are still detected.
        self._was_echo = not self._held and (self._was_echo or self._echo >= _PRESENT * self._all)
        return self._was_echo

    def _looked_at(self, path: EchoPath) -> float | None:
        """Now and then, where the echo is, so that the next reply's is told from it: clocks drift."""
        self._good += 1
        if self._good % _CHECKED:
            return None
        delay, height = find_delay(self._reference, self._microphone)
        return delay if height >= LIKELY and abs(delay - path.delay) <= _DRIFTED else None

    def _hop(self, path: EchoPath, end: int) -> tuple[float, float]:
        """(power heard, power unexplained) of HOP samples more."""
        heard = self._hear(end)
        left, explained, expected = path.explain(self._reference, MEMORY - COMPARED + end, heard, self._floor)
        self._ringing = np.maximum(explained, _RINGING * self._ringing)
        self._learnt += bool(explained.sum() > 4.0 * self._floor.sum())
        leak = _LEAK + _UNLEARNT * math.exp(-self._learnt / _LEARNING)
        allowed = expected + leak * self._ringing + _NOISE * self._floor
        now = power(heard).sum(), left.sum(), allowed.sum(), (self._ringing + expected).sum()
        before = self._all, self._left, self._allowed, self._echo
        self._all, self._left, self._allowed, self._echo = (
            float(_SMOOTH * old + (1.0 - _SMOOTH) * new) for old, new in zip(before, now, strict=True)
        )
        return float(now[0]), float(now[1])

    def _hear(self, end: int) -> Spectrum:
        """The microphone's spectrum up to sample `end` of what is kept, noted for the room's noise."""
        heard = spectrum(self._microphone[end - WINDOW : end])
        self._heard = 0.8 * self._heard + 0.2 * power(heard)
        self._floor = np.minimum(1.01 * self._floor, np.maximum(self._heard, _FAINTEST))
        return heard

    def _count_odd(self, odd: bool) -> None:
        if odd or self._odd < 0:
            self._odd += 1
        else:
            self._odd = max(self._odd - 1, 0)


def _append(kept: Audio, new: Audio) -> None:
    kept[: -len(new)] = kept[len(new) :]
    kept[-len(new) :] = new
