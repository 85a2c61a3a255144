"""The servers that are measured: started as users start them, and what their processes use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

import tandem_models
import tandem_server

ENGINES: Final = {
    "fake": {"TANDEM_ASR": "fake", "TANDEM_RESPONSE": "fake", "TANDEM_VOICE": "fake"},
    "real": {"TANDEM_ASR": "pocketsphinx", "TANDEM_RESPONSE": "listener", "TANDEM_VOICE": "espeak"},
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    address: str
    """http://HOST:PORT"""
    process: psutil.Process
    ready: float
    """Seconds it took to answer"""

    idle: float
    """MB before the first caller"""

    @property
    def url(self) -> str:
        """Where callers connect."""
        return f"ws{self.address.removeprefix('http')}/v1/realtime"


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


@contextmanager
def tandem(engines: str, folder: Path) -> Iterator[Server]:
    """Ours, with its data in `folder`."""
    settings = {**ENGINES[engines], "TANDEM_DATA_DIR": str(folder), "TANDEM_FETCH_MODELS": "false"}
    with _running([sys.executable, "-m", "tandem_client.cli", "serve", "--port", "0"], settings) as server:
        yield server


@contextmanager
def pipecat(engines: str, python: Path, turn_model: bool) -> Iterator[Server]:
    """pipecat_server.py under an interpreter that has Pipecat, around the same engines."""
    names = ENGINES[engines]
    command = [str(python), str(Path(__file__).with_name("pipecat_server.py")), "--port", "0"]
    command += ["--stt", names["TANDEM_ASR"], "--response", names["TANDEM_RESPONSE"], "--tts", names["TANDEM_VOICE"]]
    command += ["--turn-model"] if turn_model else []
    packages = [str(Path(package.__path__[0]).parent) for package in (tandem_server, tandem_models)]
    with _running(command, {"PYTHONPATH": os.pathsep.join(packages)}) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[Server]:
    begun = time.perf_counter()
    environment = {**os.environ, **settings}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        address = next((line.split("Open ")[1].strip() for line in started.stdout if "Open http" in line), None)
        ready = time.perf_counter() - begun
        try:
            if address is None:
                raise RuntimeError(f"{command[0]} started no server; what it wrote above says why")
            process = psutil.Process(started.pid)
            yield Server(address, process, ready, memory(process))
        finally:
            started.terminate()
