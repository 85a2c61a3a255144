"""The page's pure modules under node, and what they repeat from Python compared with its source."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tandem_models.prosody import FEATURES
from tandem_server.contract import AUDIO_FRAME_HEADER, AudioFrame, TandemSettings

WEB = Path(__file__).parents[2] / "client" / "tandem_client" / "web"
TESTS = sorted((Path(__file__).parent / "web").glob("*.test.mjs"))
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None, reason="node is not installed: the page's modules cannot be run outside a browser"
)


def node(*arguments: str) -> str:
    """What node prints; its errors are the test's."""
    assert NODE is not None
    done = subprocess.run([NODE, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def evaluate(module: str, expression: str) -> object:
    """A JSON value computed with everything that a module of the page exports, as `m`."""
    source = f"const m = await import({(WEB / module).as_uri()!r}); console.log(JSON.stringify({expression}));"
    return json.loads(node("--input-type=module", "--eval", source))


@pytest.mark.parametrize("file", TESTS, ids=[file.name for file in TESTS])
def test_the_modules_pass_their_own_tests(file: Path) -> None:
    assert "# fail 0" in node("--test", "--test-reporter=tap", str(file))


def test_the_page_names_the_features_of_the_registry() -> None:
    expected = [{"name": one.name, "label": one.label, "unit": one.unit} for one in FEATURES]
    assert evaluate("features.js", "m.FEATURES") == expected


def test_the_page_writes_the_frames_that_the_server_reads() -> None:
    expression = (
        "[...new Uint8Array(m.encode({kind: 'input', sequence: 7, timeMs: 1.5, samples: Int16Array.of(-2, 300)}))]"
    )
    message = evaluate("frame.js", expression)
    assert isinstance(message, list)
    assert AudioFrame.decode(bytes(message)) == AudioFrame("input", 7, 1.5, b"\xfe\xff\x2c\x01")
    assert evaluate("frame.js", "m.HEADER_BYTES") == AUDIO_FRAME_HEADER


def test_the_page_reads_the_frames_that_the_server_writes() -> None:
    message = list(AudioFrame("output", 2**32 - 1, 20.0, b"\x01\x00\xff\x7f").encode())
    expression = (
        f"(({{samples, ...rest}}) => ({{...rest, samples: [...samples]}}))(m.decode(Uint8Array.from({message}).buffer))"
    )
    assert evaluate("frame.js", expression) == {
        "kind": "output",
        "sequence": 2**32 - 1,
        "timeMs": 20,
        "samples": [1, 32767],
    }


def test_what_the_page_asks_for_is_in_the_contract() -> None:
    update = evaluate("settings.js", "m.sessionUpdate(m.DEFAULTS)")
    assert isinstance(update, dict)
    asked = TandemSettings.model_validate(update["session"]["tandem"])
    assert asked.model_dump(exclude_unset=True) == {"user_id": None, "audio_frames": "binary"}
    chosen = evaluate(
        "settings.js", "m.sessionUpdate({...m.DEFAULTS, strategy: 'anti', strength: 0.5, features: ['rate']})"
    )
    assert isinstance(chosen, dict)
    asked = TandemSettings.model_validate(chosen["session"]["tandem"])
    assert (asked.strategy, asked.strength, asked.features) == ("anti", 0.5, ["rate"])
