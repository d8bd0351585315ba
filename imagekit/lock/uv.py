"""Resolving with uv: ``uv pip compile --format pylock.toml``.

uv runs in a private temporary directory and reads no configuration file (``--no-config``):
what a directory above the project, or the user's ``uv.toml``, would change is not in the
inputs' digest. Its environment variables stay honoured, so an index or a mirror that a site
sets with ``UV_DEFAULT_INDEX`` or ``UV_INDEX`` is used; a ``uv.toml`` is used when it is given.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import ResolveError
from imagekit.lock.complaints import complaint
from imagekit.lock.pylock import ANY
from imagekit.lock.redaction import has_credentials
from imagekit.lock.runner import DIRECTORIES, BaseRunner
from imagekit.lock.target import Target
from imagekit.spec.image import Indexes, RequirementLine

REQUIREMENTS = "requirements.in"
CONSTRAINTS = "constraints.txt"
PYLOCK = "pylock.toml"

# The minor versions of glibc 2 that `--python-platform` knows (uv 0.8 to 0.13, `uv pip compile --help`).
_GLIBC_MINORS = (17, 28, *range(31, 41))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProcess:
    """What processes on the host are started with."""

    environment: Mapping[str, str] | None = None  # None: this process's own
    config_file: Path | None = None  # a uv.toml to honour
    python: str = sys.executable  # the interpreter that uv asks; the target's is given by options


def find_uv() -> Path:
    """The uv that came with the ``uv`` package; :class:`ResolveError` where it has none."""
    import uv

    try:
        return Path(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise ResolveError(
            "the uv program is missing", hint="reinstall it: python -m pip install --force-reinstall uv"
        ) from error


def python_platform(target: Target) -> str:
    """``target`` as uv's ``--python-platform`` spells it, its libc rounded down to one that uv knows."""
    machine = target.platform.machine
    if target.libc == "musl":
        return f"{machine}-unknown-linux-musl"
    major, minor = (int(n) for n in target.libc_version.split(".")[:2])
    known = [n for n in _GLIBC_MINORS if (2, n) <= (major, minor)]
    return f"{machine}-manylinux_2_{known[-1] if known else _GLIBC_MINORS[0]}"


def compile_argv(
    uv: str,
    target: Target,
    *,
    directory: str,
    indexes: Indexes,
    source_builds: Sequence[str] = (),
    constraints: bool = False,
    no_deps: bool = False,
    upgrade: bool = False,
    previous: bool = False,
    best_match: bool = False,
    in_base: bool = False,
    links: str | None = None,
    python: str = sys.executable,
    config_file: Path | None = None,
) -> list[str]:
    """The arguments that resolve ``directory/requirements.in`` and write a lock to standard output.

    ``previous``: ``directory/pylock.toml`` holds an earlier lock, whose versions are kept where
    they still fit. ``best_match``: versions are taken from any index and not from the first one
    that knows the package; safe only when they are held to hashes. ``in_base``: uv runs in the
    target itself and needs no word about it. ``links``: one more place of wheels, below
    ``directory``. Indexes with credentials are not among the
    arguments; :func:`requirements_text` writes them into the file instead.
    """
    argv = [uv, "pip", "compile", "--format", "pylock.toml"]
    if not in_base:
        argv += ["--python", python, "--python-version", target.python, "--python-platform", python_platform(target)]
    argv += ["--no-python-downloads"]
    argv += ["--no-config"] if config_file is None else ["--config-file", str(config_file)]
    if ANY not in source_builds:
        argv += ["--only-binary", ":all:"]
        for name in sorted(source_builds):
            argv += ["--no-binary", name]
    argv += _index_arguments(indexes)
    if links is not None:
        argv += ["--find-links", f"{directory}/{links}"]
    if best_match:
        argv += ["--index-strategy", "unsafe-best-match"]
    if constraints:
        argv += ["--constraints", f"{directory}/{CONSTRAINTS}"]
    if no_deps:
        argv += ["--no-deps"]
    if upgrade:
        argv += ["--refresh"]
    if previous:
        argv += ["--output-file", f"{directory}/{PYLOCK}"]
    argv += ["--no-header", "--no-annotate", "--color", "never", "--no-progress"]
    return [*argv, "--", f"{directory}/{REQUIREMENTS}"]


def _index_arguments(indexes: Indexes) -> list[str]:
    argv = ["--no-index"] if indexes.no_index else []
    if _secret(indexes):
        return argv
    if indexes.default is not None:
        argv += ["--default-index", indexes.default]
    for url in indexes.extra:
        argv += ["--index", url]
    for place in indexes.find_links:
        argv += ["--find-links", place]
    return argv


def _secret(indexes: Indexes) -> bool:
    return any(has_credentials(u) for u in (indexes.default or "", *indexes.extra, *indexes.find_links))


def requirements_text(lines: Sequence[RequirementLine], indexes: Indexes) -> str:
    """``lines`` as a requirements file, with those index options in it that no argument list may show."""
    text = []
    if _secret(indexes):
        if indexes.default is not None:
            text.append(f"--index-url {indexes.default}")
        text += [f"--extra-index-url {url}" for url in indexes.extra]
        text += [f"--find-links {place}" for place in indexes.find_links]
    for line in lines:
        text.append(" ".join((line.text, *(f"--hash={h}" for h in line.hashes))))
    return "".join(f"{t}\n" for t in text)


def compile_pylock(
    files: Mapping[str, bytes],
    target: Target,
    *,
    indexes: Indexes,
    source_builds: Sequence[str] = (),
    no_deps: bool = False,
    upgrade: bool = False,
    best_match: bool = False,
    host: HostProcess | None = None,
    links: str | None = None,
    run_in_base: BaseRunner | None = None,
) -> str:
    """The text of the ``pylock.toml`` that uv makes of ``files``.

    ``files`` are ``requirements.in`` and, where there are any, ``constraints.txt``, an earlier
    ``pylock.toml``, and wheels in the directory ``links``. With ``run_in_base`` uv runs there, else on
    the host. Errors: see :func:`~imagekit.lock.complaints.complaint`.
    """
    host = host or HostProcess()
    uv = find_uv()
    constraints, previous = CONSTRAINTS in files, PYLOCK in files

    def argv(program: str, directory: str, seen: Indexes) -> list[str]:
        return compile_argv(
            program,
            target,
            directory=directory,
            indexes=seen,
            source_builds=source_builds,
            constraints=constraints,
            no_deps=no_deps,
            upgrade=upgrade,
            previous=previous,
            best_match=best_match,
            in_base=run_in_base is not None,
            links=links,
            python=host.python,
            config_file=None if run_in_base is not None else host.config_file,
        )

    if run_in_base is not None:
        seen, directories = in_base_indexes(indexes)
        done = run_in_base(
            argv("uv", ".", seen),
            inputs=files,
            programs={"uv": uv},
            directories=directories,
            outputs=[PYLOCK] if previous else [],
        )
        if done.exit_code != 0:
            raise complaint(done.stderr, target)
        text = done.outputs[PYLOCK].decode() if previous else done.stdout
        return as_seen_from_host(text, directories)
    with tempfile.TemporaryDirectory(prefix="imagekit-resolve-") as directory:
        write_files(Path(directory), files)
        completed = subprocess.run(
            argv(str(uv), directory, indexes),
            cwd=directory,
            env=None if host.environment is None else dict(host.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if completed.returncode != 0:
            raise complaint(completed.stderr.replace(directory + "/", ""), target)
        return Path(directory, PYLOCK).read_text("utf-8") if previous else completed.stdout


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """``files`` by their names below ``directory``."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def in_base_indexes(indexes: Indexes) -> tuple[Indexes, dict[str, Path]]:
    """``indexes`` with the host's directories named as the base sees them, and those directories by name."""
    directories: dict[str, Path] = {}
    places: list[str] = []
    for place in indexes.find_links:
        path = Path(place.removeprefix("file://"))
        if "://" in place.removeprefix("file://") or not path.is_dir():
            places.append(place)
            continue
        name = f"links{len(directories)}"
        directories[name] = path.resolve()
        places.append(str(DIRECTORIES / name))
    seen = Indexes(default=indexes.default, extra=indexes.extra, find_links=tuple(places), no_index=indexes.no_index)
    return seen, directories


def as_seen_from_host(text: str, directories: Mapping[str, Path]) -> str:
    """``text`` with the places that only the base sees named as the host does."""
    for name, path in directories.items():
        text = text.replace(f"file://{DIRECTORIES / name}/", f"{path.as_uri()}/").replace(
            f'"{DIRECTORIES / name}/', f'"{path}/'
        )
    return text
