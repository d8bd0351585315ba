"""A project's ``METADATA`` from its static ``[project]`` table (core metadata 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement

from imagekit.errors import InvalidProject
from imagekit.spec.image import RequirementLine
from imagekit.spec.typed_table import TypedTable

_README_TYPES = {".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain"}


def core_metadata(
    project: TypedTable,
    version: str,
    dependencies: Iterable[RequirementLine],
    extras: Mapping[str, Iterable[RequirementLine]],
    directory: Path,
) -> str:
    """The text of ``METADATA``; ``project`` is ``[project]`` of the pyproject.toml in ``directory``.

    Raises ``InvalidProject`` for the first thing that is wrong.
    """
    table = project.values
    fields: list[tuple[str, str]] = [("Metadata-Version", "2.4"), ("Name", table["name"]), ("Version", version)]

    def add(field: str, key: str, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, str) or "\n" in value or "\r" in value:
            raise _wrong(project, key, "is not a string of one line", "make it one")
        fields.append((field, value))

    add("Summary", "description", table.get("description"))
    keywords = _list(project, "keywords")
    if keywords:
        add("Keywords", "keywords", ",".join(str(k) for k in keywords))
    for key, role in (("authors", "Author"), ("maintainers", "Maintainer")):
        names, emails = _people(project, key)
        add(role, key, names or None)
        add(f"{role}-email", key, emails or None)
    _add_license(project, add, fields, directory)
    for classifier in _list(project, "classifiers"):
        add("Classifier", "classifiers", classifier)
    urls = table.get("urls", {})
    if not isinstance(urls, dict):
        raise _wrong(project, "urls", "is not a table", "make it a table")
    for label, url in urls.items():
        add("Project-URL", "urls", f"{label}, {url}")
    if table.get("requires-python"):
        add("Requires-Python", "requires-python", table["requires-python"])
    for line in dependencies:
        fields.append(("Requires-Dist", _without_path(line)))
    for extra, lines in extras.items():
        fields.append(("Provides-Extra", extra))
        fields += [("Requires-Dist", _of_extra(_without_path(line), extra)) for line in lines]
    body, content_type = _readme(project, directory)
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


def _people(project: TypedTable, key: str) -> tuple[str, str]:
    names: list[str] = []
    emails: list[str] = []
    for person in _list(project, key):
        if not isinstance(person, dict) or not all(isinstance(v, str) for v in person.values()):
            raise _wrong(project, key, "is not a list of tables", 'write [{name = "…"}]')
        name, email = person.get("name"), person.get("email")
        if email:
            emails.append(f"{name} <{email}>" if name else email)
        elif name:
            names.append(name)
    return ", ".join(names), ", ".join(emails)


def _add_license(project: TypedTable, add: Any, fields: list[tuple[str, str]], directory: Path) -> None:
    value = project.values.get("license")
    if isinstance(value, dict):
        # The table of before PEP 639.
        text = value.get("text")
        if isinstance(value.get("file"), str):
            text = _text(project, "license", value["file"], directory)
        if isinstance(text, str):
            fields.append(("License", "\n        ".join(text.splitlines())))
        return
    add("License-Expression", "license", value)


def _readme(project: TypedTable, directory: Path) -> tuple[str, str | None]:
    value = project.values.get("readme")
    if value is None:
        return "", None
    if isinstance(value, str):
        value = {"file": value}
    if not isinstance(value, dict):
        raise _wrong(project, "readme", "is neither a string nor a table", 'write "README.md"')
    content_type = value.get("content-type")
    if isinstance(value.get("text"), str):
        return value["text"], content_type
    name = value.get("file")
    if not isinstance(name, str):
        raise _wrong(project, "readme", "names no file", 'write readme = "README.md"')
    text = _text(project, "readme", name, directory)
    return text, content_type or _README_TYPES.get(Path(name).suffix.lower(), "text/plain")


def _text(project: TypedTable, key: str, name: str, directory: Path) -> str:
    file = directory / name
    if not file.resolve().is_relative_to(directory.resolve()):
        raise _wrong(project, key, f"{file.name!r} is outside the project", "copy it into the project")
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        raise _wrong(project, key, f"{file.name!r} is not there, or no UTF-8 text", f"looked for {file}") from None


def _list(project: TypedTable, key: str) -> list[Any]:
    value = project.values.get(key, [])
    if not isinstance(value, list):
        raise _wrong(project, key, "is not a list", "make it a list")
    return value


def _wrong(project: TypedTable, key: str, words: str, hint: str) -> InvalidProject:
    return InvalidProject(f"{project.origin(key)}: project.{key} {words}", hint=hint)
