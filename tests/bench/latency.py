"""How long a person waits: `python -m tests.bench.latency [--engines fake real] [--sessions 1 4 8] [--json FILE]`.

Starts the server as users do, plays recordings to it in real time over WebSockets, and prints for every setting: last
speech sample sent -> first audible byte received (p50, p95, and by stage), the same without the silence that the
endpoint waits for, event-loop lag, CPU and memory per session; and once: seconds to ready, idle memory, and the
end-of-turn cost of the features against the length of the turn (extraction.py).
The baseline in the same run is `manual`: the client itself says when the turn is over, so nothing is waited for.

With `--pipecat PYTHON`, an interpreter that has Pipecat (pipecat_server.py says how to make one), its rows stand under
ours at the same silence, `+turn` with its turn model: the same recordings, pacing, engines and callers, who then stay
on the line for the same LISTENS seconds of every answer, so that CPU is that of equally long calls. Under each row is
ours divided by theirs; memory there is the whole server's at its peak.
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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from .callers import LISTENS, Caller, Figures, Raw, Realtime, Recording, Wire, recordings
from .processes import ENGINES, Server, cpu, memory, pipecat, tandem, tree

VAD: Final[dict[str, dict[str, Any] | None]] = {
    "manual": None,
    "default": {"type": "server_vad"},
    "200 ms": {"type": "server_vad", "silence_duration_ms": 200},
}
COMPARED: Final = "200 ms"
"""Pipecat's own silence"""
HEADER: Final = """\
engines vad     call- answer  cut   no   wait ms       without silence  silence/words/   loop lag ms      CPU %  MB
                ers       ed  off answ   p50    p95     p50    p95    response/voice   p50    p95   max   /call /call"""
REFERENCE: Final = """\
Pipecat 1.14.0 by --pipecat on two shared, busy cores, its 192 ms of silence included, p50 / p95 ms:
  instant stubs, 1, 4, 8 callers   233/247, 228/250, 231/310, CPU 8.5, 7.0, 5.6 % of a core per session
    with its turn model            363/3248, 333/3248, 397/3246, CPU 12.3, 9.1, 8.1 %: it waits 3 s when it is not sure
  PocketSphinx + espeak, 1 caller  269/349; with more the machine, not the framework, was measured
Measured elsewhere, with what is known of the silence:
  instant stubs                    70-100 ms without the turn model, so without the silence (here 36-41 ms without it),
                                   200-310 ms with it, likely without too (here 141-205 ms); 5.7 % of a core per session
  PocketSphinx + espeak            200-300 ms p50, 410 ms p95: with the silence, if that machine was like this one"""


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


async def measure(
    server: Server, wire: Wire, callers: int, spoken: list[Recording], listens: float | None
) -> dict[str, Any]:
    """One setting."""
    figures = Figures()
    before, used, begun = memory(server.process), cpu(server.process), time.perf_counter()
    people = [Caller(server.url, wire, figures, listens).talk(spoken[n:] + spoken[:n]) for n in range(callers)]
    peak = before
    everybody = asyncio.gather(*people)
    while not everybody.done():
        await asyncio.wait([everybody], timeout=1.0)
        peak = max(peak, memory(server.process))
    await everybody
    wall, spent = time.perf_counter() - begun, cpu(server.process) - used
    async with httpx.AsyncClient() as client:
        lag = (await client.get(f"{server.address}/health")).json()["loop_lag_ms"]
    waits = [wait for _, wait in figures.waits]
    names = ("endpoint", "transcript", "response", "voice")
    stages = {name: statistics.median([one[name] for one in figures.stages if name in one] or [0.0]) for name in names}
    work = [one["total"] - one["endpoint"] for one in figures.stages if "total" in one]
    return {
        "sessions": callers,
        "answers": len(waits),
        "unanswered": figures.unanswered,
        "cut_off": figures.cut_off,
        "wait_p50_ms": percentile(waits, 0.5),
        "wait_p95_ms": percentile(waits, 0.95),
        "work_p50_ms": percentile(work, 0.5),
        "work_p95_ms": percentile(work, 0.95),
        "stages_p50_ms": stages,
        "loop_lag_ms": lag,
        "cpu_percent_of_a_core_per_session": 100.0 * spent / wall / callers,
        "memory_mb_per_session": (peak - before) / callers,
        "peak_mb": peak,
        "load": os.getloadavg()[0],
        "waits_ms": figures.waits,
    }


def show(engines: str, row: dict[str, Any]) -> None:
    """One line of the table; what only our server tells is left out of the others'."""
    stages = row["stages_p50_ms"]
    parts = "/".join(f"{stages[name]:.0f}" for name in ("endpoint", "transcript", "response", "voice"))
    work = f"{row['work_p50_ms']:7.0f} {row['work_p95_ms']:6.0f}   {parts:>15}"
    lag = row["loop_lag_ms"]
    print(
        f"{engines:5} {row['vad']:8} {row['sessions']:4} {row['answers']:5} {row['cut_off']:4} {row['unanswered']:4} "
        f"{row['wait_p50_ms']:7.0f} {row['wait_p95_ms']:6.0f} {work if any(stages.values()) else '':32}  "
        f"{lag.get('p50', 0):5.1f} {lag.get('p95', 0):6.1f} {lag.get('max', 0):5.0f}"
        f"{row['cpu_percent_of_a_core_per_session']:8.1f}{row['memory_mb_per_session']:7.1f}",
        flush=True,
    )


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Ratios ours / theirs. Waits are of the recordings that both answered after their end: who is cut off more often
    is left with the easier ones.
    """
    both = {number for number, _ in ours["waits_ms"]} & {number for number, _ in theirs["waits_ms"]}
    kept = [[wait for number, wait in row["waits_ms"] if number in both] for row in (ours, theirs)]
    ratios = {
        f"wait p{share * 100:.0f}": percentile(kept[0], share) / percentile(kept[1], share) for share in (0.5, 0.95)
    }
    for name, key in (("CPU", "cpu_percent_of_a_core_per_session"), ("memory", "peak_mb")):
        ratios[name] = ours[key] / theirs[key]
    return ratios


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: who speaks, for how long they stay, and the servers of one pair of engines."""

    engines: str
    spoken: list[Recording]
    listens: float | None
    ours: Server
    others: dict[str, Server]

    def rows(self, vads: Sequence[str], sessions: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Every setting, printed as it is measured; the others' in turn with ours of the same silence."""
        for vad in vads:
            for callers in sessions:
                row = self._row(self.ours, vad, Realtime(VAD[vad]), callers)
                yield row
                if vad != COMPARED:
                    continue
                for name, server in self.others.items():
                    other = self._row(server, name, Raw(), callers)
                    yield other
                    told = ", ".join(f"{key} {ratio:.2f}" for key, ratio in compare(row, other).items())
                    print(f"      ours / {name}, {callers} callers: {told}", flush=True)

    def _row(self, server: Server, label: str, wire: Wire, callers: int) -> dict[str, Any]:
        row = asyncio.run(measure(server, wire, callers, self.spoken, self.listens))
        row |= {"vad": label, "engines": self.engines, "ready_s": server.ready, "idle_mb": server.idle}
        show(self.engines, row)
        return row


def bench(engines: str, spoken: list[Recording], options: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one pair of engines."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(tandem(engines, folder))
        models = {} if options.pipecat is None else {"pipecat": False, "+turn": True}
        others = {name: stack.enter_context(pipecat(engines, options.pipecat, model)) for name, model in models.items()}
        for name, server in {"ours": ours, **others}.items():
            print(
                f"\n{engines}: {name} ready after {server.ready:.2f} s, idle memory {server.idle:.0f} MB "
                f"in {len(tree(server.process))} processes"
            )
        print(HEADER)
        listens = None if options.pipecat is None else LISTENS
        return list(Bench(engines, spoken, listens, ours, others).rows(options.vad, options.sessions))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("TANDEM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    parser.add_argument("--recordings", type=Path, default=shared / "data" / "speech", help="a folder of FLAC files")
    parser.add_argument("--engines", nargs="+", choices=sorted(ENGINES), default=["fake", "real"])
    parser.add_argument("--vad", nargs="+", choices=sorted(VAD), default=list(VAD))
    parser.add_argument("--sessions", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--utterances", type=int, default=12, help="per session and setting")
    parser.add_argument("--pipecat", type=Path, metavar="PYTHON", help="compare with Pipecat, run by this interpreter")
    parser.add_argument("--only-waits", action="store_true", help="leave out extraction.py's table at the end")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    if options.pipecat is not None and COMPARED not in options.vad:
        parser.error(f"--pipecat is compared with our rows at {COMPARED!r}; add it to --vad")
    spoken = recordings(options.recordings, options.utterances)
    if not spoken:
        parser.error(f"no recordings of 1 to 6 s in {options.recordings}; name a folder with --recordings")
    rows = [row for engines in options.engines for row in bench(engines, spoken, options)]
    print(f"\n{REFERENCE}")
    if not options.only_waits:
        print("\nEnd-of-turn cost of the features against the length of the turn:", flush=True)
        extraction = [sys.executable, str(Path(__file__).with_name("extraction.py")), "--shared", str(shared)]
        subprocess.run(extraction, check=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
