"""Database errors in plain words: which database, what is wrong, what to do."""

from __future__ import annotations

from typing import Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, StatementError

from tandem_server.errors import DamagedRowError, StoreError

ADVICE: Final = (
    ("SQLITE_FULL", "the disk is full; free some space, then start again"),
    ("SQLITE_BUSY", "another program holds it locked; close that program, or use another file"),
    ("SQLITE_LOCKED", "another program holds it locked; close that program, or use another file"),
    ("SQLITE_READONLY", "it is read-only; make the file and its folder writable for this user"),
    ("SQLITE_PERM", "this user may not open it; make the file and its folder writable"),
    ("SQLITE_AUTH", "this user may not open it; make the file and its folder writable"),
    ("SQLITE_CANTOPEN", "it cannot be opened; make sure that its folder exists and is writable, and that it is a file"),
    ("SQLITE_NOTADB", "it is not an SQLite database; choose another file, or move this one away to start afresh"),
    ("SQLITE_CORRUPT", "the file is damaged; restore a backup, or save what can be read with `sqlite3 FILE .recover`"),
    ("SQLITE_IOERR", "the disk reported an error; check the disk, and that the file is not on a network share"),
    ("SQLITE_ERROR", "its tables are not ours; choose another file, or move this one away to start afresh"),
)
"""Beginning of SQLite's error name -> what it means to an operator."""


def store_error(error: Exception, place: str) -> StoreError:
    """The StoreError that tells an operator what happened at `place`."""
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", "")
    for beginning, advice in ADVICE:
        if name.startswith(beginning):
            return StoreError(f"{place}: {advice} ({cause})")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreError(f"{place}: the connection was lost ({cause}); is the database server running?")
    if isinstance(cause, OSError):
        return StoreError(f"{place}: cannot be reached ({cause}); is the database server running?")
    if isinstance(cause, (TypeError, ValueError)):
        return StoreError(f"{place}: the record cannot be stored: {cause}")
    return StoreError(f"{place}: {cause}")


def damaged_row(table: str, name: str, told: str) -> DamagedRowError:
    """The error for one row that cannot be read, while the others can."""
    return DamagedRowError(f"{name!r} in the table {table} is damaged ({told}); restore a backup, or delete that row")


def place_of(url: URL) -> str:
    """The database for people: a file, or a URL without its password."""
    if url.get_backend_name() == "sqlite":
        return f"database file {url.database}"
    return f"database {url.render_as_string(hide_password=True)}"
