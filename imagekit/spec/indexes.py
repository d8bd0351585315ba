"""``[[tool.imagekit.index]]``: package indexes with names, their packages, and where their passwords are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from packaging.utils import canonicalize_name

from imagekit.errors import InvalidConfig
from imagekit.spec import table_checks as checks
from imagekit.spec.image import Indexes, IndexPin, NamedIndex
from imagekit.spec.keys import Key

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def check_name(text: str, where: str) -> str:
    """The name of an index, from which a variable's is made."""
    if not _NAME.fullmatch(text):
        raise InvalidConfig(f"{where}: {text!r} is no name for an index", hint="use letters, digits, '-', '_' and '.'")
    return text


def check_packages(texts: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Names of packages, without versions."""
    for text in texts:
        if not _NAME.fullmatch(text):
            raise InvalidConfig(f"{where}: {text!r} is no name of a package", hint="name it alone: packages = ['acme']")
    return tuple(canonicalize_name(text) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTable:
    """One ``[[tool.imagekit.index]]``."""

    name: Annotated[str, Key("what it is called: UV_INDEX_NAME_USERNAME, UV_INDEX_NAME_PASSWORD", check=check_name)]
    url: Annotated[str, Key("its address", example="https://packages.example.com/simple", check=checks.url)]
    packages: Annotated[
        tuple[str, ...] | None,
        Key("packages that come from it and from no other", default=[], example=["acme"], check=check_packages),
    ] = None
    explicit: Annotated[bool | None, Key("ask it for those packages alone", default=False)] = None
    default: Annotated[bool | None, Key("ask it last, in place of the machine's default index", default=False)] = None
    username: Annotated[str | None, Key("the user of its login", otherwise="__token__, where there is a secret")] = None
    secret: Annotated[str | None, Key("the stored secret that is its password", example="packages-token")] = None


def check_indexes(tables: tuple[IndexTable, ...], where: str) -> tuple[IndexTable, ...]:
    """Several of them: no name twice, one default at most, and no package from two."""
    seen: dict[str, str] = {}
    for table in tables:
        named = [(re.sub(r"[^a-z0-9]", "_", table.name.lower()), f"two indexes called {table.name}")]
        named += [("package " + package, f"{package} from two indexes") for package in table.packages or ()]
        named += [("default", "two default indexes")] if table.default else []
        for key, words in named:
            if key in seen:
                raise InvalidConfig(f"{where} has {words}", hint="keep one of them")
            seen[key] = words
        if table.explicit and not table.packages:
            raise InvalidConfig(
                f"{where}: {table.name} is explicit and has no packages, so that it is never asked",
                hint='add packages = ["NAME"], or take explicit out',
            )
    return tables


def named_indexes(tables: Sequence[IndexTable]) -> Indexes:
    """What ``tables`` say, together."""
    return Indexes(
        default=next((table.url for table in tables if table.default), None),
        extra=tuple(table.url for table in tables if not (table.default or table.explicit)),
        named=tuple(
            NamedIndex(
                name=table.name,
                url=table.url,
                explicit=bool(table.explicit),
                username=table.username,
                secret=table.secret,
            )
            for table in tables
        ),
        pins=tuple(IndexPin(package=package, index=t.name) for t in tables for package in t.packages or ()),
    )
