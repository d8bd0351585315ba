"""Makes ``requirements/`` anew: ``python -m benchmarks.peers.relock``, versions alone and no place to get them from.

``NAME.txt`` is a peer's environment, for every Python that the benchmarks run with. ``NAME-SET.txt`` is a set beside a
peer that is itself in its images: the set's versions wherever the two agree on them.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.peers.environment import REQUIREMENTS, pinned
from benchmarks.relock import PYTHON
from benchmarks.sets import PackageSet, uv_program

ENVIRONMENTS = {
    "prefect": "prefect[buildx]\n",
    "flytekit": "flytekit\n",
    "bentoml": "bentoml\nuv\n",  # it installs uv by pip, where there is none
    "pip": "pip\n",
}
OLDEST = "3.10"
IN_THE_IMAGE = ("flytekit", "bentoml")
SETS = ("api", "tiny")


def main() -> None:
    for name, wanted in ENVIRONMENTS.items():
        _write(name, _compiled(wanted, "--universal", "--python-version", OLDEST))
    for name in IN_THE_IMAGE:
        for packages in map(PackageSet, SETS):
            preferred = "".join(f"{pin.package}=={pin.version}\n" for pin in packages.pins.values())
            wanted = f"{packages.direct}\n{name}=={pinned(name)[name]}\n"
            platform = ("--python-platform", "x86_64-manylinux_2_36", "--python-version", PYTHON)
            _write(f"{name}-{packages.name}", _compiled(wanted, *platform, preferred=preferred))
            found = pinned(f"{name}-{packages.name}")
            others = [pin for pin in packages.pins.values() if found.get(pin.package) != pin.version]
            print(f"{name} beside {packages.name}: {len(found)} packages, {len(others)} of the set by other versions")


def _compiled(wanted: str, *options: str, preferred: str = "") -> str:
    with tempfile.TemporaryDirectory(prefix="imagekit-relock-") as directory:
        output = Path(directory, "found.txt")
        output.write_text(preferred)  # uv keeps to what is there where it can
        words = ["--quiet", "--no-config", "--no-header", "--no-annotate", "--output-file", str(output)]
        done = subprocess.run(
            [uv_program(), "pip", "compile", *words, *options, "--", "-"], input=wanted, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return output.read_text()


def _write(name: str, text: str) -> None:
    (REQUIREMENTS / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
