"""Files asked for by name must not take the place of what the base, or the source, has. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from imagekit.errors import InvalidProject
from imagekit.plan.user import choose_user
from imagekit.spec.base import BaseImage, real_directory, real_path
from imagekit.spec.files import is_directory, refuse_targets, within

# Filesystem Hierarchy Standard 3.0: what a base has without our having looked.
_STANDARD = (
    *("/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt", "/opt"),
    *("/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64"),  # noqa: S108
    *("/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin", "/usr/share"),
    *("/var", "/var/cache", "/var/lib", "/var/log", "/var/run", "/var/tmp"),  # noqa: S108
)


def check_targets(targets: Iterable[str], base: BaseImage, workdir: str) -> None:
    """``InvalidProject`` for a target that, links followed, is a directory of ``base``, its Python or imagekit's own.

    Not all of a base's directories are known: those of the standard, those with an owner or a mode of
    their own, and those that links, ``PATH``, the Python and the user's home name.
    """
    asked = {target: real_path(target, base) for target in sorted(targets)}
    links, directories = {path for path, _ in base.links}, _directories(base)
    places: dict[str, str] = {}
    for target, place in asked.items():
        if place in links or place in directories:
            raise is_directory(target)
        if within(place, base.python.executable):
            raise InvalidProject(f"files: {target!r} is the image's Python", hint="choose another target")
        if place in places:
            raise InvalidProject(
                f"files: {target!r} and {places[place]!r} are one file in {base.reference}",
                hint="take one of them out",
            )
        places[place] = target
    refuse_targets(places, real_directory(workdir, base) or "/")


def _directories(base: BaseImage) -> set[str]:
    python = base.python
    searched = [path for path in (base.config.env.get("PATH") or "").split(":") if path.startswith("/")]
    named = [
        *_STANDARD,
        *(path for path, _, _, _ in base.directories),
        *(real for _, real in base.links),
        *searched,
        f"{python.prefix.rstrip('/')}/lib/python{python.minor}",
        *(python.environment, python.scheme.purelib, python.scheme.platlib, python.scheme.scripts),
        choose_user(base).home,
    ]
    found = {real_directory(path, base) for path in named}
    found |= {path.rpartition("/")[0] for path in (*(path for path, _ in base.links), python.executable)}
    return found | {above for path in found for above in _above(path)}


def _above(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
