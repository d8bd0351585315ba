"""The SDK's and the socket's exceptions, told apart as imagekit's own errors."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from imagekit.errors import (
    DiskFull,
    EngineError,
    EngineLost,
    EngineNotFound,
    EnginePermission,
    EngineTimeout,
    NotAnEngine,
)

# What makes an answer come at all: a socket that is missing must be said within a moment.
CONNECT_SECONDS = 2.0


def reach(address: str) -> None:
    """Open and close a connection to ``address``, so that each way of not reaching it has its own error.

    ``unix://`` and ``tcp://`` are tried; other schemes (ssh, npipe) are left to the SDK.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_SECONDS)
                probe.connect(parts.path)
        elif parts.scheme in ("tcp", "http", "https"):
            host, port = parts.hostname or "localhost", parts.port or 2375
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except PermissionError:
        raise EnginePermission(
            f"no permission to use the Docker Engine at {_shown(address)}",
            hint="add your user to the group 'docker' and log in again, or run as root",
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        raise EngineNotFound(
            f"no Docker Engine: {_shown(address)} does not exist",
            hint="install Docker Engine and start it (imagekit doctor tells more), or set DOCKER_HOST",
        ) from None
    except ValueError:
        raise EngineNotFound(
            f"no Docker Engine: {_shown(address)!r} is no address", hint="unix:///PATH or tcp://HOST:PORT"
        ) from None
    except OSError as error:
        reason = "connection refused" if error.errno == errno.ECONNREFUSED else str(error)
        raise EngineNotFound(
            f"the Docker Engine at {_shown(address)} is not running ({reason})",
            hint="start it: systemctl start docker, or dockerd as root",
        ) from None


@contextmanager
def translated(doing: str, address: str) -> Iterator[None]:
    """Turn whatever the SDK raises while ``doing`` something into one of our errors.

    An ``APIError`` (the engine answered, with a refusal) becomes ``EngineError`` with the
    engine's own explanation; callers that expect a refusal catch it inside.
    """
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        raise refusal(f"{doing}: {error.explanation or error}".strip()) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise late(doing, address) from error
    except (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError, ConnectionError) as error:
        if "timed out" in str(error).lower():
            raise late(doing, address) from error
        raise lost(doing, address) from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise lost(doing, address) from error
    except docker.errors.DockerException as error:
        # The SDK asks for the version first, and wraps whatever comes of it.
        if isinstance(error.__cause__, requests.exceptions.Timeout):
            raise late(doing, address) from error
        raise not_an_engine(address, str(error)) from error


def late(doing: str, address: str) -> EngineTimeout:
    return EngineTimeout(
        f"the Docker Engine at {_shown(address)} did not answer in time ({doing})",
        hint="look at its log; IMAGEKIT_ENGINE_TIMEOUT sets the deadline in seconds",
    )


def lost(doing: str, address: str) -> EngineLost:
    return EngineLost(
        f"the Docker Engine at {_shown(address)} went away ({doing})",
        hint="start it again and repeat the command: finished layers are kept",
    )


def not_an_engine(address: str, words: str) -> NotAnEngine:
    return NotAnEngine(
        f"what answers at {_shown(address)} is not a Docker Engine",
        hint="check DOCKER_HOST or docker context ls",
        details=words,
    )


def _shown(address: str) -> str:
    """What a library is given is looked at by nobody before: a login may be in it."""
    from imagekit.spec.url import redacted

    return redacted(address)


def refusal(text: str, status: int | None = None) -> EngineError | DiskFull:
    """The error for what the engine said in refusing, with its answer's ``status``."""
    if "no space left on device" in text:
        return DiskFull(
            f"no space left where the Docker Engine keeps its data ({text})",
            hint="docker system df shows what uses it",
        )
    refused = EngineError(text)
    refused.status = status
    return refused
