"""What mends a lack: the recipes that bring it, and where there is none the distribution's packages. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.preflight.names import HEADER, LIBRARY, LINK, PKG_CONFIG, PROGRAM, has_apt, install_command, package_of
from imagekit.preflight.values import Remedy, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """What to add so that something is there."""

    recipes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()  # of the distribution, for what no recipe brings
    command: str | None = None  # what installs these in the base
    while_building: bool = False  # they are wanted where sources are built, and not in the image
    unknown: tuple[str, ...] = ()  # of this nobody knows where it comes from
    by_apt: bool = True

    @property
    def line(self) -> str:
        """``add recipes = ["opencv"]``; or which packages a recipe of one's own, or another base, is to bring."""
        said = []
        if self.recipes:
            said.append("add recipes = [" + ", ".join(f'"{name}"' for name in self.recipes) + "]")
        if self.packages:
            key = "build" if self.while_building else "packages"
            names = ", ".join(f'"{name}"' for name in self.packages)
            said.append(f"add a recipe of your own with [apt] {key} = [{names}], or take a base that has them")
        elif self.command:
            said.append(f"take a base that has them ({self.command})")
        if self.unknown:
            also = "also " if said else ""
            how = f": apt-file search {shlex.quote(self.unknown[0])}" if self.by_apt else ""
            said.append(f"{also}find out what brings {', '.join(self.unknown)}{how}")
        return ", ".join(said)

    def to_json(self) -> dict[str, Any]:
        return {
            "recipes": list(self.recipes),
            "packages": list(self.packages),
            "command": self.command,
            "unknown": list(self.unknown),
            "line": self.line,
        }


def mend_of(
    wants: Iterable[tuple[str, str]], system: System, remedies: Sequence[Remedy] = (), *, package: str = ""
) -> Mend:
    """What brings all of ``wants``, each a kind (``names.LIBRARY`` …) and a name; ``package`` wants it."""
    left = list(dict.fromkeys(wants))
    if not has_apt(system):
        remedies = ()  # recipes install with apt
    # One that is made for the package was tried with it: what else is needed is there, too.
    made_for = [r for r in remedies if package in r.serves and _count(r, left, system)]
    whole = made_for or [r for r in remedies if left and _count(r, left, system) == len(left)]
    if whole:
        best = max(whole, key=lambda r: (_count(r, left, system), -len(r.packages), r.recipe))
        return Mend(recipes=(best.recipe,))
    found = {want: package_of(*want, system) for want in left}
    packages = tuple(dict.fromkeys(each for each in found.values() if each))
    sonames = tuple(name for kind, name in left if kind == LIBRARY)
    command = install_command(system, packages, sonames)
    solved = [want for want in left if found[want] or (command and want[1] in sonames and not packages)]
    return Mend(
        packages=packages,
        by_apt=has_apt(system),
        while_building=any(kind in (HEADER, PKG_CONFIG, LINK, PROGRAM) for kind, _ in left),
        command=command,
        unknown=tuple(name for kind, name in left if (kind, name) not in solved),
    )


def _count(remedy: Remedy, wants: Iterable[tuple[str, str]], system: System) -> int:
    return sum(_brings(remedy, want, system) for want in wants)


def _brings(remedy: Remedy, want: tuple[str, str], system: System) -> bool:
    kind, name = want
    listed = {
        LIBRARY: remedy.sonames,
        HEADER: remedy.headers,
        PKG_CONFIG: remedy.pkg_config,
        PROGRAM: remedy.programs,
        LINK: frozenset[str](),
    }[kind]
    if name in listed:
        return True
    # A recipe lists what people ask for by name; its packages bring more than that.
    return kind != PROGRAM and package_of(kind, name, system) in remedy.packages
