"""Worker processes for libraries that hold the interpreter lock: loaded once, forked for each caller.

Not multiprocessing's fork server: its workers import the server's main module again, all of it, and starting one
blocks the event loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from tandem_server.engines import frames
from tandem_server.engines.frames import Frame, FrameBuffer
from tandem_server.errors import EngineUnavailable

START_TIMEOUT_S: Final = 30.0
"""The model comes from a cold disk at worst; it takes .3 s from a warm one."""
STOP_TIMEOUT_S: Final = 5.0


class Link(asyncio.SubprocessProtocol, asyncio.Protocol):
    """The server's end of one worker: frames out, `on_frame` for frames in, `on_lost` when the worker is gone.

    Writing never blocks: what the worker has not read waits in the transport. The caller bounds it.
    """

    def __init__(self, on_frame: Callable[[Link, Frame], None], on_lost: Callable[[Link], None]) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = FrameBuffer()
        self._writer: asyncio.WriteTransport | None = None
        self.hang_up: Callable[[], None] = _nothing
        """Drop whatever is still on its way; the worker ends by that, and `lost` is done when it has."""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, frame: Frame) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frames.encode(frame))

    def attach(self, writer: asyncio.WriteTransport, hang_up: Callable[[], None]) -> None:
        self._writer, self.hang_up = writer, hang_up

    def data_received(self, data: bytes) -> None:
        for frame in self._buffer.feed(data):
            self._on_frame(self, frame)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.lost.done():
            self.lost.set_result(None)
            self._on_lost(self)


def _nothing() -> None: ...


class Nursery:
    """Starts workers of one module: forked from a process that has loaded, or afresh where there is no fork."""

    def __init__(self, module: str, settings: str, advice: str, *, fork: bool = hasattr(os, "fork")) -> None:
        # -P: a file in the working directory must not be taken for the library of that name.
        role = frames.NURSERY if fork else frames.WORKER
        self._command = (sys.executable, "-P", "-m", module, role, settings)
        self._advice = advice
        """What to do when it does not start."""
        self._fork = fork
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def start(self) -> None:
        """Load, unless it is loaded. Raises EngineUnavailable."""
        async with self._lock:
            if self._fork and self._control is None:
                await self._launch()

    async def connect(self, link: Link) -> None:
        """Give `link` a new worker; it may be written to before the worker has come up. Raises EngineUnavailable."""
        loop = asyncio.get_running_loop()
        try:
            if self._fork:
                transport, _ = await loop.create_unix_connection(lambda: link, sock=await self._worker())
                link.attach(transport, transport.abort)
            else:
                process, _ = await loop.subprocess_exec(lambda: link, *self._command, stderr=None, env=_environment())
                link.attach(cast(asyncio.WriteTransport, process.get_pipe_transport(0)), process.close)
        except OSError as error:
            raise EngineUnavailable(f"no worker process can be made: {error}", stage="asr") from error

    async def close(self) -> None:
        """End the nursery and its workers, and wait until it is gone. Idempotent; `start` starts it again."""
        async with self._lock:
            await self._stop()

    async def _worker(self) -> socket.socket:
        """Our end of a new worker's socket pair."""
        await self.start()
        control = self._control
        try:
            return _deliver(control)
        except ConnectionError:  # the nursery was killed; its workers live on, another nursery makes the next ones
            async with self._lock:
                if self._control is control:
                    await self._stop()
                    await self._launch()
            return _deliver(self._control)

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = _popen(self._command, theirs)
        ready = b""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                ready = await asyncio.get_running_loop().sock_recv(ours, 1)
        except (TimeoutError, ConnectionError) as error:
            raise EngineUnavailable(f"the worker process does not come up. {self._advice}", stage="asr") from error
        finally:
            if ready != frames.READY:
                process.kill()
                _end(process, ours)
        if ready != frames.READY:
            raise EngineUnavailable(f"the worker process ended at once. {self._advice}", stage="asr")
        self._process, self._control = process, ours

    async def _stop(self) -> None:
        process, control = self._process, self._control
        self._process = self._control = None
        if process is not None and control is not None:
            await asyncio.to_thread(_end, process, control)


def _deliver(control: socket.socket | None) -> socket.socket:
    """Hand the nursery one end of a new socket pair; returns the other."""
    if control is None:
        raise ConnectionError("the nursery is closed")
    ours, theirs = socket.socketpair()
    try:
        socket.send_fds(control, [frames.FORK], [theirs.fileno()])
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return ours


def _popen(command: tuple[str, ...], standard_input: socket.socket) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal reaches the server only.
    return subprocess.Popen(  # noqa: S603
        command,
        stdin=standard_input.fileno(),
        stdout=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Ours, and our packages can be imported, installed or not."""
    here = str(Path(__file__).parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}
