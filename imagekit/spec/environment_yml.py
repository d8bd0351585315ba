"""conda's ``environment.yml``: its channels and packages, its pip part, its Python and its variables.

The format is conda's ("Creating an environment file manually"). Items below ``pip:`` are lines of a
requirements file, which conda gives to pip in the directory of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from imagekit.errors import InputError, InvalidProject, InvalidRequirement
from imagekit.spec.conda import CondaLine, check_channel, is_spec
from imagekit.spec.files import check_env
from imagekit.spec.image import RequirementLine
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.requirements_file import RequirementsFile, read_requirements
from imagekit.spec.told import in_order

_FORM = "write 'dependencies:', and below it a line for each: '  - numpy=2.1'"

if TYPE_CHECKING:
    from yaml.nodes import Node

NAMES = ("environment.yml", "environment.yaml")
_KEYS = ("name", "channels", "dependencies", "prefix", "variables", "platforms")
_MATCH = re.compile(r"(?:(?P<channel>[^\s:]+(?:/[^\s:]+)*)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<version>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What an ``environment.yml`` says of an image."""

    name: str | None = None
    requirements: RequirementsFile = field(default_factory=RequirementsFile)
    packages: tuple[RequirementLine, ...] = ()  # what takes the place of conda's packages
    conda: tuple[CondaLine, ...] = ()  # conda's packages, but for Python where it is the only one
    channels: tuple[str, ...] = ()
    python_line: CondaLine | None = None  # what is asked of Python, as it is written
    python: str | None = None  # 3.11
    requires_python: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)  # of the variables: environment.yml:7


def read_environment(
    path: Path, root: Path, variables: Mapping[str, str] | None = None, instead: Mapping[str, str] | None = None
) -> Environment:
    """``path`` as an :class:`Environment`; what is wrong with it is raised at once, by file and line.

    ``root`` is the project's directory; ``variables`` is what ``${NAME}`` stands for. ``instead`` says by which
    requirement a conda package is replaced (``numpy`` → ``numpy``, with conda's version; ``numpy>=1`` as it
    stands; empty: by nothing).
    """
    file = path.name
    found = _Reader(file=file, instead=instead or {})
    found.document(_composed(path))
    requirements = RequirementsFile()
    try:
        if found.pip:
            requirements = read_requirements(path, root, variables, items=found.pip)
    except InputError as problem:
        found.problems += problem.problems or (problem,)
    if found.problems:
        raise InputError.join(in_order(found.problems))
    return Environment(
        name=found.name,
        requirements=requirements,
        packages=tuple(found.packages),
        conda=tuple(found.conda),
        channels=tuple(found.channels),
        python_line=found.python_line,
        python=found.python,
        requires_python=found.requires_python,
        variables=found.variables,
        origins=found.origins,
    )


def _composed(path: Path) -> Node | None:
    # Read only where a project has such a file.
    import yaml

    try:
        text = path.read_bytes().decode("utf-8-sig")
        node: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as problem:
        raise InvalidProject(f"{path.name} cannot be read: {problem.strerror}", hint=f"see: ls -l {path}") from None
    except UnicodeDecodeError:
        raise InvalidProject(f"{path.name}: not UTF-8", hint="save the file as that") from None
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark is not None else 1
        raise InvalidProject(f"{path.name}:{line}: {problem.problem}", hint="mend the YAML there") from None
    except (yaml.YAMLError, RecursionError) as problem:
        raise InvalidProject(f"{path.name}: {' '.join(str(problem).split())}", hint="mend the YAML") from None
    return node


class _Reader:
    """The nodes of a file, gone through once."""

    def __init__(self, *, file: str, instead: Mapping[str, str]) -> None:
        self.file = file
        self.instead = {name.lower(): text for name, text in instead.items()}
        self.name: str | None = None
        self.python: str | None = None
        self.requires_python = ""
        self.pip: list[tuple[int, str]] = []
        self.packages: list[RequirementLine] = []
        self.conda: list[CondaLine] = []
        self.channels: list[str] = []
        self.python_line: CondaLine | None = None
        self.variables: dict[str, str] = {}
        self.origins: dict[str, str] = {}
        self.problems: list[InputError] = []

    def document(self, node: Node | None) -> None:
        from yaml.nodes import MappingNode

        if not isinstance(node, MappingNode):
            self._wrong(node, "is not a table of name, channels and dependencies")
            return
        for key, value in node.value:
            if key.id != "scalar" or key.value not in _KEYS:
                self._wrong(key, f"{_shown(key)} is not a key that is known", f"known are {', '.join(_KEYS)}")
            elif key.value == "name" and value.id == "scalar":
                self.name = value.value
            elif key.value == "dependencies":
                self._dependencies(value)
            elif key.value == "variables":
                self._variables(value)
            elif key.value == "channels":
                self._channels(value)

    def _channels(self, node: Any) -> None:
        if node.id != "sequence" or any(item.id != "scalar" for item in node.value):
            self._wrong(node, "channels is not a list of names and URLs")
            return
        for item in node.value:
            try:
                self.channels.append(check_channel(item.value, f"{self.file}:{item.start_mark.line + 1}"))
            except InputError as problem:
                self.problems.append(problem)

    def _dependencies(self, node: Any) -> None:
        if node.id != "sequence":
            self._wrong(node, "dependencies is not a list")
            return
        for item in node.value:
            if item.id == "scalar":
                self._conda(item)
            elif item.id == "mapping" and [key.value for key, _ in item.value] == ["pip"]:
                self._pip(item.value[0][1])
            else:
                self._wrong(item, "is neither a package nor 'pip:'", "an item is NAME=VERSION, or pip: with a list")

    def _pip(self, node: Any) -> None:
        if node.id != "sequence" or any(item.id != "scalar" for item in node.value):
            self._wrong(node, "pip is not a list of requirements")
            return
        self.pip += [(item.start_mark.line + 1, item.value) for item in node.value]

    def _variables(self, node: Any) -> None:
        if node.id != "mapping" or any(k.id != "scalar" or v.id != "scalar" for k, v in node.value):
            self._wrong(node, "variables is not a table of texts")
            return
        for key, value in node.value:
            origin = f"{self.file}:{key.start_mark.line + 1}"
            try:
                check_env({key.value: value.value})
            except InputError as problem:
                self.problems.append(InvalidProject(f"{origin}: variables: {problem.message}", hint=problem.hint))
                continue
            self.variables[key.value], self.origins[key.value] = value.value, origin

    def _conda(self, item: Any) -> None:
        text = item.value.strip()
        match = _MATCH.fullmatch(text)
        if match is None or not is_spec(text):
            self._wrong(item, f"{item.value!r} is no conda package", "an item is NAME=VERSION")
            return
        name, version = match["name"].lower(), match["version"].strip()
        line = CondaLine(text=text, origin=f"{self.file}:{item.start_mark.line + 1}")
        if name == "pip":
            return
        if name == "python":
            self._python(item, line, version)
        elif name in self.instead:
            self._instead(item, self.instead[name], version)
        else:
            self.conda.append(line)

    def _python(self, item: Any, line: CondaLine, version: str) -> None:
        self.python_line = line
        exact = re.fullmatch(r"={0,2}\s*(3\.\d+)(\.\*)?", version)
        built = re.fullmatch(r"={0,2}\s*(3\.\d+)(\.\d+|\.\*)?(=|\s+)\S+", version)
        if exact:
            self.python = exact[1]
            return
        if built:  # a build is asked for, which only conda has
            self.python = built[1]
            self.conda.append(line)
            return
        try:
            self.requires_python = _specifiers(version)
        except InvalidSpecifier:
            self._wrong(item, f"{item.value!r} names no Python that can be chosen", 'write "python=3.11"')

    def _instead(self, item: Any, text: str, version: str) -> None:
        if not text.strip():
            return
        origin = f"{self.file}:{item.start_mark.line + 1}"
        try:
            bare = re.fullmatch(r"[A-Za-z0-9._-]+(\[[^\]]*\])?", text.strip()) is not None
            self.packages.append(parse_requirement(text + _specifiers(version) if bare else text, origin))
        except InvalidSpecifier:
            self._wrong(item, f"{item.value!r} has a version that no requirement can say", "say it in conda-packages")
        except InvalidRequirement as problem:
            self.problems.append(problem)

    def _wrong(self, node: Any, words: str, hint: str = _FORM) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.problems.append(InvalidProject(f"{self.file}:{line}: {words}", hint=hint))


def _specifiers(version: str) -> str:
    """conda's version of a package as PEP 440's: ``=1.2`` and ``1.2`` are ``==1.2.*``; builds are no part of it."""
    parts = []
    for part in filter(None, (p.strip() for p in version.split(","))):
        fuzzy = re.fullmatch(r"=?\s*([0-9][^=<>!|*\s]*?)(?:\.?\*)?", part)
        if fuzzy:
            parts.append(f"=={fuzzy[1]}.*")
        elif re.search(r"[|]|=\S+=", part.lstrip("=<>!~")) or part == "*":
            if part != "*":
                raise InvalidSpecifier(part)
        else:
            parts.append(part)
    return str(SpecifierSet(",".join(parts)))


def _shown(node: Any) -> str:
    return repr(node.value) if node.id == "scalar" else "what stands here"
