"""uv's ``[[index]]`` entries, of a ``pyproject.toml`` and of a ``uv.toml`` (docs.astral.sh/uv, "Indexes")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InvalidRequirement
from imagekit.spec.image import NamedIndex
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.url import refuse_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class UvIndex:
    """One entry."""

    url: str
    name: str | None = None
    explicit: bool = False
    default: bool = False
    flat: bool = False  # a place of files

    @property
    def named(self) -> NamedIndex | None:
        """It as an index with a name, where it has one."""
        return NamedIndex(name=self.name, url=self.url, explicit=self.explicit) if self.name is not None else None


def uv_indexes(table: TypedTable, base: Path) -> list[UvIndex]:
    """The entries of ``table``; paths begin at ``base``. What is wrong is noted in ``table``."""
    found: list[UvIndex] = []
    for entry in table.tables("index", single=True):
        url = entry.text("url")
        if url is None:
            if "url" not in entry:
                entry.wrong("an index has no url", 'write url = "https://HOST/simple"')
            continue
        if "://" not in url and (path := absolute(base, url)) is not None:
            url = path.as_uri()
        checked_url(table, url, *entry.keys[len(table.keys) :], "url")
        found.append(
            UvIndex(
                url=url,
                name=entry.text("name"),
                explicit=entry.flag("explicit") is True,
                default=entry.flag("default") is True,
                flat=entry.text("format") == "flat",
            )
        )
    return found


def checked_url(table: TypedTable, url: str, *keys: str | int) -> str:
    """``url``; one with a credential in it is noted, and not shown."""
    try:
        refuse_credentials(url, table.origin(*keys))
    except InvalidRequirement as problem:
        table.problems.append(problem)
    return url


def absolute(base: Path, path: str) -> Path | None:
    """``path``, which begins at ``base``, its links followed; ``None`` for what is no path."""
    try:
        return (base / path).resolve()
    except (ValueError, OSError, RuntimeError):
        return None
