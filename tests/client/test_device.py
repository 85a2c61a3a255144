"""Microphone and loudspeaker on a PortAudio that is not there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tandem_client.device import MICROPHONE_BLOCKS, Loudspeaker, Microphone, chosen, devices, portaudio
from tandem_client.errors import AudioUnusable


class FakePortAudioError(Exception):
    """As sounddevice has it."""


class FakeStream:
    """Remembers how it was opened; the test plays the audio thread by calling `callback`."""

    def __init__(self, sound: FakeSound, **options: Any) -> None:
        if sound.busy:
            raise FakePortAudioError("Device unavailable [PaErrorCode -9985]")
        self.options = options
        self.callback: Callable[..., None] = options["callback"]
        self.state = "opened"
        sound.streams.append(self)

    def start(self) -> None:
        self.state = "running"

    def close(self) -> None:
        self.state = "closed"

    def record(self, block: Any) -> None:
        self.callback(np.asarray(block, np.float32), len(block), None, None)

    def playback(self, frames: int) -> Any:
        out = np.full((frames, self.options["channels"]), np.nan, np.float32)
        self.callback(out, frames, None, None)
        return out


class FakeSound(ModuleType):
    """The part of sounddevice that we use; `accepts` are the (rate, channels) that the devices can be opened at."""

    PortAudioError = FakePortAudioError

    def __init__(self, accepts: set[tuple[int, int]], own_rate: float = 48_000.0) -> None:
        super().__init__("sounddevice")
        self.accepts = accepts
        self.own_rate = own_rate
        self.busy = False
        self.streams: list[FakeStream] = []
        self.default = type("Default", (), {"device": (0, 1)})()

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any:
        names = [("Built-in microphone", 2, 0), ("Built-in output", 0, 2)]
        keys = ("name", "max_input_channels", "max_output_channels")
        found = [{**dict(zip(keys, one, strict=True)), "default_samplerate": self.own_rate} for one in names]
        if kind is None:
            return found
        if isinstance(device, str):
            raise ValueError(f"No {kind} device matching {device!r}")
        return found[0 if kind == "input" else 1]

    def check_input_settings(self, *, device: Any, channels: int, dtype: str, samplerate: int) -> None:
        if (samplerate, channels) not in self.accepts:
            raise FakePortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings

    def InputStream(self, **options: Any) -> FakeStream:  # noqa: N802 (sounddevice's name)
        return FakeStream(self, **options)

    OutputStream = InputStream


def install(monkeypatch: pytest.MonkeyPatch, *accepts: tuple[int, int], own_rate: float = 48_000.0) -> FakeSound:
    sound = FakeSound(set(accepts), own_rate)
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    return sound


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> ModuleType:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(AudioUnusable, match=r"apt install libportaudio2.*brew install portaudio"):
        portaudio()


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioUnusable, match="pip install sounddevice"):
        portaudio()


def test_devices_are_listed_with_their_sides_and_the_default_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    microphone, loudspeaker = devices()
    assert (microphone.name, microphone.inputs, microphone.default) == ("Built-in microphone", 2, frozenset({"input"}))
    assert (loudspeaker.index, loudspeaker.outputs, loudspeaker.default) == (1, 2, frozenset({"output"}))


@pytest.mark.parametrize(("name", "device"), [("3", 3), ("USB", "USB"), (None, None)])
def test_a_device_is_chosen_by_number_or_by_part_of_its_name(name: str | None, device: int | str | None) -> None:
    assert chosen(name) == device


async def test_the_microphone_gives_pcm_at_the_wire_rate_where_the_device_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = install(monkeypatch, (24_000, 1))
    with Microphone() as microphone:
        (stream,) = sound.streams
        assert (stream.state, stream.options["samplerate"], stream.options["blocksize"]) == ("running", 24_000, 480)
        stream.record(np.full((480, 1), 0.5))
        assert np.frombuffer(await microphone.read(), "<i2").tolist() == [16384] * 480
    assert stream.state == "closed"


async def test_a_device_with_another_rate_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (48_000, 1))
    with Microphone() as microphone:
        for _ in range(50):
            sound.streams[0].record(np.full((960, 1), 0.5))
        heard = b""
        while len(heard) < 2 * 20_000:  # of 24 000: the resampler works in pieces of its own and keeps the last
            heard += await microphone.read()
    assert sound.streams[0].options["blocksize"] == 960
    audio = np.frombuffer(heard, "<i2")
    assert audio[2000:].tolist() == pytest.approx([16384] * (len(audio) - 2000), abs=40)


async def test_a_device_that_is_only_stereo_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 2), own_rate=24_000.0)
    with Microphone() as microphone:
        sound.streams[0].record([[0.5, 0.0]] * 480)
        assert np.frombuffer(await microphone.read(), "<i2").tolist() == [8192] * 480


async def test_blocks_that_nobody_takes_are_bounded_and_the_oldest_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 1))
    with Microphone() as microphone:
        for number in range(MICROPHONE_BLOCKS + 3):
            sound.streams[0].record(np.full((480, 1), number / 32768))
        await asyncio.sleep(0)
        assert microphone.dropped == 3
        assert np.frombuffer(await microphone.read(), "<i2")[0] == 3


async def test_a_microphone_that_is_unplugged_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 1))
    with Microphone() as microphone:
        reading = asyncio.ensure_future(microphone.read())
        await asyncio.sleep(0)
        sound.streams[0].options["finished_callback"]()
        with pytest.raises(AudioUnusable, match="unplugged"):
            await reading


async def test_a_device_that_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 1))
    with pytest.raises(AudioUnusable, match=r"cannot open 'nope' for input.*tandem devices"):
        Microphone("nope")
    sound.accepts = set()
    with pytest.raises(AudioUnusable, match="the default device for output: Invalid sample rate"):
        Loudspeaker(lambda _: None)
    sound.accepts, sound.busy = {(24_000, 1)}, True
    with pytest.raises(AudioUnusable, match="Device unavailable"):
        Microphone()


async def test_the_loudspeaker_plays_and_reports_its_position_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 1))
    positions: list[int] = []
    with Loudspeaker(positions.append) as loudspeaker:
        loudspeaker.play(np.full(4800, 16384, "<i2").tobytes())
        out = sound.streams[0].playback(480)
        assert out.shape == (480, 1) and (out == 0.5).all()
        await asyncio.sleep(0)
        assert positions == [480]
        assert loudspeaker.flush() == 480
        assert (sound.streams[0].playback(480) == 0).all()
        await asyncio.sleep(0)
    assert positions == [480]


async def test_a_loudspeaker_of_another_rate_counts_in_the_wires_samples_and_keeps_no_tail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = install(monkeypatch, (44_100, 2), own_rate=44_100.0)
    with Loudspeaker(lambda _: None) as loudspeaker:
        loudspeaker.play(np.full(24_000, 16384, "<i2").tobytes())
        out = np.concatenate([sound.streams[0].playback(882) for _ in range(60)])
        assert loudspeaker.flush() == 24_000
    assert out.shape[1] == 2 and (out[:, 0] == out[:, 1]).all()
    assert np.count_nonzero(out[:, 0] > 0.25) == pytest.approx(44_100, abs=50)


def test_audio_that_comes_after_the_loop_has_closed_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = install(monkeypatch, (24_000, 1))

    async def open_both() -> tuple[Microphone, Loudspeaker]:
        return Microphone(), Loudspeaker(lambda _: None)

    _, loudspeaker = asyncio.run(open_both())
    loudspeaker.play(bytes(9600))
    sound.streams[0].record(np.zeros((480, 1)))
    sound.streams[1].playback(480)
