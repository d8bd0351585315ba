"""What is known of a base image: its configuration and the Python in it.

Values only. They are read from the image once by ``stages.probe`` and cached by image ID.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.oci.config import ImageConfig
from imagekit.oci.manifest import Descriptor


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
    distributions: tuple[tuple[str, str], ...]  # (name, version) of what python can import already

    @property
    def minor(self) -> str:
        """``3.11``"""
        return ".".join(self.version.split(".")[:2])


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
