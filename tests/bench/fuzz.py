"""What the server holds on to while clients do whatever they like: `python -m tests.bench.fuzz [--events N]`.

The walks are those of tests/e2e/test_fuzz.py, drawn anew until so many events have been sent. At every tenth of the way
all clients leave, and what the server then holds is written down. A session holds about half a megabyte of audio and as
much of what was sent, so a server that keeps one in thirty grows by more than BOUND_MB over 50,000 events, and one
that keeps 350 bytes of each event does too; what the allocator cannot give back grows quickly at first and then hardly.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from prometheus_client.parser import text_string_to_metric_families

from ..e2e.fuzz_client import Tally
from ..e2e.fuzz_machine import SETTINGS, walk
from ..e2e.serving import UNWANTED, Served, eventually, serving

BOUND_MB: Final = 16.0
"""That the server process may grow in the second half"""
MARKS: Final = 10
WALKS: Final = 5
"""Between two looks at how many events there were"""
LATE_FILES: Final = 12
"""That a pool of five database connections may open late: each has the database, its log and their index"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the server holds when nobody is in."""

    sent: int
    seconds: float
    resident: float
    """MB of the server process, as `own`"""
    own: float
    """Pages of nobody else (USS)"""
    files: int
    children: int
    tasks: int
    lag: dict[str, float]
    """Milliseconds, of the last twenty seconds"""

    def __str__(self) -> str:
        lag = " / ".join(f"{self.lag.get(name, 0):.0f}" for name in ("p50", "p95", "max"))
        return (
            f"{self.sent:>8} {self.seconds:>7.0f} {self.resident:>8.1f} {self.own:>8.1f} {self.files:>5} "
            f"{self.children:>8} {self.tasks:>5}   {lag}"
        )


def mark(served: Served, sent: int, begun: float) -> Mark:
    """Once the last session is over."""
    lag = served.get("/health").json()["loop_lag_ms"]
    assert eventually(lambda: not served.usage().sessions, within=30.0), "sessions outlive their clients"
    process = psutil.Process(served.process.pid)
    memory = process.memory_full_info()
    tasks = int(sample(served, "tandem_event_loop_tasks"))
    children, files = len(served.children()), process.num_fds()
    megabyte = 2**20
    return Mark(
        sent, time.monotonic() - begun, memory.rss / megabyte, memory.uss / megabyte, files, children, tasks, lag
    )


def sample(served: Served, name: str) -> float:
    """One of the server's own figures."""
    families = text_string_to_metric_families(served.get("/metrics").text)
    return next(one.value for family in families for one in family.samples if one.name == name)


def lags(served: Served) -> str:
    """How often the loop was so late, over the whole run."""
    families = text_string_to_metric_families(served.get("/metrics").text)
    buckets = [
        (one.labels["le"], one.value)
        for family in families
        for one in family.samples
        if one.name == "tandem_event_loop_lag_seconds_bucket"
    ]
    return ", ".join(f"<= {bound} s: {count / max(buckets[-1][1], 1):.2%}" for bound, count in buckets)


def run(served: Served, events: int, seed: int) -> tuple[Tally, list[Mark]]:
    """Walk until so many events have been sent. Raises AssertionError when something is wrong."""
    tally, begun = Tally(), time.monotonic()
    walk(served, Tally(), walks=WALKS, seed=seed)  # all is open that is opened on first use
    marks = [mark(served, 0, begun)]
    print("  events seconds   RSS MB   USS MB files children tasks   loop lag ms p50 / p95 / max")
    print(marks[0], flush=True)
    while tally.sent < events:
        seed += 1
        walk(served, tally, walks=WALKS, seed=seed)
        if tally.sent >= len(marks) * events / MARKS:
            marks.append(mark(served, tally.sent, begun))
            print(marks[-1], flush=True)
    return tally, marks


def verdict(marks: list[Mark], log: str) -> list[str]:
    """What is wrong, in words."""
    first, middle, last = marks[0], marks[len(marks) // 2], marks[-1]
    grown = last.own - middle.own
    found = [f"the second half grew by {grown:.1f} MB, more than {BOUND_MB:g}"] if grown > BOUND_MB else []
    if last.files > first.files + LATE_FILES:
        found.append(f"{last.files} files are open, {first.files} were")
    found += [
        f"{getattr(last, name)} {name} are left, {getattr(first, name)} were there"
        for name in ("children", "tasks")
        if getattr(last, name) > getattr(first, name)
    ]
    return found + [f"the log holds {word!r}" for word in UNWANTED if word in log]


def shown(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common()) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="that clients send")
    parser.add_argument("--seed", type=int, default=0, help="another one, other walks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **SETTINGS) as served:
        tally, marks = run(served, options.events, options.seed)
        grown = marks[-1].own - marks[len(marks) // 2].own
        print(f"\nevents sent       {tally.sent} (events received {tally.told}) in {marks[-1].seconds:.0f} s")
        print(f"sessions          {tally.sessions}, resumed {tally.resumed}, answered in the end {tally.answered}")
        print(f"responses         {shown(tally.responses)}")
        print(f"errors            {shown(tally.errors)}")
        print(f"closed by server  {shown(tally.closed)}")
        print(f"event types       {len(tally.kinds)}: {shown(tally.kinds)}")
        print(f"loop lag          {lags(served)}")
        print(f"second half       {grown:+.1f} MB of the server's own (bound {BOUND_MB:g})")
        wrong = verdict(marks, served.log)
    print("verdict           " + ("; ".join(wrong) or "nothing is wrong"))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
