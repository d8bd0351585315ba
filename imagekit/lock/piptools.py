"""Resolving with pip-tools: ``pip-compile`` gives pinned and hashed requirements.

pip-compile resolves only for the interpreter it runs in, and runs build backends there: it runs
on the host only where the host *is* the target and nothing may be built, else in the base. Its
pins then go through uv, without dependencies, which names the files: one way from pins to files.

On the host pip's own configuration decides which indexes are asked, and pip-compile writes them
into its answer, so that uv asks the same ones. None of it is carried into a base.
"""

from __future__ import annotations

import importlib.util
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from imagekit.errors import ResolveError
from imagekit.lock.complaints import complaint
from imagekit.lock.pylock import ANY
from imagekit.lock.redaction import has_credentials
from imagekit.lock.runner import BaseRunner
from imagekit.lock.target import Target
from imagekit.lock.uv import CONSTRAINTS, REQUIREMENTS, HostProcess, find_uv, in_base_indexes, write_files
from imagekit.oci.platform import Platform
from imagekit.spec.image import Indexes

COMPILED = "requirements.txt"


def host_is(target: Target) -> bool:
    """Whether this interpreter would resolve as ``target``'s does: Python minor, platform and libc kind."""
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    return (
        sys.implementation.name == target.environment.get("implementation_name", "cpython")
        and sys.version_info[:2] == target.version
        and sys.platform == "linux"
        and Platform.host().architecture == target.platform.architecture
        and libc == target.libc
    )


def compile_argv(
    program: Sequence[str],
    *,
    directory: str,
    indexes: Indexes,
    source_builds: Sequence[str] = (),
    constraints: bool = False,
    upgrade: bool = False,
    links: str | None = None,
) -> list[str]:
    """The arguments that make ``directory/requirements.txt`` of ``directory/requirements.in``.

    Indexes with credentials are not among them; the requirements file names those.
    """
    argv = [*program, "--generate-hashes", "--allow-unsafe", "--strip-extras", "--resolver", "backtracking"]
    argv += ["--no-config", "--no-header", "--no-annotate", "--no-color", "--newline", "lf", "--quiet"]
    argv += ["--emit-index-url", "--emit-find-links"]
    pip_arguments = ["--no-input", "--disable-pip-version-check"]
    if ANY not in source_builds:
        pip_arguments += ["--only-binary", ":all:"]
        for name in sorted(source_builds):
            pip_arguments += ["--no-binary", name]
    argv += ["--pip-args", shlex.join(pip_arguments)]
    if indexes.no_index:
        argv += ["--no-index"]
    if not any(has_credentials(u) for u in (indexes.default or "", *indexes.extra, *indexes.find_links)):
        if indexes.default is not None:
            argv += ["--index-url", indexes.default]
        for url in indexes.extra:
            argv += ["--extra-index-url", url]
        for place in indexes.find_links:
            argv += ["--find-links", place]
    if links is not None:
        argv += ["--find-links", f"{directory}/{links}"]
    if constraints:
        argv += ["--constraint", f"{directory}/{CONSTRAINTS}"]
    if upgrade:
        argv += ["--rebuild"]
    return [*argv, "--output-file", f"{directory}/{COMPILED}", "--", f"{directory}/{REQUIREMENTS}"]


def compile_pins(
    files: Mapping[str, bytes],
    target: Target,
    *,
    indexes: Indexes,
    source_builds: Sequence[str] = (),
    upgrade: bool = False,
    host: HostProcess | None = None,
    links: str | None = None,
    run_in_base: BaseRunner | None = None,
) -> str:
    """The text of the pinned and hashed requirements file that pip-compile makes of ``files``.

    ``files`` are as for :func:`imagekit.lock.uv.compile_pylock`, but that versions to prefer are in
    a ``requirements.txt``. Without ``run_in_base`` pip-compile
    runs on the host, which must be as the target (:func:`host_is`).
    """
    host = host or HostProcess()
    constraints = CONSTRAINTS in files
    if run_in_base is not None:
        seen, directories = in_base_indexes(indexes)
        done = run_in_base(
            compile_argv(
                # The base may have no pip: uv makes an environment for pip-tools in a cache beside it.
                ["uv", "tool", "run", "--no-config", "--from", "pip-tools", "pip-compile"],
                directory=".",
                indexes=seen,
                source_builds=source_builds,
                constraints=constraints,
                upgrade=upgrade,
                links=links,
            ),
            inputs=files,
            programs={"uv": find_uv()},
            directories=directories,
            outputs=[COMPILED],
        )
        if done.exit_code != 0:
            raise complaint(done.stderr, target, program="pip-compile")
        return _without(links, done.outputs[COMPILED].decode())
    if importlib.util.find_spec("piptools") is None:
        raise ResolveError(
            "pip-tools is not installed", hint="install it beside imagekit: python -m pip install 'imagekit[pip-tools]'"
        )
    with tempfile.TemporaryDirectory(prefix="imagekit-resolve-") as directory:
        write_files(Path(directory), files)
        completed = subprocess.run(
            compile_argv(
                [sys.executable, "-m", "piptools", "compile"],
                directory=directory,
                indexes=indexes,
                source_builds=source_builds,
                constraints=constraints,
                upgrade=upgrade,
                links=links,
            ),
            cwd=directory,
            env=None if host.environment is None else dict(host.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if completed.returncode != 0:
            raise complaint(completed.stderr.replace(directory + "/", ""), target, program="pip-compile")
        return _without(links, Path(directory, COMPILED).read_text("utf-8"))


def _without(links: str | None, pins: str) -> str:
    """``pins`` without the line that names the directory ``links``, which is gone when they are read."""
    lines = pins.splitlines(keepends=True)
    return "".join(x for x in lines if not (links and x.startswith("--find-links") and x.rstrip().endswith(links)))
