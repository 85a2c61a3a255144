"""What is left of the microphone when the agent's voice is taken out of it.

The way from loudspeaker to microphone is followed by a partitioned-block Kalman filter in the frequency domain (Enzner
and Vary, 2006; Kuech, Mabande and Enzner, 2014), which needs no detector of double talk: what it cannot explain counts
as noise, and slows it down. It takes 5 dB out of an echo at once, 15 after three seconds of it and 18 to 28 later; what
it is known to leave behind is attenuated, frequency by frequency, so that voices are looked for in the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tandem_models.signal import VAD_FRAME, Audio

BLOCK: Final = VAD_FRAME
PARTITIONS: Final = 5
"""Blocks that an echo lasts: 160 ms"""
LATE: Final = 64
"""Samples (4 ms) by which what is left comes later than what was heard"""
_BINS: Final = BLOCK + 1
_DECAY: Final = 0.72
"""Power of the way from block to block, before anything is known of it"""
_UNKNOWN: Final = 4.0
"""How much more power than the echo has it may have then: it is learnt the sooner"""
_CHANGE: Final = 6e-3
"""Share of its power that may change from block to block"""
_LEAK: Final = 0.03
"""Share of an echo's power that the filter never explains: loudspeakers are not linear, rooms ring on."""
_UNLEARNT, _LEARNING = 0.5, 30.0
"""The same in the beginning, and the blocks (0.96 s) in which it falls to a third"""
_RINGING: Final = 0.81
"""From block to block: an echo dies away by 29 dB a second, more slowly than most rooms."""
_SMOOTH: Final = 0.36
"""Of powers, from block to block"""
_REMOVED: Final = 1.5
"""Times as much as is expected to be left is taken out: it is speech, and varies."""
_LEAST: Final = 0.05
"""Gain at any frequency"""
_AUDIBLE: Final = 1e-4
"""Power of an echo's spectrum from which on there is something to learn"""
_SILENCE: Final = 1e-9

Spectra = NDArray[np.complex64]
Powers = NDArray[np.float32]
_TAPER: Final[Audio] = np.hanning(2 * LATE + 3)[1:-1].astype(np.float32)


class EchoCanceller:
    """One caller's. O(1) a block, about 0.2 ms."""

    def __init__(self, gain: float) -> None:
        """`gain`: power of the echo for one of the reference."""
        shape = (PARTITIONS, _BINS)
        decay = _DECAY ** np.arange(PARTITIONS)
        self._weights: Spectra = np.zeros(shape, np.complex64)
        self._spectra: Spectra = np.zeros(shape, np.complex64)
        """Of the reference, the latest first"""
        self._powers: Powers = np.zeros(shape, np.float32)
        self._doubt: Powers = np.repeat(_UNKNOWN * gain * decay / decay.sum(), _BINS).reshape(shape).astype(np.float32)
        """Expected squared errors of the weights"""
        self._near: Powers = np.full(_BINS, 1e-6, np.float32)
        """Power of everybody else"""
        self._ringing: Powers = np.zeros(_BINS, np.float32)
        self._heard: Powers = np.zeros(_BINS, np.float32)
        self._leaked: Powers = np.zeros(_BINS, np.float32)
        """Smoothed powers: after the filter, and how much of it is still echo"""
        self._kept: Audio = np.zeros(2 * LATE + BLOCK, np.float32)
        self._learnt = 0
        self._turn = 0
        self.left = self.echo = 0.0
        """Powers of the last frame after the filter, before the attenuation, and of the echo as the filter has it"""

    def remove(self, reference: Audio, frame: Audio) -> Audio:
        """The microphone's next BLOCK without the echo, LATE samples later; `reference`: the two blocks of what was
        played that end with what is first heard at the frame's end."""
        self._shift(reference)
        if not self._powers.any():
            self.left, self.echo = float(np.dot(frame, frame)) / BLOCK, 0.0
            self._kept = np.concatenate([self._kept[BLOCK:], frame])
            return self._kept[LATE : LATE + BLOCK]
        echo: Spectra = (self._weights * self._spectra).sum(axis=0)
        heard: Audio = scipy.fft.irfft(echo)[BLOCK:]
        error: Audio = frame - heard
        self.left, self.echo = float(np.dot(error, error)) / BLOCK, float(np.dot(heard, heard)) / BLOCK
        worse = self.left > float(np.dot(frame, frame)) / BLOCK  # an echo that was expected, and has not come
        self._kept = np.concatenate([self._kept[BLOCK:], frame if worse else error])
        spectrum: Spectra = scipy.fft.rfft(np.concatenate([np.zeros(BLOCK, np.float32), error]))
        explained = 0.5 * _power(echo)
        return self._attenuated(spectrum, explained, self._learn(spectrum, explained))

    def _shift(self, reference: Audio) -> None:
        self._spectra[1:] = self._spectra[:-1].copy()
        self._powers[1:] = self._powers[:-1].copy()
        self._spectra[0] = scipy.fft.rfft(reference)
        self._powers[0] = _power(self._spectra[0])

    def _learn(self, error: Spectra, explained: Powers) -> Powers:
        """Follow the way; how much of the error was to be expected."""
        doubted = self._doubt * self._powers
        doubt = doubted.sum(axis=0)
        expected: Powers = 0.5 * doubt
        self._near = 0.25 * self._near + 0.75 * np.maximum(_power(error) - expected, 0.0)
        gain = self._doubt / (doubt + 2.0 * self._near + 0.04 * explained + _SILENCE)
        self._weights += gain * np.conj(self._spectra) * error
        self._doubt *= (1.0 - _CHANGE) * (1.0 - 0.5 * gain * self._powers)
        self._confine()
        size = _power(self._weights)
        self._doubt += _CHANGE * (size + 0.05 * size.mean(axis=0))
        return expected

    def _confine(self) -> None:
        """A block's filter is a block long, or it wraps around: one partition after the other is put right."""
        taps = scipy.fft.irfft(self._weights[self._turn])
        taps[BLOCK:] = 0.0
        self._weights[self._turn] = scipy.fft.rfft(taps)
        self._turn = (self._turn + 1) % PARTITIONS

    def _attenuated(self, error: Spectra, explained: Powers, expected: Powers) -> Audio:
        self._ringing = np.maximum(explained, _RINGING * self._ringing)
        self._learnt += bool(explained.sum() > _AUDIBLE)
        leak = _LEAK + _UNLEARNT * np.exp(-self._learnt / _LEARNING)
        self._leaked = _SMOOTH * self._leaked + (1.0 - _SMOOTH) * (expected + leak * self._ringing)
        self._heard = _SMOOTH * self._heard + (1.0 - _SMOOTH) * _power(error)
        share = 1.0 - _REMOVED * self._leaked / (self._heard + _SILENCE)
        taps = scipy.fft.irfft(np.sqrt(np.maximum(share, _LEAST**2)))  # without phase, so around its first sample
        centred = np.concatenate([taps[-LATE:], taps[: LATE + 1]]) * _TAPER
        return np.convolve(self._kept, centred.astype(np.float32), "valid")


def _power(values: Spectra) -> Powers:
    return np.square(values.real) + np.square(values.imag)
