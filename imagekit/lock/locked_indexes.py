"""The indexes that another program's lock names, beside those of the project.

What comes of any of them is held to its hash. That a package is asked of its own index alone keeps its name from
the others, as the lock's own program has it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from imagekit.errors import InvalidProject
from imagekit.lock.default_index import uv_default_index
from imagekit.lock.locked_set import LockedIndex, LockedSet
from imagekit.spec.image import Indexes, IndexPin, NamedIndex
from imagekit.spec.url import redacted, refuse_credentials

_OTHERS = re.compile(r"[^A-Za-z0-9._-]+")


def with_locked_indexes(own: Indexes, found: LockedSet) -> Indexes:
    """``own``, which the project names, with those of ``found`` that are to be asked.

    A default of the project's goes before the lock's, and ``no_index`` before all. Where the project has a directory
    of files, packages may lie there as well: then the lock's indexes are asked for everything.
    :class:`InvalidRequirement` where one holds a login, :class:`InvalidProject` where it is no address.
    """
    if own.no_index:
        return own
    default = own.default
    if default is None and found.default is not None and not _is_public(found.default.url):
        default = _checked(found.default).url
    named = list(own.named)
    extra = list(own.extra)
    pins = list(own.pins)
    for package, index in found.indexes:
        if index.url == default or _is_public(index.url):
            continue
        _checked(index)
        if own.find_links:
            extra.append(index.url)
            continue
        name = next((known.name for known in named if known.url == index.url), None)
        if name is None:
            name = _free_name(index.name, {known.name.lower() for known in named})
            named.append(NamedIndex(name=name, url=index.url, explicit=True))
        pins.append(IndexPin(package=package, index=name))
    return replace(own, default=default, extra=tuple(dict.fromkeys(extra)), named=tuple(named), pins=tuple(pins))


def _is_public(url: str) -> bool:
    """Whether everyone asks ``url`` by default: which mirror of it is asked, is the machine's word."""
    return url.rstrip("/") == uv_default_index().rstrip("/")


def _checked(index: LockedIndex) -> LockedIndex:
    if "$" in index.url:
        raise InvalidProject(
            f"{index.origin}: the index {redacted(index.url)!r} has a variable in it",
            hint="name the index in [tool.imagekit], and put its login into ~/.netrc",
        )
    parts = refuse_credentials(index.url, index.origin)
    if parts.scheme not in ("https", "http", "file") or (parts.scheme != "file" and not parts.hostname):
        raise InvalidProject(
            f"{index.origin}: {redacted(index.url)!r} is not an index", hint="write https://HOST/simple"
        )
    return index


def _free_name(wanted: str, taken: set[str]) -> str:
    base = _OTHERS.sub("-", wanted).strip("-._") or "locked"
    name, number = base, 2
    while name.lower() in taken:
        name, number = f"{base}-{number}", number + 1
    return name
