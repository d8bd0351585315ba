"""What ``installed_program.py`` tells of a running base, read in the base's files: the same value, for any platform."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from typing import Any

from imagekit.oci.config import ImageConfig
from imagekit.stages.file_tree import Node
from imagekit.stages.image_python import ImagePython
from imagekit.stages.import_path import import_path, scheme
from imagekit.stages.unpacked import Unpacked


def read_installed(base: Unpacked, python: ImagePython, config: ImageConfig) -> Mapping[str, Any]:
    """The object that ``installed_program.py`` prints."""
    reading = _Reading(base)
    conda = reading.conda_files(python.environment)
    found, seen = [], set()
    for distribution in _distributions(base, import_path(base, python, config)):
        metadata = reading.real(distribution.path)
        if metadata in seen:
            continue
        seen.add(metadata)
        files = reading.recorded(distribution, metadata)
        by_conda = conda.get(metadata + "/METADATA")
        if files is not None and by_conda is not None:
            files |= by_conda
        fields = distribution.metadata
        found.append(
            {
                "name": fields["Name"] or "",
                "version": fields["Version"] or "",
                "metadata": metadata,
                "location": os.path.dirname(metadata),
                "installer": (distribution.read_text("INSTALLER") or "").strip(),
                "conda": by_conda is not None,
                "requires": list(distribution.requires or ()),
                "extras": fields.get_all("Provides-Extra") or [],
                "files": None if files is None else sorted(reading.present(files)),
            }
        )
    return {
        "environment": python.environment,
        "conda": base.is_directory(f"{python.environment}/conda-meta"),
        "scheme": scheme(base, python),
        "distributions": found,
        "entries": reading.entries(found),
    }


class _InFiles(Distribution):
    """A distribution in a base's files: the standard library's own readers, on other files."""

    def __init__(self, base: Unpacked, path: str) -> None:
        self._base = base
        self.path = path

    def read_text(self, filename: str) -> str | None:
        data = self._base.content(f"{self.path}/{filename}" if filename else self.path)
        return data.decode("utf-8", "surrogateescape") if data is not None else None

    def locate_file(self, path: Any) -> Any:
        return f"{os.path.dirname(self.path)}/{path}"


def _distributions(base: Unpacked, directories: list[str]) -> Iterator[_InFiles]:
    """As ``importlib.metadata`` finds them: by the names of what lies in the directories."""
    for directory in directories:
        for name in base.names(directory):
            if name.lower().endswith((".dist-info", ".egg-info")) or (
                directory.endswith(".egg") and name.lower() == "egg-info"
            ):
                yield _InFiles(base, f"{directory}/{name}")


class _Reading:
    """The steps of ``installed_program.py``, on a tree."""

    def __init__(self, base: Unpacked) -> None:
        self._base = base
        self._nodes: dict[str, Node | None] = {}
        self._resolved: dict[str, str] = {}

    def recorded(self, distribution: _InFiles, metadata: str) -> set[str] | None:
        text, top = distribution.read_text("RECORD"), os.path.dirname(metadata)
        own = {os.path.join(metadata, name) for name in self._listed(metadata)}
        if text is not None:
            names = [row[0] for row in csv.reader(text.splitlines()) if row]
            return own | {self.real(os.path.join(top, name)) for name in names}
        text = distribution.read_text("installed-files.txt")
        if text is not None and self._base.is_directory(metadata):
            return own | {self.real(os.path.join(metadata, name)) for name in text.splitlines() if name}
        return None

    def conda_files(self, environment: str) -> dict[str, set[str]]:
        found = {}
        place = f"{environment.rstrip('/')}/conda-meta"
        for record in self._base.names(place):
            if not record.endswith(".json") or record.startswith("."):
                continue
            try:
                names = json.loads(self._base.content(f"{place}/{record}") or b"").get("files") or []
            except ValueError:
                continue
            files = {self.real(os.path.join(environment, name)) for name in names}
            metadata = [path for path in files if path.endswith(".dist-info/METADATA")]
            if len(metadata) == 1:
                found[metadata[0]] = files | {self.real(f"{place}/{record}")}
        return found

    def present(self, files: set[str]) -> set[str]:
        found = set()
        for path in files:
            directory, name = os.path.split(path)
            node = self._directory(directory)
            there = node.children.get(name) if node is not None else None
            if there is not None and there.kind != "dir":
                found.add(path)
            if name.endswith(".py"):
                cache = os.path.join(directory, "__pycache__")
                compiled = re.compile(re.escape(name[:-3]) + r"\.[a-z]+-[0-9]+[a-z]*(\.opt-[0-9a-z]+)?\.pyc")
                found.update(os.path.join(cache, other) for other in self._listed(cache) if compiled.fullmatch(other))
        return found

    def entries(self, found: list[dict[str, Any]]) -> dict[str, list[str]]:
        directories: set[str] = set()
        for entry in found:
            for path in entry["files"] or ():
                above = os.path.dirname(path)
                while above not in directories and above != "/":
                    directories.add(above)
                    above = os.path.dirname(above)
        return {path: sorted(self._listed(path)) for path in sorted(directories)}

    def real(self, path: str) -> str:
        """``path`` with the links on the way resolved, and not the last part's own."""
        directory, name = os.path.split(os.path.normpath(path))
        if directory not in self._resolved:
            self._resolved[directory] = self._base.tree.realpath(directory)[0]
        return os.path.join(self._resolved[directory], name)

    def _listed(self, directory: str) -> list[str]:
        node = self._directory(directory)
        return list(node.children) if node is not None else []

    def _directory(self, path: str) -> Node | None:
        if path not in self._nodes:
            found = self._base.tree.resolve(path)
            self._nodes[path] = found[1] if found is not None and found[1].kind == "dir" else None
        return self._nodes[path]
