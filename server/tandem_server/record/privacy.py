"""Records are for the user the server runs as and nobody else, wherever the system knows such rights (POSIX)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = 0o700
FILE: Final = 0o600
OTHERS: Final = 0o007


def make_private_folder(folder: Path) -> None:
    """Make it if it is missing; one that is there keeps the rights it was given. Raises OSError."""
    folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make the database file if it is missing. One that everybody may read was made without a thought (by an earlier
    version) and becomes its owner's; rights of a group alone were given by an operator and stay. SQLite makes its -wal
    and -shm files with the rights of the database. What cannot be done is left to SQLite, which says why when it opens
    the file."""
    if os.name != "posix":
        return
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, FILE))
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):
            if one.is_file() and one.stat().st_mode & OTHERS:
                one.chmod(FILE)
