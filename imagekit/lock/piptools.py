"""Resolving with pip-tools: ``pip-compile`` gives pinned and hashed requirements.

pip-compile resolves only for the interpreter it runs in, and runs build backends there: it runs
on the host only where the host *is* the target and nothing may be built, else in the base. Its
pins then go through uv, without dependencies, which names the files: one way from pins to files.

To pip all indexes are one. uv then looks for each pin on the first index that knows the package, so a version
that pip took from a later one is refused, unless any index may answer (``IndexAccess.any_index``).
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from imagekit.errors import ImagekitError, InvalidConfig, ResolveError
from imagekit.lock.access import IndexAccess
from imagekit.lock.complaints import complaint
from imagekit.lock.download import Downloads
from imagekit.lock.named_wheels import in_base_wheels
from imagekit.lock.runner import BaseRunner
from imagekit.lock.target import Target
from imagekit.lock.uv import (
    CONSTRAINTS,
    REQUIREMENTS,
    as_seen_from_host,
    find_uv,
    format_arguments,
    in_base_indexes,
    write_files,
)
from imagekit.oci.platform import Platform

COMPILED = "requirements.txt"
_NOT_FOUND = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]*[A-Za-z0-9])")
_PATIENCE = 20.0  # seconds


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
    access: IndexAccess,
    source_builds: Sequence[str] = (),
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
    constraints: bool = False,
    upgrade: bool = False,
    links: str | None = None,
    in_base: bool = False,
) -> list[str]:
    """The arguments that make ``directory/requirements.txt`` of ``directory/requirements.in``.

    Indexes that need a login are not among them: they go by the environment (``IndexAccess.for_pip``).
    """
    indexes = access.indexes
    argv = [*program, "--generate-hashes", "--allow-unsafe", "--strip-extras", "--resolver", "backtracking"]
    argv += ["--no-config", "--no-header", "--no-annotate", "--no-color", "--newline", "lf", "--quiet"]
    argv += ["--no-emit-index-url", "--no-emit-find-links"]
    pip_arguments = ["--no-input", "--disable-pip-version-check"]
    pip_arguments += format_arguments(source_builds, only_binary, no_binary)
    argv += ["--pip-args", shlex.join(pip_arguments)]
    if indexes.no_index:
        argv += ["--no-index"]
    if indexes.default is not None and access.url_argument(indexes.default) == indexes.default:
        argv += ["--index-url", indexes.default]
    if all(access.url_argument(url) == url for url in indexes.extra):
        for url in indexes.extra:
            argv += ["--extra-index-url", url]
    if in_base or not access.secret_links:
        for place in indexes.find_links:
            argv += ["--find-links", place]
    if access.prereleases:
        argv += ["--pre"]
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
    access: IndexAccess,
    source_builds: Sequence[str] = (),
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
    upgrade: bool = False,
    links: str | None = None,
    run_in_base: BaseRunner | None = None,
) -> str:
    """The text of the pinned and hashed requirements file that pip-compile makes of ``files``.

    ``files`` are as for :func:`imagekit.lock.uv.compile_pylock`, but that versions to prefer are in
    a ``requirements.txt``. Without ``run_in_base`` pip-compile
    runs on the host, which must be as the target (:func:`host_is`).
    """
    if access.exclude_newer is not None:
        raise InvalidConfig("exclude-newer needs the uv resolver", hint='resolver = "uv", or leave it out')
    if access.offline and not access.indexes.no_index:
        raise ResolveError(
            "pip-tools has no cache of indexes to resolve from offline",
            hint="resolve with uv, from directories of wheels (--no-index --find-links), "
            "or make a pylock.toml once with the network: imagekit lock",
        )
    constraints = CONSTRAINTS in files
    if run_in_base is not None:
        seen, directories = in_base_indexes(access.indexes)
        inputs, wheels = in_base_wheels(files)
        done = run_in_base(
            compile_argv(
                # The base may have no pip: uv makes an environment for pip-tools in a cache beside it.
                ["uv", "tool", "run", "--no-config", "--from", "pip-tools", "pip-compile"],
                directory=".",
                access=replace(access, indexes=seen),
                source_builds=source_builds,
                only_binary=only_binary,
                no_binary=no_binary,
                constraints=constraints,
                upgrade=upgrade,
                links=links,
                in_base=True,
            ),
            inputs=inputs,
            programs={"uv": find_uv()},
            directories={**directories, **wheels},
            outputs=[COMPILED],
        )
        if done.exit_code != 0:
            raise _complaint(done.stderr, target, access)
        return as_seen_from_host(_without(links, done.outputs[COMPILED].decode()), wheels)
    if importlib.util.find_spec("piptools") is None:
        raise ResolveError(
            "pip-tools is not installed", hint="install it beside imagekit: python -m pip install 'pip-tools>=7.4'"
        )
    with tempfile.TemporaryDirectory(prefix="imagekit-resolve-") as directory:
        write_files(Path(directory), files)
        completed = subprocess.run(
            compile_argv(
                [sys.executable, "-m", "piptools", "compile"],
                directory=directory,
                access=access,
                source_builds=source_builds,
                only_binary=only_binary,
                no_binary=no_binary,
                constraints=constraints,
                upgrade=upgrade,
                links=links,
            ),
            cwd=directory,
            env=access.environment(access.for_pip()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if completed.returncode != 0:
            raise _complaint(completed.stderr.replace(directory + "/", ""), target, access)
        return _without(links, Path(directory, COMPILED).read_text("utf-8"))


def _complaint(words: str, target: Target, access: IndexAccess) -> ImagekitError:
    """The error for ``words``. pip passes over an index that refuses, and then does not find the package."""
    found = _NOT_FOUND.search(words)
    if found is not None and not access.offline:
        downloads = Downloads(access, read_seconds=_PATIENCE)
        for url in access.urls:
            refused = downloads.refused(f"{url.rstrip('/')}/{canonicalize_name(found[1])}/", found[1])
            if refused is not None:
                return refused
    return complaint(words, target, program="pip-compile", access=access)


def _without(links: str | None, pins: str) -> str:
    """``pins`` without the line that names the directory ``links``, which is gone when they are read."""
    lines = pins.splitlines(keepends=True)
    return "".join(x for x in lines if not (links and x.startswith("--find-links") and x.rstrip().endswith(links)))
