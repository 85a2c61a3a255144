"""Runs the scripts of node/, each a conversation through one of the JavaScript packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from .conftest import TOKEN
from .serving import Served

FOLDER: Final = Path(__file__).with_name("node")
NODE: Final = shutil.which("node")
LONGEST_S: Final = 120.0
ASKING: Final = {"by_a_header": "--no-experimental-websocket", "by_a_subprotocol": "--experimental-websocket"}
"""How `openai-realtime-api` asks for its dialect; by a subprotocol wherever the platform has a WebSocket of its own."""

OLDEST: Final = 20
"""Of node: the packages want no older one."""


def missing() -> str | None:
    """What keeps the scripts from running here."""
    if NODE is None:
        return "node is not installed"
    said = subprocess.run([NODE, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    if int(said.removeprefix("v").partition(".")[0]) < OLDEST:
        return f"node is {said.strip()}, and the packages want {OLDEST} or newer"
    if not (FOLDER / "node_modules" / ".package-lock.json").is_file():
        return "the packages of tests/e2e/node are not installed: make node-clients"
    return None


MISSING: Final = missing()
needs_node = pytest.mark.skipif(MISSING is not None, reason=MISSING or "nothing is missing")


def converse(
    script: str,
    task: Literal["talk", "tool"],
    served: Served,
    speech: Path,
    *,
    options: Sequence[str] = (),
    authority: Path | None = None,
) -> dict[str, Any]:
    """What the script prints of its conversation; what it complains of is the test's. It trusts this authority too."""
    assert NODE is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "NODE_"))}
    if authority is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(authority)
    command = [NODE, "--no-warnings", *options, str(FOLDER / script), task, served.realtime, TOKEN, str(speech)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_S, check=False, cwd=FOLDER, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
