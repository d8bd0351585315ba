"""Running ``docker buildx``: its lines as they come, its end, and what its words mean.

python-on-whales makes the command (the engine's address, the docker context, TLS); the process is
started here, because it must end when imagekit does: an interrupted build that goes on would move
its tag later.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from imagekit.errors import BuildxMissing, DiskFull, EngineLost, ImagekitError
from imagekit.secrets.handed import NOTHING, Handed

# The client asks BuildKit to stop and waits for its word; a dead engine gives none.
_GRACE_SECONDS = 10.0
_ENGINE_GONE = ("error reading from server", "Cannot connect to the Docker daemon", "code = Unavailable")
_HINT = "install the docker client and its buildx plug-in (Debian: docker-cli and docker-buildx)"


class BuildxFailed(Exception):
    """``docker buildx`` ended with a failure that is the build's own."""


def buildx_lines(
    arguments: Sequence[str], *, engine: str | None, context: str | None = None, handed: Handed = NOTHING
) -> Generator[str, None, None]:
    """The lines that ``docker ARGUMENTS`` prints. Raises ``BuildxFailed`` at its end where it failed.

    ``handed``: what the build's steps get in secret, whose own arguments are among ``ARGUMENTS``; no line has a
    value of it.
    Close the iterator (``contextlib.closing``): then, and when it is interrupted, the process is told to stop.
    """
    if shutil.which("docker") is None:
        raise BuildxMissing("the docker client is not installed", hint=_HINT)
    from python_on_whales import DockerClient

    client = DockerClient(host=engine if context is None else None, context=context)
    command = [*(str(word) for word in client.client_config.docker_cmd), *arguments]
    concealed = handed.needles.concealed
    with _ended_with_us(command, handed.environment()) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = concealed(raw.decode(errors="replace").rstrip())
            if line:
                yield line
        if process.wait() != 0:
            raise BuildxFailed


def buildx_fault(words: str) -> ImagekitError | None:
    """The error that is not of the build itself: no plug-in, no room, no engine any more."""
    if (
        "is not a docker command" in words
        or "unknown command: docker buildx" in words
        or "unknown flag: --progress" in words
    ):
        return BuildxMissing("docker has no buildx plug-in", hint=_HINT)
    if "no space left on device" in words:
        return DiskFull(
            "no space left where the engine keeps its data",
            hint="docker system df shows what uses it; docker builder prune makes room",
            details=words,
        )
    if any(word in words for word in _ENGINE_GONE):
        return EngineLost(
            "the engine went away during a build step",
            hint="start it and build again: finished steps are kept",
            details=words,
        )
    return None


@contextmanager
def _ended_with_us(command: Sequence[str], environment: Mapping[str, str] | None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
