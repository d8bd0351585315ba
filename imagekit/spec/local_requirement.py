"""Lines of requirements files that are no PEP 508 requirement: paths, and URLs without a name."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import InvalidRequirement
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import SDISTS, Places, declared_name, local_source, path_of_url, path_within
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.url import fragment_items, redacted

_ARCHIVES = (".whl", *SDISTS, ".tar.bz2", ".tar.xz", ".tar")
_EGG = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[A-Za-z0-9._, -]*)\])?")
_LINE = re.compile(r"(?P<path>.*?)(?:\[(?P<extras>[A-Za-z0-9._, -]*)\])?(?P<marker>\s+;.*|;\s.*)?", re.DOTALL)


def project_extras(text: str, places: Places, origin: str) -> tuple[str, ...] | None:
    """The extras of a line that means the project itself (``.``, ``.[dev]``); ``None`` for any other line."""
    if not _is_path(text):
        return None
    path, extras, marker = _split(text)
    if path.startswith("file:"):
        parts = _url_parts(path, origin)
        if "subdirectory=" in parts.fragment:
            return None
        extras = extras or _egg(parts.fragment)[1]
        path = path_of_url(path, origin)
    try:
        is_project = (places.base / path).resolve() == places.base.resolve()
    except (OSError, ValueError, RuntimeError):
        return None
    if is_project and marker:
        raise InvalidRequirement(
            f"{origin}: the project itself has a marker, and the image is of the project",
            hint="take the marker out, or leave the line out",
        )
    return tuple(canonicalize_name(e.strip()) for e in extras.split(",") if e.strip()) if is_project else None


def parse_line(text: str, origin: str, places: Places, hashes: tuple[str, ...] = ()) -> RequirementLine:
    """A path, a URL or a PEP 508 requirement; ``InvalidRequirement`` names ``origin``.

    A path's name is the one that the file or the directory declares.
    """
    if not _is_path(text):
        return parse_requirement(_named_url(text, origin), origin, hashes, places)
    path, extras, marker = _split(text)
    url = path if path.startswith("file:") else ""
    fragment = ""
    if url:
        fragment = _url_parts(url, origin).fragment
        path = path_of_url(url, origin)
    items, (egg, of_egg) = fragment_items(fragment), _egg(fragment)
    extras = extras or of_egg
    directory = "/".join(filter(None, (path, items.get("subdirectory"))))
    real = path_within(directory, places, origin)
    local_source(directory, places, origin)  # what is nothing to install is said before that it has no name
    name = declared_name(real) or egg or None
    if name is None:
        what = "its setup.py computes its name" if real.is_dir() else "its name says neither package nor version"
        raise InvalidRequirement(
            f"{origin}: {redacted(text)!r} does not say which package it is: {what}", hint=f"write NAME @ {path}"
        )
    target = _without_extras(url) or real.as_uri()
    return parse_requirement(f"{name}{f'[{extras}]' if extras else ''} @ {target}{marker}", origin, hashes, places)


def _split(text: str) -> tuple[str, str, str]:
    """Path, extras and marker (with its ``;``) of a line."""
    found = _LINE.fullmatch(text.strip())
    assert found is not None  # each part may be empty
    marker = (found["marker"] or "").strip()
    return found["path"].strip(), (found["extras"] or "").strip(), f" {marker}" if marker else ""


def _named_url(text: str, origin: str) -> str:
    """A bare URL of a wheel, or one with ``#egg=NAME``, as ``NAME @ URL``; what is no URL as it is."""
    url = text.split(" ", 1)[0]
    if not re.match(r"[a-z+]+://", url):
        return text
    parts = _url_parts(url, origin)
    egg, extras = _egg(parts.fragment)
    if egg:
        return f"{egg}{f'[{extras}]' if extras else ''} @ {_without_extras(url)}{text[len(url) :]}"
    try:
        return f"{parse_wheel_filename(unquote(parts.path.rsplit('/', 1)[-1]))[0]} @ {text}"
    except InvalidWheelFilename:
        raise InvalidRequirement(
            f"{origin}: {redacted(url)!r} does not say which package it is", hint=f"write NAME @ {redacted(url)}"
        ) from None


def _egg(fragment: str) -> tuple[str, str]:
    """Name and extras of ``#egg=NAME[EXTRAS]``, which pip takes so; each ``""`` where it is not there."""
    found = _EGG.fullmatch(fragment_items(fragment).get("egg", ""))
    return (found["name"], found["extras"] or "") if found is not None else ("", "")


def _without_extras(url: str) -> str:
    """``url``, whose ``#egg=`` names no extras any more."""
    return re.sub(r"(?<=[#&])(egg=[A-Za-z0-9._-]+)(\[|%5B)[^&]*", r"\1", url, flags=re.IGNORECASE)


def _url_parts(url: str, origin: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise InvalidRequirement(f"{origin}: {redacted(url)!r} is not a URL", hint="write https://HOST/PATH") from None


def _is_path(text: str) -> bool:
    before = re.split(r"\s*@\s+|\s+@", text.strip(), maxsplit=1)[0].partition(";")[0].strip()
    if "://" in before:
        return before.startswith("file:")
    return (
        before.startswith((".", "/", "~", "file:", "\\"))
        or "/" in before
        or "\\" in before
        or before.lower().endswith(_ARCHIVES)
    )
