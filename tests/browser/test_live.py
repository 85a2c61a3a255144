"""A recorded human voice through the microphone of a real Chromium, to the real server with the real engines, and back.

`python tests/browser/test_live.py PICTURE.png` holds the same conversation and takes the picture for the README.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.async_api import Page, expect

from tandem_models.signal import resample

if __package__:
    from ..e2e.serving import FAKES, Served, serving
    from .test_page import CHROMIUM, chromium, write_wav
else:  # run as a command, for the picture
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.browser.test_page import CHROMIUM, chromium, write_wav
    from tests.e2e.serving import FAKES, Served, serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]
RATE = 24_000
QUESTIONS = ("is_the_garage_door_closed", "what_time_is_it", "how_hot_is_it", "whats_the_temperature")


def microphone(shared_data: Path, folder: Path, names: tuple[str, ...], gap_s: float) -> Path:
    """The recordings one after the other, with time for an answer after each."""
    pieces = [np.zeros(RATE * 2, np.float32)]
    for name in names:
        data, rate = soundfile.read(shared_data / "speech" / "voxforge_rhasspy" / f"{name}.flac", dtype="float32")
        pieces += [resample(data, rate, RATE), np.zeros(round(gap_s * RATE), np.float32)]
    return write_wav(folder / "microphone.wav", np.concatenate(pieces))


async def converse(page: Page, server: Served, turns: int) -> None:
    """Open the page, start the microphone, and wait for so many answers to be measured."""
    await page.goto(server.http)
    await expect(page.locator("#connection")).to_have_text("Connected")
    await page.get_by_label("Headset / research").check()
    await page.get_by_role("button", name="Start microphone").click()
    await expect(page.locator("#log .item.assistant")).to_have_count(turns, timeout=60_000)
    await expect(page.locator("#latency")).to_contain_text("ms", timeout=20_000)


async def drawn(page: Page, where: str) -> int:
    """How many pixels of a plot are neither its paper nor its grid: saturated colours are data."""
    script = """(selector) => [...document.querySelectorAll(selector + ' canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let coloured = 0;
        for (let i = 0; i < data.length; i += 4) {
            const [r, g, b, a] = data.slice(i, i + 4);
            if (a > 64 && Math.max(r, g, b) - Math.min(r, g, b) > 50) coloured += 1;
        }
        return coloured;
    }).reduce((all, one) => all + one, 0)"""
    pixels: Any = await page.evaluate(script, where)
    return int(pixels)


async def test_a_recorded_voice_is_understood_answered_aloud_and_drawn(shared_data: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "data", asr="pocketsphinx") as server:
        async with chromium(microphone(shared_data, tmp_path, QUESTIONS[:2], 7.0)) as browser:
            page = await browser.new_page(viewport={"width": 1280, "height": 800})
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

            await converse(page, server, turns=2)

            await expect(page.locator("#log .item.user").first).to_contain_text("the garage door closed")
            await expect(page.locator("#log .item.user").nth(1)).to_contain_text("what time is it")
            await expect(page.locator("#log .item.assistant").nth(1)).to_contain_text(
                re.compile(r"[Ii]t('s| is) .*(past|to|o'clock|noon|midnight)")
            )
            assert await drawn(page, "#pitch") > 200
            assert await drawn(page, "#charts") > 200
            assert complaints == []


async def test_the_report_of_the_conversation_is_downloaded_and_can_be_read_without_the_server(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES) as server:
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(server.http)
            await expect(page.locator("#connection")).to_have_text("Connected")
            await page.get_by_label("Message").fill("hello")
            await page.keyboard.press("Enter")
            await expect(page.locator("#report")).to_be_enabled(timeout=20_000)
            async with page.expect_download() as arriving:
                await page.get_by_role("button", name="Download report").click()
            download = await arriving.value
            file = tmp_path / download.suggested_filename
            await download.save_as(file)

            assert re.fullmatch(r"tandem-sess_[0-9a-f]+\.html", file.name)
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(said.text))
            await page.goto(file.as_uri())
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Conversation sess_")
            await expect(page.locator("svg").first).to_be_visible()
            await page.goto(f"{server.http}/v1/conversations/{file.stem.removeprefix('tandem-')}/report")
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Conversation sess_")
            # The policy lets its own style in: the verdict is larger than the text around it.
            size = "(verdict) => getComputedStyle(verdict).fontSize"
            assert await page.locator("p.verdict").evaluate(size) == "16px"
            assert complaints == []


async def picture(shared: Path, target: Path) -> None:
    """The README's picture."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data", asr="pocketsphinx") as server:
        async with chromium(microphone(shared / "data", Path(folder), QUESTIONS, 6.0)) as browser:
            page = await browser.new_page(viewport={"width": 1280, "height": 860}, device_scale_factor=1.5)
            await converse(page, server, turns=len(QUESTIONS))
            await expect(page.locator("#voice-text")).to_have_text("Listening", timeout=20_000)
            await page.screenshot(path=target)


if __name__ == "__main__":
    asyncio.run(picture(Path(__file__).resolve().parents[3] / "shared", Path(sys.argv[1])))
