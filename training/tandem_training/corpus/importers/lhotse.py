"""lhotse manifests: `*recordings*.jsonl` and `*supervisions*.jsonl`, also gzipped, as its more than 100 recipes write.

Recording: id, sources [{type, channels, source}]; supervision: recording_id, start, duration, channel, text, speaker,
gender, language, alignment {"word": [[symbol, start, duration, score], ...]}. lhotse itself is not needed.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tandem_training.corpus.dialogue import Dialogue, Options, Planned, Segment
from tandem_training.corpus.errors import CorpusError
from tandem_training.corpus.files import find
from tandem_training.corpus.manifest import Word
from tandem_training.corpus.pairing import Track, heard

Entry = Mapping[str, Any]
_GENDERS: Final = {"male": "m", "female": "f", "m": "m", "f": "f"}


def plan(root: Path, options: Options) -> list[Planned]:
    recordings: dict[str, Entry] = {}
    for path in find(root, "*recordings*.jsonl*", "lhotse recordings"):
        recordings |= {str(entry["id"]): entry for entry in _entries(path)}
    supervisions: defaultdict[str, list[Entry]] = defaultdict(list)
    for path in find(root, "*supervisions*.jsonl*", "lhotse supervisions"):
        for entry in _entries(path):
            supervisions[str(entry["recording_id"])].append(entry)
    sounds = options.sounds(root)
    return [Planned(name, partial(_read, name, some, recordings, sounds)) for name, some in supervisions.items()]


def _entries(path: Path) -> Iterator[Entry]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
                number += 1
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path.name}, line {number + 1}: {error}; is the file cut off?") from error


def _read(name: str, supervisions: list[Entry], recordings: Mapping[str, Entry], sounds: Path) -> Dialogue:
    if name not in recordings:
        raise CorpusError("its supervisions are there, and no recording")
    segments = [_segment(entry, recordings[name], sounds) for entry in supervisions]
    languages = {entry.get("language") for entry in supervisions} - {None}
    return Dialogue(name, segments, lang=_code(languages.pop()) if len(languages) == 1 else None)


def _segment(entry: Entry, recording: Entry, sounds: Path) -> Segment:
    if entry.get("speaker") is None:
        raise CorpusError(f"supervision {entry['id']} has no speaker")
    start, channels = float(entry["start"]), entry.get("channel", 0)
    channel = channels[0] if isinstance(channels, list) else channels
    end = start + float(entry["duration"])
    segment = Segment(
        str(entry["speaker"]),
        entry.get("text"),
        start,
        end,
        words=_words(entry, start, end),
        role=str(channel),
        gender=_GENDERS.get(str(entry.get("gender")).lower()),
    )
    return heard(segment, _track(recording, channel, sounds))


def _track(recording: Entry, channel: int, sounds: Path) -> Track:
    for source in recording["sources"]:
        if channel in source["channels"]:
            if source["type"] != "file":
                raise CorpusError(f"its audio is a {source['type']}, not a file; make files of it with `lhotse copy`")
            return Track(sounds / source["source"], source["channels"].index(channel))
    raise CorpusError(f"recording {recording['id']} has no channel {channel}")


def _words(entry: Entry, start: float, end: float) -> tuple[Word, ...] | None:
    """Alignment items are [symbol, start, duration, score]; their times are the recording's."""
    items = (entry.get("alignment") or {}).get("word") or []
    found = [(str(item[0]), float(item[1]), float(item[1]) + float(item[2])) for item in items if str(item[0]).strip()]
    return tuple((word, max(one, start), min(two, end)) for word, one, two in found) or None


def _code(language: Any) -> str:
    """lhotse writes names in English."""
    return {"english": "en", "spanish": "es", "german": "de", "french": "fr"}.get(str(language).lower(), str(language))
