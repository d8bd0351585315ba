"""A user's own Dockerfile, built by BuildKit through buildx."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.engine.faults import reach
from imagekit.errors import BuildxMissing, DiskFull, DockerfileFailed, EngineLost, ImagekitError
from imagekit.progress import Reporter

_LAST_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileBuild:
    """One ``docker buildx build``; the fields are named as docker-py's keywords mean them."""

    context: Path
    dockerfile: Path
    reference: str
    build_args: Mapping[str, str | None] = field(default_factory=dict)  # None: the value of the environment
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # "id=NAME,src=FILE" or "id=NAME,env=VAR"
    ssh: str | None = None  # "default" or "ID=SOCKET"
    target: str | None = None
    platform: str | None = None
    cache_from: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None
    shm_size: str | None = None  # bytes, or with a unit

    def arguments(self) -> list[str]:
        """What follows ``docker`` on the command line."""
        words = ["buildx", "build", "--progress", "plain", "--load", "--file", str(self.dockerfile)]
        words += ["--tag", self.reference]
        for name, value in self.build_args.items():
            words += ["--build-arg", name if value is None else f"{name}={value}"]
        for name, value in self.labels.items():
            words += ["--label", f"{name}={value}"]
        for secret in self.secrets:
            words += ["--secret", secret]
        for source in self.cache_from:
            words += ["--cache-from", source]
        for host, address in self.extra_hosts.items():
            words += ["--add-host", f"{host}:{address}"]
        for option, text in (
            ("--ssh", self.ssh),
            ("--target", self.target),
            ("--platform", self.platform),
            ("--network", self.network),
            ("--shm-size", self.shm_size),
        ):
            if text:
                words += [option, text]
        words += ["--no-cache"] * self.no_cache + ["--pull"] * self.pull
        return [*words, "--", str(self.context)]


def build_dockerfile(build: DockerfileBuild, engine_address: str, reporter: Reporter) -> None:
    """Build, and load the image into the engine under its reference.

    Raises ``DockerfileFailed`` with the last lines of what BuildKit said.
    """
    reach(engine_address)
    if shutil.which("docker") is None:
        raise BuildxMissing("the docker client is not installed", hint="install it: apt-get install docker-cli")
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException
    from python_on_whales.utils import stream_stdout_and_stderr

    command = [str(word) for word in DockerClient(host=engine_address).client_config.docker_cmd]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        with reporter.task(f"building {build.dockerfile.name}") as task:
            for line in _lines(stream_stdout_and_stderr([*command, *build.arguments()])):
                last.append(line)
                task.note(line)
                reporter.line(line)
    except DockerException as error:
        raise _fault(build, "\n".join(last) or str(error.stderr or "")) from None


def _lines(pieces: Iterable[tuple[str, bytes]]) -> Iterable[str]:
    for _, piece in pieces:
        text = piece.decode(errors="replace").rstrip()
        if text:
            yield text


def _fault(build: DockerfileBuild, words: str) -> ImagekitError:
    if "is not a docker command" in words or "unknown flag: --progress" in words:
        return BuildxMissing("docker has no buildx plug-in", hint="install it: apt-get install docker-buildx")
    if "no space left on device" in words:
        return DiskFull("no space left where the engine keeps its data", hint="docker system df", details=words)
    if any(w in words for w in ("error reading from server: EOF", "Cannot connect to the Docker daemon")):
        return EngineLost(
            "the engine went away during a build step", hint="start it and build again: finished steps are kept"
        )
    reason = next((line.strip() for line in reversed(words.splitlines()) if line.startswith("ERROR")), "")
    return DockerfileFailed(
        f"{build.dockerfile.name} did not build{': ' + reason.removeprefix('ERROR: ') if reason else ''}",
        hint="the details are the last lines of the build",
        details=words,
    )
