"""Microphone and loudspeaker through PortAudio, at 24 kHz mono or, where the device cannot, at its own rate.

PortAudio calls us on its own thread, which may neither wait nor touch the loop: the microphone hands each block over
with `call_soon_threadsafe`, and the loudspeaker takes from a ring under a lock that is never held for long.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np

from tandem_client.errors import AudioUnusable
from tandem_client.ring import PlaybackRing
from tandem_models.signal import WIRE_RATE, Audio, Resampler, float_to_pcm16, pcm16_to_float

Side = Literal["input", "output"]
BLOCKS_PER_S: Final = 50
"""20 ms a block, as telephony and WebRTC do."""
MICROPHONE_BLOCKS: Final = 500
"""10 s: what is said while a connection that was cut is made again. Of more the oldest is lost."""
_MISSING: Final = (
    "the PortAudio library is not installed, which microphone and loudspeaker need: on Debian and Ubuntu run "
    "`sudo apt install libportaudio2`, on macOS `brew install portaudio`; "
    "`tandem talk --file` and `tandem talk --text` work without it"
)


def portaudio() -> Any:
    """The sounddevice module. Raises AudioUnusable, saying what to install."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise AudioUnusable("the Python package sounddevice is not installed: run `pip install sounddevice`") from None
    except OSError:  # the package is there and its library is not
        raise AudioUnusable(_MISSING) from None


@dataclass(frozen=True, slots=True)
class Device:
    """An audio device, for people to choose from."""

    index: int
    name: str
    inputs: int
    outputs: int
    """Channels."""
    rate: float
    """Its own sample rate (Hz)."""
    default: frozenset[Side]
    """Is it what is used when nothing is chosen?"""


def devices() -> list[Device]:
    """Every audio device of this machine. Raises AudioUnusable."""
    sd = portaudio()
    chosen_input, chosen_output = sd.default.device
    found = []
    for index, one in enumerate(sd.query_devices()):
        sides: tuple[tuple[Side, int], ...] = (("input", chosen_input), ("output", chosen_output))
        default = frozenset(side for side, chosen in sides if index == chosen)
        inputs, outputs, rate = one["max_input_channels"], one["max_output_channels"], one["default_samplerate"]
        found.append(Device(index, one["name"], inputs, outputs, rate, default))
    return found


def chosen(name: str | None) -> int | str | None:
    """A device as PortAudio wants it: its number, part of its name, or None for the default."""
    return int(name) if name is not None and name.isdecimal() else name


def _format(sd: Any, side: Side, device: int | str | None) -> tuple[int, int]:
    """Rate and channels at which the device can be opened; best first: ours, its own rate, its own rate in stereo."""
    check = sd.check_input_settings if side == "input" else sd.check_output_settings
    own = round(sd.query_devices(device, side)["default_samplerate"])
    for rate, channels in ((WIRE_RATE, 1), (own, 1)):
        with suppress(sd.PortAudioError):
            check(device=device, channels=channels, dtype="float32", samplerate=rate)
            return rate, channels
    check(device=device, channels=2, dtype="float32", samplerate=own)
    return own, 2


def _opened(sd: Any, side: Side, device: int | str | None, **callbacks: Callable[..., None]) -> tuple[Any, int]:
    """A stream that is not running yet, and its rate. Raises AudioUnusable."""
    kind = sd.InputStream if side == "input" else sd.OutputStream
    try:
        rate, channels = _format(sd, side, device)
        stream = kind(
            device=device,
            samplerate=rate,
            blocksize=rate // BLOCKS_PER_S,
            channels=channels,
            dtype="float32",
            latency="low",
            **callbacks,
        )
    except (sd.PortAudioError, ValueError) as error:
        which = "the default device" if device is None else repr(device)
        raise AudioUnusable(f"cannot open {which} for {side}: {error}; `tandem devices` lists what there is") from None
    return stream, rate


class Microphone:
    """Blocks of pcm16 at 24 kHz; a context manager within a running loop."""

    def __init__(self, device: int | str | None = None) -> None:
        self.dropped = 0
        """Blocks lost because nobody took them in time."""
        self._loop = asyncio.get_running_loop()
        self._blocks: deque[bytes] = deque(maxlen=MICROPHONE_BLOCKS)
        self._arrived = asyncio.Event()
        self._gone = False
        self._stream, rate = _opened(
            portaudio(), "input", device, callback=self._callback, finished_callback=self._finished
        )
        self._resampler = Resampler(rate, WIRE_RATE)

    async def read(self) -> bytes:
        """The next block. Raises AudioUnusable when the device is gone."""
        while not self._blocks:
            if self._gone:
                raise AudioUnusable("the microphone is gone; was it unplugged?")
            self._arrived.clear()
            await self._arrived.wait()
        return self._blocks.popleft()

    def _callback(self, indata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG002 (PortAudio's form)
        block = np.ascontiguousarray(indata.mean(axis=1), dtype=np.float32)  # the buffer is PortAudio's: a copy
        self._hand_over(self._offer, block)

    def _finished(self) -> None:
        self._hand_over(self._end)

    def _hand_over(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: the conversation is over
            self._loop.call_soon_threadsafe(function, *arguments)

    def _offer(self, block: Audio) -> None:
        resampled = self._resampler.feed(block)
        if len(resampled):
            self.dropped += len(self._blocks) == MICROPHONE_BLOCKS
            self._blocks.append(float_to_pcm16(resampled))
            self._arrived.set()

    def _end(self) -> None:
        self._gone = True
        self._arrived.set()

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class Loudspeaker:
    """Plays pcm16 at 24 kHz and reports its position on the loop; a context manager within a running loop."""

    def __init__(self, on_played: Callable[[int], None], device: int | str | None = None) -> None:
        self._on_played = on_played
        self._loop = asyncio.get_running_loop()
        self._ring = PlaybackRing()
        self._ahead = np.zeros(0, np.float32)
        """Resampled and not yet taken by the device."""
        self._reported = 0
        self._stream, rate = _opened(portaudio(), "output", device, callback=self._callback)
        self._resampler = Resampler(WIRE_RATE, rate)

    def play(self, pcm: bytes) -> None:
        """Queues audio."""
        self._ring.push(pcm16_to_float(pcm))

    def flush(self) -> int:
        """Falls silent; returns the samples played so far (what the device has taken is heard)."""
        return self._ring.flush()

    def _callback(self, outdata: Any, frames: int, time: Any, status: Any) -> None:  # noqa: ARG002 (PortAudio's form)
        # The resampler runs through the silences too, so that no end of a reply is left inside it.
        while len(self._ahead) < frames:
            block = self._resampler.feed(self._ring.pull(WIRE_RATE // BLOCKS_PER_S))
            self._ahead = np.concatenate([self._ahead, block])
        outdata[:] = self._ahead[:frames, np.newaxis]
        self._ahead = self._ahead[frames:]
        if self._ring.played != self._reported:
            self._reported = self._ring.played
            with suppress(RuntimeError):  # the loop is closed: the conversation is over
                self._loop.call_soon_threadsafe(self._on_played, self._reported)

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
