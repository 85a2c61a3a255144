from __future__ import annotations

import asyncio
import socket

import pytest

from tandem_server.engines.nursery import Link, Nursery
from tandem_server.errors import EngineUnavailable

ADVICE = "Do this."


def make_link() -> Link:
    return Link(lambda _link, _frame: None, lambda _link: None)


async def test_a_module_that_does_not_load_says_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    nursery = Nursery("tandem_server.engines.no_such_worker", "{}", ADVICE)
    with pytest.raises(EngineUnavailable, match=r"ended at once\. Do this\.") as caught:
        await nursery.start()
    assert caught.value.stage == "asr"
    await nursery.close()
    assert "no_such_worker" in capfd.readouterr().err, "its own message is for the operator to see"


async def test_settings_that_the_library_refuses_are_found_at_the_start(capfd: pytest.CaptureFixture[str]) -> None:
    nursery = Nursery("tandem_server.engines.pocketsphinx_worker", '{"no_such_option": 1}', ADVICE)
    with pytest.raises(EngineUnavailable):
        await nursery.start()
    capfd.readouterr()


async def test_without_room_for_another_socket_there_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    nursery = Nursery("tandem_server.engines.pocketsphinx_worker", "{}", ADVICE)
    await nursery.start()

    def full() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", full)
    with pytest.raises(EngineUnavailable, match="Too many open files"):
        await nursery.connect(make_link())
    monkeypatch.undo()
    await nursery.close()


async def test_it_can_be_closed_at_any_time_and_started_again() -> None:
    nursery = Nursery("tandem_server.engines.pocketsphinx_worker", "{}", ADVICE)
    await nursery.close()
    await asyncio.gather(nursery.start(), nursery.start())
    link = make_link()
    await nursery.connect(link)
    await nursery.close()
    await link.lost  # a closed nursery takes its workers along
    await nursery.start()
    await nursery.close()
    await nursery.close()
