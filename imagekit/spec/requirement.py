"""One requirement (PEP 508), refused where a resolver or installer could read something else into it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement as _PackagingError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidRequirement
from imagekit.spec.image import RequirementLine
from imagekit.spec.url import check_requirement_url, redacted

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PACKAGING_POINTER = re.compile(r"\s+")


def parse_requirement(text: str, origin: str, hashes: tuple[str, ...] = ()) -> RequirementLine:
    """The requirement in its one spelling; ``InvalidRequirement`` names ``origin``.

    Whether its versions exist, or contradict each other, is the resolver's to say.
    """
    return RequirementLine(text=str(_parse(text, origin)), origin=origin, hashes=hashes)


def parse_requirements(texts: Iterable[str], origin: str) -> tuple[RequirementLine, ...]:
    """Every requirement of ``texts``; all that is wrong is raised at once."""
    lines: list[RequirementLine] = []
    problems: list[InputError] = []
    for text in texts:
        try:
            lines.append(parse_requirement(text, origin))
        except InvalidRequirement as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return tuple(lines)


def requirement_name(line: RequirementLine) -> str:
    """The normalized (PEP 503) name of what ``line`` requires."""
    return canonicalize_name(Requirement(line.text).name)


def _parse(text: str, origin: str) -> Requirement:
    if not isinstance(text, str):
        raise InvalidRequirement(
            f"{origin}: a requirement is a string, and {text!r} is none", hint="write it in quotes: 'NAME>=1'"
        )
    shown = _shown(text)
    text = text.strip(" \t")
    if not text:
        raise InvalidRequirement(f"{origin}: a requirement is empty", hint="write NAME, NAME==1.2 or NAME>=1,<2")
    for character in text:
        if character != "\t" and _is_unseen(character):
            raise InvalidRequirement(
                f"{origin}: {shown} has the unseen character U+{ord(character):04X} in it",
                hint="take it out; one requirement stands on one line",
            )
    if text.startswith("-"):
        raise InvalidRequirement(
            f"{origin}: {shown} is an option, not a requirement", hint="put options into a requirements file"
        )
    try:
        requirement = Requirement(text)
    except _PackagingError as problem:
        words = _PACKAGING_POINTER.sub(" ", str(problem).splitlines()[0])
        raise InvalidRequirement(f"{origin}: {shown} is not a requirement: {words}", hint=_hint(text)) from None
    except RecursionError:
        raise InvalidRequirement(f"{origin}: {shown} nests too deeply", hint="simplify its marker") from None
    if requirement.url is not None:
        check_requirement_url(requirement.url, origin)
    return requirement


def _is_unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSEEN or (category == "Zs" and character != " ")


def _hint(text: str) -> str:
    if re.search(r"[^=!<>~]=[^=]", text):
        return "write '==' for one version: NAME==1.2"
    if re.search(r"~=\s*\d+\s*(,|;|$)", text):
        return "'~=' needs two numbers: NAME~=1.0"
    if re.search(r"[<>]=?[^,;]*\*", text):
        return "'.*' goes with '==' and '!=' only: NAME==2.*"
    return "write NAME, NAME==1.2, NAME>=1,<2 or NAME @ https://HOST/FILE.whl"


def _shown(text: str) -> str:
    text = redacted(text)
    return repr(text if len(text) <= 120 else text[:117] + "...")
