"""A solved conda environment: every package with its file and hash. Values."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.oci.digest import Digest, digest_of_json

# Where a conda environment is in an image.
PREFIX = "/opt/conda"
PYTHON = "python"  # a noarch package of Python's: its files' places depend on the Python that is there


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaPackage:
    """One package of a solution (CEP 36, "Package metadata files served by conda channels")."""

    name: str
    version: str
    build: str
    build_number: int = 0
    subdir: str  # linux-64, noarch
    channel: str  # the name, or the URL without a login; of file:// its last part
    url: str  # of the file, without a login
    filename: str
    sha256: str  # 64 hex digits
    md5: str = ""
    size: int = 0  # bytes of the file; 0 where the channel does not say
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str = ""  # python, generic, or none
    site_packages: str = ""  # of a Python: lib/python3.13/site-packages
    license: str = ""
    timestamp: int | None = None  # milliseconds since the epoch
    direct: bool = False  # asked for by name

    @property
    def pin(self) -> str:
        """``numpy=1.26.4=py311h64a7726_0``"""
        return f"{self.name}={self.version}={self.build}"

    @property
    def dist(self) -> str:
        """``numpy-1.26.4-py311h64a7726_0``"""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def shown_url(self) -> str:
        """Where it came from as an image may tell it: no path of a machine."""
        return "" if self.url.startswith("file:") else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaLock:
    """A solved environment, in name order."""

    packages: tuple[CondaPackage, ...]
    inputs: Digest  # of what it was solved from: staleness is comparing these
    subdir: str  # linux-64

    @property
    def python(self) -> CondaPackage | None:
        """The environment's Python, where it has one."""
        return next((package for package in self.packages if package.name == "python"), None)

    @property
    def digest(self) -> Digest:
        """The digest of what is installed: names, versions, builds and hashes."""
        return digest_of_json([[p.name, p.version, p.build, p.sha256] for p in self.packages])


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPlace:
    """Where noarch packages of Python's go."""

    version: str  # 3.11.2
    site: str  # lib/python3.11/site-packages, relative to the prefix

    @property
    def minor(self) -> str:
        """``3.11``"""
        return ".".join(self.version.split(".")[:2])

    @property
    def cache_tag(self) -> str:
        """``cpython-311``"""
        return "cpython-" + self.minor.replace(".", "")

    @classmethod
    def of(cls, lock: CondaLock) -> PythonPlace | None:
        """That of the environment's own Python (CEP 17: a Python may say where its packages go)."""
        python = lock.python
        if python is None:
            return None
        minor = ".".join(python.version.split(".")[:2])
        return cls(version=python.version, site=python.site_packages or f"lib/python{minor}/site-packages")
