"""The page in a real Chromium against the scripted server: sound, states, and what the person sees."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Download, Page, async_playwright, expect

from tandem_models.prosody import NAMES
from tandem_server.contract import TandemSettings
from tandem_server.manner_wire import so_far
from tandem_server.stages.entrain import UNKNOWN, History, UserScores

from .scripted_server import ScriptedServer, serving
from .scripted_talk import RATE, Script, Seen, tone

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
CLEAN = ("Deprecat",)
"""Console messages that are about the test and not about the page."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]
expect.set_options(timeout=15_000)

# Puts a recorder between the page's playback and the loudspeaker: an independent record of what sounded.
TAP = """
(() => {
  const connect = AudioNode.prototype.connect;
  const add = AudioWorklet.prototype.addModule;
  window.played = [];
  AudioWorklet.prototype.addModule = async function (url) {
    await add.call(this, "/test/tap.js");
    return add.call(this, url);
  };
  AudioNode.prototype.connect = function (target, ...rest) {
    const playback = this instanceof AudioWorkletNode && this.numberOfInputs === 0;
    if (playback && target instanceof AudioDestinationNode) {
      const tap = new AudioWorkletNode(this.context, "tap");
      tap.port.onmessage = ({ data }) => window.played.push(...data);
      connect.call(this, tap);
      connect.call(tap, target);
    }
    return connect.call(this, target, ...rest);
  };
})();
"""


def write_wav(path: Path, wave_form: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(wave_form, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def speech(seconds: float) -> np.ndarray:
    """Something that the double takes for speech."""
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.25 * np.sin(2 * np.pi * 150 * time)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


@contextlib.asynccontextmanager
async def chromium(microphone: Path | None = None, *, allow: bool = True) -> AsyncIterator[Browser]:
    """A browser whose microphone plays a file once."""
    arguments = list(ARGUMENTS)
    if allow:
        arguments.append("--use-fake-ui-for-media-stream")
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """A page that is open, and what it complained about."""

    def __init__(self, page: Page, server: ScriptedServer) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", lambda message: self._complain(message.type, message.text))
        page.on("pageerror", lambda error: self._complain("error", str(error)))

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(word in text for word in CLEAN):
            self.complaints.append(f"{kind}: {text}")

    async def connected(self) -> None:
        await expect(self.page.locator("#connection")).to_have_text("Connected")

    async def record(self) -> None:
        """Microphone on, as it is: without any processing."""
        await self.page.get_by_label("Headset / research").check()
        await self.page.get_by_role("button", name="Start microphone").click()
        await expect(self.page.locator("#recording")).to_be_visible()

    async def transport(self, frames: str) -> None:
        """Binary frames or base64 events, and the server knows."""
        await self.page.get_by_label("Audio as").select_option(frames)

        def told(seen: Seen) -> bool:
            updates = seen.of("session.update")
            return bool(updates) and updates[-1]["session"]["tandem"]["audio_frames"] == frames

        await self.server.until(told)

    async def say(self, text: str) -> None:
        await self.page.get_by_label("Message").fill(text)
        await self.page.get_by_role("button", name="Send").click()


@contextlib.asynccontextmanager
async def visiting(
    script: Script | None = None,
    microphone: Path | None = None,
    *,
    allow: bool = True,
    tap: bool = False,
    prepare: Callable[[Page], Awaitable[None]] | None = None,
) -> AsyncIterator[Visit]:
    async with serving(script or Script()) as server, chromium(microphone, allow=allow) as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        if tap:
            await page.add_init_script(TAP)
        if prepare is not None:
            await prepare(page)
        visit = Visit(page, server)
        await page.goto(server.url)
        yield visit


async def contents(download: Download) -> str:
    path = await download.path()
    return await asyncio.to_thread(path.read_text)


def items(page: Page, who: str) -> Any:
    return page.locator(f"#log .item.{who}")


# ---- the page as such ------------------------------------------------------------------------------------------------


async def test_the_page_loads_under_its_content_policy_without_a_complaint() -> None:
    async with visiting() as visit:
        await visit.connected()
        await expect(visit.page.locator("#engines")).to_contain_text("energy")
        await expect(visit.page.locator("#notes")).to_contain_text("energy alone")
        await expect(visit.page.locator(".multiple canvas")).to_have_count(8)
        await expect(visit.page.locator("#in-force")).to_have_text("In force: match, strength 1.00, all features.")
        assert visit.complaints == []


async def test_every_control_has_a_name_and_the_page_fits_a_phone() -> None:
    async with visiting() as visit:
        await visit.connected()
        unnamed = await visit.page.evaluate(
            """() => [...document.querySelectorAll('button, input, select')]
                .filter((c) => c.checkVisibility() && !c.labels?.length && !c.textContent.trim() && !c.ariaLabel)
                .map((c) => c.outerHTML)"""
        )
        assert unnamed == []
        await visit.page.set_viewport_size({"width": 360, "height": 740})
        await expect(visit.page.get_by_role("button", name="Start microphone")).to_be_in_viewport()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_settings_go_to_the_server_and_come_back() -> None:
    async with visiting() as visit:
        await visit.connected()
        await visit.page.get_by_label("anti").check()
        await visit.page.get_by_label("Strength").fill("0.5")
        await visit.page.get_by_label("Jitter").uncheck()
        await visit.page.get_by_label("User id").fill("p07")
        await expect(visit.page.locator("#in-force")).to_have_text(
            "In force: anti, strength 0.50, 7 of 8 features, remembered as p07."
        )
        asked = visit.server.seen[-1].of("session.update")[-1]["session"]["tandem"]
        assert asked["strategy"] == "anti" and "jitter" not in asked["features"]
        await visit.page.reload()
        await expect(visit.page.locator("#in-force")).to_contain_text("anti, strength 0.50, 7 of 8")


async def test_the_operators_settings_hold_until_the_person_chooses() -> None:
    operators = TandemSettings(strategy="rule", strength=0.4, features=["rate", "pitch_mean"])
    async with visiting(Script(tandem=operators)) as visit:
        page = visit.page
        await expect(page.locator("#in-force")).to_have_text("In force: rule, strength 0.40, 2 of 8 features.")
        await expect(page.get_by_label("rule")).to_be_checked()
        await expect(page.locator("#strength-value")).to_have_text("0.40")
        await expect(page.locator("input[name=feature]:checked")).to_have_count(2)
        await page.get_by_label("User id").fill("p07")
        await expect(page.locator("#in-force")).to_have_text(
            "In force: rule, strength 0.40, 2 of 8 features, remembered as p07."
        )
        await page.get_by_label("anti").check()
        await expect(page.locator("#in-force")).to_contain_text("In force: anti, strength 0.40, 2 of 8 features")
        asked = [event["session"]["tandem"] for event in visit.server.seen[-1].of("session.update")]
    assert not any({"strategy", "strength", "features"} & set(one) for one in asked[:-1])
    assert {"strategy", "user_id", "audio_frames"} == set(asked[-1])


async def test_the_measures_say_what_holds_and_when_it_is_too_early_to_say() -> None:
    async with visiting() as visit:
        page = visit.page
        await visit.connected()
        await expect(page.locator("#report")).to_be_disabled()
        found = [one.model_dump() for one in so_far(followed(20))]
        render = "async (measures) => (await import('/measures.js')).renderMeasures({needed: 8, measures})"
        await page.evaluate(render, found)
        first = page.locator("#measures tbody td").first
        await expect(first).to_have_class("towards")
        await expect(first).to_contain_text(re.compile(r"^\+0\.\d\d.*n 20entrains"))
        await expect(page.locator("#measures-enough")).to_contain_text("adjusted for every test")

        await page.get_by_label("Message").fill("hello")
        await page.keyboard.press("Enter")
        await expect(page.locator("#measures-enough")).to_have_text(re.compile("^Not enough turns yet: a test takes 8"))
        await expect(page.locator("#measures tbody tr")).to_have_count(8)
        await expect(first).to_contain_text("of 8")
        await expect(page.locator("#report")).to_be_enabled()
        assert visit.complaints == []


def followed(exchanges: int) -> History:
    """An agent that follows its user in everything."""
    dice, history = np.random.default_rng(1), History()
    for _ in range(exchanges):
        level = dice.normal(size=len(NAMES))
        history = history.heard(UserScores(UNKNOWN, tuple(level.tolist())))
        history = history.said(tuple((0.8 * level + 0.3 * dice.normal(size=len(NAMES))).tolist()))
    return history


# ---- sound in --------------------------------------------------------------------------------------------------------


# What Firefox does: no microphone in a context of another rate than its own.
STRICT = """
(() => {
  const make = AudioContext.prototype.createMediaStreamSource;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    if (this.sampleRate === 24000) throw new DOMException("different sample-rate", "NotSupportedError");
    return make.call(this, stream);
  };
})();
"""


@pytest.mark.parametrize(("frames", "strict"), [("binary", False), ("base64", False), ("binary", True)])
async def test_the_microphone_arrives_intact(tmp_path: Path, frames: str, strict: bool) -> None:
    noise = np.random.default_rng(3).standard_normal(3 * RATE)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum[(hertz < 80) | (hertz > 3000)] = 0
    source = np.fft.irfft(spectrum)
    source = np.concatenate([silence(0.5), 0.1 * source / source.std(), silence(1.0)])
    microphone = write_wav(tmp_path / "microphone.wav", source)

    async def prepare(page: Page) -> None:
        if strict:
            await page.add_init_script(STRICT)

    # Chromium's fake device skips blocks when the machine is busy: what counts is that sound can arrive intact.
    for _ in range(3):
        async with visiting(Script(answer=False), microphone, prepare=prepare) as visit:
            await visit.connected()
            await visit.transport(frames)
            await visit.record()
            seen = await visit.server.until(lambda seen: len(seen.pcm) >= 2 * 4 * RATE)
            track = visit.page.locator("#track")
            await expect(track).to_contain_text("echo cancellation off, noise suppression off, automatic gain off")
            await expect(track).to_contain_text("resampled to 24000 Hz on this page" if strict else "24000 Hz.")
        ratio = signal_to_noise(source, np.frombuffer(bytes(seen.pcm), "<i2") / 32768)
        if ratio > 35:
            break
    assert ratio > 35
    if frames == "binary":
        assert {len(frame.pcm) for frame in seen.frames} == {960}
        assert [frame.sequence for frame in seen.frames] == list(range(len(seen.frames)))
        assert np.all(np.diff([frame.time_ms for frame in seen.frames]) > 0)
    else:
        assert not seen.frames and seen.of("input_audio_buffer.append")


def signal_to_noise(source: np.ndarray, received: np.ndarray) -> float:
    """dB, below 3 kHz, after the best delay (to a part of a sample) and gain."""
    size = 1 << (len(source) + len(received)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(received, size) * np.conj(np.fft.rfft(source, size)), size)
    lag = int(np.argmax(cross))
    lag = lag - size if lag > size // 2 else lag
    first = round(0.7 * RATE)
    piece = source[first : first + 2 * RATE]
    heard = received[first + lag : first + lag + 2 * RATE]
    window = np.hanning(len(piece))
    hertz = np.fft.rfftfreq(len(piece), 1 / RATE)
    band = (hertz > 90) & (hertz < 2900)
    sent, got = np.fft.rfft(piece * window)[band], np.fft.rfft(heard * window)[band]

    def left(shift: float) -> float:
        moved = sent * np.exp(-2j * np.pi * hertz[band] * shift / RATE)
        gain = np.real(np.vdot(moved, got)) / np.real(np.vdot(moved, moved))
        return float(np.sum(np.abs(got - gain * moved) ** 2))

    least = min(left(shift) for shift in np.linspace(-1, 1, 401))
    return float(10 * np.log10(np.sum(np.abs(got) ** 2) / least))


async def test_muted_means_silence_and_stopped_means_nothing(tmp_path: Path) -> None:
    microphone = write_wav(tmp_path / "microphone.wav", np.concatenate([silence(0.3), speech(20)]))
    async with visiting(Script(answer=False), microphone) as visit:
        await visit.connected()
        await visit.record()
        await visit.server.until(lambda seen: any(np.frombuffer(frame.pcm, "<i2").any() for frame in seen.frames))
        await visit.page.locator("body").press("m")
        await expect(visit.page.locator("#recording-text")).to_have_text("Muted")
        before = len(visit.server.seen[-1].frames) + 10
        seen = await visit.server.until(lambda seen: len(seen.frames) >= before + 25)
        assert not any(np.frombuffer(frame.pcm, "<i2").any() for frame in seen.frames[before:])
        await visit.page.get_by_role("button", name="Stop").click()
        await expect(visit.page.locator("#recording")).to_be_hidden()
        await expect(visit.page.get_by_role("button", name="Start microphone")).to_be_visible()


# ---- the conversation ------------------------------------------------------------------------------------------------


async def test_a_spoken_turn_shows_transcripts_tracks_and_levels(tmp_path: Path) -> None:
    microphone = write_wav(tmp_path / "microphone.wav", np.concatenate([silence(0.5), speech(1.2), silence(20)]))
    async with visiting(Script(reply_s=1.5), microphone) as visit:
        page = visit.page
        await visit.connected()
        await visit.record()
        await expect(page.locator("#voice-text")).to_have_text("You are speaking")
        await expect(items(page, "user")).to_contain_text("thinking about the weather")
        await expect(page.locator("#voice-text")).to_have_text("Agent is speaking")
        await expect(items(page, "assistant")).to_contain_text("what you would rather be without.")
        await expect(page.locator("#voice-text")).to_have_text("Listening")
        await expect(page.locator("#latency")).to_contain_text("143 ms")
        await expect(page.locator(".multiple output").first).to_have_text(re.compile(r"^([+−]\d\.\d\d){3}$"))
        await page.get_by_label("Table", exact=True).check()
        await expect(page.locator("#table tbody tr")).to_have_count(8)
        await expect(page.locator("#table tbody tr").last).to_contain_text("Speaking rate")
        await expect(page.locator(".cut")).to_have_count(0)
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download JSON").click()
        kept = await contents(await download.value)
        assert visit.complaints == []
    saved = json.loads(kept)
    user, agent = saved["items"]
    assert sum(len(piece["pitch"]) for piece in user["pieces"]) > 100
    assert agent["playedMs"] == pytest.approx(1500) == agent["audioMs"]
    assert agent["placements"][0]["pageMs"] > user["span"]["toMs"], "the agent was heard after the user had spoken"
    assert 1000 < user["span"]["toMs"] - user["span"]["fromMs"] < 2500
    assert saved["microphone"]["echoCancellation"] is False


async def test_barge_in_stops_the_sound_and_reports_what_was_heard(tmp_path: Path) -> None:
    sound = np.concatenate([silence(0.5), speech(0.8), silence(2.6), speech(0.8), silence(20)])
    microphone = write_wav(tmp_path / "microphone.wav", sound)
    async with visiting(Script(reply_s=8.0, pace=3.0), microphone, tap=True) as visit:
        page = visit.page
        await visit.connected()
        await visit.record()
        seen = await visit.server.until(lambda seen: bool(seen.of("conversation.item.truncate")))
        [truncate] = seen.of("conversation.item.truncate")
        await expect(page.locator(".cut")).to_have_text(re.compile(r"interrupted after \d\.\d s"))
        await expect(page.locator("#log del")).to_have_text(re.compile(r"\w"))
        # The second reply begins and ends too: whatever was going to sound of the first one has sounded by then.
        await expect(items(page, "assistant")).to_have_count(2)
        await expect(page.locator("#voice-text")).to_have_text("Agent is speaking")
        played = np.array(await page.evaluate("window.played.slice()"))
    assert seen.of("conversation.item.retrieve")
    loud = np.flatnonzero(np.abs(played) > 1e-6)
    breaks = np.flatnonzero(np.diff(loud) > RATE // 10)
    first = loud[: breaks[0] + 1] if len(breaks) else loud
    heard_ms = (first[-1] - first[0] + 1) * 1000 / RATE
    assert abs(truncate["audio_end_ms"] - heard_ms) <= 1, "every sample that sounded was counted, and no other"
    assert 500 < heard_ms < 4000
    sounded = played[first[0] : first[-1] + 1]
    assert np.allclose(sounded[:-200], tone(8.0)[0][: len(sounded) - 200] / 32768, atol=1e-4), "the reply, in order"


async def test_jitter_is_absorbed(tmp_path: Path) -> None:
    async with visiting(Script(reply_s=3.0, pace=1.6, jitter_ms=15), tap=True) as visit:
        await visit.connected()
        await visit.say("hello")
        await expect(visit.page.locator("#voice-text")).to_have_text("Agent is speaking")
        await expect(visit.page.locator("#voice-text")).to_have_text("Not listening")
        await expect(visit.page.locator("#path")).to_contain_text("underruns0")
        played = np.array(await visit.page.evaluate("window.played.slice()"))
    loud = np.flatnonzero(np.abs(played) > 1e-6)
    assert loud[-1] - loud[0] + 1 == pytest.approx(3 * RATE, abs=2), "no gap"


@pytest.mark.parametrize("frames", ["binary", "base64"])
async def test_typing_is_enough(frames: str) -> None:
    async with visiting(Script(reply_s=1.0)) as visit:
        page = visit.page
        await visit.connected()
        await visit.transport(frames)
        await visit.say("good morning")
        await expect(items(page, "user")).to_contain_text("good morning")
        await expect(page.locator("#voice-text")).to_have_text("Agent is speaking")
        await expect(items(page, "assistant")).to_contain_text("rather be without.")
        await expect(page.locator("#voice-text")).to_have_text("Not listening")
        await expect(page.locator(".multiple output").first).to_have_text(re.compile(r"^–"))
        assert visit.complaints == []


async def test_escape_interrupts_and_cancels() -> None:
    async with visiting(Script(reply_s=8.0, pace=2.0)) as visit:
        await visit.connected()
        await visit.say("tell me everything")
        await expect(visit.page.locator("#voice-text")).to_have_text("Agent is speaking")
        await visit.page.locator("body").press("Escape")
        await expect(visit.page.locator(".cut")).to_have_count(1)
        seen = await visit.server.until(lambda seen: bool(seen.of("conversation.item.truncate")))
        assert len(seen.of("response.cancel")) == 1
        await expect(visit.page.locator("#voice-text")).to_have_text("Not listening")


async def test_a_reply_that_the_server_breaks_off_is_over_when_its_audio_is() -> None:
    async with visiting(Script(reply_s=8.0, break_off_s=0.6)) as visit:
        await visit.connected()
        await visit.say("tell me everything")
        await expect(visit.page.locator("#voice-text")).to_have_text("Agent is speaking")
        await expect(visit.page.locator("#voice-text")).to_have_text("Not listening")
        await expect(visit.page.locator("#problems")).to_have_text(re.compile("^The voice failed."))
        await visit.page.get_by_role("button", name="Dismiss").click()
        await expect(visit.page.locator("#problems")).to_be_empty()


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def failing(name: str) -> Callable[[Page], Awaitable[None]]:
    """A getUserMedia that fails in one way."""

    async def prepare(page: Page) -> None:
        await page.add_init_script(
            f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('x', '{name}'); }};"
        )

    return prepare


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("NotFoundError", "No microphone found."),
        ("NotReadableError", "The microphone is in use."),
        ("NotAllowedError", "Microphone not allowed."),
    ],
)
async def test_each_microphone_failure_says_what_to_do(name: str, title: str) -> None:
    async with visiting(prepare=failing(name)) as visit:
        await visit.connected()
        await visit.page.get_by_role("button", name="Start microphone").click()
        await expect(visit.page.locator("#notice-microphone")).to_contain_text(title)
        await expect(visit.page.get_by_role("button", name="Try the microphone again")).to_be_visible()


async def test_a_denied_permission_leaves_typing() -> None:
    async with visiting(Script(reply_s=0.5), allow=False) as visit:  # headless Chromium without a dialogue denies
        await visit.connected()
        await expect(visit.page.locator("#notice-microphone")).to_contain_text("asks for permission")
        await visit.page.get_by_role("button", name="Start microphone").click()
        await expect(visit.page.locator("#notice-microphone")).to_contain_text("Microphone not allowed.")
        await visit.say("then I type")
        await expect(items(visit.page, "assistant")).to_have_count(1)


async def test_a_microphone_that_goes_away_is_noticed(tmp_path: Path) -> None:
    async def prepare(page: Page) -> None:
        await page.add_init_script(
            """const get = MediaDevices.prototype.getUserMedia;
            MediaDevices.prototype.getUserMedia = async function (...args) {
              window.stream = await get.apply(this, args);
              return window.stream;
            };"""
        )

    microphone = write_wav(tmp_path / "microphone.wav", silence(20))
    async with visiting(microphone=microphone, prepare=prepare) as visit:
        await visit.connected()
        await visit.record()
        await visit.page.evaluate("window.stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
        await expect(visit.page.locator("#notice-microphone")).to_contain_text("went away")
        await expect(visit.page.locator("#recording")).to_be_hidden()
        await visit.page.get_by_role("button", name="Start the microphone again").click()
        await expect(visit.page.locator("#recording-text")).to_have_text("Recording")


async def test_a_page_from_an_insecure_address_explains_itself() -> None:
    async def prepare(page: Page) -> None:
        await page.add_init_script("Object.defineProperty(window, 'isSecureContext', { get: () => false });")

    async with visiting(prepare=prepare) as visit:
        await visit.connected()
        await expect(visit.page.locator("#notice-microphone")).to_contain_text("needs a secure page")
        await expect(visit.page.get_by_role("button", name="Start microphone")).to_be_hidden()


async def test_the_page_begins_anew_when_the_server_comes_back_and_knows_nothing() -> None:
    async with visiting(Script(reply_s=0.5)) as visit:
        page = visit.page
        await visit.connected()
        await visit.say("before")
        await expect(items(page, "assistant")).to_have_count(1)
        await visit.server.stop()
        await expect(page.locator("#connection")).to_have_text("Connection lost – reconnecting …")
        await expect(page.locator("#notice-connection")).to_contain_text(
            "What you say is kept, up to ten seconds of it"
        )
        await expect(page.get_by_label("Message")).to_be_disabled()
        await visit.server.start()
        await visit.connected()
        await expect(page.locator("#notice-connection")).to_be_hidden()
        await expect(items(page, "note")).to_contain_text("A new conversation began")
        await visit.say("after")
        await expect(items(page, "assistant")).to_have_count(2)
        assert len(visit.server.seen) == 2


async def test_a_full_server_is_named_and_tried_again() -> None:
    async with visiting(Script(full=True)) as visit:
        await expect(visit.page.locator("#connection")).to_have_text("Server full")
        await expect(visit.page.locator("#notice-connection")).to_contain_text("tries again by itself. Every place is")
        await visit.page.get_by_role("button", name="Start microphone").click()
        await expect(visit.page.locator("#recording-text")).to_have_text("Recording")
        await expect(visit.page.locator("#voice-text")).to_have_text("Not listening")  # nobody is
        visit.server.script = Script()
        await visit.page.get_by_role("button", name="Try now").click()
        await visit.connected()
        await expect(visit.page.locator("#voice-text")).not_to_have_text("Not listening")


async def test_a_token_is_asked_for_kept_for_the_tab_and_sent_as_a_subprotocol() -> None:
    async with visiting(Script(token="open-sesame")) as visit:  # the double's own
        page = visit.page
        await expect(page.locator("#connection")).to_have_text("Token needed")
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Connect").click()
        await expect(page.locator("#token-form")).to_be_visible()
        await expect(page.locator("#connection")).to_have_text("Token needed")
        await page.get_by_label("Token").fill("open-sesame")
        await page.get_by_role("button", name="Connect").click()
        await visit.connected()
        await expect(page.locator("#engines")).to_contain_text("energy")
        assert visit.server.seen[-1].subprotocols == ["realtime", "openai-insecure-api-key.open-sesame"]
        await page.reload()
        await visit.connected()
        assert "open-sesame" not in page.url
