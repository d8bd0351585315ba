"""What is wanted: one image, described by values that were read once.

An ``ImageSpec`` holds no handle on an engine and has read every file that decides
what is *in* the image but the project's source (a ``SourceTree`` lists that).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.spec.conda import CondaWanted

# In the place of a URL: that of the machine's default index.
MACHINE = "machine"
# Before DIRECTORY[:NAME]: an OCI image layout, as skopeo names it.
OCI_LAYOUT = "oci:"
# What a lack of libraries that packages ask for comes to: a line, an error, nothing.
PREFLIGHTS = ("warn", "strict", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A directory, a wheel or a source distribution of this machine, as it was when it was read."""

    path: Path  # absolute, its links followed
    content: Digest  # of a file's bytes, or of a directory's tree
    metadata: Digest  # of what decides name, version and requirements: for a directory the files that declare them


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementLine:
    """One requirement and where it was written, so that an error can say so.

    ``text`` is a valid PEP 508 requirement with its hashes taken off; a path stands in it as a ``file:`` URL.
    """

    text: str
    origin: str  # "requirements.txt:3", "pyproject.toml:7", "packages"
    hashes: tuple[str, ...] = ()  # "sha256:<hex>"
    local: LocalSource | None = None  # what that URL names


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIndex:
    """An index with a name, by which it is given its packages and its login."""

    name: str
    url: str
    explicit: bool = False  # asked for the packages that are pinned to it, and for no others
    username: str | None = None
    secret: str | None = None  # the name of the secret that is its password


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPin:
    """A package that comes from one index alone."""

    package: str  # normalized
    index: str  # a name
    marker: str = ""  # PEP 508; where it does not hold, the pin does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Where packages come from, in the order in which indexes are asked: ``extra``, ``default``, ``supplemental``.

    ``None`` leaves the default to the machine; ``MACHINE`` is its URL where a name is given to it. No URL holds a
    login. ``named`` has the explicit ones, and names for those of the others that have one.
    """

    default: str | None = None
    extra: tuple[str, ...] = ()
    supplemental: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    named: tuple[NamedIndex, ...] = ()
    pins: tuple[IndexPin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """A file of the context that is copied to an absolute path of the image."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWheels:
    """Packages that other images on the same base hold in the same versions: their layers can be the same.

    ``of`` is how many packages the largest of those images has; it decides how many layers these may have in each.
    """

    names: tuple[str, ...]  # normalized
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project that is installed itself, from its ``pyproject.toml``.

    ``import_root`` is the directory (relative to the context, ``"."`` or ``"src"``) that goes
    on the import path when the project is installed by metadata alone; ``None`` where it must
    be built into a wheel (dynamic metadata, compiled code, a layout that is neither flat nor src).
    """

    name: str
    version: str | None  # None when dynamic
    import_root: str | None
    scripts: tuple[tuple[str, str], ...] = ()  # (name, "module:attr")
    gui_scripts: tuple[tuple[str, str], ...] = ()
    entry_points: tuple[tuple[str, str, str], ...] = ()  # (group, name, value), scripts not among them
    metadata: str = ""  # core metadata (METADATA), from the static fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """One image as it is wanted, before anything is resolved."""

    context: Path
    name: str | None = None  # of the image, as [tool.imagekit] or [project] has it
    requirements: tuple[RequirementLine, ...] = ()
    constraints: tuple[RequirementLine, ...] = ()
    overrides: tuple[RequirementLine, ...] = ()  # what packages are asked for, whatever requires them
    extras: tuple[str, ...] = ()  # of the project, asked for; normalized. Their requirements are among the above
    groups: tuple[str, ...] = ()  # dependency groups, likewise
    requires_hashes: bool = False  # some requirement has a hash: then all that is installed must
    requires_python: str = ""  # a specifier set, from pyproject.toml
    project: Project | None = None
    lock_file: Path | None = None  # the user's own: pylock.toml, uv.lock, poetry.lock, pdm.lock or Pipfile.lock
    python: str | None = None  # "3.11"; None: whichever the base image named has
    platform: Platform = field(default_factory=Platform.host)
    base_image: str | None = None  # a reference, or oci:DIRECTORY[:NAME]; None: the default for that Python
    indexes: Indexes = Indexes()
    prereleases: bool | None = None  # --pre; None leaves it to the machine
    exclude_newer: str | None = None  # RFC 3339: nothing that was uploaded later
    any_index: bool | None = None  # versions from any index, not from the first that knows the package; None: as above
    only_binary: tuple[str, ...] = ()  # normalized names, or (":all:",): --only-binary
    no_binary: tuple[str, ...] = ()  # the same: --no-binary
    resolver: str = "uv"  # or "pip-tools"
    source_builds: tuple[str, ...] = ()  # normalized names that may be built from source; ("*",): all
    env: tuple[tuple[str, str], ...] = ()
    env_origins: tuple[tuple[str, str], ...] = ()  # (name, "environment.yml:7") of those that such a file gives
    labels: tuple[tuple[str, str], ...] = ()
    files: tuple[FileMapping, ...] = ()
    include_source: bool = True  # the context, under .dockerignore rules, at workdir
    dockerignore: Path | None = None  # None: context/.dockerignore
    workdir: str = "/app"
    extra_dockerfile_commands: tuple[str, ...] = ()  # one instruction each, run on the assembled image
    entrypoints: tuple[str, ...] = ()  # "flow.py:etl": imported by the health check
    health_check: bool = True
    preflight: str = "warn"  # one of PREFLIGHTS: of libraries that packages ask for and the base lacks
    conda: CondaWanted | None = None  # packages of conda's, beneath those of the requirements
    recipes: tuple[str, ...] = ()  # what the base is given beneath all layers: names, or paths relative to the context
    beneath: tuple[SharedWheels, ...] = ()  # the lowest layers of wheels, the lowest first
    runtime_extras: bool = False  # it honours EXTRA_PIP_PACKAGES wherever it is started

    @property
    def builds_project(self) -> bool:
        """Whether the project itself must be built into a wheel: its metadata and source alone would not do."""
        return self.project is not None and (self.project.import_root is None or not self.include_source)
