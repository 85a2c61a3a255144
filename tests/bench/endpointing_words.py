"""Pauses of conversations of which there are word times and no sound: the HCRC Map Task, 96 dialogues.

What the voice said is unknown here, and the words are the transcriber's: this measures the words and the adaptation to
the speaker on many speakers. Breaths and noises count as silence. Ends, holds and what is left out are as in
`endpointing_data.py`; the words of a speaker with less than 300 ms between them are one segment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from tandem_models.signal import SAMPLE_RATE, VAD_FRAME
from tandem_server.turn import TurnSettings

from .endpointing_data import Channel, Pause

_APART: Final = 0.3
"""Seconds between segments"""
_SETTLED: Final = TurnSettings().settle / SAMPLE_RATE
_Words = list[tuple[float, float, str]]


def map_task(folder: Path) -> list[Pause]:
    """The pauses of timed-units/NAME.g.timed-units.xml and NAME.f.timed-units.xml, both speakers of each dialogue."""
    pauses: list[Pause] = []
    for path in sorted((folder / "timed-units").glob("*.g.timed-units.xml")):
        name = path.name.partition(".")[0]
        words = [_words(path.with_name(f"{name}.{speaker}.timed-units.xml")) for speaker in "gf"]
        seconds = max(side[-1][1] for side in words)
        sides = [_channel(name, speaker, side, seconds) for speaker, side in zip("gf", words, strict=True)]
        for side, other, own in zip(sides, sides[::-1], words, strict=True):
            side.other = other.takes_turns
            pauses += _pauses(side, own)
    return pauses


def _words(path: Path) -> _Words:
    units = ET.parse(path).getroot().iter("tu")
    found = [(float(unit.attrib["start"]), float(unit.attrib["end"]), unit.text or "") for unit in units]
    return sorted(found)


def _channel(name: str, speaker: str, words: _Words, seconds: float) -> Channel:
    """As if a perfect detector had heard the words."""
    speech = np.zeros(int(seconds * SAMPLE_RATE / VAD_FRAME) + 1)
    segments: _Words = []
    for start, end, text in words:
        speech[round(start * SAMPLE_RATE / VAD_FRAME) : round(end * SAMPLE_RATE / VAD_FRAME)] = 1.0
        if segments and start - segments[-1][1] < _APART:
            segments[-1] = segments[-1][0], end, f"{segments[-1][2]} {text}"
        else:
            segments.append((start, end, text))
    return Channel(name, speaker, np.zeros(0, np.float32), segments, speech)


def _pauses(side: Channel, words: _Words) -> list[Pause]:
    pauses: list[Pause] = []
    turn, said = 0, list[str]()
    for (_, end, text), following in zip(words, [*words[1:], None], strict=True):
        said.append(text)
        if following is not None and following[0] - end < _SETTLED:
            continue
        resumed = None if following is None else round(following[0] * SAMPLE_RATE)
        label = side.label(round(end * SAMPLE_RATE), resumed)
        lasted = None if following is None else (following[0] - end) * 1000.0
        heard = " ".join(said)
        if label != "neither":
            over = label == "end"
            pauses.append(Pause(side.dialogue, side.speaker, turn, over, end, lasted, heard, heard, heard, [], []))
        if label != "hold":
            turn, said = turn + 1, []
    return pauses
