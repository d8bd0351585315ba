"""Which packages share a layer, in which order the layers lie, and the key of all that goes into each. Pure.

What noarch packages of Python's are compiled by lies below them: the environment's own interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from imagekit.conda.values import PREFIX, PYTHON, CondaLock, CondaPackage, PythonPlace
from imagekit.errors import BaseUnusable
from imagekit.oci.config import History
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.plan.config import MARK
from imagekit.plan.layering import LAYER_LIMIT, LEAST, arrange
from imagekit.spec.base import BaseImage, real_directory

# Part of every key: a change of how layers are written must not meet layers written before it.
FORMAT = 1
# Kept for what lies above: recipes, wheels, the project, a user's own steps.
_ABOVE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaLayer:
    """One layer of conda packages."""

    packages: tuple[CondaPackage, ...]
    keys: tuple[Digest, ...]  # of each package's own layer

    @property
    def key(self) -> Digest:
        return self.keys[0] if len(self.keys) == 1 else digest_of_json(["conda group", FORMAT, self.keys])

    @property
    def is_compiled(self) -> bool:
        """Whether the environment's Python compiles what is in it."""
        return self.packages[0].noarch == PYTHON

    @property
    def history(self) -> History:
        """As an image's history tells it: ``imagekit conda: numpy=1.26.4=py311h64a7726_0``."""
        return History(f"{MARK}conda: {' '.join(package.pin for package in self.packages)}")


def layers_of(lock: CondaLock, base: BaseImage) -> tuple[CondaLayer, ...]:
    """The layers of ``lock`` on ``base``, the lowest first. Raises ``BaseUnusable`` for one that leaves no room."""
    budget = LAYER_LIMIT - len(base.config.diff_ids) - _ABOVE
    if budget < 2 * LEAST:
        raise BaseUnusable(
            f"the base image has {len(base.config.diff_ids)} layers, and an image may have {LAYER_LIMIT} in all",
            hint="choose a base with fewer layers: imagekit base build makes one of a single layer",
        )
    place, special = PythonPlace.of(lock), special_directories(base)
    plain = [package for package in lock.packages if package.noarch != PYTHON]
    compiled = [package for package in lock.packages if package.noarch == PYTHON]
    # By names alone: a package that comes or goes moves none to the other side.
    share = min(budget - LEAST, max(LEAST, budget * len(plain) // max(1, len(lock.packages))))
    found: list[CondaLayer] = []
    for packages, most in ((plain, share), (compiled, budget - share)):
        for group in arrange(packages, most):
            keys = tuple(package_key(package, place, special) for package in group)
            found.append(CondaLayer(packages=group, keys=keys))
    return tuple(found)


def package_key(
    package: CondaPackage, place: PythonPlace | None, special: Sequence[tuple[str, int, int, int]]
) -> Digest:
    """The key of a package's layer: its file, what conda is told of it, and where it goes."""
    known = {name: value for name, value in asdict(package).items() if name not in ("url", "direct")}
    known["url"] = package.shown_url
    where = asdict(place) if place is not None and package.noarch == PYTHON else None
    return digest_of_json(["conda", FORMAT, known, PREFIX, where, list(special)])


def special_directories(base: BaseImage) -> tuple[tuple[str, int, int, int], ...]:
    """The base's directories on the way to the prefix that are not 0755 root's.

    Raises ``BaseUnusable`` where something is in the prefix's place.
    """
    if base.python.environment == PREFIX or base.python.environment.startswith(f"{PREFIX}/"):
        raise BaseUnusable(
            f"{base.reference} has an environment at {PREFIX} already",
            hint="choose a base without conda, or ask for the packages by pip",
        )
    if (real := real_directory(PREFIX, base)) != PREFIX:
        raise BaseUnusable(
            f"in {base.reference} {PREFIX} is {real}, by a link", hint="choose a base with a directory /opt"
        )
    return tuple(each for each in base.directories if f"{PREFIX}/".startswith(each[0].rstrip("/") + "/"))
