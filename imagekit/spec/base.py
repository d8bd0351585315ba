"""What is known of a base image: its configuration and the Python in it.

Values only. They are read from the image once by ``stages.probe`` and cached by image ID.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.errors import InvalidReference
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.oci.manifest import Descriptor
from imagekit.oci.reference import Reference
from imagekit.spec.image import OCI_LAYOUT
from imagekit.spec.installed import Distribution, Scheme

# What comes with a Python before anybody installs a package.
_SEEDS = frozenset({"pip", "setuptools", "wheel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonInfo:
    """A base image's default ``python3`` (or ``python``), as it describes itself."""

    executable: str  # absolute path in the image, links resolved: /usr/bin/python3.11
    version: str  # full: 3.11.2
    implementation: str  # sys.implementation.name: cpython
    cache_tag: str  # of .pyc files: cpython-311
    libc: str  # glibc or musl
    libc_version: str  # 2.36
    machine: str  # x86_64
    prefix: str  # sys.base_prefix: /usr
    markers: tuple[tuple[str, str], ...]  # the PEP 508 environment
    command: str  # as it is started, links not resolved: /opt/conda/bin/python3
    environment: str  # sys.prefix: other than ``prefix`` in a virtual environment
    conda: bool  # the environment is conda's
    scheme: Scheme
    distributions: tuple[Distribution, ...]  # what it can import already, in name order
    in_place: bool = False  # it is a finished image: packages are added beside its own, which stay as they are

    @property
    def minor(self) -> str:
        """``3.11``"""
        return ".".join(self.version.split(".")[:2])

    @property
    def is_virtual(self) -> bool:
        """Whether it runs in a virtual environment (PEP 405)."""
        return self.environment != self.prefix

    @property
    def is_bare(self) -> bool:
        """Whether only Python is there, beside what it and its distribution bring along.

        Then packages get an environment of their own; else they go where the others are, so that each sees the other.
        """
        if self.is_virtual or self.conda or self.in_place:
            return False
        return all(found.name in _SEEDS or found.is_system for found in self.distributions)

    @property
    def kept(self) -> tuple[Distribution, ...]:
        """The distributions that new ones must get along with: none where these get an environment of their own."""
        return () if self.is_bare else self.distributions


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRecipe:
    """A recipe that an image was given, beneath all layers of ours."""

    name: str
    digest: Digest  # of what the recipe says, for this base
    diff_id: Digest | None  # of its layer, where it makes one

    @property
    def content(self) -> Digest:
        """Of what it says and of what came of that."""
        return digest_of_json([self.digest, self.diff_id])


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """A base image: where it came from, what it is, and the Python in it."""

    reference: str  # as the user names it
    image_id: str  # the engine's ID for it: changes whenever the content does
    config: ImageConfig
    python: PythonInfo
    passwd: str  # text of /etc/passwd
    group: str  # text of /etc/group
    layers: tuple[Descriptor, ...] = ()  # as the engine's own archive describes them, the lowest first
    # What a layer must repeat to leave it as it is: a directory in an upper layer replaces the
    # lower one's mode and owner, and one in the place of a link replaces the link.
    directories: tuple[tuple[str, int, int, int], ...] = ()  # (path, mode, uid, gid) of those that are not 0755 root
    links: tuple[tuple[str, str], ...] = ()  # (path, real path) of links to directories
    release: str = ""  # text of os-release(5); empty where there is none
    libraries: tuple[str, ...] = ()  # names of shared libraries where its loader, or a package of it, finds them
    digest: Digest | None = None  # of its manifest or index in a registry or layout, where that is known
    # Where it is, if not under ``reference``: ``oci:DIRECTORY[:NAME]``, or its name in the engine that was given it.
    found_at: str | None = None
    recipes: tuple[AppliedRecipe, ...] = ()  # what was put on the image that is named, the lowest first
    build_packages: tuple[str, ...] = ()  # of the distribution: what recipes want where sources are built
    origin: BaseImage | None = None  # the image that is named, where recipes were put on it
    ground: BaseImage | None = None  # what conda's packages were put on, where they were

    @property
    def named(self) -> BaseImage:
        """The image that is named, without what recipes put on it."""
        return self.origin or self

    @property
    def lowest(self) -> BaseImage:
        """The image that is named, with nothing of ours on it: neither recipes nor conda's packages."""
        return self.named.ground or self.named

    @property
    def place(self) -> str:
        """What a Dockerfile calls it."""
        return self.found_at or self.reference


def check_base_image(text: str) -> None:
    """Refuse what names no base image: neither a reference nor ``oci:DIRECTORY[:NAME]``."""
    if not text.startswith(OCI_LAYOUT):
        Reference.parse(text)
    elif not text.removeprefix(OCI_LAYOUT) or "\0" in text:
        raise InvalidReference(f"base image {text!r} names no directory", hint="write oci:DIRECTORY[:NAME]")


def real_path(path: str, base: BaseImage) -> str:
    """``path`` with the base's links to directories followed, so that no layer puts a directory in a link's place."""
    directory, _, name = path.rstrip("/").rpartition("/")
    return f"{real_directory(directory, base)}/{name}"


def real_directory(path: str, base: BaseImage) -> str:
    """The directory ``path`` with the base's links followed."""
    links = dict(base.links)
    done = ""
    for part in filter(None, path.split("/")):
        done = links.get(f"{done}/{part}", f"{done}/{part}")
    return done
