"""The database of one directory, as those who keep something in it use it: opened late, one thread at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

# How long another process's lock is waited for before ``StoreBusy``.
PATIENCE = 10.0


class StoreFile:
    """Nothing is touched before it is used. What is not there is made by the first writer, and is empty to readers."""

    def __init__(self, directory: Path, patience: float = PATIENCE) -> None:
        self.directory = directory
        self._patience = patience
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        """The database's file."""
        from imagekit.store.database import FILE

        return self.directory / FILE

    def close(self) -> None:
        with self._guard:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """What a statement that changes nothing finds."""
        from imagekit.store.database import faults

        with self._guard:
            connection = self._opened(create=False)
            if connection is None:
                return []
            with faults(self.path):
                return connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when the block ends, and undone where it raises."""
        from imagekit.store.database import faults, unusable

        with self._guard:
            connection = self._opened(create=True)
            if connection is None:
                # A link that leads nowhere, or a directory that is taken away in this moment.
                raise unusable(self.path, "it cannot be made")
            with faults(self.path):
                # Immediate: two that read first and then both wanted to write could never wait for each other.
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    def verify(self) -> None:
        """Read the whole structure of the database. Raises ``StoreCorrupt``."""
        from imagekit.store.database import check

        with self._guard:
            connection = self._opened(create=False)
            if connection is not None:
                check(connection, self.path)

    def _opened(self, *, create: bool) -> sqlite3.Connection | None:
        from imagekit.store.database import connect

        if self._connection is None:
            with contextlib.suppress(FileNotFoundError):
                self._connection = connect(self.path, patience=self._patience, create=create)
        return self._connection
