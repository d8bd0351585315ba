"""Prefect's ``DockerImage``, by both of its backends: docker-py (the default) and buildx.

Its Dockerfile is the one that it generates. That begins with Prefect's own image of the version; here the base image
with pip and uv bears that name, so that all sides have the same base. ``pull=False``: it would be asked for at a
registry.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.peers import bases
from benchmarks.peers.builder import Builder, requirements
from benchmarks.peers.environment import DRIVERS, environment
from benchmarks.process import Finished
from benchmarks.sets import Pin

_DRIVER = DRIVERS / "prefect_build.py"


class PrefectDockerPy(Builder):
    """Backend ``docker-py``: the engine's builder from before BuildKit."""

    name = "Prefect DockerImage (docker-py)"
    slug = "prefect-docker-py"
    backend = "docker-py"
    code = "/opt/prefect/project/app.py"

    def ready(self) -> None:
        self._program = str(environment(self.at, "prefect") / "python")

    def seed(self) -> None:
        told = self.at.run([self._program, str(_DRIVER), "base"], self._env)
        bases.bring_with_uv(self.at, told.stdout.strip())

    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        return {"requirements.txt": requirements(pins)}

    def build(self) -> Finished:
        command = [self._program, str(_DRIVER), self.backend, self.image]
        return self.measured(command, self._env, cwd=self.project)

    @property
    def _env(self) -> dict[str, str]:
        home = {"PREFECT_HOME": str(self.scratch), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        return {**self.engine, **home}


class PrefectBuildx(PrefectDockerPy):
    """Backend ``buildx``: BuildKit, by python-on-whales."""

    name = "Prefect DockerImage (buildx)"
    slug = "prefect-buildx"
    backend = "buildx"
