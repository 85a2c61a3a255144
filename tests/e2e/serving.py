"""The real server as a process of its own, as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import psutil

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = os.pathsep.join(str(ROOT / name) for name in ("server", "client", "models", "training"))
FAKES: Final = {"asr": "fake", "voice": "fake", "response": "fake", "vad": "fake"}
READY: Final = re.compile(r"Open (https?)://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")
START_S: Final = 40.0
"""Longest start on a busy machine."""
STOP_S: Final = 20.0
UNWANTED: Final = ("Traceback", "session_crashed", "never retrieved", "was destroyed but", "never awaited")
"""What no log of a healthy server holds."""


def environment(**settings: object) -> dict[str, str]:
    """This process's environment with no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
    given = {f"TANDEM_{name.upper()}": str(value) for name, value in settings.items()}
    return kept | {"TANDEM_FETCH_MODELS": "false", "PYTHONPATH": PACKAGES, "PYTHONUNBUFFERED": "1"} | given


def launch(folder: Path, settings: Mapping[str, object], stderr: Path) -> subprocess.Popen[str]:
    """`tandem serve` on a free port."""
    command = [sys.executable, "-m", "tandem_client.cli", "serve"]
    given: dict[str, object] = {"port": 0, "data_dir": folder, **settings}
    with stderr.open("a") as log:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(**given), cwd=stderr.parent
        )


def eventually(holds: Callable[[], bool], within: float = 15.0) -> bool:
    """Does it come true in time? For what another process does and cannot tell us of."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True


@dataclass(frozen=True)
class Usage:
    """What a server holds on to."""

    sessions: int
    files: int
    processes: int
    megabytes: float
    """Resident, of the server process alone"""


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    stderr: Path
    said: str
    pids: set[int] = field(default_factory=set)
    """Every child it was ever seen with"""
    tls: bool = False

    @property
    def http(self) -> str:
        return f"http{'s' * self.tls}://127.0.0.1:{self.port}"

    @property
    def realtime(self) -> str:
        return f"ws{'s' * self.tls}://127.0.0.1:{self.port}/v1/realtime"

    @property
    def database(self) -> Path:
        return self.folder / "tandem.sqlite"

    @property
    def log(self) -> str:
        return self.stderr.read_text("utf-8", "replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.http + path, timeout=10.0, **options)

    def children(self) -> list[psutil.Process]:
        """All processes below the server."""
        try:
            found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.pids |= {child.pid for child in found}
        return found

    def usage(self) -> Usage:
        process = psutil.Process(self.process.pid)
        sessions = self.get("/health").json()["sessions"]
        megabytes = process.memory_info().rss / 2**20
        return Usage(sessions, process.num_fds(), len(self.children()), megabytes)

    def rests(self, before: Usage, within: float = 20.0) -> bool:
        """Nobody is in, and no file or process is held that was not held before."""

        def same() -> bool:
            now = self.usage()
            return not now.sessions and now.files <= before.files and now.processes <= before.processes

        return eventually(same, within)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait for it: the exit code."""
        self.process.send_signal(how)
        return self.process.wait(STOP_S)

    def none_left(self, within: float = 10.0) -> list[psutil.Process]:
        """Children that outlived the server."""
        return survivors(self.pids, within)


def survivors(pids: set[int], within: float = 10.0) -> list[psutil.Process]:
    """Those that are still there after so long."""
    there: list[psutil.Process] = []
    for pid in pids:
        try:
            there.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    return [one for one in psutil.wait_procs(there, within)[1] if one.status() != psutil.STATUS_ZOMBIE]


def start(folder: Path, **settings: object) -> Served:
    """A server that has said that it is ready; TimeoutError when it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    stderr = folder / "stderr.txt"
    process = launch(folder, settings, stderr)
    assert process.stdout is not None
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Stop:" in line:
                break
    finally:
        watchdog.cancel()
    ready = READY.search(said)
    if ready is None:
        process.kill()
        process.communicate()
        raise TimeoutError(f"the server did not come up: {said}\n{stderr.read_text('utf-8', 'replace')}")
    served = Served(process, int(ready.group(2)), folder, stderr, said, tls=ready.group(1) == "https")
    served.children()
    return served


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Served]:
    """A server for the length of a block; it must still be well at the end of it."""
    served = start(folder, **settings)
    try:
        yield served
        died = served.process.poll()
        log = served.log
    finally:
        served.children()
        if served.alive:
            stop(served)
        if served.process.stdout is not None:
            served.process.stdout.close()
    assert died is None, f"the server ended by itself with {died}:\n{log}"
    assert not [word for word in UNWANTED if word in log], log
    assert not served.none_left()


def stop(served: Served) -> None:
    """SIGTERM, and SIGKILL if that is not enough."""
    try:
        served.end()
    except subprocess.TimeoutExpired:
        served.process.kill()
        served.process.wait()


@dataclass(frozen=True)
class Refused:
    """How a start failed."""

    code: int
    out: str
    err: str
    left: list[psutil.Process]

    @property
    def lines(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.strip()]


def refused(folder: Path, **settings: object) -> Refused:
    """Start what cannot start, and see how it says so."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tandem_client.cli", "serve"]
    given: dict[str, object] = {"port": 0, "data_dir": folder, **settings}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**given),
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it neither started nor ended: {out}\n{err}") from None
    left = [one for one in psutil.process_iter(["cmdline"]) if _runs_in(one, folder)]
    _, left = psutil.wait_procs(left, 5.0)
    return Refused(process.returncode, out, err, left)


def _runs_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return bool(Path(process.cwd()) == folder)
    except (psutil.Error, OSError):
        return False


Kind = Literal["pocketsphinx", "prosody"]


def workers(served: Served, kind: Kind) -> list[psutil.Process]:
    """Its worker processes of one kind: the leaves of the process tree under the nursery, or under the fork server."""
    found = []
    for child in served.children():
        try:
            command = " ".join(child.cmdline())
            leaf = not child.children()
        except psutil.Error:
            continue
        ours = "pocketsphinx_worker" in command if kind == "pocketsphinx" else "forkserver" in command
        if ours and leaf:
            found.append(child)
    return found
