"""BentoML: ``bentoml build``, which locks and copies the project into its store, then ``bentoml containerize``.

BentoML itself is in every image of it, so that what the set asks for is resolved beside it. Its Dockerfile installs
the uv of the day into the base, by pip.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from benchmarks.peers import bases
from benchmarks.peers.builder import Builder, requirements
from benchmarks.peers.environment import environment, pins_with
from benchmarks.process import Failed, Finished
from benchmarks.sets import Pin

_SERVICE = """\
import bentoml

image = bentoml.images.Image(base_image={base!r}, python_version={python!r}).requirements_file("requirements.txt")


@bentoml.service(image=image)
class Project:
    @bentoml.api
    def flow(self) -> int:
        import app

        return app.flow()
"""


class Bento(Builder):
    """A Bento of one service, containerized by the backend ``docker``."""

    name = "BentoML"
    slug = "bentoml"
    python = "/app/.venv/bin/python"
    code = "/home/bentoml/bento/src/app.py"

    @cached_property
    def pins(self) -> Mapping[str, Pin]:
        return pins_with("bentoml", self.packages.name) or self.packages.pins

    def ready(self) -> None:
        self._program = str(environment(self.at, "bentoml") / "bentoml")

    def seed(self) -> None:
        bases.bring(self.at)

    def forget(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        python = ".".join(self.at.python.split(".")[:2])
        return {
            "service.py": _SERVICE.format(base=bases.WITH_PIP, python=python),
            "requirements.txt": requirements(pins),
        }

    def build(self) -> Finished:
        self.scratch.mkdir(parents=True, exist_ok=True)
        env = {
            **self.engine,
            "BENTOML_HOME": str(self.scratch),
            "UV_CACHE_DIR": str(self.scratch / "uv"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        built = self.measured([self._program, "build", "--output", "tag"], env, cwd=self.project)
        tag = next((line for line in built.stdout.splitlines() if line.startswith("__tag__:")), None)
        if tag is None:
            raise Failed(f"bentoml build names no Bento:\n{built.stdout}")
        words = ["containerize", tag.removeprefix("__tag__:"), "--image-tag", self.image, "--opt", "network=host"]
        made = self.measured([self._program, *words], env, cwd=self.project)
        return replace(
            made,
            seconds=built.seconds + made.seconds,
            cpu_seconds=built.cpu_seconds + made.cpu_seconds,
            peak_bytes=max(built.peak_bytes, made.peak_bytes),
            memory_bytes=max(built.memory_bytes, made.memory_bytes),
            engine_bytes=max(built.engine_bytes, made.engine_bytes),
        )
