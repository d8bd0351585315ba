"""Checks of what ``[tool.imagekit]`` says, made where it stands: ``(value, where) → value``.

What they check with is imported when there is a value: a project without the key does not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from imagekit.errors import InputError, InvalidConfig

_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def name(value: str, where: str) -> str:
    from imagekit.oci.reference import Reference

    if "/" in value or ":" in value:
        _check(lambda: Reference.parse(value, target=True), where)
        if Reference.parse(value, target=True).tag:
            raise InvalidConfig(
                f"{where}: {value!r} has a tag", hint="leave it out; --tag gives one, or else the content does"
            )
    elif not re.search(r"[a-z0-9]", value.lower()):
        raise InvalidConfig(f"{where}: {value!r} gives no image name", hint="use letters and digits")
    return value


def python(value: str, where: str) -> str:
    from imagekit.spec.python_version import check_python

    _check(lambda: check_python(value, ""), where)
    return value


def base_image(value: str, where: str) -> str:
    from imagekit.spec.base import check_base_image

    _check(lambda: check_base_image(value), where)
    return value


def platform(value: str, where: str) -> str:
    from imagekit.oci.platform import Platform

    _check(lambda: Platform.parse(value), where)
    return value


def url(value: str, where: str) -> str:
    from imagekit.spec.url import check_index_url

    check_index_url(value, where)
    return value


def links(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Places of files: directories of the project, or URLs without a credential."""
    from imagekit.spec.url import refuse_credentials

    return _all(value, lambda each: refuse_credentials(each, where))


def buildable(value: bool | tuple[str, ...], where: str) -> bool | tuple[str, ...]:
    """Names of packages alone, or pip's word for all of them."""

    def check(each: str) -> None:
        if each not in (":all:", "*") and not _PACKAGE.fullmatch(each):
            raise InvalidConfig(
                f"{where}: {each!r} is no name of a package", hint='name it alone: ["pycairo"]; true means any package'
            )

    return _all(value, check) if isinstance(value, tuple) else value


def replacements(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    """A requirement, or nothing, for each of conda's packages."""
    from imagekit.spec.requirement import parse_requirement

    _all(tuple(value.values()), lambda each: parse_requirement(each, where) if each.strip() else None)
    return value


def secret_names(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    """Names of secrets; a secret itself is refused, and not shown."""
    if not all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) for name in value.values()):
        raise InvalidConfig(f"{where}: not the name of a secret", hint="keep it by: imagekit secret set NAME")
    return value


def urls(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    return _all(value, lambda each: url(each, where))


def moment(value: str, where: str) -> str:
    """A time as RFC 3339 has it; a date is its first moment."""
    from datetime import datetime

    text = f"{value}T00:00:00Z" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else value
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", text):
            raise ValueError
        datetime.fromisoformat(text[:19])
    except ValueError:
        raise InvalidConfig(
            f"{where}: {value!r} is no date and no time",
            hint="write 2026-01-31 or 2026-01-31T12:00:00Z; a span of days would be another time every day",
        ) from None
    return text


def entrypoints(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    from imagekit.spec.entrypoint import Entrypoint

    _check(lambda: _all(value, Entrypoint.parse), where)
    return value


def variables(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    from imagekit.spec.files import check_env

    _check(lambda: check_env(value), where)
    return value


def labels(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    from imagekit.spec.files import check_labels

    _check(lambda: check_labels(value), where)
    return value


def directory(value: str, where: str) -> str:
    from imagekit.spec.files import check_absolute

    return check_absolute(value, where)


def recipes(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Names, or paths; what they are is read when a build asks for them."""

    def check(each: str) -> None:
        if not each.strip() or "\0" in each:
            raise InvalidConfig(f"{where}: {each!r} is no recipe", hint='name one: ["mssql-odbc"], or ["./my.toml"]')

    return _all(value, check)


def commands(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    from imagekit.spec.commands import check_commands

    return check_commands(value, where)


def _all(values: tuple[str, ...], check: Callable[[str], object]) -> tuple[str, ...]:
    """``values``, where ``check`` refuses none of them; else all that it says."""
    problems: list[InputError] = []
    for value in values:
        try:
            check(value)
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return values


def _check(check: Callable[[], object], where: str) -> None:
    """``check``; what it refuses, each of it, is told where the value stands."""
    try:
        check()
    except InputError as problem:
        found = problem.problems or (problem,)
        raise InputError.join(
            [type(p)(f"{where}: {p.message}", hint=p.hint, details=p.details) for p in found]
        ) from None
