"""Files in, the loudspeaker of numbers, the stereo file out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from tandem_client.errors import AudioUnusable
from tandem_client.recording import BLOCK, Track, VirtualLoudspeaker, blocks, read_audio, write_stereo
from tandem_models.signal import WIRE_RATE


@pytest.mark.parametrize(
    ("name", "subtype", "rate", "channels"),
    [("a.wav", "PCM_16", 44_100, 2), ("a.flac", "PCM_24", 16_000, 1), ("a.wav", "FLOAT", 24_000, 6)],
)
def test_a_file_of_any_format_rate_and_channels_becomes_mono_at_the_wire_rate(
    tmp_path: Path, name: str, subtype: str, rate: int, channels: int
) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)
    sf.write(tmp_path / name, np.stack([tone] * channels, axis=1), rate, subtype=subtype)
    audio = read_audio(tmp_path / name)
    assert audio.ndim == 1 and audio.dtype == np.float32
    assert len(audio) == pytest.approx(WIRE_RATE, abs=2)
    assert np.abs(audio).max() == pytest.approx(0.5, abs=0.02)


def test_channels_are_averaged(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.stack([np.full(99, 0.5), np.zeros(99)], axis=1), WIRE_RATE, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav") == pytest.approx(np.full(99, 0.25))


def test_a_damaged_file_is_named_before_it_is_sent(tmp_path: Path) -> None:
    good = np.full(4800, 0.25, np.float32)
    for name, wrong, rate in (("nan", np.nan, 24_000), ("inf", np.inf, 24_000), ("rate", 0.25, 2_000_000_000)):
        damaged = good.copy()
        damaged[100] = wrong
        sf.write(tmp_path / f"{name}.wav", damaged, rate, subtype="FLOAT")
        with pytest.raises(AudioUnusable, match="damaged"):
            read_audio(tmp_path / f"{name}.wav")


def test_a_file_that_is_not_there_not_audio_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("these are notes")
    sf.write(tmp_path / "empty.wav", np.zeros(0), WIRE_RATE)
    for name, message in (("no.wav", "no file"), ("notes.wav", "is not audio"), ("empty.wav", "no audio")):
        with pytest.raises(AudioUnusable, match=message):
            read_audio(tmp_path / name)


def test_blocks_are_of_one_length_and_the_last_is_filled_with_silence() -> None:
    pieces = list(blocks(np.full(BLOCK + 1, 0.5, np.float32)))
    assert [len(piece) for piece in pieces] == [2 * BLOCK, 2 * BLOCK]
    assert np.frombuffer(pieces[1], "<i2").tolist() == [16384] + [0] * (BLOCK - 1)


def pcm(samples: int, value: int = 1) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def test_audio_is_heard_from_the_moment_it_came() -> None:
    loudspeaker = VirtualLoudspeaker()
    loudspeaker.advance(100)
    loudspeaker.play(pcm(50))
    loudspeaker.advance(120)
    assert loudspeaker.played == 20
    loudspeaker.advance(1000)
    assert loudspeaker.played == 50
    assert np.flatnonzero(loudspeaker.samples()).tolist() == list(range(100, 150))


def test_what_is_flushed_is_not_heard_and_the_next_audio_starts_at_once() -> None:
    loudspeaker = VirtualLoudspeaker()
    loudspeaker.play(pcm(50))
    loudspeaker.advance(20)
    assert loudspeaker.flush() == 20
    loudspeaker.advance(60)
    loudspeaker.play(pcm(10))
    loudspeaker.drain()
    assert np.flatnonzero(loudspeaker.samples()).tolist() == [*range(20), *range(60, 70)]


def test_time_never_goes_back() -> None:
    loudspeaker = VirtualLoudspeaker()
    for _ in range(2):
        loudspeaker.play(pcm(50))
        loudspeaker.drain()
        loudspeaker.advance(10)
    assert np.flatnonzero(loudspeaker.samples()).tolist() == list(range(100))


@given(st.lists(st.one_of(st.integers(1, 50).map(lambda n: ("play", n)), st.integers(0, 50).map(lambda n: ("go", n)))))
def test_no_sample_is_lost_or_heard_twice(walk: list[tuple[str, int]]) -> None:
    loudspeaker, now, total = VirtualLoudspeaker(), 0, 0
    for move, amount in walk:
        if move == "play":
            loudspeaker.play(np.arange(total + 1, total + amount + 1).astype("<i2").tobytes())
            total += amount
        else:
            now += amount
            loudspeaker.advance(now)
    loudspeaker.drain()
    heard = np.rint(loudspeaker.samples() * 32768).astype(int)
    assert heard[heard > 0].tolist() == list(range(1, total + 1)) and loudspeaker.played == total


def test_the_stereo_file_has_both_sides_on_one_clock(tmp_path: Path) -> None:
    track = Track()
    track.append(pcm(4, 100))
    loudspeaker = VirtualLoudspeaker()
    loudspeaker.advance(3)
    loudspeaker.play(pcm(3, 200))
    loudspeaker.drain()
    write_stereo(tmp_path / "new" / "out.wav", track.samples(), loudspeaker.samples())
    stereo, rate = sf.read(tmp_path / "new" / "out.wav", dtype="int16")
    assert rate == WIRE_RATE
    assert stereo.tolist() == [[100, 0], [100, 0], [100, 0], [100, 200], [0, 200], [0, 200]]


def test_a_recording_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioUnusable, match=r"cannot write .*out\.wav"):
        write_stereo(tmp_path / "file" / "out.wav", np.zeros(1, np.float32), np.zeros(1, np.float32))
