"""Base images that hold packages already, as people have them: put there by a real installer."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import uv

# A Python of its own at {root}, with the layout that python.org's has: the distribution's, moved.
MOVED = """RUN v="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \\
 && mkdir -p {root}/bin "{root}/lib/python$v/dist-packages" && cp -a "/usr/lib/python$v/." "{root}/lib/python$v/" \\
 && rm -f "{root}/lib/python$v/EXTERNALLY-MANAGED" && cp "/usr/bin/python$v" {root}/bin/ \\
 && ln -s "python$v" {root}/bin/python3 && ln -s "python$v" {root}/bin/python \\
 && sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/; s/site-packages/dist-packages/" \\
    "{root}/lib/python$v/sysconfig.py"
ENV PATH={root}/bin:$PATH
"""
INSTALL = (
    "RUN --mount=type=bind,from=tools,target=/run/tools --mount=type=bind,from=wheels,target=/run/wheels "
    "/run/tools/uv --no-cache pip install --no-config --offline --no-index --find-links /run/wheels "
    "{options} {names}\n"
)
FROM_INDEX = (
    "RUN --mount=type=bind,from=tools,target=/run/tools --mount=type=secret,id=ca,target=/run/ca.pem "
    "{environment}/run/tools/uv --no-cache pip install --no-config {options} {names}\n"
)
SYSTEM = "--system --break-system-packages --compile-bytecode"

MakeBase = Callable[..., str]


def install(*names: str, options: str = SYSTEM) -> str:
    """The step that installs ``names`` from the wheels given to ``build``."""
    return INSTALL.format(options=options, names=" ".join(names))


def install_from_index(*names: str, options: str = SYSTEM) -> str:
    """The step that installs ``names`` from the package index."""
    environment = "SSL_CERT_FILE=/run/ca.pem " if os.environ.get("SSL_CERT_FILE") else ""
    quoted = " ".join(f"'{name}'" for name in names)
    return FROM_INDEX.format(environment=environment, options=options, names=quoted)


def build(address: str, dockerfile: str, wheels: Path, directory: Path, files: Sequence[Path] = ()) -> str:
    """The tag of an image of ``dockerfile``, whose steps may use uv and ``wheels``."""
    tools, context = directory / "tools", directory / f"context-{secrets.token_hex(3)}"
    tools.mkdir(exist_ok=True)
    context.mkdir()
    if not (tools / "uv").exists():
        shutil.copy2(uv.find_uv_bin(), tools / "uv")
    for file in files:
        shutil.copy2(file, context / file.name)
    (context / "Dockerfile").write_text(dockerfile)
    tag = f"imagekit-test/{secrets.token_hex(6)}:1"
    bundle = os.environ.get("SSL_CERT_FILE")
    secret = ["--secret", f"id=ca,src={bundle}"] if bundle else []
    done = subprocess.run(
        [
            *("docker", "--host", address, "buildx", "build", "--load", "--provenance=false", "--tag", tag, *secret),
            *("--build-context", f"tools={tools}", "--build-context", f"wheels={wheels}", "--", str(context)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return tag
