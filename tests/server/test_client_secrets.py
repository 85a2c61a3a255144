"""Client secrets by themselves: how long they are good, and how many are kept."""

from __future__ import annotations

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest

from tandem_server.client_secrets import MOST, MOST_CHARACTERS, ClientSecrets, TooManySecretsError


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def preset(instructions: str) -> RealtimeSessionCreateRequest:
    return RealtimeSessionCreateRequest(type="realtime", instructions=instructions)


def test_a_secret_opens_sessions_until_it_expires() -> None:
    clock = Clock()
    kept = ClientSecrets(clock)
    made = kept.issue(10, preset("Be kind."))

    assert made.value.startswith("ek_")
    assert made.expires_at == 1_010.0
    clock.now = 1_009.9
    assert kept.find([made.value]) == kept.find(["other", made.value]) == made
    clock.now = 1_010.0
    assert kept.find([made.value]) is None


def test_no_two_are_alike_and_no_other_key_opens() -> None:
    kept = ClientSecrets(Clock())
    values = {kept.issue(10, None).value for _ in range(100)}

    assert len(values) == 100
    assert min(map(len, values)) >= 32
    for key in ("", "ek_", "ek_x", next(iter(values))[:-1], next(iter(values)) + "x", "\udcff"):
        assert kept.find([key]) is None
    assert kept.find([]) is None


def test_so_many_are_kept_and_room_is_made_by_time() -> None:
    clock = Clock()
    kept = ClientSecrets(clock)
    first = kept.issue(10, None)
    for _ in range(MOST - 1):
        kept.issue(100, None)
    with pytest.raises(TooManySecretsError):
        kept.issue(100, None)

    assert kept.find([first.value]) == first
    clock.now += 10
    assert kept.issue(100, None).value
    with pytest.raises(TooManySecretsError):
        kept.issue(100, None)


def test_presets_are_bounded_all_together() -> None:
    kept = ClientSecrets(Clock())
    big = preset("x" * (MOST_CHARACTERS // 2 - 100))
    kept.issue(10, big)
    kept.issue(10, big)
    with pytest.raises(TooManySecretsError):
        kept.issue(10, big)
    assert kept.issue(10, None).session is None
