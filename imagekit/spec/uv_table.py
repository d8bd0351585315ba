"""``[tool.uv]`` and ``uv.toml``: what decides a resolution (docs.astral.sh/uv, "Settings").

With a ``uv.lock`` uv itself has honoured it. Without one it is honoured here as far as ``uv pip compile`` can be
told of it; what it cannot be told of is refused with its line. Which table counts is uv's rule: constraints and
overrides are the workspace root's, settings those of the ``uv.toml`` or else ``[tool.uv]`` nearest to that root, and
of a member its sources (``uv_sources``) and its groups.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.image import Indexes, RequirementLine
from imagekit.spec.origins import Origins
from imagekit.spec.requirement import parse_requirements
from imagekit.spec.toml import read_toml
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_index import absolute, checked_url, uv_indexes
from imagekit.spec.uv_workspace import find_workspace, is_there, uv_table

# What changes a resolution, or a build, and cannot be passed on.
_NOT_HONOURED = (
    "build-constraint-dependencies",
    "config-settings",
    "config-settings-package",
    "dependency-metadata",
    "exclude-dependencies",
    "exclude-newer-package",
    "extra-build-dependencies",
    "extra-build-variables",
    "no-build-isolation",
    "no-build-isolation-package",
    "no-deps",
    "no-sources",
    "no-sources-package",
    "prerelease-package",
    "torch-backend",
)
_OF_WORKSPACE = frozenset({"build-constraint-dependencies", "exclude-dependencies"})
# Of builds alone: they matter where something is built, with a lock, too.
_OF_BUILDS = frozenset(name for name in _NOT_HONOURED if "build" in name or "config" in name)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T|$)")
_CHOICES = {
    "resolution": {"highest"},
    "prerelease": {"allow", "if-necessary", "if-necessary-or-explicit", "explicit"},
    "index-strategy": {"first-index", "unsafe-best-match"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UvTable:
    """What it says, as far as it is honoured."""

    constraints: tuple[RequirementLine, ...] = ()
    overrides: tuple[RequirementLine, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)
    dev: tuple[RequirementLine, ...] = ()  # dev-dependencies, a group called dev
    is_package: bool | None = None
    exclude_newer: str | None = None
    prereleases: bool | None = None
    any_index: bool | None = None
    no_binary: tuple[str, ...] = ()  # normalized names, or (":all:",)
    only_binary: tuple[str, ...] = ()  # the same


def read_uv_table(context: Path, *, locked: bool, builds: bool) -> UvTable:
    """What holds for the project in ``context``, which need not have a ``pyproject.toml``.

    ``locked``: a ``uv.lock`` is used. ``builds``: something is, or may be, built from source. All that is wrong
    is raised at once, by file and line.
    """
    root = find_workspace(context).root
    own = uv_table(context, context)
    workspace = own if root == context else uv_table(root, context)
    settings = _Settings(*_settings(root, context, workspace))
    _refuse(workspace, settings, locked=locked, builds=builds)
    found = UvTable(
        constraints=() if locked else _lines(workspace, "constraint-dependencies"),
        overrides=() if locked else _lines(workspace, "override-dependencies"),
        indexes=settings.indexes(),
        dev=_lines(own, "dev-dependencies"),
        is_package=own.flag("package"),
        exclude_newer=None if locked else settings.moment("exclude-newer"),
        prereleases=None if locked else settings.chosen("prerelease", "allow"),
        any_index=None if locked else settings.chosen("index-strategy", "unsafe-best-match"),
        no_binary=settings.names("no-binary", "no-binary-package"),
        only_binary=settings.names("no-build", "no-build-package", "only-binary"),
    )
    own.problems += [*(workspace.problems if workspace is not own else ()), *settings.problems]
    own.raise_problems()
    return found


def _settings(root: Path, context: Path, workspace: TypedTable) -> tuple[TypedTable, Path]:
    """The table of settings, and where its paths begin: the first there is from ``root`` upwards."""
    for directory in (root, *root.parents):
        path = directory / "uv.toml"
        if is_there(path):
            origins = Origins(path, os.path.relpath(path, context))
            return TypedTable(read_toml(path, InvalidProject), origins, ()), directory
        table = workspace if directory == root else uv_table(directory, context)
        if table.values:
            return table, directory
    return workspace, root


def _refuse(workspace: TypedTable, settings: _Settings, *, locked: bool, builds: bool) -> None:
    for key in _NOT_HONOURED:
        if (key in _OF_BUILDS and not builds) or (locked and key not in _OF_BUILDS):
            continue
        for table in (workspace,) if key in _OF_WORKSPACE else settings.tables:
            if table.values.get(key):
                hint = "lock it with uv: uv lock" if key not in _OF_BUILDS else "take it out: builds get what they need"
                table.wrong(f"{_shown(table, key)} is not honoured", hint, key)
    for key, known in _CHOICES.items():
        for table in () if locked else settings.tables:
            value = table.text(key)
            if value is not None and value not in known:
                table.wrong(f"{_shown(table, key)} = {value!r} is not honoured", "lock it with uv: uv lock", key)


def _lines(table: TypedTable, key: str) -> tuple[RequirementLine, ...]:
    found: list[RequirementLine] = []
    for number, text in enumerate(table.texts(key)):
        try:
            found += parse_requirements([text], table.origin(key, number))
        except InputError as problem:
            table.problems.append(problem)
    return tuple(found)


def _shown(table: TypedTable, key: str) -> str:
    where = ".".join(map(str, table.keys))
    return f"[{where}] {key}" if where else key


class _Settings:
    """A table of settings with the ``[pip]`` in it, which goes before it: lists are joined."""

    def __init__(self, table: TypedTable, base: Path) -> None:
        self.base = base
        self.top, self.pip = table, table.table("pip")
        self.tables = (self.pip, self.top)
        self.problems = table.problems

    def text(self, key: str) -> str | None:
        found = [table.text(key) for table in self.tables]
        return next((text for text in found if text is not None), None)

    def flag(self, key: str) -> bool | None:
        found = [table.flag(key) for table in self.tables]
        return next((flag for flag in found if flag is not None), None)

    def chosen(self, key: str, choice: str) -> bool | None:
        """Whether ``key`` is ``choice``; ``None`` where nothing is said."""
        text = self.text(key)
        return None if text is None else text == choice

    def moment(self, key: str) -> str | None:
        for table in self.tables:
            value = table.text(key)
            if value is None:
                continue
            if _MOMENT.match(value):
                return value
            hint = f'write {key} = "2026-01-31", which is the same tomorrow, or lock it with uv: uv lock'
            table.wrong(f"{_shown(table, key)} = {value!r} is no date", hint, key)
        return None

    def names(self, for_all: str, of_packages: str, of_pip: str = "") -> tuple[str, ...]:
        """Packages that ``of_packages`` names, and ``[pip]`` by pip's name for it; ``(":all:",)`` for all of them."""
        of_pip = of_pip or for_all
        named = [*self.top.texts(of_packages), *self.pip.texts(of_pip)]
        everything = self.top.flag(for_all) is True or (of_pip != for_all and self.pip.flag(for_all) is True)
        if everything or ":all:" in named:
            return (":all:",)
        return tuple(dict.fromkeys(canonicalize_name(name) for name in named if name != ":none:"))

    def indexes(self) -> Indexes:
        entries = uv_indexes(self.top, self.base)
        default = next((entry.url for entry in entries if entry.default and not entry.explicit), None)
        asked = [entry for entry in entries if not (entry.explicit or entry.default)]
        links = [entry.url for entry in asked if entry.flat]
        extra = [entry.url for entry in asked if not entry.flat]
        for table in self.tables:
            extra += [checked_url(table, self._url(url), "extra-index-url") for url in table.texts("extra-index-url")]
            for link in table.texts("find-links"):
                checked_url(table, link, "find-links")
                links.append(link if "://" in link else str(absolute(self.base, link) or link))
            if (url := table.text("index-url")) is not None:
                default = default or checked_url(table, self._url(url), "index-url")
        return Indexes(
            default=default,
            extra=tuple(dict.fromkeys(extra)),
            find_links=tuple(dict.fromkeys(links)),
            no_index=self.flag("no-index") is True,
            named=tuple(entry.named for entry in entries if entry.named is not None),
        )

    def _url(self, url: str) -> str:
        path = None if "://" in url else absolute(self.base, url)
        return url if path is None else path.as_uri()


def joined(indexes: Indexes, more: Indexes) -> Indexes:
    """``indexes``, and behind them ``more``."""
    return replace(
        indexes,
        default=indexes.default if indexes.default is not None else more.default,
        extra=tuple(dict.fromkeys((*indexes.extra, *more.extra))),
        supplemental=tuple(dict.fromkeys((*indexes.supplemental, *more.supplemental))),
        find_links=tuple(dict.fromkeys((*indexes.find_links, *more.find_links))),
        no_index=indexes.no_index or more.no_index,
        named=tuple(dict.fromkeys((*indexes.named, *more.named))),
        pins=tuple(dict.fromkeys((*indexes.pins, *more.pins))),
    )
