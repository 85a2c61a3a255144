"""From a corpus as it lies on disk into the manifest. What is wrong with one dialogue is listed and stops no other."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from tandem_models.prosody import NAMES
from tandem_training.corpus.dialogue import Dialogue, Options, Planned
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.features import Row, fingerprint, read_table, require_version, write_table
from tandem_training.corpus.folder import Corpus, Source
from tandem_training.corpus.registry import IMPORTERS
from tandem_training.corpus.turns import MadeTurn, make_turns

Progress = Callable[[int, int, str], None]
"""(dialogues read, dialogues found, the one just read)"""
_NOT_LAID_OUT: Final = (ValueError, LookupError, TypeError, AttributeError)
"""What Python says of content that is not laid out as documented"""


@dataclass(slots=True)
class Imported:
    """What became of a corpus."""

    dialogues: int = 0
    turns: int = 0
    speakers: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(file or dialogue, why)"""
    local_speakers: bool = False
    """Whether speakers were taken as new in every dialogue"""


def import_corpus(
    importer: str,
    root: Path,
    folder: Path,
    *,
    name: str | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read the corpus at `root` into the one at `folder`, in place of what its source (`name`) had there.

    Raises CorpusError for a folder that is not such a corpus, and if no dialogue of it can be used.
    """
    if importer not in IMPORTERS:
        raise CorpusError(f"there is no importer {importer!r}; there are {', '.join(IMPORTERS)}")
    if not root.exists():
        raise CorpusError(f"there is no {root}; name the folder, or the file, that holds the corpus")
    chosen = options or Options()
    if chosen.audio is not None and not chosen.audio.is_dir():
        raise CorpusError(f"there is no folder {chosen.audio}; --audio names the one that holds the recordings")
    plan = cast(
        "Callable[[Path, Options], Sequence[Planned]]", importlib.import_module(IMPORTERS[importer].module).plan
    )
    corpus = Corpus.open_or_make(folder)
    source, sounds = name or importer, chosen.sounds(root)
    try:
        planned = plan(root, chosen)
    except _NOT_LAID_OUT as error:
        raise CorpusError(f"{root} is not laid out as {importer} is: {_told(error)}") from error
    except OSError as error:
        raise CorpusError(f"cannot read {root}: {error}") from error
    result, made = _read(planned, source, sounds, chosen, progress)
    if not made:
        reasons = "; ".join(f"{where}: {why}" for where, why in result.failures[:3]) or "it has none"
        raise CorpusError(f"no dialogue of {root} can be used: {reasons}")
    corpus.put(source, Source(importer=importer, audio=_relative(sounds, folder)), [one.turn for one in made])
    _put_features(corpus, made)
    result.turns = len(made)
    result.dialogues = len({one.turn.dialogue for one in made})
    result.speakers = len({one.turn.speaker for one in made})
    return result


def _read(
    planned: Sequence[Planned], source: str, sounds: Path, options: Options, progress: Progress | None
) -> tuple[Imported, list[MadeTurn]]:
    result, made, names = Imported(), list[MadeTurn](), set[str]()
    for done, (name, read) in enumerate(planned, 1):
        try:
            dialogue = _as_asked(read(), options)
            if dialogue.id in names:
                raise CorpusError(f"the dialogue {dialogue.id!r} was there before")
            made += make_turns(dialogue, source, sounds)
            names.add(dialogue.id)
            result.local_speakers |= dialogue.local_speakers
        except CorpusError as error:
            result.failures.append((name, str(error)))
        except OSError as error:
            result.failures.append((name, f"cannot be read: {error.strerror or error}"))
        except _NOT_LAID_OUT as error:
            result.failures.append((name, f"not laid out as documented: {_told(error)}"))
        if progress is not None:
            progress(done, len(planned), name)
    return result, made


def _as_asked(dialogue: Dialogue, options: Options) -> Dialogue:
    local = dialogue.local_speakers if options.local_speakers is None else options.local_speakers
    return replace(
        dialogue,
        lang=dialogue.lang or options.lang,
        license=options.license or dialogue.license,
        local_speakers=local,
    )


def _put_features(corpus: Corpus, made: Sequence[MadeTurn]) -> None:
    """What the corpus had measured itself goes to the table of whatever measured it, in place of an earlier import."""
    given = [(one.turn, one.measured) for one in made if one.measured is not None]
    dialogues = {one.turn.dialogue for one in made}
    for version in sorted({measured.version for _, measured in given}):
        path = corpus.table(require_version(version))
        kept = {
            key: row
            for key, row in read_table(path, version).items()
            if not (row.origin == "given" and row.dialogue in dialogues)
        }
        for turn, measured in given:
            if measured.version == version:
                kept[turn.key] = Row(
                    dialogue=turn.dialogue,
                    turn=turn.turn,
                    version=version,
                    measured_on=fingerprint(turn),
                    origin="given",
                    values=tuple(measured.values.get(name) for name in NAMES),
                    duration=None if turn.start is None or turn.end is None else turn.end - turn.start,
                    voiced=measured.voiced,
                    flags=measured.flags,
                )
        write_table(path, kept.values())


def _relative(sounds: Path, folder: Path) -> str:
    """The audio folder as corpus.json has it: relative where it lies inside the corpus, so that both may move."""
    inside = sounds.resolve().is_relative_to(folder.resolve())
    return os.path.relpath(sounds.resolve(), folder.resolve()) if inside else str(sounds.resolve())


def _told(error: Exception) -> str:
    return f"{type(error).__name__} {error}"
