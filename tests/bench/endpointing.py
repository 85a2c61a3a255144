"""Waiting against cutting off, on conversations: `python -m tests.bench.endpointing --plot curve.png`.

Plays both speakers of recorded dialogues through voice activity, recogniser and prosody as the server does, and asks in
every pause how long it would have been waited there (`endpointing_data.py` says which pauses count, and as what). The
knob, `silence_duration_ms`, is turned from 100 ms to 3 s; each place of it is a point: the mean wait at ends of turns,
and the share of held pauses (or of turns) in which the speaker would have been cut off. Prints the endpoint of
`stages/endpoint.py` beside fixed silence, what each cue and the adaptation to the speaker contribute, and what fitting
to the other dialogues would give; and the same, without the voice, on the word times of `endpointing_words.py`.
Nothing that is shipped was fitted to these recordings. Where the turn model is fetched (or named with --turn-model), it
is asked too, and its answer counts no sooner than the server would have it.

Listening takes minutes and is kept in `--cache`, so that the curve is drawn in seconds; `--again` listens once more.
Waits are those of the model, to the millisecond; the server rounds them to frames of 32 ms.

`--dialogues FOLDER` names your own: audio/NAME.wav in stereo, and turns.jsonl with dialogue, speaker (NAME_A, NAME_B),
start, end and text of every turn. `--fit FILE` fits a model to them; put in the place of `stages/endpoint.json` it is
what the server uses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from tandem_server.config import default_data_dir
from tandem_server.engines.turn_models import make_turn_model
from tandem_server.stages.endpoint_fit import fit

from .endpointing_curves import KNOB, SILENCES, Curve, Heard, Policy, Rate, Saving, at, savings
from .endpointing_data import CORPORA, Pause, collect, load, save
from .endpointing_model import cost, judged
from .endpointing_words import map_task

SHOWN: Final = (200, 350, 500, 800, 1200)
JUDGED: Final = "turn model"
CUES: Final = ("fall", "decay", "lengthening", "words", "stability")
_RATES: Final[tuple[Rate, ...]] = ("pauses", "turns")
_WORDS: Final = "maptask"
FOLDERS: Final = {name: corpus.folder for name, corpus in CORPORA.items()} | {_WORDS: "hcrc_maptask_timing"}
_SPEAKERS: Final = 10
"""With fewer there is no unluckiest tenth."""
_SEMANTIC_MS: Final = 4000
"""The longest wait of semantic_vad at its default eagerness"""


def pauses_of(name: str, data: Path, cache: Path, again: bool, turn_model: str = "off") -> list[Pause]:
    """From the cache, or from the recordings."""
    kept = cache / f"{name}.jsonl"
    if again or not kept.is_file():
        save(map_task(data) if name == _WORDS else asyncio.run(collect(name, data)), kept)
    pauses = load(kept)
    model = make_turn_model(turn_model, default_data_dir() / "models") if name != _WORDS else None
    if model is not None and all(pause.complete is None for pause in pauses):
        save(judged(name, data, pauses, model), kept)
    return load(kept) if model is not None else [replace(pause, complete=None) for pause in pauses]


def policies(pauses: Sequence[Pause]) -> list[Policy]:
    """All that are compared: fixed silence first, then the shipped endpoint, then the same with the turn model."""
    heard = Heard.of([replace(pause, complete=None) for pause in pauses])
    found = [
        Policy("fixed silence", heard, fixed=True),
        Policy("endpoint", heard),
        *_judged_policies(pauses),
        Policy(f"up to {_SEMANTIC_MS // 1000} s", heard, limit_ms=_SEMANTIC_MS),
        Policy("not adapting", heard, adapts=False),
    ]
    if not any(pause.pitch for pause in pauses):
        return [*found, Policy("without words", heard.without("words"))]
    found += [Policy(f"without {cue}", heard.without(cue)) for cue in CUES]
    found.append(Policy("reference words", Heard.of(pauses, reference=True)))
    if len({pause.dialogue for pause in pauses}) in range(2, 20):
        found.append(Policy("fitted, one left out", heard, heard.left_out()))
    return found


def _judged_policies(pauses: Sequence[Pause]) -> list[Policy]:
    """With the turn model, if it was asked."""
    if all(pause.complete is None for pause in pauses):
        return []
    heard, several = Heard.of(pauses), len({pause.dialogue for pause in pauses}) in range(2, 20)
    return [
        Policy(JUDGED, heard, judged=True),
        Policy(f"{JUDGED}, to {_SEMANTIC_MS // 1000} s", heard, judged=True, limit_ms=_SEMANTIC_MS),
        *(Policy(f"{JUDGED}, {late} ms late", heard, judged=True, late_ms=late) for late in (64, 128)),
        Policy("turn model, no voice", heard.without("voice"), judged=True),
        Policy("turn model, no words", heard.without("words"), judged=True),
        Policy("turn model alone", heard.without("voice").without("words"), judged=True),
        *([Policy("turn model, fitted", heard, heard.left_out(), judged=True)] if several else []),
    ]


def describe(name: str, pauses: Sequence[Pause], all_: Sequence[Policy]) -> None:
    """Print the tables of one corpus."""
    ends = sum(pause.end for pause in pauses)
    dialogues = len({pause.dialogue for pause in pauses})
    print(f"\n{name}: {dialogues} recordings, {ends} ends of turns, {len(pauses) - ends} held pauses")
    if any(pause.complete is not None for pause in pauses):
        print(cost(pauses))
    print(f"{'':28}  cut off %       wait ms at ends\n{'':28}pauses turns   mean    p50    p90")
    compared = [policy for policy in all_ if policy.name in ("fixed silence", "endpoint", JUDGED)]
    stretched = f"to {_SEMANTIC_MS // 1000} s"
    for policy in (*compared, *(policy for policy in all_ if policy.name.endswith(stretched))):
        for silence in SHOWN:
            print(_row(f"{policy.name}, {silence} ms", policy.curve, silence))
    fixed = all_[0].curve
    for rate in _RATES:
        print(f"\nmean wait in ms at no more {rate} cut off than by a fixed silence of")
        print(f"{'':28}" + "".join(f"{silence:8}" for silence in SILENCES))
        table = [(policy.name, savings(fixed, policy.curve, SILENCES, rate)) for policy in all_]
        print(f"{'(cut off, %)':28}" + "".join(f"{100 * one.share:8.1f}" for one in table[0][1]))
        for title, row in table:
            print(f"{title:28}" + "".join(f"{one.policy_ms:8.0f}" for one in row))
        for title, row in table[1 : len(compared)]:
            print(f"{f'{title} saves':28}" + "".join(f"{one.saved_ms:8.0f}" for one in row))
            if dialogues > 1:  # one recording drawn again is the same recording
                for side, key in (("  95 % from", "low_ms"), ("  to", "high_ms")):
                    print(f"{side:28}" + "".join(f"{getattr(one, key):8.0f}" for one in row))
    if len(fixed.speakers) >= _SPEAKERS:
        print(
            f"\nheld pauses cut off, %, of the unluckiest tenth of {len(fixed.speakers)} speakers, at the same of all"
        )
        for policy in all_[:4]:
            shares = [float(fixed.points("pauses")[0][at(silence)]) for silence in SILENCES]
            print(f"{policy.name:28}" + "".join(f"{100 * policy.curve.unluckiest(share):8.1f}" for share in shares))


def figures(all_: Sequence[Policy]) -> dict[str, Any]:
    """Everything that was computed, as JSON."""
    fixed = all_[0].curve
    return {
        policy.name: {
            rate: {
                "cut": policy.curve.points(rate)[0].tolist(),
                "delay_ms": policy.curve.points(rate)[1].tolist(),
                "against_fixed": [_listed(one) for one in savings(fixed, policy.curve, SILENCES, rate)],
            }
            for rate in _RATES
        }
        for policy in all_
    } | {"silence_duration_ms": list(KNOB)}


def _listed(saving: Saving) -> dict[str, float | None]:
    numbers = {**asdict(saving), "saved_ms": saving.saved_ms}
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def draw(name: str, all_: Sequence[Policy], path: Path) -> None:
    """Both curves as a picture; the marks are fixed silences of 200, 500 and 800 ms."""
    import matplotlib.pyplot as plt  # an extra: only drawing needs it

    picture, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    names = ("fixed silence", "endpoint", JUDGED, f"{JUDGED}, to {_SEMANTIC_MS // 1000} s", "reference words")
    for axis, rate in zip(axes, _RATES, strict=True):
        for policy in all_:
            if policy.name in names:
                cut, delay = policy.curve.points(rate)
                axis.plot(delay, 100 * cut, label=policy.name, linewidth=2 if policy.name in names[1:3] else 1)
        cut, delay = all_[0].curve.points(rate)
        for silence in (200, 500, 800):
            place = at(silence)
            axis.plot(delay[place], 100 * cut[place], "ko", markersize=4)
            axis.annotate(f"{silence} ms", (delay[place], 100 * cut[place]), (4, 4), textcoords="offset points")
        axis.set(xlim=(100, 1500), ylim=(0, None), xlabel="mean wait at ends of turns, ms", ylabel=f"{rate} cut off, %")
        axis.grid(alpha=0.3)
    axes[0].legend()
    picture.suptitle(f"Waiting against cutting off: {name}")
    picture.savefig(path, dpi=120)


def main() -> None:
    """Listen, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("TANDEM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="the folder that holds the recordings")
    parser.add_argument("--dialogues", type=Path, help="your own instead: a folder of stereo dialogues")
    parser.add_argument("--only", choices=FOLDERS, action="append", help="these recordings only")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "tandem-endpointing")
    parser.add_argument("--again", action="store_true", help="listen again, whatever the cache holds")
    parser.add_argument("--turn-model", default="auto", metavar="FILE", help="auto (if fetched), off, or an ONNX file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves of the dialogues")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument("--fit", type=Path, metavar="FILE", help="fit a model to the dialogues and write it")
    options = parser.parse_args()
    if options.plot and find_spec("matplotlib") is None:
        parser.error("drawing needs matplotlib: pip install 'tandem-dialogue[test]'")
    names = ["dialogues"] if options.dialogues else options.only or list(FOLDERS)
    written: dict[str, Any] = {}
    for name in names:
        folder = options.dialogues or options.data / FOLDERS[name]
        if not folder.is_dir():
            parser.error(f"no recordings in {folder}; name the folder that holds them with --data or --dialogues")
        pauses = pauses_of(
            name, folder, options.cache, options.again or options.dialogues is not None, options.turn_model
        )
        compared = policies(pauses)
        describe(name, pauses, compared)
        written[name] = figures(compared)
        if name == names[0]:
            if options.plot:
                draw(name, compared, options.plot)
            if options.fit:
                options.fit.write_text(fit(Heard.of(pauses).labelled()).to_json(), "utf-8")
    if options.json:
        options.json.write_text(json.dumps(written, indent=1), "utf-8")


def _row(name: str, curve: Curve, silence: int) -> str:
    place = at(silence)
    pauses, turns = (float(curve.points(rate)[0][place]) for rate in _RATES)
    waits = curve.waits[place]
    median, late = np.quantile(waits, (0.5, 0.9))
    return f"{name:28}{100 * pauses:6.1f}{100 * turns:6.1f}{waits.mean():7.0f}{median:7.0f}{late:7.0f}"


if __name__ == "__main__":
    main()
