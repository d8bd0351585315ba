"""Which of a project's files say what is wanted: a lock, requirements files, an ``environment.yml``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.errors import InvalidProject
from imagekit.spec.environment_yml import NAMES as ENVIRONMENTS
from imagekit.spec.environment_yml import Environment, read_environment
from imagekit.spec.files import path_in
from imagekit.spec.local_source import read_setup_cfg
from imagekit.spec.requirements_file import RequirementsFile, read_requirements
from imagekit.spec.uv_workspace import find_workspace

FOREIGN_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
# Formats that are known by name, and what to do instead of naming them.
_REFUSED = {
    "Pipfile": "name its lock: Pipfile.lock (pipenv lock)",
    "conda-lock.yml": "name its environment.yml",
    "pixi.toml": "name an environment.yml made of it: pixi workspace export conda-environment environment.yml",
    "setup.py": "take it out: the project is built, and what it needs is taken from its wheel",
    "setup.cfg": "take it out: the project is built, and what it needs is taken from its wheel",
}
# What says what is needed, and is not taken unless something is made of it or it is named: where nothing else says
# it, an image would lack all of it.
_UNLOCKED = {
    "Pipfile": "lock it: pipenv lock",
    "requirements.in": "lock it: uv pip compile --generate-hashes -o requirements.txt requirements.in; "
    "or take it as it is: -r requirements.in",
    "conda-lock.yml": "keep the environment.yml that it was made from beside it",
    "pixi.toml": "make an environment.yml of it: pixi workspace export conda-environment environment.yml",
    "setup.cfg": 'have it built, by a pyproject.toml with [build-system] requires = ["setuptools"]',
}
# Beside requirements.txt, which is found without being named: what is likely meant, the likeliest first.
REQUIREMENTS = tuple(
    f"{stem}.txt"
    for kind in ("prod", "production", "base", "main", "requirements")
    for stem in (f"requirements/{kind}", f"requirements-{kind}", f"requirements.{kind}", f"requirements_{kind}")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The files that say what is wanted, read."""

    lock_file: Path | None = None
    unlocked: str | None = None  # the file that says it where none of those does, and that is not taken as it is
    files: tuple[RequirementsFile, ...] = ()
    environment: Environment = field(default_factory=Environment)


def read_wanted(
    context: Path,
    *,
    given: Sequence[str | Path] | None,
    named: Sequence[Path] | None,
    has_project: bool,
    variables: Mapping[str, str],
    conda_packages: Mapping[str, str] | None = None,
) -> Wanted:
    """The lock and the requirements of the project in ``context``.

    ``given`` are files that an argument names, ``named`` those of ``[tool.imagekit]``, which a ``pylock.toml``
    locks; without either ``pylock.toml``, ``uv.lock`` (also that of the workspace around), ``poetry.lock``,
    ``pdm.lock`` or ``Pipfile.lock`` is the lock, the first that is there, and ``requirements.txt``, if there is
    one, asks for what must be in it. An ``environment.yml`` does, where there is no other than a ``pylock.toml`` and
    ``has_project`` is false; and where there is none of all, ``unlocked`` is what says it and is not read.
    """
    default = [context / "requirements.txt"] if (context / "requirements.txt").exists() else []
    lock = unlocked = None
    if given is not None:
        paths = [_named(context, name) for name in given]
    elif named is not None:
        paths = list(named)
        lock = path_in(context, "pylock.toml", "pylock.toml") if (context / "pylock.toml").exists() else None
    else:
        lock = _own_lock(context)
        paths = default
        if (lock is None or _PYLOCK.fullmatch(lock.name)) and not paths and not has_project:
            paths = [context / name for name in ENVIRONMENTS if (context / name).is_file()][:1]
        if lock is None and not paths and not has_project:
            unlocked = next((name for name in (*_UNLOCKED, *REQUIREMENTS) if _says(context / name)), None)
    if locks := [path for path in paths if _is_lock(path)]:
        if len(paths) > 1:
            raise InvalidProject(
                f"{locks[0].name} is a lock, and cannot go with other requirements", hint="name the lock alone"
            )
        if not locks[0].is_file():
            raise InvalidProject(f"{locks[0].name} is not there", hint=f"looked for {locks[0]}")
        lock, paths = locks[0].resolve(), default if _PYLOCK.fullmatch(locks[0].name) else []
    files: list[RequirementsFile] = []
    environments: list[Environment] = []
    for path in paths:
        if path.name in _REFUSED:
            raise InvalidProject(f"{path.name} is no requirements file", hint=_REFUSED[path.name])
        if path.name == "pyproject.toml" and path.resolve() == context / "pyproject.toml" and path.exists():
            continue  # it is read anyway
        outside = given is not None and not path.resolve().is_relative_to(context)
        root = path.resolve().parent if outside else context
        if path.suffix in (".yml", ".yaml"):
            environments.append(read_environment(path, root, variables, conda_packages))
        else:
            files.append(read_requirements(path, root, variables))
    if len(environments) > 1:
        raise InvalidProject("several environment.yml files are named", hint="name one of them")
    environment = environments[0] if environments else Environment(python=_locked_python(lock))
    files.append(environment.requirements)
    return Wanted(lock_file=lock, unlocked=unlocked, files=tuple(files), environment=environment)


def unlocked_error(name: str) -> InvalidProject:
    """The error for a project of which ``name`` alone says what it needs."""
    how = _UNLOCKED.get(name) or f'name it: -r {name}, or requirements = ["{name}"] in imagekit.toml'
    return InvalidProject(
        f"{name} says what the project needs, and is not installed from as it is",
        hint=f"{how}. Where the image needs none of it: requirements = [] in imagekit.toml",
    )


def _says(path: Path) -> bool:
    """Whether ``path`` says what a project needs; a ``setup.cfg`` may be of linters alone."""
    if path.name != "setup.cfg" or not path.is_file():
        return path.is_file()
    return bool(read_setup_cfg(path.parent).get("options", "install_requires", fallback="").strip())


def _named(context: Path, name: str | Path) -> Path:
    try:
        path = context / name
        path.resolve()
    except (OSError, ValueError, RuntimeError):
        raise InvalidProject(f"{str(name)!r} is not a path", hint="name a requirements file, or a lock") from None
    return path


def _is_lock(path: Path) -> bool:
    return path.name in FOREIGN_LOCKS or _PYLOCK.fullmatch(path.name) is not None


def _own_lock(context: Path) -> Path | None:
    for name in ("pylock.toml", *FOREIGN_LOCKS):
        if (context / name).exists():
            found = path_in(context, name, name)
            if not found.is_file():
                raise InvalidProject(f"{name} is a directory, and no lock", hint="rename it")
            return found
    if (context / "pyproject.toml").is_file():
        above = find_workspace(context).root / "uv.lock"
        return above if above.is_file() else None
    return None


def _locked_python(lock: Path | None) -> str | None:
    """The Python that a ``Pipfile.lock`` was made for; what is wrong with it is said when it is read whole."""
    if lock is None or lock.name != "Pipfile.lock":
        return None
    try:
        requires = json.loads(lock.read_bytes())["_meta"]["requires"]
        version = requires.get("python_version") or ".".join(requires["python_full_version"].split(".")[:2])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return version if isinstance(version, str) else None
