"""`tandem voice`: what voices there are, and one that says a text as it is asked to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tandem_server.errors import ConfigurationError

if TYPE_CHECKING:
    from tandem_models.prosody import Prosody
    from tandem_models.signal import Audio
    from tandem_server.stages.protocols import Calibration, Voice

voice = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="The agent's voices: what there is, and hearing one."
)
VoiceSetting = Annotated[
    str, typer.Option("--voice", envvar="TANDEM_VOICE", help="As for the server: tandem:NAME, tandem:FOLDER, espeak.")
]
_PAUSE: Final = 0.15
"""Seconds between stretches of speech: each is without the silence around it"""


@voice.command("list")
def list_voices() -> None:
    """List the voices that come with Tandem."""
    from rich.console import Console
    from rich.table import Table

    from tandem_models.voice_folders import read, shipped
    from tandem_server.engines.espeak import CALIBRATED

    table = Table(box=None, pad_edge=False)
    for heading in ("voice", "pitch (Hz)", "what it is"):
        table.add_column(heading, justify="right" if heading == "pitch (Hz)" else "left")
    for name, folder in shipped().items():
        about = read(folder)
        table.add_row(f"tandem:{name}", _hertz(about.mean), about.summary)
    for name in CALIBRATED:
        table.add_row(f"espeak:{name}", "", "espeak-ng: a formant voice, moved by the realiser alone")
    Console().print(table)


@voice.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="WAV file to write.")] = Path("said.wav"),
    voice: VoiceSetting = "tandem",
    pitch: Annotated[float, typer.Option(help="Semitones above the voice's own.")] = 0.0,
    range_: Annotated[float, typer.Option("--range", help="Times its own pitch range.", min=0.1)] = 1.0,
    rate: Annotated[float, typer.Option(help="Times its own speaking rate.", min=0.1)] = 1.0,
    loudness: Annotated[float, typer.Option(help="dB above its own.")] = 0.0,
    jitter: Annotated[float, typer.Option(help="Times its own jitter.", min=0.1)] = 1.0,
    shimmer: Annotated[float, typer.Option(help="Times its own shimmer.", min=0.1)] = 1.0,
    hnr: Annotated[float, typer.Option(help="dB above its own harmonicity; below 0 is breathier.")] = 0.0,
) -> None:
    """Say a text at a pitch, rate and so on, and show what came of it.

    What is asked beyond the voice's reach is clamped, and said so.

    \b
    [bold]Examples[/bold]
    tandem voice say "Good morning." --pitch +2 --rate 1.2 -o morning.wav
    tandem voice say "Good morning." --voice espeak --hnr -4
    """
    moves = {
        "pitch_mean": pitch,
        "pitch_range": math.log(range_),
        "rate": math.log(rate),
        "intensity_mean": loudness,
        "jitter": math.log(jitter),
        "shimmer": math.log(shimmer),
        "hnr": hnr,
    }
    asyncio.run(_say(text, voice, moves, out))


async def _say(text: str, setting: str, moves: Mapping[str, float], out: Path) -> None:
    import soundfile

    from tandem_models.signal import WIRE_RATE
    from tandem_server.engines.voices import make_voice

    speaker = make_voice(setting)
    await speaker.start()
    target = asked(speaker.calibration, moves)
    try:
        audio, limits = await spoken(speaker, text, target)
    finally:
        await speaker.close()
    if not len(audio):
        raise ConfigurationError(f"{speaker.name} finds nothing to say in {text[:40]!r}")
    try:
        soundfile.write(out, audio, WIRE_RATE)
    except (OSError, soundfile.SoundFileError) as error:
        raise ConfigurationError(f"cannot write {out}: {error}; name another file with --out") from error
    _show(speaker, text, target, audio)
    for limit in limits:
        typer.echo(limit)
    typer.echo(f"{len(audio) / WIRE_RATE:.1f} s in {out}")


def asked(own: Calibration, moves: Mapping[str, float]) -> Prosody:
    """The target for moves from how a voice speaks when nothing is asked of it; ranges are moved by their logarithm."""
    from tandem_models.prosody import Prosody

    target: dict[str, float | None] = {}
    for name, move in moves.items():
        usual = own.mean[name]
        if usual is not None:
            target[name] = usual * math.exp(move) if name == "pitch_range" else usual + move
    return Prosody.from_dict(target)


async def spoken(speaker: Voice, text: str, target: Prosody) -> tuple[Audio, list[str]]:
    """Speech at WIRE_RATE as the server would send it, and what could not be reached."""
    import numpy as np

    from tandem_models.realise import realise, voice_range
    from tandem_models.signal import WIRE_RATE
    from tandem_models.text import syllables

    pieces: list[Audio] = []
    limits: dict[str, str] = {}
    async for utterance in speaker.speak(text, target):
        realised = realise(
            utterance.audio,
            utterance.sample_rate,
            target,
            pitch_range=voice_range(speaker.calibration.mean["pitch_mean"] or 0.0),
            syllables=sum(syllables(word.text) for word in utterance.words) or None,
            words=[(word.start, word.end) for word in utterance.words],
            corrections=1,
        )
        pieces += [np.zeros(round(_PAUSE * WIRE_RATE), np.float32)] if pieces else []
        pieces.append(realised.audio)
        for limit in realised.limits:
            limits[limit.feature] = f"{limit.feature}: {limit.asked:.2f} was asked; {limit.reason}"
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32), list(limits.values())


def _show(speaker: Voice, text: str, target: Prosody, audio: Audio) -> None:
    from rich.console import Console
    from rich.table import Table

    from tandem_models.prosody import FEATURES
    from tandem_models.realise import measure, voice_range
    from tandem_models.signal import WIRE_RATE
    from tandem_models.text import syllables

    own = speaker.calibration.mean
    heard = measure(audio, WIRE_RATE, syllables(text), pitch_range=voice_range(own["pitch_mean"] or 0.0)).prosody
    table = Table(box=None, pad_edge=False)
    for heading in ("", "its own", "asked", "spoken", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for feature in FEATURES:
        values = (own[feature.name], target[feature.name], heard[feature.name])
        shown = ("–" if value is None else f"{value:.2f}" for value in values)
        table.add_row(feature.label, *shown, feature.unit)
    Console().print(table)


def _hertz(mean: Prosody) -> str:
    from tandem_models.prosody import hertz

    height = mean["pitch_mean"]
    return "" if height is None else f"{hertz(height):.0f}"
