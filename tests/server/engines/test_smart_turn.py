"""The turn model: with a model of two nodes made here, and with the real one where it was fetched."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tandem_models.signal import SAMPLE_RATE, Audio
from tandem_server.config import default_data_dir
from tandem_server.engines import smart_turn
from tandem_server.engines.smart_turn import HEARD, MOST_WAITING, SmartTurn
from tandem_server.engines.turn_models import FILE, FOLDER, make_turn_model
from tandem_server.errors import ConfigurationError, EngineError, EngineUnavailable

FETCHED = default_data_dir() / "models" / FOLDER / FILE
NOISE = (0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)).astype(np.float32)


def message(number: int, *parts: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    data = b"".join(parts)
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def integer(number: int, value: int) -> bytes:
    return bytes([number << 3, value])


def model(operator: bytes) -> bytes:
    """ONNX: the sigmoid of the mean, or of another operator, of (1, 80, 800) floats."""
    size = message(1, integer(1, 1)), message(1, integer(1, 80)), message(1, b"\x08\xa0\x06")
    floats = message(1, integer(1, 1), message(2, *size))
    nodes = (
        message(1, message(1, b"input_features"), message(2, b"m"), message(4, operator)),
        message(1, message(1, b"m"), message(2, b"logits"), message(4, b"Sigmoid")),
    )
    told = message(11, message(1, b"input_features"), message(2, floats))
    answered = message(12, message(1, b"logits"), message(2, message(1, integer(1, 1))))
    graph = b"".join((*nodes, message(2, b"g"), told, answered))
    return (
        integer(1, 8)
        + bytes([7 << 3 | 2, len(graph) % 128 + 128, len(graph) // 128])
        + graph
        + message(8, integer(2, 13))
    )


@asynccontextmanager
async def running(path: Path, threads: int = 1) -> AsyncIterator[SmartTurn]:
    engine = SmartTurn(path, threads)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(model(b"ReduceMean"))
    return path


@pytest.fixture
def pictured(monkeypatch: pytest.MonkeyPatch) -> list[Audio]:
    """The audio of every question; its picture is full of its last sample."""
    asked: list[Audio] = []

    def picture(audio: Audio) -> Any:
        asked.append(audio)
        return np.full((80, 800), audio[-1], np.float32)

    monkeypatch.setattr(smart_turn, "log_mel", picture)
    return asked


async def test_it_hears_the_last_eight_seconds_after_silence_where_there_are_fewer(
    tiny: Path, pictured: list[Audio]
) -> None:
    long = np.arange(HEARD + 5, dtype=np.float32) / np.float32(HEARD)
    async with running(tiny) as engine:
        assert await engine.complete(long) == pytest.approx(1.0 / (1.0 + np.exp(-(HEARD + 4) / HEARD)), abs=1e-4)
        assert await engine.complete(np.array([-2.0], np.float32)) == pytest.approx(0.1192, abs=1e-4)  # 1 / (1 + e^2)
    assert np.array_equal(pictured[-2], long[5:])
    assert len(pictured[-1]) == HEARD and not pictured[-1][:-1].any()


async def test_who_would_wait_too_long_is_refused_at_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tiny) as engine:
        gate = threading.Event()
        monkeypatch.setattr(engine, "_judge", lambda _: gate.wait() and 0.5)
        waiting = [asyncio.create_task(engine.complete(NOISE)) for _ in range(1 + MOST_WAITING)]
        await asyncio.sleep(0)
        assert await engine.complete(NOISE) is None
        gate.set()
        assert await asyncio.gather(*waiting) == [0.5] * (1 + MOST_WAITING)
        assert await engine.complete(NOISE) == 0.5  # there is room again


async def test_what_is_no_model_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing of use")
    with pytest.raises(
        EngineUnavailable, match=r"broken\.onnx .*tandem models fetch smart-turn.*TANDEM_TURN_MODEL=off"
    ):
        async with running(broken):
            pass


async def test_without_onnxruntime_it_says_what_to_do(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailable, match=r"pip install .*onnxruntime.*TANDEM_TURN_MODEL=off"):
        async with running(tiny):
            pass


async def test_a_failure_in_the_middle_is_an_error_of_the_engine(tiny: Path, pictured: list[Audio]) -> None:
    async with running(tiny) as engine:
        with pytest.raises(EngineError, match="no probability"):
            await engine.complete(np.array([np.nan], np.float32))


def test_it_is_chosen_by_the_setting(tmp_path: Path) -> None:
    assert make_turn_model("off", tmp_path) is None
    assert make_turn_model("auto", tmp_path) is None  # nothing was fetched
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_bytes(b"")
    auto, named = make_turn_model("auto", tmp_path), make_turn_model(str(tmp_path / FOLDER / FILE), tmp_path)
    assert auto is not None and named is not None and auto.name == named.name == "smart-turn v3.2"
    with pytest.raises(ConfigurationError, match="TANDEM_TURN_MODEL"):
        make_turn_model("somewhere.onnx", tmp_path)


@pytest.mark.skipif(not FETCHED.is_file(), reason="the turn model is not here: tandem models fetch smart-turn")
async def test_whole_sentences_sound_more_complete_than_their_first_halves(shared_data: Path) -> None:
    paths = sorted((shared_data / "speech").rglob("*.flac"))[:12]
    async with running(FETCHED) as engine:
        answers = []
        for path in paths:
            audio, rate = soundfile.read(path, dtype="float32")
            assert rate == SAMPLE_RATE
            answers.append([await engine.complete(part) for part in (audio, audio[: len(audio) // 2])])
    whole, half = np.median(np.array(answers, np.float64), axis=0)
    assert whole > 0.5 > half
