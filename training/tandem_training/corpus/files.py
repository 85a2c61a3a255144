"""Reading other people's files: every error names the file and what to do about it."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from tandem_training.corpus.errors import CorpusError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: Path, encoding: str | None = None) -> str:
    """As asked, else by the byte order mark, else UTF-8. Raises CorpusError if there is no such encoding."""
    if encoding is not None:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise CorpusError(f"there is no encoding {encoding!r}; try latin-1, cp1252 or utf-16") from None
    with path.open("rb") as file:
        beginning = file.read(4)
    return next((name for mark, name in _MARKS if beginning.startswith(mark)), "utf-8")


def read_text(path: Path, encoding: str | None = None) -> str:
    """The whole file. Raises CorpusError for one in another encoding."""
    name = encoding_of(path, encoding)
    try:
        return path.read_text(name)
    except UnicodeError as error:
        raise _undecodable(path, name) from error


def read_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end), one after the other, so that the file may be huge. Raises CorpusError."""
    name = encoding_of(path, encoding)
    try:
        with path.open(encoding=name, newline=None) as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\n")
    except UnicodeError as error:
        raise _undecodable(path, name) from error


def read_json(path: Path) -> Any:
    """Raises CorpusError for what is not JSON."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path.name}, line {error.lineno}: not JSON ({error.msg})") from error
    except RecursionError:
        raise CorpusError(f"{path.name} is nested too deeply") from None


def read_xml(path: Path) -> ET.Element:
    """The root element. Raises CorpusError for what is not XML."""
    try:
        # ElementTree fetches no external entities, and expat stops those that multiply.
        return ET.parse(path).getroot()  # noqa: S314
    except ET.ParseError as error:
        raise CorpusError(f"{path.name}: not XML ({error})") from error


def read_table(path: Path, encoding: str | None = None) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line number, column -> value) of a table with a head, columns by comma, semicolon or tab; names in small
    letters. Raises CorpusError."""
    name = encoding_of(path, encoding)
    try:
        with path.open(encoding=name, newline="") as file:
            head = file.readline()
            if not head.strip():
                raise CorpusError(f"{path.name} is empty")
            delimiter = max(",;\t", key=head.count)
            columns = [column.strip().lower() for column in next(csv.reader([head], delimiter=delimiter))]
            reader = csv.reader(file, delimiter=delimiter)
            for cells in reader:
                if cells:
                    yield reader.line_num + 1, dict(zip(columns, cells, strict=False))
    except csv.Error as error:
        raise CorpusError(f"{path.name}: not a table ({error}); is a quotation mark left open?") from error
    except UnicodeError as error:
        raise _undecodable(path, name) from error


def seconds(text: str | float | None, where: str) -> float:
    """A time from a file. Raises CorpusError for what is none: empty, negative, NaN, a decimal comma."""
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise CorpusError(f"{where}: {text!r} is no time in seconds") from None
    if not 0.0 <= value < 1e7:  # NaN is neither
        raise CorpusError(f"{where}: {text!r} is no time in seconds from 0 up")
    return value


def find(root: Path, pattern: str, what: str) -> list[Path]:
    """Files below a folder, or the one file that was named, sorted. Raises CorpusError if there are none."""
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise CorpusError(f"there is no {root}")
    found = sorted(path for path in root.rglob(pattern) if path.is_file() and not path.name.startswith("."))
    if not found:
        raise CorpusError(f"no {what} ({pattern}) in {root}; is it the right folder?")
    return found


def _undecodable(path: Path, name: str) -> CorpusError:
    return CorpusError(f"{path.name} is not in {name}; name its encoding, for example --encoding latin-1")
