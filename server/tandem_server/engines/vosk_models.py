"""The Vosk models that can be fetched by name, as Alpha Cephei publishes them under Apache-2.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASE_URL: Final = "https://alphacephei.com/vosk/models"
DEFAULT: Final = "vosk-model-small-en-us-0.15"


@dataclass(frozen=True, slots=True)
class VoskModel:
    language: str
    megabytes: int
    """Of the archive, about; unpacked it is half as much again."""
    sha256: str | None = None
    """Of the archive, where several distributions have pinned the same one independently (Arch, Yocto, Homebrew).
    None: there is only what the publisher's own model-list.json says, which is its size and MD5."""


MODELS: Final[dict[str, VoskModel]] = {
    DEFAULT: VoskModel("US English, small", 41, "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498"),
    "vosk-model-en-us-0.22-lgraph": VoskModel(
        "US English, medium", 131, "d9838b4aaa82a75c4a17f5aca300eaca129aaab2a7cbf951bafbb500eb9c4334"
    ),
    "vosk-model-en-us-0.22": VoskModel(
        "US English, large", 1913, "47f9a81ebb039dbb0bd319175c36ac393c0893b796c2b6303e64cf58c27b69f6"
    ),
    "vosk-model-small-cn-0.22": VoskModel("Chinese, small", 44),
    "vosk-model-small-de-0.15": VoskModel("German, small", 46),
    "vosk-model-small-es-0.42": VoskModel("Spanish, small", 40),
    "vosk-model-small-fr-0.22": VoskModel("French, small", 42),
    "vosk-model-small-hi-0.22": VoskModel("Hindi, small", 44),
    "vosk-model-small-it-0.22": VoskModel("Italian, small", 50),
    "vosk-model-small-ja-0.22": VoskModel("Japanese, small", 50),
    "vosk-model-small-nl-0.22": VoskModel("Dutch, small", 41),
    "vosk-model-small-pt-0.3": VoskModel("Portuguese, small", 32),
    "vosk-model-small-ru-0.22": VoskModel("Russian, small", 46),
}
