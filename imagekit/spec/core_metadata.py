"""A project's ``METADATA`` from its static ``[project]`` table (core metadata 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement

from imagekit.errors import InvalidProject
from imagekit.spec.image import RequirementLine

_README_TYPES = {".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain"}


def core_metadata(
    table: Mapping[str, Any],
    version: str,
    dependencies: Iterable[RequirementLine],
    extras: Mapping[str, Iterable[RequirementLine]],
    path: Path,
) -> str:
    """The text of ``METADATA``; ``path`` is the pyproject.toml that ``table`` is of."""
    file = path.name
    fields: list[tuple[str, str]] = [("Metadata-Version", "2.4"), ("Name", table["name"]), ("Version", version)]

    def add(field: str, key: str, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, str) or "\n" in value or "\r" in value:
            raise InvalidProject(f"{file}: project.{key} is not a string of one line", hint="make it one")
        fields.append((field, value))

    add("Summary", "description", table.get("description"))
    keywords = _list(table, "keywords", file)
    if keywords:
        add("Keywords", "keywords", ",".join(str(k) for k in keywords))
    for key, role in (("authors", "Author"), ("maintainers", "Maintainer")):
        names, emails = _people(_list(table, key, file), key, file)
        add(role, key, names or None)
        add(f"{role}-email", key, emails or None)
    _add_license(table.get("license"), add, fields, path)
    for classifier in _list(table, "classifiers", file):
        add("Classifier", "classifiers", classifier)
    urls = table.get("urls", {})
    if not isinstance(urls, dict):
        raise InvalidProject(f"{file}: project.urls is not a table", hint="make it a table")
    for label, url in urls.items():
        add("Project-URL", "urls", f"{label}, {url}")
    if table.get("requires-python"):
        add("Requires-Python", "requires-python", table["requires-python"])
    for line in dependencies:
        fields.append(("Requires-Dist", _without_path(line)))
    for extra, lines in extras.items():
        fields.append(("Provides-Extra", extra))
        fields += [("Requires-Dist", _of_extra(_without_path(line), extra)) for line in lines]
    body, content_type = _readme(table.get("readme"), path)
    add("Description-Content-Type", "readme", content_type)
    head = "".join(f"{name}: {value}\n" for name, value in fields)
    return f"{head}\n{body}" if body else head


def _without_path(line: RequirementLine) -> str:
    """The requirement without the place on this machine: that is none in the image."""
    if line.local is None:
        return line.text
    requirement = Requirement(line.text)
    requirement.url = None
    return str(requirement)


def _of_extra(text: str, extra: str) -> str:
    requirement = Requirement(text)
    own = f'extra == "{extra}"'
    requirement.marker = Marker(own if requirement.marker is None else f"({requirement.marker}) and {own}")
    return str(requirement)


def _people(people: list[Any], key: str, file: str) -> tuple[str, str]:
    names: list[str] = []
    emails: list[str] = []
    for person in people:
        if not isinstance(person, dict) or not all(isinstance(v, str) for v in person.values()):
            raise InvalidProject(f"{file}: project.{key} is not a list of tables", hint='write [{name = "…"}]')
        name, email = person.get("name"), person.get("email")
        if email:
            emails.append(f"{name} <{email}>" if name else email)
        elif name:
            names.append(name)
    return ", ".join(names), ", ".join(emails)


def _add_license(value: object, add: Any, fields: list[tuple[str, str]], path: Path) -> None:
    if isinstance(value, dict):
        # The table of before PEP 639.
        text = value.get("text")
        if isinstance(value.get("file"), str):
            text = _text(path.parent / value["file"], path)
        if isinstance(text, str):
            fields.append(("License", "\n        ".join(text.splitlines())))
        return
    add("License-Expression", "license", value)


def _readme(value: object, path: Path) -> tuple[str, str | None]:
    if value is None:
        return "", None
    if isinstance(value, str):
        value = {"file": value}
    if not isinstance(value, dict):
        raise InvalidProject(f"{path.name}: project.readme is neither a string nor a table", hint='write "README.md"')
    content_type = value.get("content-type")
    if isinstance(value.get("text"), str):
        return value["text"], content_type
    name = value.get("file")
    if not isinstance(name, str):
        raise InvalidProject(f"{path.name}: project.readme names no file", hint='write readme = "README.md"')
    return _text(path.parent / name, path), content_type or _README_TYPES.get(Path(name).suffix.lower(), "text/plain")


def _text(file: Path, path: Path) -> str:
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise InvalidProject(f"{path.name}: {file.name!r} is outside the project", hint="copy it into the project")
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        raise InvalidProject(
            f"{path.name}: {file.name!r} is not there, or no UTF-8 text", hint=f"looked for {file}"
        ) from None


def _list(table: Mapping[str, Any], key: str, file: str) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise InvalidProject(f"{file}: project.{key} is not a list", hint="make it a list")
    return value
