"""How long a person waits: `python tests/bench/latency.py [--engines fake real] [--sessions 1 4 8] [--json FILE]`.

Starts the server as users do, plays recordings to it in real time over WebSockets, and prints for every setting: last
speech sample sent -> first audible byte received (p50, p95, and by stage), the same without the silence that the
endpoint waits for, event-loop lag, CPU and memory per session; and once: seconds to ready, idle memory, and the
end-of-turn cost of the features against the length of the turn (extraction.py).
The baseline in the same run is `manual`: the client itself says when the turn is over, so nothing is waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil
import soundfile
from websockets.asyncio.client import ClientConnection, connect

from tandem_models.signal import WIRE_RATE, Audio, float_to_pcm16, pcm16_to_float, resample
from tandem_server.contract import AudioFrame

FRAME: Final = WIRE_RATE // 50
AUDIBLE: Final = 0.01
QUIET_BELOW: Final = 10.0 ** (-35.0 / 20.0)
"""Of the recording's loudest 10 ms: what is softer is not speech."""
ENGINES: Final = {
    "fake": {"TANDEM_ASR": "fake", "TANDEM_RESPONSE": "fake", "TANDEM_VOICE": "fake"},
    "real": {"TANDEM_ASR": "pocketsphinx", "TANDEM_RESPONSE": "listener", "TANDEM_VOICE": "espeak"},
}
VAD: Final[dict[str, dict[str, Any] | None]] = {
    "manual": None,
    "default": {"type": "server_vad"},
    "200 ms": {"type": "server_vad", "silence_duration_ms": 200},
}
HEADER: Final = """\
engines vad     call- answer  cut   no   wait ms       without silence  silence/words/   loop lag ms      CPU %  MB
                ers       ed  off answ   p50    p95     p50    p95    response/voice   p50    p95   max   /call /call"""
REFERENCE: Final = """\
Reference points, measured elsewhere on a busy two-core machine (design references):
  Pipecat, instant stubs           70-100 ms without its turn model, 200-310 ms with it; 5.7 % of a core per session
  Pipecat, PocketSphinx + espeak   200-300 ms p50, 410 ms p95"""


@dataclass(frozen=True, slots=True)
class Recording:
    """One utterance at WIRE_RATE and the sample after its last speech."""

    audio: Audio
    speech_end: int


@dataclass(slots=True)
class Figures:
    """What was measured in one setting; milliseconds."""

    waits: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    unanswered: int = 0
    cut_off: int = 0
    """Utterances answered before their end"""


def recordings(folder: Path, most: int) -> list[Recording]:
    """Utterances of 1 to 6 s from the shared recordings, read sentences and commands mixed."""
    found = []
    for path in sorted(folder.rglob("*.flac")):
        info = soundfile.info(path)
        if 1.0 <= info.duration <= 6.0:
            found.append(path)
    chosen = found[:: max(len(found) // most, 1)][:most]
    return [_recording(path) for path in chosen]


def _recording(path: Path) -> Recording:
    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = resample(np.ascontiguousarray(data[:, 0]), rate, WIRE_RATE)
    hop = WIRE_RATE // 100
    levels = np.sqrt(np.mean(audio[: len(audio) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    last = int(np.flatnonzero(levels > QUIET_BELOW * levels.max())[-1])
    lead = np.zeros(WIRE_RATE * 3 // 10, np.float32)
    return Recording(np.concatenate([lead, audio]), len(lead) + (last + 1) * hop)


class Caller:
    """Somebody who says one thing after the other and waits for each answer."""

    def __init__(self, url: str, vad: dict[str, Any] | None, figures: Figures) -> None:
        self._url = url
        self._vad = vad
        self._figures = figures
        self._sent_last = 0.0
        self._answered = asyncio.Event()
        self._heard = False

    async def talk(self, spoken: Sequence[Recording]) -> None:
        """Say them all, each over a connection of its own: they are different people."""
        for recording in spoken:
            async with connect(self._url, max_size=None, compression=None) as socket:
                audio = {"input": {"turn_detection": self._vad}}
                session = {"type": "realtime", "tandem": {"audio_frames": "binary"}, "audio": audio}
                await _send(socket, {"type": "session.update", "session": session})
                reader = asyncio.create_task(self._read(socket))
                await self._say(socket, recording)
                reader.cancel()

    async def _say(self, socket: ClientConnection, recording: Recording) -> None:
        self._answered.clear()
        self._heard = False
        self._sent_last = 0.0
        begun, sent, committed = time.perf_counter(), 0, False
        while not self._answered.is_set():
            piece = recording.audio[sent : sent + FRAME]
            audio = np.pad(piece, (0, FRAME - len(piece)))
            await socket.send(
                AudioFrame("input", sent // FRAME, sent * 1000 / WIRE_RATE, float_to_pcm16(audio)).encode()
            )
            sent += FRAME
            if not self._sent_last and sent >= recording.speech_end:
                self._sent_last = time.perf_counter()
            if self._vad is None and not committed and self._sent_last:
                committed = True
                await _send(socket, {"type": "input_audio_buffer.commit"})
                await _send(socket, {"type": "response.create"})
            if sent > len(recording.audio) + 6 * WIRE_RATE:
                self._figures.unanswered += 1
                return
            await asyncio.sleep(max(begun + sent / WIRE_RATE - time.perf_counter(), 0.0))

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            if isinstance(message, bytes):
                if not self._heard and np.abs(pcm16_to_float(AudioFrame.decode(message).pcm)).max() > AUDIBLE:
                    self._heard = True
                    if self._sent_last:
                        self._figures.waits.append((time.perf_counter() - self._sent_last) * 1000.0)
                    else:
                        self._figures.cut_off += 1
                continue
            event = json.loads(message)
            if event["type"] == "tandem.latency":
                self._figures.stages.append(event["stages_ms"])
            elif event["type"] == "response.done":
                self._answered.set()


async def _send(socket: ClientConnection, event: dict[str, Any]) -> None:
    await socket.send(json.dumps(event))


@contextmanager
def server(engines: str, folder: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """A running server: its address, its process, and the seconds it took to be ready."""
    environment = {**os.environ, **ENGINES[engines], "TANDEM_DATA_DIR": str(folder), "TANDEM_FETCH_MODELS": "false"}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "tandem_client.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if "Open http" in line:
                address = line.split("Open ")[1].strip()
                break
        ready = time.perf_counter() - begun
        try:
            yield address, psutil.Process(process.pid), ready
        finally:
            process.terminate()


def tree(process: psutil.Process) -> list[psutil.Process]:
    """The server and its workers."""
    return [process, *process.children(recursive=True)]


def memory(process: psutil.Process) -> float:
    """MB, shared pages counted once (PSS where the system tells)."""
    total = 0
    for one in tree(process):
        with suppress(psutil.NoSuchProcess):  # a caller's recogniser ends with the caller
            info = one.memory_full_info()
            total += getattr(info, "pss", info.uss)
    return total / 1e6


def cpu(process: psutil.Process) -> float:
    """Seconds of the whole tree."""
    total = 0.0
    for one in tree(process):
        with suppress(psutil.NoSuchProcess):
            total += sum(one.cpu_times()[:4])  # its own and its ended children's
    return total


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


async def measure(
    address: str, process: psutil.Process, vad: str, callers: int, spoken: list[Recording]
) -> dict[str, Any]:
    """One setting."""
    figures = Figures()
    url = f"ws{address.removeprefix('http')}/v1/realtime"
    before, used, begun = memory(process), cpu(process), time.perf_counter()
    people = [Caller(url, VAD[vad], figures).talk(spoken[n:] + spoken[:n]) for n in range(callers)]
    peak = before
    everybody = asyncio.gather(*people)
    while not everybody.done():
        await asyncio.wait([everybody], timeout=1.0)
        peak = max(peak, memory(process))
    await everybody
    wall, spent = time.perf_counter() - begun, cpu(process) - used
    async with httpx.AsyncClient() as client:
        lag = (await client.get(f"{address}/health")).json()["loop_lag_ms"]
    names = ("endpoint", "transcript", "response", "voice")
    stages = {name: statistics.median([one[name] for one in figures.stages if name in one] or [0.0]) for name in names}
    work = [one["total"] - one["endpoint"] for one in figures.stages if "total" in one]
    return {
        "vad": vad,
        "sessions": callers,
        "answers": len(figures.waits),
        "unanswered": figures.unanswered,
        "cut_off": figures.cut_off,
        "wait_p50_ms": percentile(figures.waits, 0.5),
        "wait_p95_ms": percentile(figures.waits, 0.95),
        "work_p50_ms": percentile(work, 0.5),
        "work_p95_ms": percentile(work, 0.95),
        "stages_p50_ms": stages,
        "loop_lag_ms": lag,
        "cpu_percent_of_a_core_per_session": 100.0 * spent / wall / callers,
        "memory_mb_per_session": (peak - before) / callers,
    }


def show(engines: str, row: dict[str, Any]) -> None:
    """One line of the table."""
    stages = row["stages_p50_ms"]
    parts = "/".join(f"{stages[name]:.0f}" for name in ("endpoint", "transcript", "response", "voice"))
    lag = row["loop_lag_ms"]
    print(
        f"{engines:5} {row['vad']:8} {row['sessions']:4} {row['answers']:5} {row['cut_off']:4} {row['unanswered']:4} "
        f"{row['wait_p50_ms']:7.0f} {row['wait_p95_ms']:6.0f} {row['work_p50_ms']:7.0f} {row['work_p95_ms']:6.0f}   "
        f"{parts:>15}  {lag.get('p50', 0):5.1f} {lag.get('p95', 0):6.1f} {lag.get('max', 0):5.0f}"
        f"{row['cpu_percent_of_a_core_per_session']:8.1f}{row['memory_mb_per_session']:7.1f}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("TANDEM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    parser.add_argument("--recordings", type=Path, default=shared / "data" / "speech", help="a folder of FLAC files")
    parser.add_argument("--engines", nargs="+", choices=sorted(ENGINES), default=["fake", "real"])
    parser.add_argument("--vad", nargs="+", choices=sorted(VAD), default=list(VAD))
    parser.add_argument("--sessions", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--utterances", type=int, default=12, help="per session and setting")
    parser.add_argument("--only-waits", action="store_true", help="leave out extraction.py's table at the end")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    spoken = recordings(options.recordings, options.utterances)
    if not spoken:
        parser.error(f"no recordings of 1 to 6 s in {options.recordings}; name a folder with --recordings")
    rows: list[dict[str, Any]] = []
    for engines in options.engines:
        with tempfile.TemporaryDirectory() as folder, server(engines, Path(folder)) as (address, process, ready):
            idle = memory(process)
            print(
                f"\n{engines}: ready after {ready:.2f} s, idle memory {idle:.0f} MB in {len(tree(process))} processes"
            )
            print(HEADER)
            for vad in options.vad:
                for callers in options.sessions:
                    row = asyncio.run(measure(address, process, vad, callers, spoken))
                    show(engines, row)
                    rows.append({"engines": engines, "ready_s": ready, "idle_mb": idle, **row})
    print(f"\n{REFERENCE}")
    if not options.only_waits:
        print("\nEnd-of-turn cost of the features against the length of the turn:", flush=True)
        extraction = [sys.executable, str(Path(__file__).with_name("extraction.py")), "--shared", str(shared)]
        subprocess.run(extraction, check=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
