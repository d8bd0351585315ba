"""One requirement (PEP 508), refused where a resolver or installer could read something else into it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement as _PackagingError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidRequirement
from imagekit.spec.image import LocalSource, RequirementLine
from imagekit.spec.local_source import Places, declared_name, local_source, path_of_url, path_within
from imagekit.spec.url import check_requirement_url, fragment_items, join_ref, redacted, split_ref

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PACKAGING_POINTER = re.compile(r"\s+")


def parse_requirement(
    text: str, origin: str, hashes: tuple[str, ...] = (), places: Places | None = None
) -> RequirementLine:
    """The requirement in its one spelling; ``InvalidRequirement`` names ``origin``.

    ``NAME @ PATH`` and ``NAME @ file:…`` are looked for as ``places`` say, and refused without it.
    Whether versions exist, or contradict each other, is the resolver's to say.
    """
    requirement = _parse(text, origin)
    local = None if requirement.url is None else _check_url(requirement, origin, places)
    return RequirementLine(text=str(requirement), origin=origin, hashes=hashes, local=local)


def parse_requirements(texts: Iterable[str], origin: str, places: Places | None = None) -> tuple[RequirementLine, ...]:
    """Every requirement of ``texts``; all that is wrong is raised at once."""
    return parse_each(texts, lambda text: parse_requirement(text, origin, places=places))


def parse_each(texts: Iterable[str], parse: Callable[[str], RequirementLine]) -> tuple[RequirementLine, ...]:
    """What ``parse`` makes of each of ``texts``; all that it refuses is raised at once."""
    lines: list[RequirementLine] = []
    problems: list[InputError] = []
    for text in texts:
        try:
            lines.append(parse(text))
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
    if "\\" in text:
        # In a marker's strings, which are Python's, it might stand for any character.
        raise InvalidRequirement(f"{origin}: {shown} has a backslash in it", hint="paths are written with '/'")
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
    if "\t" in str(requirement):
        raise InvalidRequirement(f"{origin}: {shown} has a tab in its marker", hint="write a space there")
    return requirement


def _check_url(requirement: Requirement, origin: str, places: Places | None) -> LocalSource | None:
    """What a direct reference names on this machine; its URL becomes absolute."""
    url = requirement.url or ""
    is_path = not url.startswith("-") and re.match(r"file:|(?![A-Za-z][A-Za-z0-9+.-]*:)", url) is not None
    if not is_path:
        parts = check_requirement_url(requirement.name, url, origin)
        if parts.scheme == "git+file":
            repository, ref = split_ref(parts.path)
            real = path_within(unquote(repository), _given(places, url, origin), origin)
            requirement.url = f"git+{join_ref(real.as_uri(), ref)}{'#' if parts.fragment else ''}{parts.fragment}"
        return None
    places = _given(places, url, origin)
    fragment = ""
    path = url
    if url.startswith("file:"):
        path, fragment = path_of_url(url, origin), urlsplit(url).fragment
    items = fragment_items(fragment)
    if unknown := next((key for key in items if key not in ("egg", "sha256", "subdirectory")), None):
        raise InvalidRequirement(f"{origin}: {url!r} has '#{unknown}', which is not honoured", hint="leave it out")
    source = local_source("/".join(filter(None, (path, items.get("subdirectory")))), places, origin)
    found = declared_name(source.path)
    if found is not None and found != canonicalize_name(requirement.name):
        raise InvalidRequirement(
            f"{origin}: {path!r} is {found}, and {requirement.name} is asked for", hint=f"write {found} @ {path}"
        )
    if items.get("sha256", source.content.removeprefix("sha256:")) != source.content.removeprefix("sha256:"):
        raise InvalidRequirement(
            f"{origin}: {path!r} is not the file that its sha256 names",
            hint="find out who changed it, or write its hash anew: pip hash FILE",
        )
    hashed = f"#sha256={items['sha256']}" if "sha256" in items else ""
    requirement.url = source.path.as_uri() + hashed
    return source


def _given(places: Places | None, url: str, origin: str) -> Places:
    if places is None:
        raise InvalidRequirement(
            f"{origin}: {redacted(url)!r} is a path, and none can be named here",
            hint="name it in requirements.txt, in pyproject.toml or as an argument",
        )
    return places


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
