"""The page over a network that is cut, to the real server with fakes for engines: it says so, waits, and goes on."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, expect

from ..e2e.cutting import Network, network
from ..e2e.serving import FAKES, Served, serving
from .test_page import CHROMIUM, chromium, contents, items

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]
expect.set_options(timeout=45_000)
LOST = re.compile("Connection lost – reconnecting …")
STORY = " ".join(["There is a good deal in what you said, and I would like to hear more of it."] * 12)

# A microphone that the test holds: for so many seconds of its own clock it gives what the fakes take for speech.
MICROPHONE = """
(() => {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const out = context.createMediaStreamDestination();
    const level = new GainNode(context, { gain: 0.3 });
    level.connect(out);
    window.speak = (seconds) => {
      const tone = new OscillatorNode(context, { type: "sawtooth", frequency: 150 });
      window.spoken = new Promise((resolve) => { tone.onended = () => resolve(); });
      tone.connect(level);
      tone.start();
      tone.stop(context.currentTime + seconds);
    };
    return out.stream;
  };
})();
"""


class Visit:
    """The page, and the network that it came over."""

    def __init__(self, page: Page, net: Network) -> None:
        self.page, self.net = page, net

    async def cut(self) -> None:
        """Nothing gets through until `mend`."""
        self.net.down = True
        for wire in self.net.wires:
            wire.reset()
        await expect(self.page.locator("#connection")).to_have_text(LOST)

    async def mend(self) -> None:
        """Everything gets through again, and the page need not wait until it tries by itself."""
        self.net.down = False
        await self.page.get_by_role("button", name="Reconnect now").click()

    async def say(self, text: str) -> None:
        await self.page.get_by_label("Message").fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def seen(self) -> dict[str, Any]:
        """The conversation as the page has it."""
        async with self.page.expect_download() as started:
            await self.page.get_by_role("button", name="Download JSON").click()
        found: dict[str, Any] = json.loads(await contents(await started.value))
        return found


@pytest.fixture(scope="module")
def storyteller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Fakes that tell a long story, always in the same voice, and wait for who was cut off."""
    settings = {**FAKES, "response": f"fake:{STORY}", "strategy": "neutral", "resume_seconds": 30}
    with serving(tmp_path_factory.mktemp("storyteller"), **settings) as served:
        yield served


@asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Visit]:
    async with network(served.port) as net, chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await page.add_init_script(MICROPHONE)
        await page.goto(f"http://127.0.0.1:{net.port}/")
        await expect(page.locator("#connection")).to_have_text("Connected")
        yield Visit(page, net)


async def test_a_reply_that_is_cut_goes_on_and_nothing_is_there_twice(storyteller: Served) -> None:
    async with visiting(storyteller) as visit:
        page = visit.page
        await visit.say("tell me a story")
        await expect(items(page, "assistant")).to_contain_text("There is a good deal")
        await visit.cut()
        await expect(page.locator("#notice-connection")).to_contain_text("sent as soon as the server can be reached")
        await expect(page.get_by_label("Message")).to_be_disabled()
        before = await visit.seen()
        visit.net.down = False  # and the page notices by itself
        await expect(page.locator("#connection")).to_have_text("Back")
        await expect(page.locator("#notice-connection")).to_contain_text("the conversation goes on")
        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(page.locator("#notice-connection")).to_be_hidden()
        await expect(items(page, "assistant")).to_have_attribute("aria-busy", "false")

        await visit.say("tell me again")
        await expect(items(page, "assistant")).to_have_count(2)
        await expect(items(page, "assistant").nth(1)).to_have_attribute("aria-busy", "false")
        seen = await visit.seen()
    assert [item["role"] for item in seen["items"]] == ["user", "assistant"] * 2, "and no note of a new conversation"
    first, second = (item for item in seen["items"] if item["role"] == "assistant")
    assert first["text"] == second["text"] == STORY
    assert first["audioMs"] == second["audioMs"] > 10_000, "each frame came once"
    assert before["items"][1]["audioMs"] < first["audioMs"], "it was cut in the middle"


async def test_what_is_said_while_the_line_is_down_is_heard(storyteller: Served) -> None:
    async with visiting(storyteller) as visit:
        page = visit.page
        await page.get_by_role("button", name="Start microphone").click()
        await expect(page.locator("#voice-text")).to_have_text("Listening")
        await visit.cut()
        await expect(page.locator("#recording-text")).to_have_text("Recording")
        await page.evaluate("speak(0.8)")
        await page.evaluate("spoken")
        await visit.mend()
        await expect(items(page, "user")).to_contain_text("hello there")
        await expect(items(page, "assistant")).to_contain_text("There is a good deal")
        seen = await visit.seen()
    assert [item["role"] for item in seen["items"]] == ["user", "assistant"]


async def test_a_turn_that_is_cut_in_the_middle_is_one_turn(storyteller: Served) -> None:
    async with visiting(storyteller) as visit:
        page = visit.page
        await page.get_by_role("button", name="Start microphone").click()
        await page.evaluate("speak(2.5)")
        await expect(page.locator("#voice-text")).to_have_text("You are speaking")
        await visit.cut()
        await page.evaluate("spoken")
        await visit.mend()
        await expect(items(page, "assistant")).to_contain_text("There is a good deal")
        await expect(items(page, "user")).to_have_count(1)
        await expect(items(page, "note")).to_have_count(0)


async def test_a_conversation_that_is_over_is_followed_by_a_new_one_below_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = {**FAKES, "response": "fake:Good day to you.", "resume_seconds": 0}
    with serving(tmp_path_factory.mktemp("forgetful"), **settings) as served:
        async with visiting(served) as visit:
            page = visit.page
            await visit.say("before")
            await expect(items(page, "assistant")).to_have_attribute("aria-busy", "false")
            await visit.cut()
            await visit.mend()
            await expect(items(page, "note")).to_contain_text("A new conversation began")
            await expect(page.locator("#connection")).to_have_text("Connected")
            await visit.say("after")
            await expect(items(page, "assistant")).to_have_count(2)
            shown = await page.locator("#log .item").evaluate_all("(items) => items.map((item) => item.classList[1])")
    assert shown == ["user", "assistant", "note", "user", "assistant"]
