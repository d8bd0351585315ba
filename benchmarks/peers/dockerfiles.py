"""imagekit, and the peers that are Dockerfiles: uv's with bytecode and without, and pip's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from benchmarks import ours, uv_dockerfile
from benchmarks.case import OURS, PEER
from benchmarks.peers import bases
from benchmarks.peers.builder import STORE, Builder, requirements
from benchmarks.process import Finished
from benchmarks.sets import Pin

# As the page of the official Python image has it.
PIP_DOCKERFILE = """\
FROM {base}
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
"""


class Imagekit(Builder):
    """imagekit itself."""

    name = OURS
    slug = "imagekit"

    def forget(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        return ours.files(self.packages.direct, self.at.locks.lock(pins.values()))

    def build(self) -> Finished:
        return self.measured(self.at.imagekit.build(self.project, self.image, self.at.base), self._env)

    def push(self, name: str) -> Finished:
        return self.at.timed(self.at.imagekit.push(name), self._env)

    @property
    def _env(self) -> dict[str, str]:
        return self.at.ours_env(STORE, self.scratch)


class UvDockerfile(Builder):
    """A Dockerfile as uv's guide has it."""

    name = PEER
    slug = "uv"
    has_bytecode = True

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        lock = self.at.locks.lock(pins.values())
        return uv_dockerfile.files(self.at.base, lock, self.at.ca_bundle, bytecode=self.has_bytecode)

    def build(self) -> Finished:
        return self.measured(uv_dockerfile.build(self.project, self.image, self.at.ca_bundle), self.engine)


class UvWithoutBytecode(UvDockerfile):
    """The same, compiling nothing; its cache of wheels is its own."""

    name = f"{PEER}, no bytecode"
    slug = "uv-no-bytecode"
    has_bytecode = False


class PipDockerfile(Builder):
    """The Dockerfile that most begin with."""

    name = "pip Dockerfile"
    slug = "pip"

    def seed(self) -> None:
        bases.bring(self.at)

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        return {
            "Dockerfile": PIP_DOCKERFILE.format(base=bases.WITH_PIP),
            ".dockerignore": "Dockerfile\n",
            "requirements.txt": requirements(pins),
        }

    def build(self) -> Finished:
        command = ["docker", "build", "--quiet", "--network", "host", "--tag", self.image, str(self.project)]
        return self.measured(command, self.engine)
