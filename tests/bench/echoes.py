"""Scenes for `interruptions.py`: an agent's replies, the room that sends them back, and who else makes a noise."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from pocketsphinx import Decoder
from scipy.signal import fftconvolve, lfilter

from tandem_models.extract import PitchRange
from tandem_models.realise import realise
from tandem_models.signal import SAMPLE_RATE, WIRE_RATE, Audio, resample
from tandem_server.engines.espeak import EspeakVoice

VOICES: Final = ("en-us+f2", "en-us")
SENTENCES: Final = (
    "The first bus leaves at half past six. If you would rather sleep a little longer, there is one at eight.",
    "I can hear that you are in a hurry, so let me give you the short version and send you the rest by mail.",
    "Oh, that must have been quite a surprise! Did the neighbours notice anything before the fire brigade came?",
    "My favourite part of the story is the end, where nobody gets what they wanted and everyone is happy.",
    "You can park behind the museum for two hours. After that it gets expensive, as you might imagine.",
)
"""What the agent says, each sentence a reply"""
SENT: Final = -24.0
"""dB re full scale of a reply, about what the realiser gives"""
BETWEEN: Final = SAMPLE_RATE * 3 // 2
"""Samples of silence before each reply"""
BACKCHANNELS: Final = frozenset(
    {"mhm", "mm", "mm-hmm", "hmm", "uh-huh", "yeah", "yes", "okay", "ok", "right", "sure", "alright"}
)
_EDGE: Final = 0.03
"""Share of its peak that a recording reaches when somebody begins to speak."""
_BEFORE: Final = SAMPLE_RATE // 20
"""Samples by which the first word may begin earlier than it is aligned"""
_LEAD: Final = SAMPLE_RATE // 2
"""Samples of noise before what is aligned: many recordings begin with the word"""

Dice = np.random.Generator


@dataclass(frozen=True)
class SaidWord:
    """One word of a telephone call; times in seconds."""

    speaker: str
    word: str
    start: float
    end: float


def decibels(audio: Audio) -> float:
    """Root mean square re full scale."""
    return float(10.0 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-12))


def at_level(audio: Audio, level: float) -> Audio:
    """The same at so many dB re full scale."""
    return np.asarray(audio * 10.0 ** ((level - decibels(audio)) / 20.0), np.float32)


def trimmed(audio: Audio) -> Audio:
    """From where somebody begins to speak."""
    return audio[int(np.argmax(np.abs(audio) > _EDGE * np.abs(audio).max())) :]


# Who makes a noise --------------------------------------------------------------------------------------------------
async def replies() -> list[Audio]:
    """Every sentence by every voice, realised as the server does, at SAMPLE_RATE."""
    spoken = []
    for name in VOICES:
        voice = EspeakVoice(name)
        await voice.start()
        usual = voice.calibration.mean
        for sentence in SENTENCES:
            pieces = [
                realise(one.audio, one.sample_rate, usual, pitch_range=PitchRange(60.0, 500.0)).audio
                async for one in voice.speak(sentence, usual)
            ]
            spoken.append(at_level(resample(np.concatenate(pieces), WIRE_RATE, SAMPLE_RATE), SENT))
        await voice.close()
    return spoken


def recordings(folder: Path) -> list[Audio]:
    """Every second recording of people who read, by name (the others were used to choose the detector's constants),
    from where somebody begins to speak: noise before that is told from speech by aligning the words."""
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        said = {row["audio"]: row["transcript"] for row in csv.DictReader(file, delimiter="\t")}
    decoder, found = Decoder(loglevel="FATAL", bestpath=False), []
    for path in sorted(folder.glob("*/*.flac"))[1::2]:
        audio = _read(path)[0]
        found.append(trimmed(audio[_first_word(decoder, audio, said[path.relative_to(folder).as_posix()]) :]))
    return found


def _first_word(decoder: Decoder, audio: Audio, text: str) -> int:
    """The sample from which on to look for the beginning of the first word; 0 when the words cannot be aligned."""
    plain = "".join(one if one.isalpha() or one == "'" else " " for one in text.lower())
    decoder.set_align_text(" ".join(word for word in plain.split() if decoder.lookup_word(word) is not None))
    noise = np.random.default_rng(1).standard_normal(_LEAD) * 1e-3 * np.abs(audio).max()
    pcm = np.concatenate([noise, audio]) * (0.7 * 32767 / np.abs(audio).max())
    decoder.start_utt()
    decoder.process_raw(pcm.astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    words = [one for one in decoder.seg() or () if one.word[0] not in "<[("]
    return max(words[0].start_frame * SAMPLE_RATE // 100 - _LEAD - _BEFORE, 0) if words else 0


def telephone_lines(folder: Path) -> list[tuple[Audio, list[SaidWord]]]:
    """Both ends of four telephone calls, with the words that are said there."""
    found = []
    for path in sorted((folder / "text").glob("*.json")):
        words = [SaidWord(**one) for one in json.loads(path.read_text("utf-8"))]
        channels = _read(folder / "audio" / f"{path.stem}.wav")
        found += [
            (channel, [one for one in words if one.speaker == name])
            for name, channel in zip("AB", channels, strict=True)
        ]
    return found


def backchannels(folder: Path) -> list[Audio]:
    """The words with which people take a turn that might as well be backchannels, from four telephone calls: where they
    begin is known, their ends are interpolated, and backchannels that stand alone there are none."""
    found = []
    for channel, words in telephone_lines(folder):
        for said in _stretches(words):
            short = list(takewhile(lambda one: one.word.lower() in BACKCHANNELS, said))
            if short:
                begin, end = round(short[0].start * SAMPLE_RATE), round(short[-1].end * SAMPLE_RATE)
                if np.abs(channel[begin:end]).max(initial=0.0) > 0.01:
                    found.append(channel[begin:end])
    return found


def cough(dice: Dice) -> Audio:
    """A made one, for want of recordings: two or three bursts of noise of 80 to 250 ms, each steep at its beginning,
    through the resonances of an open throat, a voice creaking along in the later ones."""
    bursts = []
    for number in range(int(dice.integers(2, 4))):
        count = round(dice.uniform(0.08, 0.25) * SAMPLE_RATE)
        time = np.arange(count) / SAMPLE_RATE
        shape = np.minimum(time / 0.005, 1.0) * np.exp(-time / (0.35 * count / SAMPLE_RATE))
        burst = dice.standard_normal(count)
        if number:
            burst += 1.5 * np.sign(np.sin(2.0 * np.pi * dice.uniform(120.0, 250.0) * time))
        for hertz, width in ((dice.uniform(500, 800), 200.0), (dice.uniform(1200, 1700), 300.0)):
            radius, angle = np.exp(-np.pi * width / SAMPLE_RATE), 2.0 * np.pi * hertz / SAMPLE_RATE
            burst = burst + 0.05 * lfilter([1.0], [1.0, -2.0 * radius * np.cos(angle), radius**2], burst)
        bursts += [shape * burst / np.abs(burst).max(), np.zeros(round(dice.uniform(0.05, 0.2) * SAMPLE_RATE))]
    return np.concatenate(bursts).astype(np.float32)


def _read(path: Path) -> list[Audio]:
    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return [resample(np.ascontiguousarray(data[:, channel]), rate, SAMPLE_RATE) for channel in range(data.shape[1])]


def _stretches(words: Sequence[SaidWord]) -> list[list[SaidWord]]:
    found: list[list[SaidWord]] = []
    for word in words:
        if found and word.start - found[-1][-1].end < 0.2:
            found[-1].append(word)
        else:
            found.append([word])
    return found


# Where it is heard --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Place:
    """A room, a loudspeaker and a line."""

    impulse: Audio
    gain: float
    """dB from what was sent to what is heard"""
    delay: float
    """Seconds"""
    jitter: float
    """Seconds by which it may be different for each reply"""
    overdrive: float
    """0 for a good loudspeaker; how far the peaks drive a small one into tanh"""
    noise: float
    """dB re full scale"""

    @classmethod
    def any(cls, dice: Dice, gain: float) -> Place:
        """T60 0.2 to 0.6 s, direct sound -3 to 6 dB over the reverberation, 20 to 600 ms away; one in three small."""
        time = np.arange(round(dice.uniform(0.2, 0.6) * SAMPLE_RATE))
        impulse = dice.standard_normal(len(time)) * 10.0 ** (-3.0 * time / len(time))
        impulse *= 10.0 ** (-dice.uniform(-3.0, 6.0) / 20.0) / np.sqrt(np.sum(np.square(impulse[32:])))
        impulse[:32] = 0.0
        impulse[0] = 1.0
        impulse /= np.sqrt(np.sum(np.square(impulse)))
        delay, noise = dice.uniform(0.02, 0.6), dice.uniform(-75.0, -60.0)
        return cls(impulse.astype(np.float32), gain, delay, 0.02, float(dice.choice([0.0, 0.0, 2.0])), noise)

    def echo(self, reply: Audio, dice: Dice) -> Audio:
        """What comes back of a reply, from the moment it was sent."""
        played = reply.astype(np.float64)
        if self.overdrive:
            peak = np.abs(played).max()
            played = np.tanh(self.overdrive * played / peak) * peak / np.tanh(self.overdrive)
        late = max(self.delay + dice.uniform(-self.jitter, self.jitter), 0.005)
        back = at_level(fftconvolve(played, self.impulse).astype(np.float32), 0.0)
        level = decibels(reply) + self.gain + 10.0 * np.log10(len(reply) / len(back))
        return np.concatenate([np.zeros(round(late * SAMPLE_RATE), np.float32), at_level(back, level)])


@dataclass(frozen=True)
class Scene:
    """A conversation's microphone; every part is (sample at which it begins, audio)."""

    replies: list[tuple[int, Audio]]
    """As sent"""
    echoes: list[tuple[int, Audio]]
    others: list[tuple[int, Audio]]
    """Who else is heard, during the reply of the same number"""
    noise: float
    seed: int

    def with_others(self, others: Sequence[Audio], dice: Dice) -> Scene:
        """The same, with somebody during each reply: from 10 to 70 % of it on."""
        placed = [
            (begin + round(dice.uniform(0.1, 0.7) * len(reply)), other)
            for (begin, reply), other in zip(self.replies, others, strict=True)
        ]
        return replace(self, others=placed)

    def without_echo(self) -> Scene:
        """The same with headphones."""
        return replace(self, echoes=[(begin, np.zeros(0, np.float32)) for begin, _ in self.echoes])


def scene(spoken: Sequence[Audio], place: Place, seed: int) -> Scene:
    """The replies one after the other."""
    dice = np.random.default_rng(seed)
    sent: list[tuple[int, Audio]] = []
    at = 0
    for reply in spoken:
        at += BETWEEN
        sent.append((at, reply))
        at += len(reply)
    return Scene(sent, [(begin, place.echo(reply, dice)) for begin, reply in sent], [], place.noise, seed)
