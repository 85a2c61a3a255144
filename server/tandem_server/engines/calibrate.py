"""Measure how a voice speaks when nothing is asked of it: `python -m tandem_server.engines.calibrate espeak`.

The numbers are the agent's own normaliser's starting point. They hold for one extractor and one engine version, which
are written beside them; voices that are not measured again keep their entry only if both are still the same.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from tandem_models.extract import UNKNOWN_RANGE, PitchRange
from tandem_models.prosody import EXTRACTOR_VERSION, MISSING, NAMES, Prosody
from tandem_models.realise import measure, voice_range
from tandem_models.text import syllables
from tandem_server.engines import espeak
from tandem_server.engines.calibration import NONE_YET
from tandem_server.stages.protocols import Utterance, Voice

SENTENCES: Final = Path(__file__).with_name("calibration_sentences.txt")


def sentences() -> list[str]:
    """Sixty, short and long, statements, questions and requests; ours."""
    return SENTENCES.read_text(encoding="utf-8").splitlines()


async def spoken(voice: Voice, texts: Sequence[str]) -> list[tuple[str, Utterance]]:
    """Each text as the voice speaks it without a target."""
    return [(text, piece) for text in texts async for piece in voice.speak(text, MISSING)]


def vectors(utterances: Sequence[tuple[str, Utterance]]) -> list[Prosody]:
    """What the extractor hears of each, with the pitch range that the voice will be measured in ever after."""
    pitch_range = UNKNOWN_RANGE
    for _ in range(5):
        heard = [_heard(text, piece, pitch_range) for text, piece in utterances]
        settled = voice_range(entry(heard)["mean"]["pitch_mean"])
        if settled == pitch_range:
            break
        pitch_range = settled
    return heard


def _heard(text: str, piece: Utterance, pitch_range: PitchRange) -> Prosody:
    spans = [(word.start, word.end) for word in piece.words]
    return measure(piece.audio, piece.sample_rate, syllables(text), spans, pitch_range=pitch_range).prosody


def entry(heard: Sequence[Prosody]) -> dict[str, Any]:
    """Mean, standard deviation and count of each feature; the sentences in which it is missing are left out."""
    columns = {name: [value for vector in heard if (value := vector[name]) is not None] for name in NAMES}
    return {
        "mean": {name: round(fmean(values), 4) for name, values in columns.items() if values},
        "sd": {name: round(stdev(values), 4) for name, values in columns.items() if len(values) > 1},
        "count": {name: len(values) for name, values in columns.items()},
    }


async def calibrate_espeak(names: Sequence[str], before: dict[str, Any]) -> dict[str, Any]:
    """The content of the calibration file: these voices measured, the others as they were if nothing else changed."""
    provenance = {
        "engine": f"espeak-ng {espeak.version()}",
        "extractor": EXTRACTOR_VERSION,
        "sentences_sha256": hashlib.sha256(SENTENCES.read_bytes()).hexdigest(),
        "gain": espeak.GAIN,
    }
    voices = before.get("voices", {}) if all(before.get(key) == value for key, value in provenance.items()) else {}
    for name in names:
        voice = espeak.EspeakVoice(name, NONE_YET)
        await voice.start()
        voices[name] = entry(vectors(await spoken(voice, sentences())))
        await voice.close()
    return {**provenance, "voices": dict(sorted(voices.items()))}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tandem_server.engines.calibrate", description=__doc__)
    parser.add_argument("engine", choices=["espeak"])
    parser.add_argument("--voice", nargs="+", default=list(espeak.CALIBRATED), help="voices to measure (again)")
    parser.add_argument("--out", type=Path, default=espeak.CALIBRATIONS)
    options = parser.parse_args()
    before = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    content = asyncio.run(calibrate_espeak(options.voice, before))
    options.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(content['voices'])} voices in {options.out}\n")


if __name__ == "__main__":
    main()
