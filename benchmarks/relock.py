"""Makes a set's files anew: ``python -m benchmarks.relock [--keep] NAME …``. What they hold is committed.

From ``requirements.in`` and ``set.toml`` come ``pins.txt`` (one version of each package, the hashes of
its wheels for the platforms below, no place to get it from), ``pins-X.Y.txt`` (the same versions for another Python,
and what is needed there alone) and ``moves.json``: other versions of packages with which the set still resolves to the
same names. ``--keep`` leaves ``pins.txt`` and the moves that there are, and makes what is missing.

* ``tail`` and ``large``: releases before the pinned one, the newest first, each for itself.
* ``drawn``: ``random.Random(20)`` shuffles all names; one after the other moves to its previous release, *on top of
  those moved before*; a package that cannot is passed over.
* ``add``: packages that the set has not, and that need nothing but what it has.

Where ``set.toml`` has ``points``, the blocks of ``requirements.in`` must come to so many packages, each with those
before it, and ``pins.txt`` has them in that order: the first of them need none of the others.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.change_cases import OTHER_PYTHON
from benchmarks.sets import SETS, PackageSet, pylock_packages, read_toml, uv_program

PYTHON = "3.11"
PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
SEED = 20
VERSIONS = {"tail": 16, "large": 6}

Pins = dict[str, str]


def main() -> None:
    names = [word for word in sys.argv[1:] if word != "--keep"]
    for name in names:
        relock(SETS / name, keep="--keep" in sys.argv)


def relock(directory: Path, *, keep: bool) -> None:
    """Write the files of the set in ``directory``."""
    settings = read_toml((directory / "set.toml").read_text())
    direct = (directory / "requirements.in").read_text()
    pins = {name: pin.version for name, pin in PackageSet(directory.name).pins.items()} if keep else _resolved(direct)
    if pins is None:
        raise SystemExit(f"{directory.name}: requirements.in does not resolve")
    if not keep:
        if "points" in settings:
            pins = _ordered(direct, pins, settings["points"])
        _write_pins(directory / "pins.txt", pins, PYTHON)
    if not (keep and (directory / f"pins-{OTHER_PYTHON}.txt").exists()):
        _write_pins(directory / f"pins-{OTHER_PYTHON}.txt", _elsewhere(direct, pins, OTHER_PYTHON), OTHER_PYTHON)
    moves: dict[str, Any] = json.loads((directory / "moves.json").read_text()) if keep else {"seed": SEED}
    roles: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
        **{role: partial(_released, direct, pins, settings[role], most) for role, most in VERSIONS.items()},
        "drawn": partial(_drawn, direct, pins, settings["drawn"]),
        "add": partial(_added, direct, pins, settings["add"]),
    }
    for role, make in roles.items():
        if role not in moves:
            moves[role] = list(make())
    (directory / "moves.json").write_text(json.dumps(moves, indent=1) + "\n")
    print(f"{directory.name}: {len(pins)} packages, " + ", ".join(f"{role} {len(moves[role])}" for role in roles))


def _elsewhere(direct: str, pins: Pins, python: str) -> Pins:
    """What ``direct`` comes to on another Python with the same versions; what it needs there alone, by its newest."""
    constraints = "".join(f"{name}=={version}\n" for name, version in pins.items())
    found = _resolved(direct, constraints, python)
    if found is None:
        raise SystemExit(f"the pins do not resolve on Python {python}")
    # In the order that they have, which says what needs what.
    return {name: found[name] for name in (*pins, *found) if name in found}


def _ordered(direct: str, pins: Pins, points: list[int]) -> Pins:
    """``pins`` in the order of the blocks that bring them, which must come to ``points`` packages."""
    found: Pins = {}
    constraints = "".join(f"{name}=={version}\n" for name, version in pins.items())
    asked = ""
    for block in direct.strip().split("\n\n"):
        asked += f"{block}\n"
        names = _resolved(asked, constraints) or {}
        found.update({name: pins[name] for name in sorted(names) if name not in found})
        if len(found) not in points:
            raise SystemExit(f"the first blocks come to {len(found)} packages, not to one of {points}")
    return found


def _write_pins(path: Path, pins: Pins, python: str) -> None:
    hashes = _hashes(pins, python)
    if missing := [name for name in pins if not hashes[name]]:
        raise SystemExit(f"{path}: no wheels of {', '.join(missing)}")
    lines = [
        " \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{h}" for h in hashes[name])])
        for name, version in pins.items()
    ]
    path.write_text("\n".join(lines) + "\n")


def _released(direct: str, pins: Pins, package: str, most: int) -> list[dict[str, Any]]:
    found = [version for _, version in zip(range(most), _earlier(direct, pins, package), strict=False)]
    return [{"package": package, "version": v, "hashes": _hashes({package: v})[package]} for v in found]


def _added(direct: str, pins: Pins, names: list[str]) -> Iterator[dict[str, Any]]:
    before = "".join(f"{name}=={version}\n" for name, version in pins.items())
    for name in names:
        found = _resolved(f"{direct}{before}{name}\n") or {}
        if set(found) - set(pins) != {name}:
            raise SystemExit(f"{name} brings {sorted(set(found) - set(pins)) or 'nothing'}")
        yield {"package": name, "version": found[name], "hashes": _hashes({name: found[name]})[name]}


def _drawn(direct: str, pins: Pins, count: int) -> Iterator[dict[str, Any]]:
    names = sorted(pins)
    random.Random(SEED).shuffle(names)  # noqa: S311
    state = dict(pins)
    for name in names:
        version = next(_earlier(direct, state, name), None)
        if version is None:
            continue
        yield {"package": name, "version": version, "from": state[name], "hashes": _hashes({name: version})[name]}
        state[name] = version
        count -= 1
        if count == 0:
            return


def _earlier(direct: str, pins: Pins, package: str) -> Iterator[str]:
    """Versions of ``package`` before the pinned one with which all others may stay as they are."""
    version = pins[package]
    while True:
        others = "".join(f"{n}=={v}\n" for n, v in pins.items() if n != package)
        found = _resolved(f"{direct}{others}{package}<{version}\n")
        if found is None or set(found) != set(pins):
            return
        version = found[package]
        yield version


def _resolved(requirements: str, constraints: str = "", python: str = PYTHON) -> Pins | None:
    """The versions of it all for both platforms, or ``None`` where they do not agree."""
    found: list[Pins] = []
    for platform in PLATFORMS:
        packages = _compile(requirements, platform, constraints=constraints, python=python)
        if packages is None:
            return None
        found.append({p["name"]: p["version"] for p in packages})
    return found[0] if found[0] == found[1] else None


def _hashes(pins: Mapping[str, str], python: str = PYTHON) -> dict[str, list[str]]:
    hashes: dict[str, set[str]] = {name: set() for name in pins}
    for platform in PLATFORMS:
        packages = _compile("".join(f"{n}=={v}\n" for n, v in pins.items()), platform, "--no-deps", python=python)
        for package in packages or ():
            hashes[package["name"]].update(wheel["hashes"]["sha256"] for wheel in package["wheels"])
    return {name: sorted(found) for name, found in hashes.items()}


def _compile(
    requirements: str, platform: str, *more: str, python: str = PYTHON, constraints: str = ""
) -> list[dict[str, Any]] | None:
    with tempfile.TemporaryDirectory(prefix="imagekit-relock-") as directory:
        (Path(directory) / "requirements.in").write_text(requirements)
        (Path(directory) / "constraints.txt").write_text(constraints)
        done = subprocess.run(
            [
                *(uv_program(), "pip", "compile", "--quiet", "--format", "pylock.toml", "--only-binary", ":all:"),
                *("--python-version", python, "--python-platform", platform, "--constraint", "constraints.txt"),
                *(*more, "--", "requirements.in"),
            ],
            cwd=directory,
            capture_output=True,
            text=True,
        )
    return pylock_packages(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    main()
