"""The peers of runtime extras: images whose start installs ``EXTRA_PIP_PACKAGES``, as the images of orchestrators do.

Prefect's entrypoint calls ``pip install`` (``uv pip install`` in newer ones) with the variable's words and then
executes the command; so do these, with either installer, into an environment that the image has.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.uv_dockerfile import UV_IMAGE

IMAGE = "imagekit-bench/start:1"
CA_FILE = "/run/ca.pem"

DOCKERFILE = """\
FROM {base}
COPY --from={uv} /uv /bin/
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
USER root
RUN uv venv /opt/venv
RUN --mount=type=secret,id=ca {ca}uv pip install pip
COPY start /usr/local/bin/start
WORKDIR /app
COPY flow.py .
ENTRYPOINT ["/usr/local/bin/start"]
"""

# The words of the variable are the installer's words: what a value may do to that is the reason for another way.
START = """\
#!/bin/sh
set -e
if [ -n "$EXTRA_PIP_PACKAGES" ]; then
    $INSTALLER install --quiet $EXTRA_PIP_PACKAGES
fi
exec "$@"
"""
INSTALLERS = {"pip at start": "pip --disable-pip-version-check", "uv at start": "uv pip"}


def write(directory: Path, base: str, flow: str, ca_bundle: str | None) -> None:
    """The context of the image, with ``flow`` as its ``flow.py``."""
    directory.mkdir(parents=True, exist_ok=True)
    ca = "SSL_CERT_FILE=/run/secrets/ca " if ca_bundle else ""
    (directory / "Dockerfile").write_text(DOCKERFILE.format(base=base, uv=UV_IMAGE, ca=ca))
    (directory / "start").write_text(START)
    (directory / "start").chmod(0o755)
    (directory / "flow.py").write_text(flow)


def build(directory: Path, ca_bundle: str | None) -> list[str]:
    """Build it. The steps share this machine's network, to reach its index."""
    secret = ["--secret", f"id=ca,src={ca_bundle}"] if ca_bundle else []
    return ["docker", "build", "--quiet", "--network", "host", *secret, "--tag", IMAGE, str(directory)]


def start(side: str, packages: str, ca_bundle: str | None) -> list[str]:
    """Start a container that installs ``packages`` and calls the flow."""
    words = ["docker", "run", "--rm", "--network", "host", "--env", f"EXTRA_PIP_PACKAGES={packages}"]
    words += ["--env", f"INSTALLER={INSTALLERS[side]}"]
    if ca_bundle:
        words += ["--volume", f"{ca_bundle}:{CA_FILE}:ro"]
        words += [word for name in ("SSL_CERT_FILE", "PIP_CERT") for word in ("--env", f"{name}={CA_FILE}")]
    return [*words, IMAGE, "python", "-c", "import flow; flow.main()"]
