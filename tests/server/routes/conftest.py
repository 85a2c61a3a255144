"""Two real servers: one as on a person's own machine, one that others can reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...e2e.serving import FAKES, Served, serving

TOKEN = "open-sesame-open-sesame"


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """On the loopback address, without a token."""
    with serving(tmp_path_factory.mktemp("local"), **FAKES) as served:
        yield served


@pytest.fixture(scope="session")
def public_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """On every address, with TOKEN, and with one place."""
    settings = {"host": "0.0.0.0", "token": TOKEN, "max_sessions": 1, "origins": '["https://friend.example"]'}
    with serving(tmp_path_factory.mktemp("public"), **FAKES, **settings) as served:
        yield served
