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
        self._left, self._at = self._there(now) - amount, now
        return max(-self._left / self._rate, 0.0)

    def wait(self, amount: float, now: float) -> float:
        """Seconds until the last of it would be through; nothing is taken."""
        return max((amount - self._there(now)) / self._rate, 0.0)

    def _there(self, now: float) -> float:
        return self._left if self._at is None else min(self._burst, self._left + (now - self._at) * self._rate)
