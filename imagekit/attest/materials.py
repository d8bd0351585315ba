"""What an image was made from: the note that is kept of it (``material_note``), as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.git.working_tree import UNKNOWN
from imagekit.lock.values import BuildTool
from imagekit.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A wheel, or what one was built from: a source distribution, a commit, a directory."""

    filename: str  # of a directory with a slash at its end
    sha256: str = ""  # 64 hex digits: of the file, or of a directory's tree; a commit has none
    url: str = ""  # without credentials and query; empty where it came from this machine
    by_url: bool = False  # asked for by that, and not found in an index
    repository: str = ""  # URL, the same way
    commit: str = ""

    @property
    def is_directory(self) -> bool:
        return self.filename.endswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package that went into an image."""

    name: str  # normalized
    version: str
    file: File
    source: File | None = None  # what it was built from
    tools: tuple[BuildTool, ...] = ()  # what its build had at hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The image that another one was built on."""

    reference: str
    config: Digest  # of its configuration as canonical JSON: the same wherever the image lies
    digest: Digest | None = None  # of its manifest or index, where it is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What was put on the base beneath all layers of ours."""

    name: str
    digest: Digest  # of what it says, for this base
    layer: Digest | None  # what came of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What one image was made from."""

    base: Base
    python: str  # full version
    platform: str
    site: str  # where the packages went: /opt/venv/lib/python3.11/site-packages
    wheels: tuple[Wheel, ...]
    lock: Digest
    lock_file: str = ""  # the name of the project's own
    source: Digest | None = None  # of the project's files that went in
    files: Mapping[str, str] = field(default_factory=dict)  # target → digest of what was copied there
    repository: str = ""  # URL, without credentials
    commit: str = ""
    state: str = UNKNOWN  # of the working tree at that commit
    recipes: tuple[Recipe, ...] = ()  # the lowest first
    parameters: tuple[str, ...] = ()  # names of what was set: "env:TZ", "base-image"; never a value
    instructions: Digest | None = None  # of the extra_dockerfile_commands, as a JSON list of texts


def materials_from(note: Mapping[str, Any]) -> Materials:
    """The materials that ``note`` is of; ``KeyError`` and its like for what is none."""
    base = note["base"]
    return Materials(
        base=Base(reference=base["reference"], config=Digest(base["config"]), digest=base["digest"]),
        python=note["python"],
        platform=note["platform"],
        site=note["site"],
        wheels=tuple(
            Wheel(
                name=name,
                version=version,
                file=File(**file),
                source=File(**source) if source else None,
                tools=tuple(BuildTool(name=n, version=v, filename=f, sha256=s) for n, v, f, s in tools),
            )
            for name, version, file, source, tools in note["wheels"]
        ),
        lock=Digest(note["lock"]),
        lock_file=note["lock_file"],
        source=note["source"],
        files=dict(note["files"]),
        repository=note["repository"],
        commit=note["commit"],
        state=note["state"],
        recipes=tuple(
            Recipe(name=name, digest=Digest(digest), layer=layer) for name, digest, layer in note.get("recipes", ())
        ),
        parameters=tuple(note["parameters"]),
        instructions=note["instructions"],
    )
