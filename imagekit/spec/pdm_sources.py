"""``[[tool.pdm.source]]``: PDM's indexes (pdm-project.org, "Configure the package indexes").

PDM takes the best version of all its sources unless ``respect-source-order`` is set; here the first index that knows a
package is the one, the project's before the default, which the source called ``pypi`` takes the place of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.spec.image import Indexes, IndexPin, NamedIndex
from imagekit.spec.origins import Origins
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_index import checked_url

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PUBLIC = "pypi"


def pdm_indexes(path: Path, tables: Mapping[str, Any]) -> Indexes:
    """The sources of the pyproject.toml ``path``, whose content is ``tables``.

    All that is wrong, and all that cannot be honoured, is raised at once, by file and line.
    """
    tool = tables.get("tool")
    if not isinstance(tool, Mapping) or "pdm" not in tool:
        return Indexes()
    table = TypedTable(tool["pdm"], Origins(path), ("tool", "pdm"))
    default: str | None = None
    extra: list[str] = []
    links: list[str] = []
    named: list[NamedIndex] = []
    pins: list[IndexPin] = []
    for source in table.tables("source"):
        name, url = source.text("name"), source.text("url")
        _refuse(source)
        if url is None:
            if "url" not in source:
                source.wrong("a source has no url", 'write url = "https://HOST/simple"')
            continue
        url = url.replace("${PROJECT_ROOT}", path.parent.as_posix())
        if "${" in url:
            where = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', (name or 'NAME').upper())}_PASSWORD"
            source.wrong(
                "a variable in the url of a source is not honoured", f"logins come from {where} or ~/.netrc", "url"
            )
            continue
        checked_url(table, url, *source.keys[len(table.keys) :], "url")
        packages = _packages(source)
        if packages and name is None:
            source.wrong("a source of some packages has no name", 'write name = "…"', "include_packages")
            continue
        if name is not None:
            named.append(NamedIndex(name=name, url=url))
            pins += [IndexPin(package=package, index=name) for package in packages]
        if source.text("type") == "find_links":
            links.append("/" + url.removeprefix("file:").lstrip("/") if url.startswith("file:") else url)
        elif name is not None and name.lower() == _PUBLIC:
            default = url
        else:
            extra.append(url)
    table.raise_problems()
    return Indexes(
        default=default,
        extra=tuple(dict.fromkeys(extra)),
        find_links=tuple(dict.fromkeys(links)),
        named=tuple(named),
        pins=tuple(pins),
    )


def _refuse(source: TypedTable) -> None:
    if source.flag("verify_ssl") is False:
        hint = "trust its authority: SSL_CERT_FILE=…, or for the machine alone UV_INSECURE_HOST=HOST"
        source.wrong("verify_ssl = false is not honoured", hint, "verify_ssl")
    for key in ("username", "password"):
        if key in source:
            source.wrong(f"the {key} of a source is not taken from a file of the project", "put it into ~/.netrc", key)
    if source.texts("exclude_packages"):
        hint = "name the packages of the other sources there: include_packages"
        source.wrong("exclude_packages is not honoured", hint, "exclude_packages")


def _packages(source: TypedTable) -> list[str]:
    found: list[str] = []
    for number, name in enumerate(source.texts("include_packages")):
        if _NAME.fullmatch(name):
            found.append(canonicalize_name(name))
        else:
            words = f"{name!r} is a pattern, and only names of packages can be honoured"
            source.wrong(words, "name each package", "include_packages", number)
    return found
