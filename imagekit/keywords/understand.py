"""What the keywords that ``DockerImage`` was given come to, by the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagekit.errors import InputError, UnknownKeyword
from imagekit.keywords.table import BY_NAME, KEYWORDS, Keyword, Use, Verdict
from imagekit.nearest import nearest

# What reaches the steps of extra commands.
OF_STEPS = frozenset(keyword.name for keyword in KEYWORDS if keyword.auto.verdict is Verdict.WITH_COMMANDS)
_ALL = "help(imagekit.DockerImage) tells of each; a table of them is in docs/keywords.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Keywords as they are meant, by the one name of each, their values in one form."""

    values: Mapping[str, Any]
    ignored: tuple[str, ...]  # a line each


def understand(given: Mapping[str, Any]) -> Understood:
    """What ``given`` comes to, by the table; ``None``, and ``""`` of docker-py's and buildx's, were not given.

    Raises ``UnknownKeyword`` with the nearest name, and ``InputError`` for a refused keyword or a value of the
    wrong type: all of them at once.
    """
    problems: list[InputError] = []
    values: dict[str, Any] = {}
    said: dict[str, str] = {}
    for name, value in given.items():
        if name not in BY_NAME:
            problems.append(_unknown(name))
        elif value is not None and not _is_left_open(value, BY_NAME[name]):
            try:
                _take(BY_NAME[name], value, values, said)
            except InputError as problem:
                problems.append(problem)
    auto = "dockerfile" not in values or str(values["dockerfile"]) == "auto"
    ignored = []
    for one in list(values):
        keyword = BY_NAME[said[one]]
        use = keyword.auto if auto else keyword.dockerfile
        if _is_harmless(given[keyword.name], keyword):
            continue
        if use.verdict is Verdict.REFUSED:
            problems.append(_refusal(keyword, use, auto=auto))
        elif _is_ignored(use.verdict, values):
            ignored.append(_warning(keyword, use))
    if problems:
        raise InputError.join(problems)
    return Understood(values=values, ignored=tuple(ignored))


def dockerfile_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that reach a Dockerfile's steps, as fields of ``stages.dockerfile.DockerfileBuild``."""
    return {keyword.field: values[keyword.name] for keyword in KEYWORDS if keyword.field and keyword.name in values}


def _take(keyword: Keyword, value: Any, values: dict[str, Any], said: dict[str, str]) -> None:
    one = keyword.same_as or keyword.name
    if one in values:
        raise InputError(f"{said[one]} and {keyword.name} are the same: both are given", hint="give one of them")
    values[one] = keyword.check(value, keyword.name)
    said[one] = keyword.name


def _is_left_open(value: Any, keyword: Keyword) -> bool:
    """docker-py and buildx take an empty text for no text at all."""
    return keyword.of in ("docker-py", "buildx") and isinstance(value, str) and not value


def _is_harmless(value: Any, keyword: Keyword) -> bool:
    if value in ("", (), [], {}) if isinstance(value, (str, tuple, list, dict)) else False:
        return True
    return any(value == each and type(value) is type(each) for each in keyword.harmless)


def _is_ignored(verdict: Verdict, values: Mapping[str, Any]) -> bool:
    if verdict is Verdict.WITH_COMMANDS:
        return not values.get("extra_dockerfile_commands")
    if verdict is Verdict.WITH_BUILDKIT:
        return values.get("builder") != "buildkit"
    return verdict is Verdict.IGNORED


def _warning(keyword: Keyword, use: Use) -> str:
    why = {
        Verdict.WITH_COMMANDS: "it has no meaning without a Dockerfile of your own, or extra_dockerfile_commands",
        Verdict.WITH_BUILDKIT: "it has no meaning without a Dockerfile of your own, or builder='buildkit'",
    }
    return f"{keyword.name} is ignored: {why.get(use.verdict, use.words)}"


def _refusal(keyword: Keyword, use: Use, *, auto: bool) -> InputError:
    other = keyword.dockerfile if auto else keyword.auto
    if other.verdict is Verdict.REFUSED:
        return InputError(f"DockerImage does not take {keyword.name!r}", hint=use.words)
    without = "does not go without a Dockerfile" if auto else "does not go with a Dockerfile of your own"
    return InputError(f"{keyword.name} {without}", hint=use.words)


def _unknown(name: str) -> UnknownKeyword:
    near = nearest(name, _sensible())
    return UnknownKeyword(f"DockerImage has no keyword {name!r}", hint=f"did you mean {near!r}?" if near else _ALL)


def _sensible() -> Iterable[str]:
    """Keywords worth naming to somebody: those that do something."""
    useless = (Verdict.REFUSED, Verdict.IGNORED)
    return [k.name for k in KEYWORDS if not (k.auto.verdict in useless and k.dockerfile.verdict in useless)]
