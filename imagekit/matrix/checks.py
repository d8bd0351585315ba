"""Checks of a matrix file's values, made where they stand: ``(value, where) → value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix.values import FLAVORS
from imagekit.nearest import nearest_hint
from imagekit.oci.digest import is_digest
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.spec.conda import CondaLine, check_channels, check_specs
from imagekit.spec.image import OCI_LAYOUT
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.url import refuse_credentials

_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_WORD = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_MINOR = re.compile(r"3\.(0|[1-9]\d?)")
_COMMIT = re.compile(r"git\+(https|ssh|file)://[^\s@]+@[0-9a-f]{40}")
# A tag as the OCI distribution specification has it, once its fields have values.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
FRAMEWORK = re.compile(r"\{framework\}(\[[^\]]*\])?")
PYTHON = "{python}"
FIELDS = ("version", "minor", "major", "python", "-flavor", "category", "sha")
_OF_FRAMEWORK = ("version", "minor", "major", "sha")


def name(value: str, where: str) -> str:
    """A repository, with or without registry and namespace."""
    try:
        reference = Reference.parse(value, target=True)
    except InputError as problem:
        raise InvalidConfig(f"{where}: {problem.message}", hint=problem.hint) from None
    if reference.tag is not None:
        raise InvalidConfig(f"{where}: {value!r} has a tag", hint="leave it out: [[tag]] says which there are")
    return value


def package(value: str, where: str) -> str:
    if not _PACKAGE.fullmatch(value):
        raise InvalidConfig(f"{where}: {value!r} is no name of a package", hint='name it alone: "prefect"')
    return value


def word(value: str, where: str) -> str:
    if not _WORD.fullmatch(value):
        raise InvalidConfig(f"{where}: {value!r} is no name", hint="use small letters, digits and '-'")
    return value


def words(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    return _once(value, where, lambda each: word(each, where))


def channels(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    return _once(value, where, lambda each: check_channels((each,), where))


def conda_packages(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Match specs beside Python's, which the cell has."""

    def check(each: str) -> None:
        check_specs((each,), where)
        if CondaLine(text=each, origin=where).name == "python":
            raise InvalidConfig(f"{where}: {each!r}: each cell has its own Python", hint="leave it out")

    return _once(value, where, check, may_be_empty=True)


def versions(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        if each.startswith("git+"):
            refuse_credentials(each, where)
            if not _COMMIT.fullmatch(each):
                raise InvalidConfig(
                    f"{where}: {each!r} is no repository at a commit", hint="write git+https://HOST/REPOSITORY@COMMIT"
                )
            return
        try:
            known = Version(each)
        except InvalidVersion:
            raise InvalidConfig(f"{where}: {each!r} is no version", hint='write one whole version: "3.8.8"') from None
        if (other := seen.setdefault(known, each)) != each:
            raise InvalidConfig(f"{where}: {each!r} and {other!r} are one version", hint="name it once")

    seen: dict[Version, str] = {}
    return _once(value, where, check)


def specifiers(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        try:
            SpecifierSet(each)
        except InvalidSpecifier:
            raise InvalidConfig(f"{where}: {each!r} is no version specifier", hint='write one: ">=3,<4"') from None

    return _once(value, where, check)


def requirements(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        # Extras stand between the name and the version: {framework}[aws] becomes NAME[aws]==VERSION.
        filled = FRAMEWORK.sub(lambda match: f"framework{match[1] or ''}==1", each)
        if "{" in filled:
            found = filled[filled.index("{") :].partition("}")[0].lstrip("{")
            words, hint = unknown("field", found, ("framework",))
            raise InvalidConfig(f"{where}: {words}", hint=hint)
        try:
            parse_requirement(filled, where)
        except InputError:
            if filled == each:
                raise
            raise InvalidConfig(
                f"{where}: {each!r} is no requirement once {{framework}} has its version",
                hint="write {framework} or {framework}[EXTRA], and no version after it",
            ) from None

    return _once(value, where, check, may_be_empty=True)


def pythons(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        if not _MINOR.fullmatch(each):
            raise InvalidConfig(f"{where}: {each!r} is no minor version of Python", hint='write "3.11"')

    return _once(value, where, check)


def flavors(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        if each not in FLAVORS:
            words, hint = unknown("flavor", each, FLAVORS)
            raise InvalidConfig(f"{where}: {words}", hint=hint)

    return _once(value, where, check)


def platforms(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    def check(each: str) -> None:
        try:
            Platform.parse(each)
        except InputError as problem:
            raise InvalidConfig(f"{where}: {problem.message}", hint=problem.hint) from None

    return _once(value, where, check)


def base_image(value: str, where: str) -> str:
    """An image, without a digest: ``[base.digest]`` has those."""
    from imagekit.spec.base import check_base_image

    try:
        check_base_image(value.replace(PYTHON, "3.0"))
    except InputError as problem:
        raise InvalidConfig(f"{where}: {problem.message}", hint=problem.hint) from None
    if "@" in value and not value.startswith(OCI_LAYOUT):
        raise InvalidConfig(
            f"{where}: {value!r} has a digest, and there is one for each Python",
            hint="write it below [base.digest], or have it written: imagekit matrix pin FILE",
        )
    return value


def digests(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    for digest in value.values():
        if not is_digest(digest):
            raise InvalidConfig(f"{where}: {digest!r} is no digest", hint="write sha256: and 64 lower-case hex digits")
    return value


def program(value: str, where: str) -> str:
    """A Python program that can be compiled, by this Python at least."""
    import ast

    try:
        ast.parse(value)
    except (SyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", None)
        raise InvalidConfig(
            f"{where}: no Python program{f' (its line {line})' if line else ''}: {getattr(problem, 'msg', problem)}",
            hint='write what must run in the image: "import prefect"',
        ) from None
    return value


def template(value: str, where: str) -> str:
    """A tag with fields, each of them known, and a tag once they have values."""
    try:
        fields = [field for _, field, form, conversion in Formatter().parse(value) if field is not None]
        plain = all(not form and not conversion for _, _, form, conversion in Formatter().parse(value))
    except ValueError as problem:
        raise InvalidConfig(f"{where}: {value!r}: {problem}", hint="fields stand in single braces: {version}") from None
    for field in fields:
        if field not in FIELDS:
            words, hint = unknown("field", field, FIELDS)
            raise InvalidConfig(f"{where}: {words}", hint=hint)
    example = value
    for field in FIELDS:
        example = example.replace(f"{{{field}}}", "0")
    if not plain or not _TAG.fullmatch(example):
        raise InvalidConfig(
            f"{where}: {value!r} makes no tags",
            hint="a tag has letters, digits, '_', '.' and '-', and begins with none of the last two",
        )
    return value


def framework_fields(name: str) -> list[str]:
    """The fields of a template that only a framework gives a value."""
    return [field for _, field, _, _ in Formatter().parse(name) if field in _OF_FRAMEWORK]


def unknown(what: str, value: str, known: Iterable[str]) -> tuple[str, str | None]:
    """Words and hint for a name that is not among ``known``."""
    return f"unknown {what} {value!r}", nearest_hint(value, list(known))


def _once(
    value: tuple[str, ...], where: str, check: Callable[[str], object], *, may_be_empty: bool = False
) -> tuple[str, ...]:
    """``value``, of which ``check`` refuses none and none stands there twice; else all that is wrong."""
    problems: list[InputError] = []
    for number, each in enumerate(value):
        try:
            check(each)
        except InputError as problem:
            problems.append(problem)
        if each in value[:number]:
            problems.append(InvalidConfig(f"{where}: {each!r} stands there twice", hint="name it once"))
    if not value and not may_be_empty:
        problems.append(InvalidConfig(f"{where} is empty", hint="name one at least"))
    if problems:
        raise InputError.join(problems)
    return value
