"""Fetches a published Vosk model: download with resume, checksum, unpacking, one rename into place.

Blocking: for the command line, before the server runs. Nothing is ever taken on trust at first use: an archive whose
SHA-256 we know must have it; any other must have the size and MD5 that the publisher's model-list.json states over
https, which guards against a damaged transfer but not against the publisher's own server.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import stat
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, NoReturn

import httpx

from tandem_server.engines.vosk import check_model
from tandem_server.engines.vosk_models import BASE_URL, DEFAULT, MODELS
from tandem_server.errors import ConfigurationError, EngineUnavailable

Progress = Callable[[int, int | None], None]
"""Bytes so far, and in all where that is known."""

CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 10.0
ATTEMPTS: Final = 5
"""Connections that may break in one download, if each brought something."""
PATIENCE_S: Final = 120.0
"""How long a first start waits for its model: 40 MB need 3 Mbit/s. What has come is kept for the next start."""

MAX_FILES: Final = 1000
MAX_UNPACKED: Final = 8 << 30
"""Bytes; the largest model published has 2.7 GB in 20 files."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Digest:
    """What an archive must be."""

    algorithm: str
    value: str
    size: int | None = None


def fetch(
    name: str,
    folder: Path,
    *,
    base_url: str = BASE_URL,
    progress: Progress = lambda _done, _total: None,
    patience_s: float | None = None,
) -> Path:
    """The model's own folder in `folder`, fetched unless it is there. Runs at the same time wait for one another.

    Raises ConfigurationError for an unknown name, EngineUnavailable, with what to do, for everything else.
    """
    if name not in MODELS:
        raise ConfigurationError(f"no Vosk model is called {name!r}; there are: {', '.join(MODELS)}")
    target = folder / name
    with _explained(name, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / f".{name}.lock"):
            if not target.exists():  # it is only ever renamed into place, whole
                deadline = time.monotonic() + patience_s if patience_s else None
                _fetch(name, target, base_url, progress, deadline)
    return target


def _fetch(name: str, target: Path, base_url: str, progress: Progress, deadline: float | None) -> None:
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        digest = _digest(client, name, base_url)
        download = Download(client, f"{base_url}/{name}.zip", target.with_name(f".{name}.zip.part"), digest)
        download.run(progress, deadline)
    _verify(download.part, digest)
    _unpack(download.part, target)
    download.discard()


def prepare_default_model(
    folder: Path,
    *,
    download: bool,
    say: Callable[[str], None],
    base_url: str = BASE_URL,
    progress: Progress = lambda _done, _total: None,
) -> Path | None:
    """The default model, fetched at the first start if `download` and the network lets it; None: do without.

    Says in plain words what it does; raises nothing for a network that is not there.
    """
    target = folder / DEFAULT
    if target.exists():
        return target
    if not download:
        say(f"The speech recognition model {DEFAULT} is not here, and fetching it is switched off.")
        return None
    say(f"Fetching the speech recognition model {DEFAULT} ({MODELS[DEFAULT].megabytes} MB, once) from {base_url} ...")
    try:
        fetch(DEFAULT, folder, base_url=base_url, progress=progress, patience_s=PATIENCE_S)
    except EngineUnavailable as error:
        say(f"{error} The next start tries again.")
        return None
    say(f"The model is in {target}.")
    return target


def _digest(client: httpx.Client, name: str, base_url: str) -> Digest:
    if sha256 := MODELS[name].sha256:
        return Digest("sha256", sha256)
    url = f"{base_url}/model-list.json"
    response = client.get(url)
    response.raise_for_status()
    if response.url.scheme != "https" and response.url.host not in LOOPBACK:
        raise EngineUnavailable(f"{url} is not served over https, so what it states proves nothing.", stage="asr")
    try:
        entry = next(entry for entry in response.json() if entry["name"] == name)
        return Digest("md5", str(entry["md5"]), int(entry["size"]))
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        raise EngineUnavailable(f"{url} states no checksum for {name}; nothing was fetched.", stage="asr") from error


class Download:
    """One archive into a `.part` file, which a later run continues if the server still has the same file."""

    def __init__(self, client: httpx.Client, url: str, part: Path, digest: Digest) -> None:
        self._client = client
        self._url = url
        self.part = part
        self._digest = digest
        self._validator = part.with_suffix(".validator")
        """The ETag (or date) of the file that `part` began: the server is asked to go on only if it is unchanged."""

    def run(self, progress: Progress, deadline: float | None) -> None:
        """Download to the end, over as many connections as it takes. Raises EngineUnavailable and httpx errors."""
        for _ in range(ATTEMPTS - 1):
            before = self._have()
            try:
                self._continue(progress, deadline)
            except httpx.TransportError:
                if self._have() == before:
                    raise
            else:
                return
        self._continue(progress, deadline)

    def discard(self) -> None:
        self.part.unlink()
        self._validator.unlink(missing_ok=True)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, progress: Progress, deadline: float | None) -> None:
        have = self._have()
        headers = {"Accept-Encoding": "identity"}
        if have and self._validator.exists():
            headers |= {"Range": f"bytes={have}-", "If-Range": self._validator.read_text()}
        with self._client.stream("GET", self._url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # nothing after what we have; the checksum decides
            response.raise_for_status()
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            if resumed and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                raise EngineUnavailable(f"{self._url} answered with another part than was asked for.", stage="asr")
            self._receive(response, have if resumed else 0, progress, deadline)

    def _receive(self, response: httpx.Response, have: int, progress: Progress, deadline: float | None) -> None:
        length = response.headers.get("content-length")
        total = have + int(length) if length else self._digest.size
        _require_room(self.part.parent, (total or 0) - have)
        if not have:
            self._remember(response)
        with self.part.open("ab" if have else "wb") as file:
            progress(have, total)
            for chunk in response.iter_raw():  # as it comes: a broken connection then loses nothing
                have += file.write(chunk)
                progress(have, total)
                self._check(have, deadline)

    def _check(self, have: int, deadline: float | None) -> None:
        if have > MAX_UNPACKED:
            raise EngineUnavailable(f"{self._url} does not end.", stage="asr")
        if deadline is not None and time.monotonic() > deadline:
            raise EngineUnavailable(f"{self._url} comes slowly; the {have >> 20} MB so far are kept.", stage="asr")

    def _remember(self, response: httpx.Response) -> None:
        tag = response.headers.get("etag", "")
        validator = response.headers.get("last-modified", "") if tag.startswith("W/") or not tag else tag
        if validator:
            self._validator.write_text(validator)
        else:
            self._validator.unlink(missing_ok=True)


def _verify(archive: Path, digest: Digest) -> None:
    with archive.open("rb") as file:
        value = hashlib.file_digest(file, digest.algorithm).hexdigest()
    if value != digest.value or (digest.size is not None and archive.stat().st_size != digest.size):
        archive.unlink()
        raise EngineUnavailable(
            f"The archive that was fetched is damaged or not the one published ({digest.algorithm} {value}, not "
            f"{digest.value}); it was deleted. Try again, or from another network.",
            stage="asr",
        )


def _unpack(archive: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        with zipfile.ZipFile(archive) as opened:
            top = _checked(opened)
            _require_room(target.parent, sum(member.file_size for member in opened.infolist()))
            opened.extractall(scratch)
        check_model(Path(scratch) / top)
        (Path(scratch) / top).rename(target)


def _checked(archive: zipfile.ZipFile) -> str:
    """The one folder that everything is in. Raises EngineUnavailable for an archive that wants to be anywhere else."""
    members = archive.infolist()
    paths = [PurePosixPath(member.filename.replace("\\", "/")) for member in members]
    inside = all(not path.is_absolute() and ".." not in path.parts and ":" not in str(path) for path in paths)
    plain = all(stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR) for member in members)
    tops = {path.parts[0] for path in paths if path.parts}
    bounded = len(members) <= MAX_FILES and sum(member.file_size for member in members) <= MAX_UNPACKED
    if not (inside and plain and bounded and len(tops) == 1):
        raise EngineUnavailable(f"{archive.filename} is not an archive of one model folder; not unpacked.", stage="asr")
    return tops.pop()


def _require_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed >> 20} MB needed")


@contextlib.contextmanager
def _explained(name: str, folder: Path) -> Iterator[None]:
    """Errors of the network, the disk and the archive, in words for whoever is waiting."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        _explain(f"{error.request.url} answered {error.response.status_code}.", error)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        _explain(f"{error.request.url.host} cannot be reached: no network?", error)
    except httpx.HTTPError as error:
        _explain(f"The connection broke while {name} was fetched; what has come is kept: try again.", error)
    except (zipfile.BadZipFile, ConfigurationError) as error:
        _explain(f"The archive of {name} does not hold a model.", error)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _explain(f"{'The disk is full' if full else 'Cannot write'}: {folder}: {error.strerror}.", error)


def _explain(message: str, error: Exception) -> NoReturn:
    raise EngineUnavailable(message, stage="asr") from error


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time; the file stays, because deleting it would let two in."""
    with path.open("a") as file:
        _lock_file(file)
        yield  # closing the file gives the lock back, and so does the end of the process


if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock_file(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
