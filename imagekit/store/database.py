"""The database's file: made whole, opened as what it is, brought up to date, and never made anew over what is there.

The journal is a rollback journal with ``synchronous=FULL``, whatever the SQLite at hand: a write-ahead log is
a property of the file, so that one process with a good SQLite would have another, with one before 3.51.3, run into
the race of resetting it (sqlite.org/wal.html#walresetbug). It also works where there is no shared memory.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.atomic import UNFINISHED, is_disk_full
from imagekit.errors import DiskFull, InputError, StoreBusy, StoreCorrupt, StoreError
from imagekit.store.sql import APPLICATION_ID, MIGRATIONS, QUICK_CHECK

if TYPE_CHECKING:
    import sqlite3

_ELSEWHERE = "XDG_STATE_HOME names another directory for it, one that can be written"

FILE = "store.sqlite"

# What SQLite says, by its messages: Python 3.10 gives no error codes (sqlite.org/rescode.html has the texts).
_BUSY = ("is locked",)
_CORRUPT = (
    "malformed",
    "not a database",
    "encrypted",
    "no such table",
    "no such column",
    "has no column",
    "bad parameter",
)
_FULL = ("disk is full",)
_UNWRITABLE = ("readonly database", "unable to open", "disk I/O error", "attempt to write")


def connect(path: Path, *, patience: float, migrations: Sequence[str] = MIGRATIONS, create: bool) -> sqlite3.Connection:
    """Open the database at ``path``, brought to the last of ``migrations``.

    Where there is none it is made (with ``create``). ``patience`` is how many seconds a lock of another process is
    waited for. Raises ``StoreBusy``, ``StoreCorrupt``, ``DiskFull``, ``StoreError``, and ``FileNotFoundError``
    where there is none and none is to be made.
    """
    with faults(path):
        if not path.exists():
            if not create:
                raise FileNotFoundError(path)
            _make(path, migrations)
        connection = _open(path, patience)
    try:
        with faults(path):
            _bring_up_to_date(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def faults(path: Path) -> Iterator[None]:
    """Says in our words what SQLite and the file system say of the database at ``path``."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if any(words in text for words in _BUSY):
            raise busy(path) from error
        if any(words in text for words in _FULL):
            raise _disk_full(path) from error
        if any(words in text for words in _CORRUPT):
            raise corrupt(path, text) from error
        if any(words in text for words in _UNWRITABLE):
            raise unusable(path, text) from error
        raise StoreError(f"the record of runs {path} cannot be used: {text}", hint=_ELSEWHERE) from error
    except OverflowError as error:
        # SQLite's integers have 64 bits.
        raise InputError("a number is larger than the record of runs can hold", hint="write a smaller one") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        if is_disk_full(error):
            raise _disk_full(path) from error
        raise unusable(path, error.strerror or str(error)) from error


def busy(path: Path) -> StoreBusy:
    return StoreBusy(
        f"another process holds the record of runs {path}", hint=f"try again when it is done (who: fuser -v {path})"
    )


def corrupt(path: Path, why: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"the record of runs {path} is damaged, and is left as it is: {why}",
        hint=f"mv {path} {path}.damaged starts a new one; sqlite3 {path}.damaged .recover may save the old",
    )


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Look at all of the file's structure; some 2 ms for a thousand runs. Raises ``StoreCorrupt``."""
    with faults(path):
        (found,) = connection.execute(QUICK_CHECK).fetchone()
    if found != "ok":
        raise corrupt(path, str(found).splitlines()[-1])


def _open(path: Path, patience: float) -> sqlite3.Connection:
    import sqlite3

    _close_to_others(path)
    name = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # Never "rwc": a file that is taken away in this moment is not to come back empty.
    connection = sqlite3.connect(
        f"file:{name}?mode={'rw' if _is_writable(path) else 'ro'}",
        uri=True,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _tell(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _tell(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise corrupt(path, "no database of imagekit" if path.stat().st_size else "it is empty")
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # Pages are looked at more closely when they are read; a microsecond each.
    connection.execute("PRAGMA cell_size_check = ON")


def _make(path: Path, migrations: Sequence[str]) -> None:
    """Make it aside and link it into place: an empty file there is always one that was cut short."""
    import sqlite3

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    os.close(handle)
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _migrate(connection, migrations, 0)
        finally:
            connection.close()
        with contextlib.suppress(FileExistsError):
            # Another process may have been as quick; then its one is taken.
            os.link(temporary, path)
    finally:
        for leftover in (temporary, f"{temporary}-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = _version(connection)
    if version == len(migrations):
        return
    if 0 < version < len(migrations):
        _migrate(connection, migrations, version)
        return
    if version <= 0:
        raise corrupt(path, f"it says that its schema's version is {version}")
    raise StoreError(
        f"the record of runs {path} was written by a newer imagekit (schema {version}, here {len(migrations)})",
        hint="update imagekit, or point XDG_STATE_HOME elsewhere",
    )


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str], version: int) -> None:
    """All steps in one transaction: a schema is the old one or the new one, also after a power failure."""
    connection.execute("BEGIN EXCLUSIVE")
    try:
        # Another process may have done it while this one waited.
        version = max(version, _version(connection))
        for script in migrations[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        if version < len(migrations):
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    # Not executescript: it commits before it begins.
    import sqlite3

    statement = ""
    for piece in script.split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _close_to_others(path: Path) -> None:
    """Runs tell much of whoever ran them: a file that others could read (a copy, say) is closed to them."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise corrupt(path, "it is no file")
    if stat.S_IMODE(found.st_mode) & 0o077:
        with contextlib.suppress(OSError):
            path.chmod(0o600)


def _disk_full(path: Path) -> DiskFull:
    return DiskFull(f"no space left for {path}", hint=f"free some (df -h {path.parent}), or: imagekit prune")


def unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the record of runs {path} cannot be used: {why}",
        hint=_ELSEWHERE,
    )
