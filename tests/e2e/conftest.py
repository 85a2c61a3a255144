"""Servers that tests may share: nobody may kill or fill these."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .serving import FAKES, Served, serving

STEADY = (
    "I have been thinking about what you said. There is a good deal in it, and I would like to hear more. "
    "Perhaps we can go through it again, one thing after another."
)
"""What the steady server answers, whatever it is told."""


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes for engines: quick, and the same every time."""
    with serving(tmp_path_factory.mktemp("fakes"), **FAKES) as served:
        yield served


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """What a new user gets offline: Silero, PocketSphinx, the listener, espeak."""
    with serving(tmp_path_factory.mktemp("real"), asr="pocketsphinx") as served:
        yield served


@pytest.fixture(scope="session")
def steady_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Real ears and a real voice, and always the same words: what differs is how they are spoken."""
    with serving(tmp_path_factory.mktemp("steady"), asr="pocketsphinx", response=f"fake:{STEADY}") as served:
        yield served
