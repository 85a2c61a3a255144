"""How well the teacher is understood on the unseen sentences: what a voice trained on it is compared with.

    python tests/bench/intelligibility.py [--vosk MODEL_FOLDER] [--sentences N] [--seen CORPUS]

`our phones` is the teacher with our front end, as in the corpus; `its own` the same voice with Festival's front end.
--seen also has the copies of the sentences of a corpus written down, to see what moving their prosody costs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from tandem_models.phones import pronounce
from tandem_models.signal import Audio
from tandem_training.intelligibility import PocketSphinx, Recogniser, Speech, Vosk, judged, total, unseen_sentences
from tandem_training.voice_corpus import festival
from tandem_training.voice_corpus.teacher import Line


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vosk", type=Path)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--seen", type=Path)
    asked = parser.parse_args()
    recognisers: list[Recogniser] = [PocketSphinx()]
    if asked.vosk:
        recognisers.append(Vosk(asked.vosk))
    texts = unseen_sentences()[: asked.sentences]
    with TemporaryDirectory() as folder:
        rows = {
            "teacher, our phones": (by_our_phones(texts, Path(folder) / "ours"), texts),
            "teacher, its own": (by_its_own(texts, Path(folder) / "own"), texts),
        }
        if asked.seen:
            rows |= {f"corpus, {kind}": of_corpus(asked.seen, kind, asked.sentences) for kind in ("plain", "moved")}
        for recogniser in recognisers:
            for name, (speech, said) in rows.items():
                errors = total(judged(speech, recogniser, said))
                print(
                    f"{recogniser.name:14} {name:20} WER {100 * errors.rate:5.1f} % of {errors.words} words"
                    f" ({errors.substituted} wrong, {errors.deleted} skipped, {errors.inserted} added)",
                    flush=True,
                )


def by_our_phones(texts: tuple[str, ...], folder: Path) -> Speech:
    lines = [Line(str(place), pronounce(text)[0]) for place, text in enumerate(texts)]
    takes = festival.speak(lines, folder)
    return waves({text: takes[str(place)].wave for place, text in enumerate(texts)})


def by_its_own(texts: tuple[str, ...], folder: Path) -> Speech:
    folder.mkdir()
    script = "(voice_cmu_us_slt_arctic_hts)\n" + "\n".join(
        f'(utt.save.wave (utt.synth (eval (list \'Utterance \'Text "{text}"))) "{folder}/{place}.wav" \'riff)'
        for place, text in enumerate(texts)
    )
    (folder / "say.scm").write_text(script, "utf-8")
    subprocess.run([festival.find(), "--batch", str(folder / "say.scm")], check=True)
    return waves({text: folder / f"{place}.wav" for place, text in enumerate(texts)})


def of_corpus(folder: Path, kind: str, count: int) -> tuple[Speech, tuple[str, ...]]:
    """Some recordings of a corpus, as the teacher said them or moved. The texts are those of its lines, made unique."""
    rows = [json.loads(row) for row in (folder / "utterances.jsonl").read_text("utf-8").splitlines()]
    fitting = [row for row in rows if bool(row["augmentation"]) == (kind == "moved") and "word" not in row["text"]]
    by_text = {row["text"]: folder / row["audio"] for row in random.Random(0).sample(fitting, min(count, len(fitting)))}
    return waves(by_text), tuple(by_text)


def waves(by_text: dict[str, Path]) -> Callable[[str], tuple[Audio, int]]:
    def speech(text: str) -> tuple[Audio, int]:
        audio, rate = soundfile.read(by_text[text], dtype="float32")
        return np.asarray(audio, np.float32), int(rate)

    return speech


if __name__ == "__main__":
    main()
