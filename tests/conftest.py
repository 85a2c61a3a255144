"""Fixtures that more than one package's tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings, which is not part of the project; the test is skipped where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("TANDEM_SHARED", beside)) / "data"
    if not folder.is_dir():
        pytest.skip("no real recordings: set TANDEM_SHARED to the folder that holds data/, or put shared/ beside this")
    return folder
