"""Whatever clients send, in whatever order, the server goes on: it answers, says no, or closes with a reason."""

from __future__ import annotations

from pathlib import Path

from .fuzz_client import Tally
from .fuzz_machine import SETTINGS, walk
from .serving import UNWANTED, Usage, serving

WALKS = 15
"""About 2,500 events; `python -m tests.bench.fuzz` sends as many as it is told"""
SLACK = 12
"""Files that a pool of five database connections may open late: each has the database, its log and their index"""


def test_nothing_that_clients_do_breaks_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, **SETTINGS) as served:
        before, tally = served.usage(), Tally()

        walk(served, tally, walks=WALKS, seed=1)

        # Each walk has seen to it that whoever was still in is answered; this is to show that somebody was.
        assert tally.answered and tally.responses["completed"], tally
        assert served.rests(Usage(0, before.files + SLACK, before.processes, 0)), (before, served.usage())
        assert not [word for word in UNWANTED if word in served.log], served.log
