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

from tandem_server.errors import EngineError, EngineTimeout

P = ParamSpec("P")
T = TypeVar("T")
_ATTEMPTS: Final = 3
"""Of one call: the second is for the death of a neighbour, the third for both dying one after the other."""
CALL_TIMEOUT: Final = 15.0
"""Seconds that a call may take, with its wait for a free worker; less than a reply may wait for news."""
CLOSE_TIMEOUT: Final = 5.0
_PRELOADED: Final = ["tandem_models.extract", "tandem_models.realise"]


class Workers:
    """A pool that comes back after a crash. Functions and arguments are pickled; none of it comes from outside."""

    def __init__(self, count: int, call_timeout: float = CALL_TIMEOUT) -> None:
        self._count = count
        self._call_timeout = call_timeout
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False

    async def start(self) -> None:
        """Make the processes now, so that the first caller need not wait."""
        pool = self._ready()
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, os.getpid) for _ in range(self._count)))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the call in a worker. Raises what it raises, and EngineError when workers die of it or hang.

        A worker that dies takes the calls of every caller with it, so each is made again, in new processes. One that
        hangs cannot be told from its neighbours, so all are ended and made anew.
        """
        for _ in range(_ATTEMPTS):
            pool = self._ready()
            try:
                async with asyncio.timeout(self._call_timeout):
                    return await asyncio.wrap_future(pool.submit(function, *args, **kwargs))
            except BrokenProcessPool:
                self._drop(pool)
            except TimeoutError:
                self._drop(pool)
                message = (
                    f"the prosody workers did not answer within {self._call_timeout:g} s; the next call gets new ones"
                )
                raise EngineTimeout(message, stage="prosody") from None
        raise EngineError("prosody workers died; the next call gets new ones", stage="prosody")

    async def close(self) -> None:
        """End the processes and wait for them, those that hang excepted; idempotent."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        except TimeoutError:
            _kill(pool)

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        """Use it no more, unless another call has found out first."""
        if self._pool is pool:
            self._pool = None
            _kill(pool)
            pool.shutdown(wait=False)

    def _ready(self) -> ProcessPoolExecutor:
        if self._closed:
            raise EngineError("the prosody workers are closed: the server is ending", stage="prosody")
        if self._pool is None:
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
            if "forkserver" in methods:
                context.set_forkserver_preload(_PRELOADED)
            self._pool = ProcessPoolExecutor(self._count, context, initializer=_begin)
        return self._pool


def _kill(pool: ProcessPoolExecutor) -> None:
    """A worker that hangs reads no request to end; the executor has a method for this from Python 3.14 on."""
    for process in list(pool._processes.values()):
        process.kill()


def _begin() -> None:
    """In the worker: Ctrl-C is the server's business, and a worker does not outlive its server, however it died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)
