"""The peer: a Dockerfile as uv's own guide to Docker has it, with all that makes it quick.

Two stages, uv from an image of its own, a cache mount for uv's cache, bytecode compiled, the environment taken over
by ``COPY --link``, the lock alone mounted while it is installed and the code copied last. It installs from the very
lock that imagekit is given, so neither side resolves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

UV_IMAGE = "imagekit-bench/uv:1"

# An image with nothing in it but uv, as its makers publish one.
UV_IMAGE_DOCKERFILE = "FROM scratch\nCOPY uv /uv\n"

DOCKERFILE = """\
FROM {base} AS build
COPY --from={uv} /uv /bin/
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN uv venv /opt/venv
ENV VIRTUAL_ENV=/opt/venv
RUN --mount=type=cache,target=/root/.cache/uv \\
    --mount=type=bind,source=pylock.toml,target=pylock.toml \\
    --mount=type=secret,id=ca \\
    {ca}uv pip sync pylock.toml

FROM {base}
COPY --link --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
WORKDIR /app
COPY . .
"""


# The same without bytecode; the engine keeps its cache of wheels apart from the other's.
WITHOUT_BYTECODE = DOCKERFILE.replace("UV_COMPILE_BYTECODE=1 ", "").replace(
    "type=cache,", "type=cache,id=uv-no-bytecode,"
)


def files(base: str, lock: str, ca_bundle: str | None, *, bytecode: bool = True) -> dict[str, str]:
    """What a project has for ``docker build``."""
    ca = "SSL_CERT_FILE=/run/secrets/ca " if ca_bundle else ""
    return {
        "Dockerfile": (DOCKERFILE if bytecode else WITHOUT_BYTECODE).format(base=base, uv=UV_IMAGE, ca=ca),
        ".dockerignore": "Dockerfile\n",
        "pylock.toml": lock,
    }


# The same for one who has versions and no lock.
OF_VERSIONS = (
    DOCKERFILE.replace("uv pip sync pylock.toml", "uv pip install --no-deps -r requirements.txt")
    .replace("pylock.toml", "requirements.txt")
    .replace("COPY . .\n", "")
)


def files_of_versions(base: str, packages: Sequence[str], ca_bundle: str | None) -> dict[str, str]:
    """What a directory has for an image of ``packages`` (``name==version``) alone."""
    ca = "SSL_CERT_FILE=/run/secrets/ca " if ca_bundle else ""
    return {
        "Dockerfile": OF_VERSIONS.format(base=base, uv=UV_IMAGE, ca=ca),
        ".dockerignore": "Dockerfile\n",
        "requirements.txt": "".join(f"{line}\n" for line in packages),
    }


def build(project: Path, reference: str, ca_bundle: str | None) -> list[str]:
    """Build ``project`` into the engine. The build's steps share this machine's network, to reach its index."""
    secret = ["--secret", f"id=ca,src={ca_bundle}"] if ca_bundle else []
    return ["docker", "build", "--quiet", "--network", "host", *secret, "--tag", reference, str(project)]


def push(reference: str) -> list[str]:
    """Push what was built."""
    return ["docker", "push", "--quiet", reference]
