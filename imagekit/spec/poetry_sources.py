"""``[[tool.poetry.source]]``: Poetry's indexes in its order (python-poetry.org, "Repositories").

Primary ones are asked first, then supplemental ones; the public index, which Poetry calls PyPI and imagekit the
machine's default, stands where its own entry puts it, and without one it is asked only where no other is primary.
Poetry takes the best version of all primary ones; here the first index that knows a package is the one.
"""

from __future__ import annotations

from collections.abc import Iterable

from imagekit.spec.image import MACHINE, Indexes, IndexPin, NamedIndex
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_index import checked_url

# Poetry 1's words stand for what they came to.
_RANKS = {"default": 0, "primary": 1, "secondary": 2, "supplemental": 3, "explicit": 4}
_PUBLIC = "pypi"


def poetry_indexes(table: TypedTable, pins: Iterable[tuple[IndexPin, str]]) -> Indexes:
    """The sources of ``table`` ([tool.poetry]), and ``pins`` to them. What is wrong is noted in ``table``."""
    named: dict[str, NamedIndex] = {}
    ranks: dict[str, int] = {}
    for source in table.tables("source"):
        name, url, priority = source.text("name"), source.text("url"), source.text("priority")
        if name is None or (url is None and name.lower() != _PUBLIC):
            key = "name" if name is None else "url"
            if key not in source:
                source.wrong(f"a source has no {key}", f'write {key} = "…"')
            continue
        if url is not None:
            checked_url(table, url, *source.keys[len(table.keys) :], "url")
        if name.lower() in named:
            source.wrong(f"two sources are called {name!r}", "give one of them another name", "name")
            continue
        # Poetry 1.4 and older.
        old = "default" if source.flag("default") else "secondary" if source.flag("secondary") else "primary"
        rank = _RANKS.get((priority or old).lower())
        if rank is None:
            words = f"the priority {priority!r} is not known"
            source.wrong(words, "primary, supplemental and explicit are", "priority")
            continue
        named[name.lower()] = NamedIndex(name=name, url=url or MACHINE, explicit=rank == _RANKS["explicit"])
        ranks[name.lower()] = rank
    order = [name for name in sorted(named, key=lambda name: ranks[name]) if not named[name].explicit]
    if _PUBLIC not in named and not any(ranks[name] <= _RANKS["primary"] for name in order):
        order.insert(0, _PUBLIC)
    known = tuple(_pins(table, pins, named))
    urls = [named[name].url if name in named else MACHINE for name in order]
    if not urls:
        table.wrong("every source is explicit, so that none is asked", "make one of them primary", "source")
        urls = [MACHINE]
    at = urls.index(MACHINE) if MACHINE in urls else len(urls) - 1
    return Indexes(
        default=None if urls[at] == MACHINE else urls[at],
        extra=tuple(urls[:at]),
        supplemental=tuple(urls[at + 1 :]),
        named=tuple(n for n in named.values() if n.url != MACHINE or n.name in {pin.index for pin in known}),
        pins=known,
    )


def _pins(table: TypedTable, pins: Iterable[tuple[IndexPin, str]], named: dict[str, NamedIndex]) -> Iterable[IndexPin]:
    for pin, origin in pins:
        index = named.get(pin.index.lower())
        if index is None and pin.index.lower() == _PUBLIC:
            # It is there without being named.
            named[_PUBLIC] = index = NamedIndex(name=pin.index, url=MACHINE, explicit=True)
        if index is None:
            words = f"{pin.package} names the source {pin.index!r}, which is not there"
            table.wrong_at(origin, words, f'add [[tool.poetry.source]] name = "{pin.index}"')
            continue
        yield IndexPin(package=pin.package, index=index.name, marker=pin.marker)
