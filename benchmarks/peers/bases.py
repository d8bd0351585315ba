"""What peers start from beside the base image, made of it: their own bases are in registries that need not be at hand.

The base image has Python and no installer. ``WITH_PIP`` is what the official Python image is beside it: pip, in an
environment that is first on ``PATH``; and it trusts whom this machine trusts.
"""

from __future__ import annotations

import shutil

from benchmarks import uv_dockerfile
from benchmarks.peers.builder import STORE
from benchmarks.peers.environment import pinned
from benchmarks.surroundings import Surroundings

WITH_PIP = "imagekit-bench/base:pip"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # where Debian has all of them, in one file

_DOCKERFILE = """\
FROM {base}
USER root
{trust}
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
RUN --mount=from={uv},source=/uv,target=/bin/uv UV_PYTHON_DOWNLOADS=never \\
    uv venv --no-cache /opt/venv && uv pip install --no-cache pip=={pip}
"""
_TRUST = f"COPY ca.pem {_CERTIFICATES}\nENV SSL_CERT_FILE={_CERTIFICATES} PIP_CERT={_CERTIFICATES}"
_WITH_UV = f"FROM {WITH_PIP}\nCOPY --from={uv_dockerfile.UV_IMAGE} /uv /bin/uv\n"


def bring(at: Surroundings) -> None:
    """The engine has ``WITH_PIP``. Its packages are fetched once for a run."""
    if at.docker(STORE, "images", "--quiet", WITH_PIP).strip():
        return
    archive = at.directory / "base-pip.tar"
    if archive.exists():
        at.docker(STORE, "load", "--input", str(archive))
        return
    context = at.directory / "base-pip"
    context.mkdir(exist_ok=True)
    if at.ca_bundle:
        shutil.copyfile(at.ca_bundle, context / "ca.pem")
    text = _DOCKERFILE.format(
        base=at.base,
        uv=uv_dockerfile.UV_IMAGE,
        pip=pinned("pip")["pip"],
        trust=_TRUST if at.ca_bundle else "",
    )
    (context / "Dockerfile").write_text(text)
    at.docker(STORE, "build", "--quiet", "--network", "host", "--tag", WITH_PIP, str(context))
    at.docker(STORE, "save", "--output", str(archive), WITH_PIP)


def bring_with_uv(at: Surroundings, name: str) -> None:
    """The engine has, called ``name``, the base with pip and uv."""
    bring(at)
    at.docker(STORE, "build", "--quiet", "--tag", name, "-", stdin=_WITH_UV)
