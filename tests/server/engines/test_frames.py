from __future__ import annotations

import io

import pytest

from tandem_server.engines import frames
from tandem_server.engines.frames import Frame, FrameBuffer

SENT = [Frame(frames.AUDIO, 0, b"\x01\x02"), Frame(frames.FINISH, 0), Frame(frames.AUDIO, 70_000, bytes(5000))]
WIRE = b"".join(frames.encode(frame) for frame in SENT)


def test_a_blocking_reader_gets_what_was_sent_and_then_the_end() -> None:
    source = io.BytesIO(WIRE)
    assert [frames.read(source) for _ in range(4)] == [*SENT, None]


@pytest.mark.parametrize("size", [1, 7, len(WIRE)])
def test_frames_come_out_whole_however_the_bytes_come_in(size: int) -> None:
    buffer = FrameBuffer()
    pieces = [WIRE[start : start + size] for start in range(0, len(WIRE), size)]
    assert [frame for piece in pieces for frame in buffer.feed(piece)] == SENT


@pytest.mark.parametrize("cut", [3, 10])
def test_an_end_in_mid_frame_is_an_end(cut: int) -> None:
    assert frames.read(io.BytesIO(WIRE[:cut])) is None
