"""Checks of what ``[tool.imagekit]`` says, made where it stands: ``(value, where) → value``.

What they check with is imported when there is a value: a project without the key does not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagekit.errors import InputError, InvalidConfig


def name(value: str, where: str) -> str:
    from imagekit.oci.reference import Reference

    if "/" in value or ":" in value:
        try:
            reference = Reference.parse(value, target=True)
        except InputError as problem:
            raise _placed(problem, where) from None
        if reference.tag:
            raise InvalidConfig(
                f"{where}: {value!r} has a tag", hint="leave it away; --tag gives one, or else the content does"
            )
    elif not re.search(r"[a-z0-9]", value.lower()):
        raise InvalidConfig(f"{where}: {value!r} gives no image name", hint="use letters and digits")
    return value


def python(value: str, where: str) -> str:
    from imagekit.spec.python_version import check_python

    try:
        return check_python(value, "")
    except InputError as problem:
        raise _placed(problem, where) from None


def base_image(value: str, where: str) -> str:
    from imagekit.spec.base import check_base_image

    try:
        check_base_image(value)
    except InputError as problem:
        raise _placed(problem, where) from None
    return value


def platform(value: str, where: str) -> str:
    from imagekit.oci.platform import Platform

    try:
        Platform.parse(value)
    except InputError as problem:
        raise _placed(problem, where) from None
    return value


def url(value: str, where: str) -> str:
    from imagekit.spec.url import refuse_login

    refuse_login(value, where)
    return value


def urls(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    for each in value:
        url(each, where)
    return value


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

    try:
        for text in value:
            Entrypoint.parse(text)
    except InputError as problem:
        raise _placed(problem, where) from None
    return value


def variables(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    from imagekit.spec.files import check_env

    try:
        check_env(value)
    except InputError as problem:
        raise _placed(problem, where) from None
    return value


def labels(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    from imagekit.spec.files import check_labels

    try:
        check_labels(value)
    except InputError as problem:
        raise _placed(problem, where) from None
    return value


def directory(value: str, where: str) -> str:
    from imagekit.spec.files import check_absolute

    return check_absolute(value, where)


def commands(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    from imagekit.spec.commands import check_commands

    return check_commands(value, where)


def _placed(problem: InputError, where: str) -> InputError:
    """``problem``, each of those that it holds, told where the value stands."""
    found = problem.problems or (problem,)
    return InputError.join([type(p)(f"{where}: {p.message}", hint=p.hint, details=p.details) for p in found])
