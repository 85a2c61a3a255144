"""What may stand in a setting, written as people write it: paths, keys, origins, names of variables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from tandem_server.errors import ConfigurationError

PREFIX: Final = "TANDEM_"
OTHERS: Final = frozenset({"TANDEM_URL", "TANDEM_DEBUG", "TANDEM_SHARED"})
"""Variables of ours that the server does not read: the client's two, and the tests' folder of recordings."""
_ORCHESTRATION: Final = re.compile(r"TANDEM_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_\w+)")
"""What Kubernetes sets in every container beside a service whose name begins with `tandem`"""
_HEADER: Final = re.compile(r"[\x21-\x7e]+")
"""What an HTTP header can carry as a bearer token: visible ASCII without spaces."""
_DEFAULT_PORTS: Final[Mapping[str, str]] = {"http": ":80", "https": ":443"}


def check_names(environment: Iterable[str], settings: Collection[str]) -> None:
    """Raises ConfigurationError for a variable that nobody reads: it is misspelt, and would be passed over."""
    known = {f"{PREFIX}{name.upper()}" for name in settings}
    for name in sorted(environment):
        wanted = name.upper()
        if not wanted.startswith(PREFIX) or wanted in known | OTHERS or _ORCHESTRATION.fullmatch(wanted):
            continue
        near = difflib.get_close_matches(wanted.removeprefix(PREFIX).lower(), settings, n=1)
        meant = f"did you mean {PREFIX}{near[0].upper()}?" if near else "the README lists all settings."
        raise ConfigurationError(f"there is no setting {name}: {meant} Correct or unset it")


def sendable(key: str) -> str:
    """A key without the line end it was pasted with. Raises ConfigurationError, and never shows the key."""
    stripped = key.strip()
    if stripped and not _HEADER.fullmatch(stripped):
        raise ConfigurationError(
            "setting api_key (TANDEM_API_KEY, or OPENAI_API_KEY): it holds a space, a line end or a sign outside "
            "ASCII, which no HTTP header carries; copy the key again"
        )
    return stripped


def _path(value: object) -> object:
    """As a shell would read it: ~ is the home folder; nothing is no path."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("it is empty; name a path, or unset it")
    return Path(value).expanduser() if isinstance(value, str | Path) else value


def _origin(text: str) -> str:
    """As browsers send it: lower case, no path, no port that goes without saying."""
    origin = text.strip().lower().rstrip("/")
    try:
        parts = urlsplit(origin)
        parts.port  # noqa: B018  raises for one that is none
    except ValueError:
        raise ValueError(f"{text!r} is no origin; write it as https://example.org") from None
    if origin != "null" and (not parts.scheme or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}"):
        raise ValueError(f"{text!r} is no origin; write it as https://example.org")
    return origin.removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))


def _host(text: str) -> str:
    """The name in a Host header, without scheme and port."""
    try:
        name = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        name = None
    if not name:
        raise ValueError(f"{text!r} is no host name; write it as talk.example.org")
    return name


def _trimmed(secret: SecretStr) -> SecretStr:
    return SecretStr(secret.get_secret_value().strip())


FilePath = Annotated[Path, BeforeValidator(_path)]
Origin = Annotated[str, AfterValidator(_origin)]
Host = Annotated[str, AfterValidator(_host)]
Secret = Annotated[SecretStr, AfterValidator(_trimmed)]
"""Without the line end of the file it came from"""
