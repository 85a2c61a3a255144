"""Audio as the wire carries it: pcm16 at WIRE_RATE, or G.711 at 8 kHz. The core counts samples at WIRE_RATE only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tandem_models.signal import WIRE_RATE, Audio, Resampler, float_to_pcm16, pcm16_to_float
from tandem_server import g711

AudioFormat = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


@dataclass(frozen=True, slots=True)
class Coding:
    """How one format writes samples down."""

    rate: int
    """Hertz"""
    sample_bytes: int
    decode: Callable[[bytes], bytes]
    """To pcm16 at the same rate"""
    encode: Callable[[bytes], bytes]


def _same(pcm: bytes) -> bytes:
    return pcm


CODINGS: Final[Mapping[AudioFormat, Coding]] = {
    "audio/pcm": Coding(WIRE_RATE, 2, _same, _same),
    "audio/pcmu": Coding(8_000, 1, g711.decode_mulaw, g711.encode_mulaw),
    "audio/pcma": Coding(8_000, 1, g711.decode_alaw, g711.encode_alaw),
}


class Decoder:
    """A stream of one format -> audio at another rate."""

    def __init__(self, audio_format: AudioFormat, rate: int) -> None:
        self.format: Final = audio_format
        self._coding = CODINGS[audio_format]
        self._resampler = Resampler(self._coding.rate, rate)

    def feed(self, data: bytes) -> Audio:
        """Whole samples; what has become available."""
        return self._resampler.feed(pcm16_to_float(self._coding.decode(data)))

    def flush(self) -> Audio:
        """What the filter still held; the stream is over."""
        return self._resampler.flush()


class Encoder:
    """A stream of pcm16 at WIRE_RATE -> one format. pcm16 comes out as it went in."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._coding = CODINGS[audio_format]
        plain = audio_format == "audio/pcm"
        self._resampler = None if plain else Resampler(WIRE_RATE, self._coding.rate)

    def feed(self, pcm: bytes) -> bytes:
        """What has become available; may be empty while the filter fills."""
        if self._resampler is None:
            return pcm
        return self._coding.encode(float_to_pcm16(self._resampler.feed(pcm16_to_float(pcm))))

    def flush(self) -> bytes:
        """What the filter still held; the stream is over."""
        if self._resampler is None:
            return b""
        return self._coding.encode(float_to_pcm16(self._resampler.flush()))
