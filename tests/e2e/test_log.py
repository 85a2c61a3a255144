"""The log of a server that people talk with: no word of theirs or of its own, unless it was asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ..server.engines.chat_server import refuses
from ..server.engines.chat_server import serving as chat
from .serving import FAKES, Served, eventually, serving
from .talking import calling, tone

REPLY = "Periwinkle gardens are lovely."
TYPED = "my aunt grows marigolds"
WORDS = ("Periwinkle", "marigolds", "clematis")


async def talk(served: Served) -> str:
    """Spoken and typed turns, mistakes and an interruption: the transcript of the spoken turn."""
    async with calling(served.realtime) as caller:
        await caller.update(instructions="Speak of clematis only.", tandem={"user_id": "ada"})
        await caller.type(TYPED)
        await caller.turn(tone(1.0))
        await caller.send("conversation.item.create", item={"type": "message", "role": TYPED})
        await caller.until("error")
        await caller.send("response.create", response={"output_modalities": ["text"]})
        await caller.until("response.done")
    heard = caller.of("conversation.item.input_audio_transcription.completed")
    assert eventually(lambda: "session_ended" in served.log)
    transcript: str = heard[0]["transcript"]
    return transcript


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_no_word_is_in_the_log(tmp_path: Path, level: str) -> None:
    settings = {**FAKES, "response": f"fake:{REPLY}", "log_level": level}
    with serving(tmp_path / "data", **settings) as served:
        transcript = await talk(served)

    assert transcript
    assert "session_began" in served.log
    assert not [word for word in (*WORDS, transcript) if word in served.log]


async def test_a_program_can_read_every_line(tmp_path: Path) -> None:
    settings = {**FAKES, "response": f"fake:{REPLY}", "log_format": "json"}
    with serving(tmp_path / "data", **settings) as served:
        transcript = await talk(served)
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"no protocol\r\n\r\n")  # which uvicorn complains of
        assert eventually(lambda: "Invalid HTTP request" in served.log)
        writer.close()

    lines = [json.loads(line) for line in served.log.splitlines()]
    said = [line["event"] for line in lines]
    assert said.count("turn") == 2
    assert said.count("reply") == 2
    assert lines[said.index("reply")]["stages_ms"]["total"] > 0
    assert not [word for word in (*WORDS, transcript) if word in served.log]


@pytest.mark.parametrize("log_speech", [False, True])
async def test_what_an_endpoint_quotes_is_in_the_log_of_who_asked_for_words_only(
    tmp_path: Path, log_speech: bool
) -> None:
    async with chat(refuses(400, f"the content {TYPED!r} is refused")) as endpoint:
        settings = {**FAKES, "response": f"openai:m@{endpoint.url}", "log_speech": log_speech}
        with serving(tmp_path / "data", **settings) as served:
            async with calling(served.realtime) as caller:
                await caller.type(TYPED)
                await caller.send("response.create")
                await caller.until("response.done")

    failed = next(line for line in served.log.splitlines() if "responder_failed" in line)
    assert "HTTP 400" in failed
    assert ("marigolds" in failed) is log_speech
    assert ("marigolds" in served.log) is log_speech


async def test_words_are_in_the_log_of_who_asked_for_them(tmp_path: Path) -> None:
    settings = {**FAKES, "response": f"fake:{REPLY}", "log_speech": True}
    with serving(tmp_path / "data", **settings) as served:
        transcript = await talk(served)

    said = {name: [line for line in served.log.splitlines() if name in line] for name in ("user_said", "agent_said")}
    assert transcript in said["user_said"][0]
    assert "Periwinkle" in said["agent_said"][0]
    assert "Periwinkle" in next(line for line in served.log.splitlines() if "agent_wrote" in line)
