"""Processes for pure functions that hold the interpreter lock (Praat): the loop never waits for them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Final, ParamSpec, TypeVar

from tandem_server.errors import EngineError

P = ParamSpec("P")
T = TypeVar("T")
_ATTEMPTS: Final = 3
"""Of one call: the second is for the death of a neighbour, the third for both dying one after the other."""
_PRELOADED: Final = ["tandem_models.extract", "tandem_models.realise"]


class Workers:
    """A pool that comes back after a crash. Functions and arguments are pickled; none of it comes from outside."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    async def start(self) -> None:
        """Make the processes now, so that the first caller need not wait."""
        pool = self._ready()
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, os.getpid) for _ in range(self._count)))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the call in a worker. Raises what it raises, and EngineError when workers die of it.

        A worker that dies takes the calls of every caller with it, so each is made again, in new processes.
        """
        for _ in range(_ATTEMPTS):
            pool = self._ready()
            try:
                return await asyncio.wrap_future(pool.submit(function, *args, **kwargs))
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False)
        raise EngineError("prosody workers died; the next call gets new ones", stage="prosody")

    async def close(self) -> None:
        """End the processes and wait for them; idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def _ready(self) -> ProcessPoolExecutor:
        if self._pool is None:
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
            if "forkserver" in methods:
                context.set_forkserver_preload(_PRELOADED)
            self._pool = ProcessPoolExecutor(self._count, context, initializer=_begin)
        return self._pool


def _begin() -> None:
    """In the worker: Ctrl-C is the server's business, and a worker does not outlive its server, however it died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)
