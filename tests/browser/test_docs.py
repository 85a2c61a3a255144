"""The REST reference in a real Chromium: drawn under the policy, and nobody else is asked for anything."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from ..e2e.serving import FAKES, serving
from .test_page import CHROMIUM, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]


async def test_the_rest_reference_is_drawn_without_any_other_host(tmp_path: Path) -> None:
    with serving(tmp_path / "data", **FAKES) as server:
        async with chromium() as browser:
            page = await browser.new_page()
            hosts: set[str] = set()
            complaints: list[str] = []
            page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            await page.goto(f"{server.http}/docs")
            paths = server.get("/openapi.json").json()["paths"]
            await expect(page.locator(".opblock")).to_have_count(sum(map(len, paths.values())))
            await page.get_by_text("/v1/strategies").click()
            await page.get_by_role("button", name="Try it out").click()
            await page.get_by_role("button", name="Execute").click()
            await expect(page.locator(".live-responses-table")).to_contain_text('"neutral"')
        assert hosts - {""} == {urlsplit(server.http).netloc}
        assert complaints == []
