"""Makes a set's files anew: ``python -m benchmarks.relock NAME …``. What they hold is committed and rarely made again.

From ``requirements.in`` and ``set.toml`` come ``pins.txt`` (one version of each package, the hashes of
its wheels for the platforms below, no place to get it from) and ``moves.json``: other versions of packages
with which the set still resolves to the same names.

* ``tail`` and ``large``: releases before the pinned one, the newest first, each for itself.
* ``drawn``: ``random.Random(20)`` shuffles all names; one after the other moves to its previous release, *on top of
  those moved before*; a package that cannot is passed over.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.sets import SETS, pylock_packages, read_toml, uv_program

PYTHON = "3.11"
PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
SEED = 20
VERSIONS = {"tail": 16, "large": 6}

Pins = dict[str, str]


def main() -> None:
    for name in sys.argv[1:]:
        relock(SETS / name)


def relock(directory: Path) -> None:
    """Write ``pins.txt`` and ``moves.json`` of the set in ``directory``."""
    settings = read_toml((directory / "set.toml").read_text())
    direct = (directory / "requirements.in").read_text()
    pins = _resolved(direct)
    if pins is None:
        raise SystemExit(f"{directory.name}: requirements.in does not resolve")
    moves: dict[str, Any] = {"seed": SEED}
    for role, most in VERSIONS.items():
        package = settings[role]
        found = [v for _, v in zip(range(most), _earlier(direct, pins, package), strict=False)]
        moves[role] = [{"package": package, "version": v, "hashes": _hashes({package: v})[package]} for v in found]
    moves["drawn"] = list(_drawn(direct, pins, settings["drawn"]))
    hashes = _hashes(pins)
    lines = []
    for name, version in pins.items():
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash=sha256:{h}" for h in hashes[name])]))
    (directory / "pins.txt").write_text("\n".join(lines) + "\n")
    (directory / "moves.json").write_text(json.dumps(moves, indent=1) + "\n")
    print(f"{directory.name}: {len(pins)} packages, {len(moves['drawn'])} drawn, {len(moves['tail'])} of the tail")


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


def _resolved(requirements: str) -> Pins | None:
    """The versions of it all for both platforms, or ``None`` where they do not agree."""
    found: list[Pins] = []
    for platform in PLATFORMS:
        packages = _compile(requirements, platform)
        if packages is None:
            return None
        found.append({p["name"]: p["version"] for p in packages})
    return found[0] if found[0] == found[1] else None


def _hashes(pins: Mapping[str, str]) -> dict[str, list[str]]:
    hashes: dict[str, set[str]] = {name: set() for name in pins}
    for platform in PLATFORMS:
        packages = _compile("".join(f"{n}=={v}\n" for n, v in pins.items()), platform, "--no-deps")
        for package in packages or ():
            hashes[package["name"]].update(wheel["hashes"]["sha256"] for wheel in package["wheels"])
    return {name: sorted(found) for name, found in hashes.items()}


def _compile(requirements: str, platform: str, *more: str) -> list[dict[str, Any]] | None:
    with tempfile.TemporaryDirectory(prefix="imagekit-relock-") as directory:
        (Path(directory) / "requirements.in").write_text(requirements)
        done = subprocess.run(
            [
                *(uv_program(), "pip", "compile", "--quiet", "--format", "pylock.toml", "--only-binary", ":all:"),
                *("--python-version", PYTHON, "--python-platform", platform, *more, "--", "requirements.in"),
            ],
            cwd=directory,
            capture_output=True,
            text=True,
        )
    return pylock_packages(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    main()
