"""Measuring a corpus in several processes; what was done before a crash, a kill or Ctrl-C is not done again.

Processes and not threads: Praat holds the GIL. Spawned and not forked: Praat, torch and soundfile keep threads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from tandem_models.prosody import EXTRACTOR_VERSION, MISSING
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import (
    Row,
    Table,
    append_rows,
    current,
    fingerprint,
    mend_table,
    read_table,
    write_table,
)
from tandem_training.corpus.folder import Corpus, dialogues
from tandem_training.corpus.manifest import Turn
from tandem_training.corpus.measure import Work, expected, measure_dialogue

Progress = Callable[[int, int, str], None]
"""(dialogues done, dialogues to do, the one just done)"""


@dataclass(slots=True)
class Extracted:
    """What became of a corpus."""

    dialogues: int = 0
    """Measured now"""
    kept: int = 0
    """Dialogues that had been measured before"""
    turns: int = 0
    """With a row and no error, now and before"""
    failures: list[tuple[str, int, str]] = field(default_factory=list)
    """(dialogue, turn, why)"""
    nothing: int = 0
    """Turns without audio and without word times: there is nothing to measure"""


def extract(corpus: Corpus, jobs: int = 1, progress: Progress | None = None) -> Extracted:
    """Measure what has not been measured yet. Raises CorpusError for a manifest or a table that cannot be used."""
    if jobs < 1:
        raise CorpusError(f"{jobs} processes cannot do anything; --jobs is 1 or more")
    by_name = dialogues(corpus.turns())
    path = corpus.table(EXTRACTOR_VERSION)
    mend_table(path)
    table = read_table(path, EXTRACTOR_VERSION)
    todo = [
        Work(tuple(some), corpus.audio_root(some[0].source)) for some in by_name.values() if not is_done(some, table)
    ]
    result = Extracted(dialogues=len(todo), kept=len(by_name) - len(todo))
    for done, (work, rows) in enumerate(_measured(todo, jobs), 1):
        rows = [row for row in rows if not _is_given(row, table)]
        append_rows(path, rows)
        table |= {row.key: row for row in rows}
        if progress is not None:
            progress(done, len(todo), work.dialogue)
    turns = [turn for some in by_name.values() for turn in some]
    rows = [table[turn.key] for turn in turns if _belongs(turn, table)]
    if rows:
        write_table(path, rows)  # in order and each once: the same file whether or not the work was interrupted
    result.failures = [(row.dialogue, row.turn, row.error) for row in rows if row.error is not None]
    result.turns = len(rows) - len(result.failures)
    result.nothing = len(turns) - len(rows)
    return result


def is_done(turns: Sequence[Turn], table: Table) -> bool:
    """Whether every turn has its row. One missing row does the dialogue anew: a turn's pitch range is made from those
    before."""
    return all(current(turn, table) is not None for turn in expected(turns))


def _is_given(row: Row, table: Table) -> bool:
    """Whether the corpus itself says how that turn was: then it was measured when it was spoken, with more context."""
    known = table.get(row.key)
    return known is not None and known.origin == "given" and known.measured_on == row.measured_on


def _belongs(turn: Turn, table: Table) -> bool:
    row = table.get(turn.key)
    return row is not None and row.measured_on == fingerprint(turn)


def _measured(todo: Sequence[Work], jobs: int) -> Iterator[tuple[Work, list[Row]]]:
    """Each dialogue with its rows, as they come. A process that dies costs the one that killed it, not the rest."""
    waiting = deque(todo)
    while waiting:
        suspects: list[Work] = []
        yield from _in_processes(waiting, min(jobs, len(todo)), suspects)
        for work in suspects:  # nobody knows which of them it was: one at a time
            killers: list[Work] = []
            yield from _in_processes(deque([work]), 1, killers)
            for killer in killers:
                yield killer, _died(killer)


def _in_processes(waiting: deque[Work], jobs: int, lost: list[Work]) -> Iterator[tuple[Work, list[Row]]]:
    """Take from `waiting` until it is empty, or a process has died: then `lost` has what was under way."""
    running: dict[Future[list[Row]], Work] = {}
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _end_with_the_parent)
    try:
        while waiting or running:
            while waiting and len(running) < 2 * jobs:
                running[pool.submit(measure_dialogue, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                rows = future.result()
                yield running.pop(future), rows
    except BrokenProcessPool:
        lost += running.values()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _died(work: Work) -> list[Row]:
    why = "the process that measured this dialogue died; is there enough memory, and can other programs play its audio?"
    return [
        Row(
            dialogue=turn.dialogue,
            turn=turn.turn,
            version=EXTRACTOR_VERSION,
            measured_on=fingerprint(turn),
            origin="audio",
            values=MISSING.values,
            error=why,
        )
        for turn in expected(work.turns)
    ]


def _end_with_the_parent() -> None:
    """In a new process: Ctrl-C, which the whole group gets, ends it without a word, and so does its parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def processors() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
