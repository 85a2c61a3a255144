"""Options and exit codes that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

INTERRUPTED: Final = 130
"""128 + SIGINT"""


def _folder(text: str) -> Path:
    if not text.strip():  # which would be the working directory
        raise typer.BadParameter("it is empty; name a folder, or leave the option out")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TANDEM_DATA_DIR",
        parser=_folder,
        metavar="PATH",
        help="Where conversations and models are kept.",
    ),
]
Token = Annotated[
    str | None, typer.Option(envvar="TANDEM_TOKEN", show_envvar=True, help="Shared secret of server and clients.")
]
