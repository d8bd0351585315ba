"""Requirements that are paths or bare URLs: the project itself is known, the rest is refused clearly."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import InvalidRequirement
from imagekit.spec.url import redacted

_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
_EXTRAS = re.compile(r"^(?P<path>.*?)(?:\[(?P<extras>[A-Za-z0-9._, -]*)\])?$", re.DOTALL)


def local_requirement(text: str, root: Path, origin: str, *, is_editable: bool = False) -> tuple[str, ...] | None:
    """The extras of a line that means the project itself (``.``, ``-e .[dev]``), ``None`` for no path at all.

    Paths are relative to the project directory ``root``, as pip has it when run there.
    """
    text = text.partition(" ;")[0].strip()
    if not is_editable and not _looks_like_path(text):
        return None
    match = _EXTRAS.match(text)
    path, extras = (match["path"], match["extras"] or "") if match else (text, "")
    if "://" not in path and not path.startswith("file:") and (root / path).resolve() == root:
        return tuple(canonicalize_name(e.strip()) for e in extras.split(",") if e.strip())
    what = "an editable requirement" if is_editable else "a local path"
    raise InvalidRequirement(
        f"{origin}: {redacted(text)!r} is {what}, which is not supported here yet",
        hint="build it into a wheel, name its directory by --find-links, and require NAME==VERSION",
    )


def named_url(text: str) -> str:
    """A bare URL of a wheel, or one with ``#egg=NAME``, as ``NAME @ URL``; anything else as it is."""
    url = text.split(" ", 1)[0]
    if "://" not in url or not re.match(r"[a-z+]+://", url):
        return text
    parts = urlsplit(url)
    egg = re.search(r"(?:^|&)egg=([A-Za-z0-9._-]+)", parts.fragment)
    if egg:
        return f"{egg[1]} @ {text}"
    try:
        return f"{parse_wheel_filename(unquote(parts.path.rsplit('/', 1)[-1]))[0]} @ {text}"
    except InvalidWheelFilename:
        return text


def _looks_like_path(text: str) -> bool:
    before = text.split(" @ ", 1)[0].partition(";")[0].strip()
    if "://" in before:
        return before.startswith("file:")
    return (
        before.startswith((".", "/", "~", "file:", "\\"))
        or "/" in before
        or "\\" in before
        or before.lower().endswith(_ARCHIVES)
    )
