"""How exactly speech is moved to a target, and what that costs: `python tests/bench/realiser.py --help`.

Targets are drawn evenly over the whole reach of the realiser, or as entrainment would ask for them. Errors are what the
extractor hears minus what was requested after clamping, in the units of the registry, ranges in percent.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tandem_models.extract import PitchRange
from tandem_models.prosody import MISSING, NAMES, Prosody
from tandem_models.realise import REACH, Realised, Span, measure, realise, voice_range
from tandem_models.text import syllables
from tandem_server.engines.calibrate import sentences
from tandem_server.engines.espeak import CALIBRATED, EspeakVoice
from tandem_server.stages.protocols import Calibration, Utterance

RATIOS = ("pitch_range", "intensity_range")
LABELS = ("pitch st", "range %", "level dB", "lev.rng %", "jitter %", "shimmer %", "HNR dB", "rate %")


@dataclass(frozen=True)
class Spoken:
    """A sentence as espeak said it."""

    text: str
    utterance: Utterance
    own: Prosody
    pitch_range: PitchRange

    @property
    def words(self) -> tuple[Span, ...]:
        return tuple((word.start, word.end) for word in self.utterance.words)

    @property
    def seconds(self) -> float:
        return len(self.utterance.audio) / self.utterance.sample_rate

    def moved(self, target: Prosody, corrections: int = 0) -> Realised:
        return realise(
            self.utterance.audio,
            self.utterance.sample_rate,
            target,
            pitch_range=self.pitch_range,
            syllables=syllables(self.text),
            words=self.words,
            corrections=corrections,
        )

    def heard(self, moved: Realised) -> Prosody:
        """What the extractor makes of it."""
        count = syllables(self.text)
        return measure(moved.audio, moved.sample_rate, count, moved.words, pitch_range=self.pitch_range).prosody


async def speak(name: str, texts: Sequence[str]) -> list[Spoken]:
    """As the engine speaks by itself."""
    engine = EspeakVoice(name)
    await engine.start()
    spoken = [as_spoken(text, piece, engine) for text in texts async for piece in engine.speak(text, MISSING)]
    await engine.close()
    return spoken


def as_spoken(text: str, piece: Utterance, engine: EspeakVoice) -> Spoken:
    pitch = engine.calibration.mean["pitch_mean"]
    assert pitch is not None
    looked, spans = voice_range(pitch), [(word.start, word.end) for word in piece.words]
    own = measure(piece.audio, piece.sample_rate, syllables(text), spans, pitch_range=looked).prosody
    return Spoken(text, piece, own, looked)


def drawn(own: Prosody, random: np.random.Generator, names: Sequence[str] = NAMES) -> Prosody:
    """A target within reach of one's own."""
    target: dict[str, float | None] = {}
    for name in names:
        low, high = (-6.0, 6.0) if name == "intensity_mean" else REACH[name]
        move, value = float(random.uniform(low, high)), own[name]
        if value is not None:
            target[name] = value * math.exp(move) if name in RATIOS else value + move
    return Prosody.from_dict(target)


async def as_asked(names: Sequence[str], texts: Sequence[str], draws: int) -> list[tuple[Spoken, Prosody]]:
    """Targets as entrainment asks for, each spoken by an engine that knows it (and follows its rate)."""
    random = np.random.default_rng(1)
    trials = []
    for name in names:
        engine = EspeakVoice(name)
        await engine.start()
        for text, _ in product(texts, range(draws)):
            target = typical(engine.calibration, random)
            async for piece in engine.speak(text, target):
                trials.append((as_spoken(text, piece, engine), target))  # noqa: PERF401
        await engine.close()
    return trials


def typical(usual: Calibration, random: np.random.Generator) -> Prosody:
    """A target as entrainment asks for: 1.5 standard deviations of the voice's own variation."""
    both = zip(NAMES, usual.mean.values, usual.sd.values, strict=True)
    return Prosody.from_dict({name: (m or 0.0) + 1.5 * (sd or 0.0) * random.standard_normal() for name, m, sd in both})


def errors(wanted: Prosody, heard: Prosody) -> list[float]:
    """One error per feature: ranges, jitter, shimmer and rate in percent; NaN where it was not asked or not heard."""
    found = []
    for name in NAMES:
        want, hear = wanted[name], heard[name]
        if want is None or hear is None:
            found.append(math.nan)
        elif name in RATIOS:
            found.append(100.0 * (hear / want - 1.0))
        elif name in ("jitter", "shimmer", "rate"):
            found.append(100.0 * math.expm1(hear - want))
        else:
            found.append(hear - want)
    return found


def realised_errors(spoken: Spoken, target: Prosody, corrections: int) -> list[float]:
    moved = spoken.moved(target, corrections)
    return errors(moved.requested, spoken.heard(moved))


def table(rows: dict[str, list[list[float]]]) -> None:
    """Median and 90th centile of |error| per feature."""
    print(" " * 26 + "".join(f"{label:>15}" for label in LABELS))
    for name, found in rows.items():
        size = np.abs(np.array(found))
        middle, high = np.nanmedian(size, axis=0), np.nanquantile(size, 0.9, axis=0)
        print(f"{name:26}" + "".join(f"{m:7.2f} ({h:5.2f})" for m, h in zip(middle, high, strict=True)))


def accuracy(title: str, trials: Sequence[tuple[Spoken, Prosody]]) -> None:
    rows = {"espeak, not moved": [errors(target, spoken.own) for spoken, target in trials]}
    for corrections, label in enumerate(("open loop", "1 correction", "2 corrections")):
        rows[label] = [realised_errors(spoken, target, corrections) for spoken, target in trials]
    print(f"\nAll eight features at once, {title}, {len(trials)} trials: median |error| (90th centile)")
    table(rows)


def cross_talk(corpus: Sequence[Spoken]) -> None:
    """Move one feature, ask nothing of the others: how far do they go? Signed medians at either end of the reach."""
    print("\nOne feature moved, open loop: median change of every feature")
    print(" " * 26 + "".join(f"{label:>15}" for label in LABELS))
    for name, end in product(NAMES, (0, 1)):
        found = []
        for spoken in corpus:
            own, move = spoken.own[name], REACH[name][end]
            if own is None or move == 0.0:
                continue
            target = Prosody.from_dict({name: own * math.exp(move) if name in RATIOS else own + move})
            found.append(errors(spoken.own, spoken.heard(spoken.moved(target))))
        if found:
            print(f"{name:20}{REACH[name][end]:+6.2f}" + "".join(f"{m:15.2f}" for m in np.nanmedian(found, axis=0)))


def cost(corpus: Sequence[Spoken], draws: int) -> None:
    """CPU per second of audio; process time, all threads."""
    random = np.random.default_rng(2)
    trials = [(spoken, drawn(spoken.own, random)) for spoken, _ in product(corpus, range(draws))]
    print("\nCPU, ms per second of speech: median (90th centile)")
    for label, corrections in (("fast path", 0), ("1 correction", 1), ("2 corrections", 2)):
        found = [timed(spoken.moved, target, corrections) / spoken.seconds for spoken, target in trials]
        print(f"{label:26}{np.median(found):7.1f} ({np.quantile(found, 0.9):5.1f})")
    plain = [(spoken, spoken.moved(MISSING)) for spoken in corpus]
    found = [timed(spoken.heard, moved) / spoken.seconds for spoken, moved in plain]
    print(f"{'measure alone':26}{np.median(found):7.1f} ({np.quantile(found, 0.9):5.1f})")


def timed(work: Callable[..., object], *arguments: object) -> float:
    """CPU time, ms."""
    began = time.process_time()
    work(*arguments)
    return 1e3 * (time.process_time() - began)


async def first_audio(name: str) -> None:
    """From text to realised audio, wall clock, in this process."""
    engine = EspeakVoice(name)
    await engine.start()
    random = np.random.default_rng(3)
    print("\nFirst audio, ms of wall clock: synthesis + fast path, median (90th centile) of 30")
    for text in (
        "The last bus leaves at eleven.",
        "Most of the letters on the table had been written in green ink.",
    ):
        synthesis, moving = [], []
        for _ in range(30):
            began = time.perf_counter()
            pieces = [piece async for piece in engine.speak(text, MISSING)]
            spoken = time.perf_counter()
            sentence = as_spoken(text, pieces[0], engine)
            target = drawn(sentence.own, random)
            begun = time.perf_counter()
            sentence.moved(target)
            synthesis.append(1e3 * (spoken - began))
            moving.append(1e3 * (time.perf_counter() - begun))
        both = np.array(synthesis) + np.array(moving)
        print(
            f"{len(text.split()):3} words, {sentence.seconds:.1f} s: {np.median(synthesis):5.1f}"
            f" + {np.median(moving):5.1f} = {np.median(both):5.1f} ({np.quantile(both, 0.9):.1f})"
        )
    await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--voices", nargs="+", default=list(CALIBRATED))
    parser.add_argument("--sentences", type=int, default=10, help="of the calibration sentences, evenly chosen")
    parser.add_argument("--draws", type=int, default=3, help="random targets per voice and sentence")
    options = parser.parse_args()
    texts = sentences()[:: max(len(sentences()) // options.sentences, 1)][: options.sentences]
    corpus = [spoken for voice in options.voices for spoken in asyncio.run(speak(voice, texts))]
    random = np.random.default_rng(1)
    accuracy(
        "anywhere within reach", [(one, drawn(one.own, random)) for one, _ in product(corpus, range(options.draws))]
    )
    accuracy("as entrainment asks", asyncio.run(as_asked(options.voices, texts, options.draws)))
    cross_talk(corpus)
    cost(corpus, 1)
    asyncio.run(first_audio(options.voices[0]))


if __name__ == "__main__":
    main()
