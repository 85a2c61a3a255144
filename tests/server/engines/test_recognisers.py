from __future__ import annotations

from pathlib import Path

import pytest

from tandem_server.engines.recognisers import make_recogniser
from tandem_server.engines.vosk_models import DEFAULT
from tandem_server.errors import ConfigurationError


def make_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    for part in ("final.mdl", "mfcc.conf"):
        (folder / part).touch()


def test_auto_is_pocketsphinx_until_the_small_english_model_is_there(tmp_path: Path) -> None:
    assert make_recogniser("auto", tmp_path).name == "pocketsphinx (US English)"
    make_model(tmp_path / DEFAULT)
    assert make_recogniser("auto", tmp_path).name == f"vosk ({DEFAULT})"


def test_pocketsphinx_can_be_asked_for(tmp_path: Path) -> None:
    make_model(tmp_path / DEFAULT)
    assert make_recogniser("pocketsphinx", tmp_path).name == "pocketsphinx (US English)"


def test_vosk_takes_a_folder(tmp_path: Path) -> None:
    make_model(tmp_path / "mine")
    assert make_recogniser(f"vosk:{tmp_path / 'mine'}", Path("elsewhere")).name == "vosk (mine)"


def test_vosk_takes_the_name_of_a_fetched_model(tmp_path: Path) -> None:
    make_model(tmp_path / "vosk-model-small-de-0.15")
    assert make_recogniser("vosk:vosk-model-small-de-0.15", tmp_path).name == "vosk (vosk-model-small-de-0.15)"


def test_a_published_model_that_was_not_fetched_says_how(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tandem models fetch vosk-model-small-de"):
        make_recogniser("vosk:vosk-model-small-de-0.15", tmp_path)


async def test_the_fake_hears_something_every_time(tmp_path: Path) -> None:
    stream = await make_recogniser("fake", tmp_path).open(lambda _: None)
    for _ in range(10):
        stream.feed(bytes(3200))
        assert (await stream.finish()).text


@pytest.mark.parametrize("setting", ["", "whisper", "pocketsphinx:en", "vosk", "vosk:", "fake:x", "auto:x"])
def test_anything_else_names_the_choices(setting: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="auto, pocketsphinx, vosk:FOLDER, vosk:NAME, fake"):
        make_recogniser(setting, tmp_path)
