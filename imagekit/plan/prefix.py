"""Where packages go in an image: the installation scheme, as absolute and relative paths."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.spec.base import PythonInfo

VENV = "/opt/venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """An installation prefix (a ``sysconfig`` scheme); all but ``root`` and ``python`` are relative to ``root``."""

    root: str  # /opt/venv
    python: str  # what scripts start: /opt/venv/bin/python
    site: str  # purelib and platlib: lib/python3.11/site-packages
    scripts: str  # bin
    headers: str  # include/site/python3.11

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
