"""flytekit's ``ImageSpec`` by its default builder, which writes a Dockerfile and calls ``docker build``.

Its options name the base image, its Python, and the images that it takes uv and certificates from. What they do not
reach is changed (``drivers/flytekit_build.py``): the Dockerfile's first line asks for a frontend in a registry, and
its steps get no network of this machine's. flytekit itself is in every image of it, so that what the set asks for is
resolved beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property

from benchmarks import uv_dockerfile
from benchmarks.peers import bases
from benchmarks.peers.builder import STORE, Builder, requirements
from benchmarks.peers.environment import DRIVERS, environment, pins_with
from benchmarks.process import Finished
from benchmarks.sets import Pin

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class FlytekitSpec(Builder):
    """``ImageSpec(builder="default")`` with the project's source in the image."""

    name = "flytekit ImageSpec"
    slug = "flytekit"
    python = "/root/.venv/bin/python"  # an environment that it makes
    code = "/root/app.py"

    @cached_property
    def pins(self) -> Mapping[str, Pin]:
        return pins_with("flytekit", self.packages.name) or self.packages.pins

    def ready(self) -> None:
        self._program = str(environment(self.at, "flytekit") / "python")

    def seed(self) -> None:
        bases.bring(self.at)

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        return {"requirements.txt": requirements(pins)}

    def build(self) -> Finished:
        machine = os.uname().machine
        spec = {
            "name": self.image.partition(":")[0] + "-flytekit",
            "base_image": bases.WITH_PIP,
            "python_exec": Builder.python,
            "platform": f"linux/{_ARCHITECTURES.get(machine, machine)}",
            "builder_config": {"uv_image": uv_dockerfile.UV_IMAGE, "micromamba_image": bases.WITH_PIP},
        }
        command = [self._program, str(DRIVERS / "flytekit_build.py"), json.dumps(spec)]
        done = self.measured(command, self.engine, cwd=self.project)
        # It names its images itself, by what is in them.
        self.at.docker(STORE, "tag", done.stdout.splitlines()[-1], self.image)
        return done
