"""What a resolver answers: every package, one file of it for the target, with its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagekit.oci.digest import Digest, digest_of_json


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommit:
    """A commit of a git repository (PEP 751, ``packages.vcs``)."""

    url: str  # https://, http://, ssh:// or file://
    commit: str  # in full: 40 hex digits, or 64
    requested: str | None = None  # the branch, tag or short commit that was asked for
    subdirectory: str = ""

    @property
    def sha256(self) -> str:
        """What tells one source from another: the commit names its content, wherever it is fetched from."""
        return digest_of_json({"commit": self.commit, "subdirectory": self.subdirectory}).removeprefix("sha256:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory of this machine (PEP 751, ``packages.directory``), as it is when it is read."""

    path: Path  # absolute


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a package is installed from: where it is and what it must hash to.

    That is a wheel or a source distribution, or what ``origin`` names; its ``sha256`` is then of the commit, or
    of the directory's tree, and its ``filename`` is no file's.
    """

    filename: str
    url: str  # https://, http:// or file://; git+https://… of a commit
    sha256: str  # 64 hex digits
    size: int | None = None  # bytes, where the index says so
    by_url: bool = False  # asked for by its URL or path, and not found in an index
    origin: GitCommit | Directory | None = None

    @property
    def is_wheel(self) -> bool:
        return self.origin is None and self.filename.endswith(".whl")

    @classmethod
    def of_commit(cls, name: str, source: GitCommit) -> Artifact:
        """What ``name`` is built from, of a repository."""
        fragment = f"#subdirectory={source.subdirectory}" if source.subdirectory else ""
        url = f"git+{source.url}@{source.commit}{fragment}"
        return cls(filename=f"{name}@{source.commit[:12]}", url=url, sha256=source.sha256, by_url=True, origin=source)

    @classmethod
    def of_directory(cls, name: str, path: Path, content: Digest) -> Artifact:
        """What ``name`` is built from, of a directory whose tree has the digest ``content``."""
        sha256 = content.removeprefix("sha256:")
        origin = Directory(path=path)
        return cls(filename=f"{name}/", url=path.as_uri(), sha256=sha256, by_url=True, origin=origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTool:
    """One package that the build of a wheel had at hand (PEP 518's ``requires``, and what those need)."""

    name: str  # normalized (PEP 503)
    version: str
    filename: str
    sha256: str  # 64 hex digits


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One package of a lock: the one artifact that fits the target best."""

    name: str  # normalized (PEP 503)
    version: str
    artifact: Artifact
    direct: bool = False  # asked for by name, and not only needed by others
    built_from: Artifact | None = None  # the locked source distribution, where ``artifact`` is a wheel built of it here
    built_with: tuple[BuildTool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A resolved set for one target, in name order."""

    packages: tuple[LockedPackage, ...]
    inputs: Digest  # of the inputs it was made from: staleness is comparing these
    python: str  # full version that it was resolved for
    platform: str  # linux/amd64
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> Mapping[str, str]:
        """Name → version of the packages that are asked for, or needed, and left to the base, which has them."""
        kept: Mapping[str, str] = (self.extra.get("base") or {}).get("kept") or {}
        return kept

    @property
    def reasons(self) -> Mapping[str, str]:
        """Name → why, of the packages that replace another version of the base's."""
        reasons: Mapping[str, str] = (self.extra.get("base") or {}).get("replaced") or {}
        return reasons

    @property
    def conda(self) -> list[list[str]]:
        """Name, version, build and hash of conda's packages beneath, where there are any."""
        packages = (self.extra.get("conda") or {}).get("packages") or ()
        return [[package[name] for name in ("name", "version", "build", "sha256")] for package in packages]

    @property
    def digest(self) -> Digest:
        """The digest of what is installed: names, versions and hashes; not where they lie."""
        return digest_of_json(
            {
                "python": self.python,
                "platform": self.platform,
                "packages": [[p.name, p.version, p.artifact.filename, p.artifact.sha256] for p in self.packages],
                **({"conda": self.conda} if self.conda else {}),
            }
        )


def is_file_name(text: str) -> bool:
    """Whether ``text`` is the name of a file in one directory, and no way out of it."""
    return text not in ("", ".", "..") and not {"/", "\\", "\0"} & set(text)
