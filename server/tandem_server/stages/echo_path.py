"""Where the agent's voice is in the microphone, and how it sounds there: its delay, and the way it takes.

The delay is the peak of the generalised cross-correlation with phase transform (Knapp and Carter, 1976). The way is a
filter of TAPS short-time spectra at every third frequency, followed by a Kalman filter with the full covariance of its
taps: it explains 7 dB of an echo after 0.2 s and 13 to 20 dB after half a second, needs no detector of double talk,
since what it cannot explain counts as noise, and follows gain and clock as they change.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME, Audio, exact_div

LONGEST_DELAY: Final = SAMPLE_RATE * 3 // 2
"""Samples from sending to hearing: network, jitter buffer, devices and room."""
WINDOW: Final = 2 * VAD_FRAME
"""Samples of a short-time spectrum: long against the hop, or the taps explain half as much."""
HOP: Final = exact_div(VAD_FRAME, 2)
TAPS: Final = 8
"""Spectra, HOP apart, that make up an echo: 128 ms and the window's own length."""
EARLY: Final = 96
"""Samples (6 ms) by which the first tap comes before the delay that was found: the clocks may drift either way."""
MEMORY: Final = 2**15
"""Samples of reference that are kept: LONGEST_DELAY, and what is compared."""
COMPARED: Final = VAD_FRAME * 8
"""Samples of microphone (256 ms) in which the reference is looked for."""
CERTAIN, LIKELY = 14.0, 8.0
"""Height of the peak over what surrounds it (ratio to its root mean square) to be believed at once, or at its second
coming; without an echo it is 3 to 6."""
_HEARD: Final = VAD_FRAME * 2
"""Samples of reference that must have been audible where the peak says."""
_BINS: Final = slice(8, 264, 3)
"""125 to 4100 Hz; neighbouring bins of a Hann window say the same."""
_PHASES: Final = slice(400, 6000)
"""200 to 2900 Hz, of the spectrum of MEMORY samples at every second."""
_SURROUNDINGS, _PEAK = 1024, 80
"""Lags around a peak that it is compared with, and that belong to it."""
_DRIFT: Final = 8e-3
"""Share of each tap's power that may change from hop to hop: 100 ppm of drift turn 4 kHz by 2.5 radians a second."""
_LOUDEST: Final = 4.0
"""Power gain from reference to microphone: no loudspeaker is more than 6 dB louder."""
_SILENCE: Final = 1e-8

Spectrum = NDArray[np.complex64]
Power = NDArray[np.float32]
_HANN: Final[Audio] = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_NUMBERS: Final = np.arange(WINDOW)[_BINS]
BINS: Final = len(_NUMBERS)


def spectrum(audio: Audio) -> Spectrum:
    """WINDOW samples -> (BINS,)"""
    return np.asarray(scipy.fft.rfft(audio * _HANN)[_BINS], np.complex64)


def power(values: Spectrum) -> Power:
    """Squared magnitudes."""
    return np.square(values.real) + np.square(values.imag)


def find_delay(reference: Audio, microphone: Audio) -> tuple[float, float]:
    """(samples by which the last COMPARED of the microphone lag behind the reference, height of the peak); both end
    now, the reference (MEMORY,). O(MEMORY log MEMORY), about 0.5 ms."""
    half = len(reference) // 2
    heard = scipy.fft.rfft(_half_rate(microphone), half)[_PHASES]
    cross = heard * np.conj(scipy.fft.rfft(_half_rate(reference))[_PHASES])
    phases = np.zeros(half // 2 + 1, np.complex64)
    phases[_PHASES] = cross / (np.abs(cross) + 1e-12)
    correlation = np.abs(scipy.fft.irfft(phases, half))
    first = (len(reference) - len(microphone)) // 2
    lags = correlation[(np.arange(LONGEST_DELAY // 2) - first) % half]
    peak = int(np.argmax(lags))
    before = lags[max(peak - _SURROUNDINGS, 0) : max(peak - _PEAK, 0)]
    around = np.concatenate([before, lags[peak + _PEAK : peak + _SURROUNDINGS]])
    height = float(lags[peak] / np.sqrt(np.mean(np.square(around)) + 1e-20))
    return 2.0 * (peak + _summit(*lags[peak - 1 : peak + 2])) if 0 < peak < len(lags) - 1 else 2.0 * peak, height


def _summit(left: float, middle: float, right: float) -> float:
    """Where between three values the parabola through them is highest, from the middle one."""
    bend = left - 2.0 * middle + right
    return 0.5 * (left - right) / bend if bend < 0.0 else 0.0


def _half_rate(audio: Audio) -> Audio:
    return audio[::2] + audio[1::2]


class EchoPath:
    """The filter from reference to microphone at one delay. Adapts to whatever it is given."""

    def __init__(self, delay: float, reference: Audio, microphone: Audio) -> None:
        """`reference` (MEMORY,) and `microphone` (COMPARED,) end now, and the one is heard in the other."""
        self._lag = max(round(delay) - EARLY, 0)
        past = reference[MEMORY - COMPARED - round(delay) : MEMORY - round(delay)]
        gain = float(np.mean(np.square(microphone)) / (np.mean(np.square(past)) + 1e-12))
        self.gain = min(gain, _LOUDEST)
        """Power heard for one played, when it was found"""
        prior = np.eye(TAPS, dtype=np.complex64) * (self.gain / 2)
        self._weights: Spectrum = np.zeros((BINS, TAPS), np.complex64)
        self._covariance: Spectrum = np.tile(prior, (BINS, 1, 1))
        self._spectra: Spectrum = np.zeros((BINS, TAPS), np.complex64)
        """Of the reference, the latest first"""
        self._nothing: Power = np.zeros(BINS, np.float32)
        self._noise: Power = np.zeros(BINS, np.float32)
        """Power that is no echo"""
        self.known = False
        """Has it been worth keeping?"""
        self.keep(delay)
        self.known = False
        self._fill(reference)

    def keep(self, delay: float) -> None:
        """Remember the way as it is now, the echo being found so many samples late."""
        self.delay, self.known = delay, True
        self._kept = self._weights.copy(), self._covariance.copy()

    def move(self, delay: float, reference: Audio) -> None:
        """The way that was kept, heard earlier or later: buffers are never twice as full. What was learnt since, from
        an echo that was not where it was looked for, is forgotten."""
        before, self._lag = self._lag, max(round(delay) - EARLY, 0)
        beyond = delay - self.delay - (self._lag - before)  # the window moves by whole samples
        turned = np.exp(-2j * np.pi * beyond / WINDOW * _NUMBERS)
        self._weights = (self._kept[0] * turned[:, None]).astype(np.complex64)
        self._covariance = self._kept[1].copy()
        self.keep(delay)
        self._fill(reference)

    def explain(self, reference: Audio, end: int, heard: Spectrum, floor: Power) -> tuple[Power, Power, Power]:
        """(power left unexplained, power explained, power of the error that is to be expected), each (BINS,), of the
        microphone's spectrum at the time of sample `end` of the reference; `floor` is the room's noise. Then learn."""
        self._shift(reference, end)
        spectra, weights = self._spectra, self._weights
        if not spectra.any():
            return power(heard), self._nothing, self._nothing
        echo = (weights * spectra).sum(axis=1)
        error = heard - echo
        left, explained = power(error), power(echo)
        spread = np.matmul(self._covariance, np.conj(spectra)[:, :, None])[:, :, 0]
        expected: Power = np.maximum((spectra * spread).sum(axis=1).real, 0.0)
        self._noise = 0.5 * self._noise + 0.5 * np.maximum(left - expected, 0.0)
        gain = spread / (expected + self._noise + 0.02 * explained + floor + _SILENCE)[:, None]
        weights += gain * error[:, None]
        self._covariance -= gain[:, :, None] * np.conj(spread)[:, None, :]
        size = power(weights)
        change = _DRIFT * (size + 0.05 * size.mean(axis=1, keepdims=True))
        self._covariance.reshape(BINS, TAPS * TAPS)[:, :: TAPS + 1] += change
        return left, explained, expected

    def _fill(self, reference: Audio) -> None:
        for hop in range(TAPS - 1, -1, -1):
            self._shift(reference, MEMORY - VAD_FRAME - hop * HOP)

    def _shift(self, reference: Audio, end: int) -> None:
        self._spectra[:, 1:] = self._spectra[:, :-1].copy()
        end -= self._lag
        self._spectra[:, 0] = spectrum(reference[end - WINDOW : end])


def audible_at(reference: Audio, delay: float) -> bool:
    """Is there something of the reference (MEMORY,) to be heard after that delay?"""
    past = reference[MEMORY - COMPARED - round(delay) : MEMORY - round(delay)]
    return int(np.count_nonzero(past)) >= _HEARD
