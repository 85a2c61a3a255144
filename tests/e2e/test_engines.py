"""Other engines through the whole server: Vosk, a chat endpoint, and the desktop client as its user starts it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from tandem_models.signal import WIRE_RATE

from ..server.engines.chat_server import Call, says
from ..server.engines.chat_server import serving as chat
from .serving import FAKES, Served, environment, serving
from .talking import SILENCE, calling, recording, tone

DOOR = "voxforge_rhasspy/is_the_garage_door_closed.flac"


async def test_a_vosk_model_is_named_by_its_folder_and_understands(shared_data: Path, tmp_path: Path) -> None:
    with serving(tmp_path, **{**FAKES, "vad": "silero", "asr": f"vosk:{shared_data / 'vosk-5k'}"}) as server:
        async with calling(server.realtime) as caller:
            await caller.turn(recording(shared_data / "speech" / DOOR))

        (heard,) = caller.of("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"] == "is the garage door closed"
        assert np.abs(caller.audio()).max() > 0.01


async def test_a_chat_endpoint_is_asked_and_its_words_are_spoken(tmp_path: Path) -> None:
    async with chat(says("The door", " is open. ", "Shall I", " close it?")) as endpoint:
        with serving(tmp_path, **{**FAKES, "response": f"openai:m@{endpoint.url}"}) as server:
            async with calling(server.realtime) as caller:
                await caller.update(instructions="Be brief.")
                done = await caller.turn(tone(1.0))

    assert done["response"]["status"] == "completed"
    assert done["response"]["output"][0]["content"][0]["transcript"] == "The door is open. Shall I close it?"
    assert endpoint.calls[0].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": caller.of("conversation.item.input_audio_transcription.completed")[0]["transcript"],
        },
    ]
    assert len(caller.audio()) > WIRE_RATE


async def test_who_interrupts_a_chat_endpoint_hangs_it_up(tmp_path: Path) -> None:
    async def talks_on(call: Call) -> None:
        await call.start()
        await call.token("This is a long story. It begins a long time ago. And ")
        await endpoint.until_gone(call)

    async with chat(talks_on) as endpoint:
        with serving(tmp_path, **{**FAKES, "response": f"openai:m@{endpoint.url}"}) as server:
            async with calling(server.realtime) as caller:
                await caller.hear(tone(1.0) + SILENCE)
                await caller.until("response.output_audio.delta")
                await caller.hear(tone(1.0))
                done = await caller.until("response.done")
                async with asyncio.timeout(10):
                    await endpoint.gone.wait()

    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


async def test_a_chat_endpoint_that_fails_is_apologised_for_aloud(tmp_path: Path) -> None:
    with serving(tmp_path, **{**FAKES, "response": "openai:m@http://127.0.0.1:9/v1"}) as server:
        async with calling(server.realtime) as caller:
            done = await caller.turn(tone(1.0))

    (error,) = caller.of("error")
    assert "cannot be reached" in error["error"]["message"]
    assert done["response"]["status"] == "completed"
    assert "lost my thread" in done["response"]["output"][0]["content"][0]["transcript"]
    assert np.abs(caller.audio()).max() > 0.01


def test_tandem_talk_holds_a_conversation_with_a_file(real_server: Served, shared_data: Path, tmp_path: Path) -> None:
    out, events = tmp_path / "out.wav", tmp_path / "events.jsonl"
    command = [sys.executable, "-m", "tandem_client.cli", "talk", "--url", real_server.realtime, "--strategy", "rule"]
    files = ["--file", str(shared_data / "speech" / DOOR), "--out", str(out), "--events", str(events)]
    ended = subprocess.run([*command, *files], env=environment(), capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    assert "is the garage door closed" in ended.stdout
    sound, rate = soundfile.read(out)
    assert (sound.shape[1], rate) == (2, WIRE_RATE)
    assert np.abs(sound).max(axis=0).min() > 0.05  # both sides can be heard
    kinds = [json.loads(line) for line in events.read_text().splitlines()]
    assert any("response.done" in json.dumps(event) for event in kinds)
