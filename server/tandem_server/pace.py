"""How fast a client may be read: a token bucket. Nobody is refused; who is too fast waits, and TCP tells it so."""

from __future__ import annotations


class TokenBucket:
    """`burst` may come at once, `rate` a second after that. Pure: the caller brings the time and does the waiting."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, amount: float, now: float) -> float:
        """Take what has come: seconds to wait before more is read. `now`: seconds of a clock that never goes back."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        self._left -= amount
        return max(-self._left / self._rate, 0.0)
