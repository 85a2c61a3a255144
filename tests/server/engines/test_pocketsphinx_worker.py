from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from tandem_server.engines import frames
from tandem_server.engines.frames import Frame, FrameBuffer
from tandem_server.engines.pocketsphinx_worker import Worker


@dataclass
class FakeDecoder:
    """Hears 'word' once for each piece of audio."""

    segments: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    pieces: int = 0

    def start_utt(self) -> None:
        self.calls.append("start")
        self.pieces = 0

    def process_raw(self, audio: bytes, no_search: bool, full_utt: bool) -> None:
        self.calls.append("process")
        self.pieces += 1

    def end_utt(self) -> None:
        self.calls.append("end")

    def hyp(self) -> SimpleNamespace | None:
        return SimpleNamespace(hypstr=" ".join(["word"] * self.pieces)) if self.pieces else None

    def seg(self) -> list[Any]:
        assert self.hyp() is not None, "asking for segments without a hypothesis raises"
        return self.segments


def answers(decoder: FakeDecoder, *sent: Frame) -> list[Frame]:
    sink = io.BytesIO()
    Worker(cast(Any, decoder)).serve(io.BytesIO(b"".join(frames.encode(frame) for frame in sent)), sink)
    return list(FrameBuffer().feed(sink.getvalue()))


def segment(word: str, start: int, end: int) -> SimpleNamespace:
    return SimpleNamespace(word=word, start_frame=start, end_frame=end)


def test_every_piece_of_audio_is_answered_with_the_hypothesis_so_far() -> None:
    audio = Frame(frames.AUDIO, 4, b"1234")
    assert answers(FakeDecoder(), audio, audio) == [
        Frame(frames.PARTIAL, 4, b"word"),
        Frame(frames.PARTIAL, 4, b"word word"),
    ]


def test_the_final_has_words_only_without_marks_in_seconds() -> None:
    decoder = FakeDecoder(
        [
            segment("<s>", 0, 9),
            segment("the(2)", 10, 29),
            segment("<sil>", 30, 39),
            segment("[NOISE]", 40, 44),
            segment("++BREATH++", 45, 49),
            segment("door", 50, 99),
            segment("</s>", 100, 120),
        ]
    )
    final = answers(decoder, Frame(frames.AUDIO, 0, b"12"), Frame(frames.FINISH, 0))[-1]
    assert final.kind == frames.FINAL
    assert json.loads(final.payload) == [["the", 0.1, 0.3], ["door", 0.5, 1.0]]


def test_an_utterance_without_audio_ends_without_the_decoder() -> None:
    decoder = FakeDecoder()
    assert answers(decoder, Frame(frames.FINISH, 0)) == [Frame(frames.FINAL, 0, b"[]")]
    assert decoder.calls == []


def test_a_reset_ends_the_utterance_and_says_nothing() -> None:
    decoder = FakeDecoder()
    kinds = [frame.kind for frame in answers(decoder, Frame(frames.AUDIO, 0, b"12"), Frame(frames.RESET, 0))]
    assert kinds == [frames.PARTIAL]
    assert decoder.calls == ["start", "process", "end"]


def test_the_next_utterance_starts_afresh() -> None:
    sent = [Frame(frames.AUDIO, 0, b"12"), Frame(frames.FINISH, 0), Frame(frames.AUDIO, 1, b"12")]
    assert answers(FakeDecoder(), *sent)[-1] == Frame(frames.PARTIAL, 1, b"word")
