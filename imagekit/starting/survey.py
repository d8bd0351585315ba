"""What a project says of itself before anything of imagekit's stands in it. Files are read, nothing is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject
from imagekit.spec.environment_yml import NAMES as ENVIRONMENTS
from imagekit.spec.files import path_in
from imagekit.spec.pyproject import PyProject, read_pyproject
from imagekit.spec.toml import read_toml
from imagekit.spec.wanted import FOREIGN_LOCKS, REQUIREMENTS, Wanted, read_wanted, unlocked_error
from imagekit.starting.dockerfile import DockerfileFacts, read_dockerfile
from imagekit.starting.modules import Module, read_modules

_VERSION = re.compile(r"\s*(?:cpython-?)?(3\.\d{1,2})(?:\.\d+)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A project as it was found."""

    context: Path
    pyproject: PyProject | None
    sources: tuple[str, ...]  # files that say what is wanted, as they are found without being named
    requirements: str | None  # a requirements file that must be named to be found
    distributions: frozenset[str]  # normalized names of what is wanted, as far as files tell
    is_declared: bool  # whether anything says what is wanted
    conda: Mapping[str, str]  # packages that environment.yml asks conda for → what may take their place
    python: tuple[str, str] | None  # the version that .python-version or the Dockerfile names, and where
    dockerfile: DockerfileFacts | None
    modules: Mapping[str, Module]


def survey(context: Path, variables: Mapping[str, str]) -> Survey:
    """Look at the project in ``context``. Raises ``InputError`` for files that a build would refuse, too."""
    context = context.resolve()
    if not context.is_dir():
        raise InvalidProject(f"{context} is no directory", hint="name the directory of the project")
    pyproject = read_pyproject(context / "pyproject.toml") if (context / "pyproject.toml").exists() else None
    has_project = pyproject is not None and pyproject.name is not None
    found = [name for name in ("pylock.toml", *FOREIGN_LOCKS, "requirements.txt") if (context / name).exists()]
    declares = bool(found) or _declares(pyproject, context)
    named = None if declares else next((name for name in REQUIREMENTS if (context / name).is_file()), None)
    environment = None
    if not declares and named is None and not has_project:
        environment = next((name for name in ENVIRONMENTS if (context / name).is_file()), None)
    conda = _conda_packages(context / environment) if environment is not None else {}
    wanted = read_wanted(
        context,
        given=None,
        named=[path_in(context, named, named)] if named else None,
        has_project=has_project,
        variables=variables,
        conda_packages=conda or None,
    )
    if wanted.unlocked is not None and not declares:
        raise unlocked_error(wanted.unlocked)
    dockerfile = read_dockerfile(context / "Dockerfile") if (context / "Dockerfile").is_file() else None
    return Survey(
        context=context,
        pyproject=pyproject,
        sources=(*(["pyproject.toml"] if pyproject else ()), *found, *([environment] if environment else ())),
        requirements=named,
        distributions=frozenset(_distributions(pyproject, wanted)),
        is_declared=declares or has_project or named is not None or environment is not None,
        conda=conda,
        python=_python(context, dockerfile),
        dockerfile=dockerfile,
        modules=read_modules(context),
    )


def _declares(pyproject: PyProject | None, context: Path) -> bool:
    if any((context / name).is_file() for name in ("setup.py", "setup.cfg")):
        return True
    if pyproject is None:
        return False
    return bool(pyproject.dependencies or pyproject.dynamic) or "poetry" in _tool(pyproject.path)


def _tool(path: Path) -> Mapping[str, Any]:
    tool = read_toml(path, InvalidProject).get("tool")
    return tool if isinstance(tool, dict) else {}


def _distributions(pyproject: PyProject | None, wanted: Wanted) -> Iterable[str]:
    lines = [line for file in wanted.files for line in file.requirements]
    lines += [*(pyproject.dependencies if pyproject else ()), *wanted.environment.packages]
    yield from (canonicalize_name(Requirement(line.text).name) for line in lines)
    if pyproject is not None and pyproject.name is not None:
        yield canonicalize_name(pyproject.name)
    if wanted.lock_file is not None:
        yield from map(canonicalize_name, _locked(wanted.lock_file))


def _locked(path: Path) -> Iterable[str]:
    """The names in a lock; none where it is not what it should be, which a build says better."""
    try:
        if path.suffix == ".lock" and path.name == "Pipfile.lock":
            return list(json.loads(path.read_bytes())["default"])
        document = read_toml(path, InvalidProject)
        return [str(each["name"]) for each in (document.get("packages") or document.get("package") or ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _conda_packages(path: Path) -> dict[str, str]:
    """conda's packages by name, those aside that an image has or needs not, with the same name on an index."""
    import yaml

    try:
        items = yaml.safe_load(path.read_bytes())["dependencies"]
        names = [re.split(r"[\s=<>!~]", item.rpartition("::")[2].strip())[0] for item in items if isinstance(item, str)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError):
        return {}
    return {name: name for name in names if name and name not in ("python", "pip")}


def _python(context: Path, dockerfile: DockerfileFacts | None) -> tuple[str, str] | None:
    for name in (".python-version", "runtime.txt"):
        try:
            first = (context / name).read_text("utf-8").partition("\n")[0].removeprefix("python-")
        except (OSError, ValueError):
            continue
        if found := _VERSION.fullmatch(first):
            return found[1], name
    if dockerfile is not None and dockerfile.python is not None:
        return dockerfile.python, f"Dockerfile:{dockerfile.base_line}"
    return None
