"""How long a turn's commit takes: `python tests/bench/store.py [--turns N]`; SQLite's default journal is the baseline.

Run it on the disk that will hold the database (`--folder`): a RAM disk tells nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tandem_models.prosody import NAMES
from tandem_server.record.records import ConversationRecord, TurnRecord
from tandem_server.record.store import PRAGMAS, Store
from tandem_server.stages.protocols import Word

JOURNALS: Mapping[str, Mapping[str, str]] = {
    "default journal (DELETE, synchronous=FULL)": {"busy_timeout": "5000", "foreign_keys": "ON"},
    "ours (WAL, synchronous=NORMAL)": PRAGMAS,
}


def turn(conversation_id: str, index: int) -> TurnRecord:
    """A turn of the usual size: twenty words, full vectors."""
    vector: dict[str, float | None] = dict.fromkeys(NAMES, 0.123456789 * index)
    words = tuple(Word("word", 0.25 * place, 0.25 * place + 0.2) for place in range(20))
    return TurnRecord(
        id=f"{conversation_id}-{index}", conversation_id=conversation_id, index=index, role="agent", item_id="item",
        started_ms=0, ended_ms=5000, text="word " * 20, words=words, features=vector, z=vector, target=vector,
        target_z=vector, realised=vector, strategy="match", strategy_settings={"strength": 0.7},
        latencies={"asr": 12.0, "respond": 200.0, "voice": 80.0},
    )  # fmt: skip


async def session(store: Store, name: str, turns: int) -> list[float]:
    """Milliseconds from asking to having, turn by turn."""
    await store.open_conversation(ConversationRecord(name, datetime.now(UTC)))
    taken = []
    for index in range(turns):
        record = turn(name, index)
        start = time.perf_counter()
        await store.record_turn(record)
        taken.append(1000 * (time.perf_counter() - start))
    return taken


async def lag(delays: list[float]) -> None:
    """How late the event loop comes back from a sleep of 5 ms."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        delays.append(1000 * (time.perf_counter() - start) - 5)


async def measure(folder: Path, pragmas: Mapping[str, str], sessions: int, turns: int) -> None:
    """One line of the table."""
    store = await Store.open(f"sqlite:///{folder / 'bench.db'}", pragmas=pragmas)
    delays: list[float] = []
    watcher = asyncio.create_task(lag(delays))
    start = time.perf_counter()
    taken = await asyncio.gather(*(session(store, f"c{number}", turns) for number in range(sessions)))
    seconds = time.perf_counter() - start
    watcher.cancel()
    await store.close()
    p50, p95, p99 = np.percentile(np.concatenate([np.asarray(each) for each in taken]), [50, 95, 99])
    print(
        f"  {sessions} session(s): p50 {p50:6.2f}  p95 {p95:6.2f}  p99 {p99:6.2f} ms  "
        f"{sessions * turns / seconds:5.0f} commits/s  event-loop lag p95 {np.percentile(delays or [0], 95):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=500, help="turns of each session")
    parser.add_argument("--folder", type=Path, default=None, help="where the databases are made")
    options = parser.parse_args()
    print(f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, {options.turns} turns a session")
    for name, pragmas in JOURNALS.items():
        print(name)
        for sessions in (1, 8):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                asyncio.run(measure(Path(folder), pragmas, sessions, options.turns))


if __name__ == "__main__":
    main()
