"""Where packages go in an image: the installation scheme, as absolute and relative paths."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from imagekit.errors import BaseUnusable
from imagekit.oci.digest import digest_of
from imagekit.spec.base import BaseImage, PythonInfo, real_directory

VENV = "/opt/venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """An installation prefix (a ``sysconfig`` scheme).

    ``site``, ``scripts`` and ``headers`` are relative to ``root``.
    """

    root: str  # /opt/venv
    python: str  # what scripts start: /opt/venv/bin/python
    site: str  # purelib and platlib: lib/python3.11/site-packages
    scripts: str  # bin
    headers: str  # include/site/python3.11; ../include/python3.11 where a base has them beside the root
    is_ours: bool = True  # a virtual environment that is made for the image; else the base's own place
    # Those of the base's directories on the way to it and in it that are not 0755 root's: (path, mode, uid, gid).
    directories: tuple[tuple[str, int, int, int], ...] = ()

    @classmethod
    def of(cls, base: BaseImage) -> Prefix:
        """The prefix for packages on ``base``: its own where it holds packages already, else a virtual environment.

        Raises ``BaseUnusable`` for one that installs to places that have no directory in common.
        """
        python = base.python
        if python.is_bare:
            return cls.venv(python)
        root = real_directory(python.scheme.data, base).rstrip("/")

        def below(path: str) -> str | None:
            real = real_directory(path, base)
            return real[len(root) + 1 :] if real.startswith(f"{root}/") else None

        site, scripts = below(python.scheme.purelib), below(python.scheme.scripts)
        if site is None or scripts is None:
            raise BaseUnusable(
                f"the Python of {base.reference} installs to {python.scheme.purelib} and {python.scheme.scripts}, "
                f"which are not both below {root or '/'}",
                hint="choose a base whose packages are in a virtual environment, or a bare one",
            )
        # As pip has it (PEP 405 environments share the interpreter's own headers, and must not add to them).
        # Debian's own Python has them beside its prefix for packages, in /usr/include.
        headers = real_directory(python.scheme.headers, base)
        elsewhere = posixpath.relpath(headers, root or "/")
        within = tuple(
            special
            for special in base.directories
            if special[0].startswith((f"{root}/", f"{headers}/"))
            or any(f"{place}/".startswith(special[0].rstrip("/") + "/") for place in (root, headers))
        )
        return cls(
            root=root,
            python=python.command,
            site=site,
            scripts=scripts,
            headers=f"include/site/python{python.minor}" if python.is_virtual else elsewhere,
            is_ours=False,
            directories=within,
        )

    @classmethod
    def venv(cls, python: PythonInfo) -> Prefix:
        """The virtual environment that a bare base gets (layout of PEP 405 on POSIX)."""
        return cls(
            root=VENV,
            python=f"{VENV}/bin/python",
            site=f"lib/python{python.minor}/site-packages",
            scripts="bin",
            headers=f"include/site/python{python.minor}",
        )

    @property
    def site_path(self) -> str:
        """``/opt/venv/lib/python3.11/site-packages``"""
        return f"{self.root}/{self.site}"

    @property
    def scripts_path(self) -> str:
        """``/opt/venv/bin``"""
        return f"{self.root}/{self.scripts}"

    @property
    def identity(self) -> list[str]:
        """All of it that decides what a layer of installed files is."""
        tree = digest_of(repr(self.directories).encode("utf-8", "surrogateescape"))
        return [self.root, self.python, self.site, self.scripts, self.headers, tree]
