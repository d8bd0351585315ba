"""Resolving with uv: ``uv pip compile --format pylock.toml``.

uv runs in a private temporary directory and reads no configuration file (``--no-config``): what those say of
indexes is read by ``settings`` and comes by :class:`~imagekit.lock.access.IndexAccess`; what else a directory
above the project would change is not in the inputs' digest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from imagekit.errors import ResolveError
from imagekit.lock.access import IndexAccess
from imagekit.lock.complaints import complaint, remarks
from imagekit.lock.named_wheels import OVERRIDES, in_base_wheels
from imagekit.lock.pins import PROJECT
from imagekit.lock.pylock import ANY
from imagekit.lock.runner import DIRECTORIES, BaseRunner
from imagekit.lock.target import Target
from imagekit.spec.image import Indexes, RequirementLine

REQUIREMENTS = "requirements.in"
CONSTRAINTS = "constraints.txt"
PYLOCK = "pylock.toml"

# The minor versions of glibc 2 that `--python-platform` knows (uv 0.8 to 0.13, `uv pip compile --help`).
_GLIBC_MINORS = (17, 28, *range(31, 41))


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
    access: IndexAccess,
    source_builds: Sequence[str] = (),
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
    constraints: bool = False,
    overrides: bool = False,
    project: bool = False,
    no_deps: bool = False,
    upgrade: bool = False,
    previous: bool = False,
    best_match: bool = False,
    in_base: bool = False,
    links: str | None = None,
) -> list[str]:
    """The arguments that resolve ``directory/requirements.in`` and write a lock to standard output.

    ``previous``: ``directory/pylock.toml`` holds an earlier lock, whose versions are kept where
    they still fit. ``best_match``: versions are taken from any index and not from the first one
    that knows the package; safe only when they are held to hashes. ``in_base``: uv runs in the
    target itself and needs no word about it. ``links``: one more place of wheels, below
    ``directory``. ``project``: ``directory/pyproject.toml`` has the requirements that come from one index alone.
    """
    argv = [uv, "pip", "compile", "--format", "pylock.toml"]
    if not in_base:
        # uv asks some interpreter a few things; the target's are given.
        argv += ["--python", sys.executable]
        argv += ["--python-version", target.python, "--python-platform", python_platform(target)]
    argv += ["--no-python-downloads", "--no-config"]
    argv += format_arguments(source_builds, only_binary, no_binary)
    argv += index_arguments(access, in_base=in_base)
    if access.prereleases:
        argv += ["--prerelease", "allow"]
    if access.exclude_newer is not None:
        argv += ["--exclude-newer", access.exclude_newer]
    if access.offline:
        argv += ["--offline"]
    if links is not None:
        argv += ["--find-links", f"{directory}/{links}"]
    if best_match or access.any_index:
        argv += ["--index-strategy", "unsafe-best-match"]
    if constraints:
        argv += ["--constraints", f"{directory}/{CONSTRAINTS}"]
    if overrides:
        argv += ["--overrides", f"{directory}/{OVERRIDES}"]
    if no_deps:
        argv += ["--no-deps"]
    if upgrade and not access.offline:
        argv += ["--refresh"]
    if previous:
        argv += ["--output-file", f"{directory}/{PYLOCK}"]
    argv += ["--no-header", "--no-annotate", "--color", "never", "--no-progress"]
    return [*argv, "--", f"{directory}/{REQUIREMENTS}", *([f"{directory}/{PROJECT}"] if project else [])]


def format_arguments(source_builds: Sequence[str], only_binary: Sequence[str], no_binary: Sequence[str]) -> list[str]:
    """The arguments, pip's and uv's alike, that say which packages may come as wheels and which as sources.

    Where any may be built, ``only_binary`` and ``no_binary`` name those that are wheels alone and sources alone;
    else all are wheels but ``source_builds``.
    """
    if ANY not in source_builds:
        only_binary, no_binary = (":all:",), source_builds
    argv: list[str] = []
    for name in sorted(only_binary):
        argv += ["--only-binary", name]
    # ":all:" would hold for build tools as well, of which some are built with themselves: it allows, and forces none.
    for name in sorted({*no_binary} - {":all:"}):
        argv += ["--no-binary", name]
    return argv


def index_arguments(access: IndexAccess, *, in_base: bool = False) -> list[str]:
    """The arguments that name the indexes, in the order in which they are asked. No login is among them.

    A place of files that needs one is named by the environment, and in a base, where a netrc file has it, here.
    """
    indexes = access.indexes
    argv = ["--no-index"] if indexes.no_index else []
    if indexes.default is not None:
        argv += ["--default-index", access.url_argument(indexes.default)]
    for url in indexes.extra:
        argv += ["--index", access.url_argument(url)]
    if in_base or not access.secret_links:
        for place in indexes.find_links:
            argv += ["--find-links", place]
    return argv


def requirements_text(lines: Sequence[RequirementLine]) -> str:
    """``lines`` as a requirements file."""
    return "".join(" ".join((line.text, *(f"--hash={h}" for h in line.hashes))) + "\n" for line in lines)


def compile_pylock(
    files: Mapping[str, bytes],
    target: Target,
    *,
    access: IndexAccess,
    source_builds: Sequence[str] = (),
    only_binary: Sequence[str] = (),
    no_binary: Sequence[str] = (),
    no_deps: bool = False,
    upgrade: bool = False,
    best_match: bool = False,
    links: str | None = None,
    run_in_base: BaseRunner | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """The text of the ``pylock.toml`` that uv makes of ``files``.

    ``files`` are ``requirements.in`` and, where there are any, ``constraints.txt``, ``pyproject.toml`` (see
    ``pins``), an earlier ``pylock.toml``, and wheels in the directory ``links``. With ``run_in_base`` uv runs
    there, else on the host. ``say`` is told of yanked versions, and of extras that are none. Errors: see
    :func:`~imagekit.lock.complaints.complaint`.
    """
    uv = find_uv()
    previous = PYLOCK in files

    def argv(program: str, directory: str, seen: IndexAccess) -> list[str]:
        return compile_argv(
            program,
            target,
            directory=directory,
            access=seen,
            source_builds=source_builds,
            only_binary=only_binary,
            no_binary=no_binary,
            constraints=CONSTRAINTS in files,
            overrides=OVERRIDES in files,
            project=PROJECT in files,
            no_deps=no_deps,
            upgrade=upgrade,
            previous=previous,
            best_match=best_match,
            in_base=run_in_base is not None,
            links=links,
        )

    if run_in_base is not None:
        seen, directories = in_base_indexes(access.indexes)
        inputs, wheels = in_base_wheels(files)
        done = run_in_base(
            argv("uv", ".", replace(access, indexes=seen)),
            inputs=inputs,
            programs={"uv": uv},
            directories={**directories, **wheels},
            outputs=[PYLOCK] if previous else [],
        )
        if done.exit_code != 0:
            raise complaint(done.stderr, target, access=access)
        remarks(done.stderr, say)
        text = done.outputs[PYLOCK].decode() if previous else done.stdout
        return as_seen_from_host(text, directories)
    with tempfile.TemporaryDirectory(prefix="imagekit-resolve-") as directory:
        write_files(Path(directory), files)
        completed = subprocess.run(
            argv(str(uv), directory, access),
            cwd=directory,
            env=access.environment(access.for_uv()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        words = completed.stderr.replace(directory + "/", "")
        if completed.returncode != 0:
            raise complaint(words, target, access=access)
        remarks(words, say)
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
    return replace(indexes, find_links=tuple(places)), directories


def as_seen_from_host(text: str, directories: Mapping[str, Path]) -> str:
    """``text`` with the places that only the base sees named as the host does."""
    for name, path in directories.items():
        text = text.replace(f"file://{DIRECTORIES / name}/", f"{path.as_uri()}/").replace(
            f'"{DIRECTORIES / name}/', f'"{path}/'
        )
    return text
