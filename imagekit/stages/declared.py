"""The declarations of base images that come with imagekit (``base-images/*.toml``)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.nearest import nearest_hint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

# The stable releases of Debian that have this Python as their own.
SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
# Without a compiler, and with one.
SLIM, BUILD = "slim", "build"
VARIANTS = (SLIM, BUILD)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseDeclaration:
    """What a base image from Debian packages is to hold."""

    suite: str
    python: str  # "3.11"
    updates: tuple[str, ...]  # further suites: "bookworm-updates", "bookworm-security"
    packages: tuple[str, ...]  # beside Debian's essential ones
    exclude: tuple[str, ...]  # path patterns of dpkg (path-exclude)
    include: tuple[str, ...]  # exceptions to them (path-include)


def declarations_directory() -> Path:
    """Where the declarations lie: in the installed package, or in the checkout it is run from."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_data" / "base-images"
    return installed if installed.is_dir() else package.parent / "base-images"


def declared_pythons() -> list[str]:
    """The Python versions (``"3.11"``) that a base image can be made with."""
    directory = declarations_directory()
    return [python for python, suite in SUITES.items() if (directory / f"debian-{suite}.toml").is_file()]


def base_declaration(python: str, variant: str = SLIM) -> BaseDeclaration:
    """The declaration for a Python version (``"3.11"``), of one of ``VARIANTS``.

    Raises ``InputError`` for a version that no declared Debian release has, and for an unknown variant.
    """
    if variant not in VARIANTS:
        raise InputError(f"unknown variant {variant!r} of a base", hint=nearest_hint(variant, VARIANTS))
    declared = declared_pythons()
    if python not in declared:
        raise InputError(
            f"no base image of Python {python} can be made from Debian packages",
            hint=f"known are {', '.join(declared) or 'none'}; "
            "to build on another image: imagekit build --base-image REF",
        )
    path = declarations_directory() / f"debian-{SUITES[python]}.toml"
    document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return BaseDeclaration(
        suite=document["suite"],
        python=document["python"],
        updates=tuple(document.get("updates", ())),
        packages=(*document["packages"], *(document["build"]["packages"] if variant == BUILD else ())),
        exclude=tuple(document.get("exclude", ())),
        include=tuple(document.get("include", ())),
    )
