"""Against a server on this machine, over real sockets."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import stat
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tandem_server import model_fetch
from tandem_server.engines.vosk_models import DEFAULT, MODELS, VoskModel
from tandem_server.errors import ConfigurationError, EngineUnavailable
from tandem_server.model_fetch import fetch, prepare_default_model

NAME = "vosk-model-small-de-0.15"
PARTS = ("am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/HCLG.fst")


def archive(name: str = NAME, extra: Mapping[str, bytes] = {}) -> bytes:
    """A model of 400 kB that does not compress."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for part in PARTS:
            file.writestr(f"{name}/{part}", np.random.default_rng(0).bytes(100_000))
        for path, data in extra.items():
            file.writestr(path, data)
    return buffer.getvalue()


@dataclass
class Site:
    """What the server has and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"one"'
    ranges: bool = True
    drop_after: list[int] = field(default_factory=list)
    """For one archive request after another: the connection breaks after so many bytes."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    url: str = ""

    def publish(self, data: bytes, name: str = NAME, wrong: Mapping[str, object] = {}) -> None:
        entry = {"name": name, "md5": hashlib.md5(data).hexdigest(), "size": len(data), **wrong}
        self.files = {f"/{name}.zip": data, "/model-list.json": json.dumps([entry]).encode()}

    def archive_requests(self) -> list[str | None]:
        return [span for path, span in self.asked if path.endswith(".zip")]


def handler_for(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Range"]))
            data = site.files.get(self.path)
            if data is None:
                return self.send_error(404)
            start = self._start(data)
            if start is not None and start >= len(data):
                return self.send_error(416)
            self.send_response(200 if start is None else 206)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if site.etag:
                self.send_header("ETag", site.etag)
            body = data[start or 0 :]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.path.endswith(".zip") and site.drop_after:
                body = body[: site.drop_after.pop(0)]
                self.close_connection = True
            self.wfile.write(body)
            return None

        def _start(self, data: bytes) -> int | None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            if not (site.ranges and asked and self.headers["If-Range"] == site.etag):
                return None
            return int(asked[1])

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    return Handler


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(site)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(Site()) as site:
        site.publish(archive())
        yield site


def left_over(folder: Path) -> set[str]:
    """Everything in the folder but the models and the lock."""
    return {path.name for path in folder.iterdir() if path.name.startswith(".") and path.suffix != ".lock"}


def test_a_model_is_fetched_checked_and_unpacked(site: Site, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    folder = fetch(NAME, tmp_path / "models", base_url=site.url, progress=lambda *step: steps.append(step))
    assert folder == tmp_path / "models" / NAME
    assert all((folder / part).stat().st_size == 100_000 for part in PARTS)
    total = len(site.files[f"/{NAME}.zip"])
    assert steps[0] == (0, total)
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)
    assert left_over(tmp_path / "models") == set()


def test_what_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(NAME, tmp_path, base_url=site.url)
    asked = len(site.asked)
    fetch(NAME, tmp_path, base_url=site.url)
    assert len(site.asked) == asked


def test_a_dropped_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.drop_after = [150_000, 100_000]
    fetch(NAME, tmp_path, base_url=site.url)
    assert site.archive_requests() == [None, "bytes=150000-", "bytes=250000-"]


def test_a_later_run_takes_up_what_an_earlier_one_had(site: Site, tmp_path: Path) -> None:
    site.drop_after = [150_000, 0]
    with pytest.raises(EngineUnavailable, match=r"connection broke.*try again"):
        fetch(NAME, tmp_path, base_url=site.url)
    fetch(NAME, tmp_path, base_url=site.url)
    assert site.archive_requests() == [None, "bytes=150000-", "bytes=150000-"]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(site: Site, tmp_path: Path) -> None:
    site.drop_after = [150_000, 0]
    with pytest.raises(EngineUnavailable):
        fetch(NAME, tmp_path, base_url=site.url)
    site.publish(archive(extra={f"{NAME}/README": b"changed"}))
    site.etag = '"two"'
    assert (fetch(NAME, tmp_path, base_url=site.url) / "README").read_bytes() == b"changed"


def test_a_server_without_ranges_is_asked_for_the_whole(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.drop_after = [150_000]
    fetch(NAME, tmp_path, base_url=site.url)
    assert site.archive_requests() == [None, "bytes=150000-"]


def test_a_server_that_does_not_name_its_files_is_asked_for_the_whole(site: Site, tmp_path: Path) -> None:
    site.etag = None
    site.drop_after = [150_000]
    fetch(NAME, tmp_path, base_url=site.url)
    assert site.archive_requests() == [None, None]


def test_a_run_that_ended_before_the_check_is_taken_up_at_the_check(site: Site, tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.zip.part").write_bytes(site.files[f"/{NAME}.zip"])
    (tmp_path / f".{NAME}.zip.validator").write_text('"one"')
    assert fetch(NAME, tmp_path, base_url=site.url).is_dir()


@pytest.mark.parametrize("wrong", [{"md5": "0" * 32}, {"size": 7}])
def test_an_archive_that_is_not_the_published_one_is_deleted(
    site: Site, tmp_path: Path, wrong: dict[str, object]
) -> None:
    site.publish(archive(), wrong=wrong)
    with pytest.raises(EngineUnavailable, match="damaged or not the one published"):
        fetch(NAME, tmp_path, base_url=site.url)
    assert list(tmp_path.glob("*.part")) == []
    assert not (tmp_path / NAME).exists()


def test_a_known_sha256_is_what_counts_and_the_list_is_not_asked_for(site: Site, tmp_path: Path) -> None:
    assert MODELS[DEFAULT].sha256
    site.publish(archive(DEFAULT), DEFAULT)
    with pytest.raises(EngineUnavailable, match=f"sha256 .* not {MODELS[DEFAULT].sha256}"):
        fetch(DEFAULT, tmp_path, base_url=site.url)
    assert [path for path, _ in site.asked] == [f"/{DEFAULT}.zip"]


def test_a_list_that_does_not_know_the_model_means_no_download(site: Site, tmp_path: Path) -> None:
    site.files["/model-list.json"] = b"[]"
    with pytest.raises(EngineUnavailable, match=r"states no checksum.*nothing was fetched"):
        fetch(NAME, tmp_path, base_url=site.url)
    assert site.archive_requests() == []


def test_a_list_without_https_proves_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_fetch, "LOOPBACK", ())
    with pytest.raises(EngineUnavailable, match="not served over https"):
        fetch(NAME, tmp_path, base_url=site.url)


@pytest.mark.parametrize("path", ["../evil", "/evil", f"{NAME}/../../evil", f"{NAME}\\..\\..\\evil", "C:/evil"])
def test_an_archive_that_leaves_its_folder_is_not_unpacked(site: Site, tmp_path: Path, path: str) -> None:
    site.publish(archive(extra={path: b"evil"}))
    with pytest.raises(EngineUnavailable, match="not an archive of one model folder"):
        fetch(NAME, tmp_path / "models", base_url=site.url)
    assert list(tmp_path.rglob("evil")) == []
    assert not (tmp_path / "models" / NAME).exists()


def test_an_archive_with_a_link_is_not_unpacked(site: Site, tmp_path: Path) -> None:
    buffer = io.BytesIO(archive())
    with zipfile.ZipFile(buffer, "a") as file:
        link = zipfile.ZipInfo(f"{NAME}/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc")
    site.publish(buffer.getvalue())
    with pytest.raises(EngineUnavailable, match="not an archive of one model folder"):
        fetch(NAME, tmp_path, base_url=site.url)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_fetch, "MAX_UNPACKED", 450_000)
    site.publish(archive(extra={f"{NAME}/zeros": bytes(100_000)}))
    with pytest.raises(EngineUnavailable):
        fetch(NAME, tmp_path, base_url=site.url)


@pytest.mark.parametrize("data", [b"no archive", archive(NAME + "/deeper")])
def test_an_archive_of_something_else_is_explained(site: Site, tmp_path: Path, data: bytes) -> None:
    site.publish(data)
    with pytest.raises(EngineUnavailable, match="does not hold a model"):
        fetch(NAME, tmp_path, base_url=site.url)
    assert not (tmp_path / NAME).exists()


def test_an_unknown_name_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=DEFAULT):
        fetch("vosk-model-klingon", tmp_path)


def test_a_withdrawn_file_is_explained(site: Site, tmp_path: Path) -> None:
    del site.files[f"/{NAME}.zip"]
    with pytest.raises(EngineUnavailable, match=r"de-0\.15\.zip answered 404"):
        fetch(NAME, tmp_path, base_url=site.url)


def test_no_network_is_explained(tmp_path: Path) -> None:
    with serving(Site()) as site:
        pass  # and is gone again, so that nobody listens at its port
    with pytest.raises(EngineUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
        fetch(NAME, tmp_path, base_url=site.url)


def test_a_full_disk_is_explained(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 1000))
    with pytest.raises(EngineUnavailable, match=f"disk is full: {re.escape(str(tmp_path))}"):
        fetch(NAME, tmp_path, base_url=site.url)


def test_runs_at_the_same_time_fetch_it_once(site: Site, tmp_path: Path) -> None:
    # Threads are as good as processes here: the lock belongs to the open file.
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: fetch(NAME, tmp_path, base_url=site.url), range(3)))
    assert folders == [tmp_path / NAME] * 3
    assert len(site.archive_requests()) == 1


def publish_default(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(DEFAULT)
    site.publish(data, DEFAULT)
    monkeypatch.setitem(MODELS, DEFAULT, VoskModel("test", 1, hashlib.sha256(data).hexdigest()))


def test_the_first_start_fetches_the_default_model_and_says_so(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_default(site, monkeypatch)
    said: list[str] = []
    folder = prepare_default_model(tmp_path, download=True, say=said.append, base_url=site.url)
    assert folder == tmp_path / DEFAULT
    assert "Fetching" in said[0]
    assert site.url in said[0]
    assert str(folder) in said[1]
    assert prepare_default_model(tmp_path, download=True, say=said.append, base_url=site.url) == folder
    assert len(said) == 2, "a model that is there needs no words"


def test_switched_off_nothing_is_asked_for(site: Site, tmp_path: Path) -> None:
    said: list[str] = []
    assert prepare_default_model(tmp_path, download=False, say=said.append, base_url=site.url) is None
    assert site.asked == []
    assert "switched off" in said[0]
    assert "PocketSphinx" not in said[0], "the server says itself which recogniser is in use"


def test_without_a_network_the_first_start_goes_on_without(site: Site, tmp_path: Path) -> None:
    said: list[str] = []
    site.files.clear()
    assert prepare_default_model(tmp_path, download=True, say=said.append, base_url=site.url) is None
    assert "404" in said[1] and "The next start tries again." in said[1]
    assert "PocketSphinx" not in said[1]


def test_a_slow_network_is_left_for_the_next_start(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_default(site, monkeypatch)
    monkeypatch.setattr(model_fetch, "PATIENCE_S", 1e-9)
    said: list[str] = []
    assert prepare_default_model(tmp_path, download=True, say=said.append, base_url=site.url) is None
    assert "comes slowly" in said[1]
    monkeypatch.setattr(model_fetch, "PATIENCE_S", 60.0)
    assert prepare_default_model(tmp_path, download=True, say=said.append, base_url=site.url) is not None
    assert (site.archive_requests()[1] or "").startswith("bytes=")


def test_every_published_model_has_a_pinned_or_a_published_checksum_and_a_size() -> None:
    for model in MODELS.values():
        assert model.megabytes > 0
        assert model.sha256 is None or re.fullmatch("[0-9a-f]{64}", model.sha256)
