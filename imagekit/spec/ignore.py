"""``.dockerignore`` as BuildKit reads it (moby/patternmatcher, its ignorefile reader, fsutil's walk).

The rules that people trip over, all of them BuildKit's: the last pattern that matches wins;
``**`` crosses directories; ``abc/**`` does not match ``abc``; a directory that is excluded
takes what is below it along, unless a later ``!`` pattern brings that back. Stricter in one
thing: a malformed pattern is refused even where BuildKit would never come to try it.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from imagekit.errors import InputError, InvalidProject

# What Go's unicode.IsSpace says, which is not what str.strip takes off.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_ESCAPED = set(".+()|{}$")
_GO_ESCAPES = set("afntrvAbBdDsSwW")
_GO_BOUNDARIES = ("A", "b", "B")  # no characters: Go has them outside of a class alone
_WILD = set("*?[\\")

State = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    negated: bool
    literal: tuple[str, ...]  # leading components without wildcards
    is_literal: bool  # all of them are
    matches: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns of one ``.dockerignore``, in order."""

    rules: tuple[_Rule, ...] = ()

    @classmethod
    def parse(cls, text: str, name: str = ".dockerignore") -> IgnoreRules:
        """The rules that ``text`` spells; ``InvalidProject`` names every bad pattern with its line."""
        rules: list[_Rule] = []
        problems: list[InputError] = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            line = line.removesuffix("\r")
            if line.startswith("#"):
                continue
            pattern = _cleaned(line)
            if pattern == "!":
                problems.append(
                    InvalidProject(f"{name}:{number}: '!' alone excludes nothing", hint="put a path after it")
                )
            elif pattern:
                try:
                    rules.append(_rule(pattern))
                except ValueError:
                    problems.append(
                        InvalidProject(
                            f"{name}:{number}: {line.strip()!r} is not a pattern",
                            hint="close its '[', and put a '\\' before a character that is meant as it is",
                        )
                    )
        if problems:
            raise InputError.join(problems)
        return cls(tuple(rules))

    def step(self, path: str, above: State = ()) -> tuple[bool, State]:
        """Whether ``path`` is excluded, and the state for what lies below it.

        ``above`` is the state that the parent directory's step gave, ``()`` at the top.
        """
        excluded = False
        state: list[bool] = []
        for n, rule in enumerate(self.rules):
            matched = bool(above) and above[n]
            if not matched and rule.negated == excluded:
                matched = rule.matches(path)
            state.append(matched)
            if matched:
                excluded = not rule.negated
        return excluded, tuple(state)

    def excludes(self, path: str) -> bool:
        """Whether ``path`` (posix, relative to the context) stays out, its parent directories considered."""
        excluded = False
        state: State = ()
        parts = path.split("/")
        for n in range(1, len(parts) + 1):
            excluded, state = self.step("/".join(parts[:n]), state)
        return excluded

    def may_include_below(self, directory: str) -> bool:
        """Whether a ``!`` pattern may match something below an excluded ``directory``; if not, it can be skipped."""
        parts = tuple(directory.split("/"))
        for rule in self.rules:
            if not rule.negated:
                continue
            shared = min(len(parts), len(rule.literal))
            if rule.literal[:shared] == parts[:shared] and not (rule.is_literal and len(rule.literal) <= len(parts)):
                return True
        return False


def _cleaned(line: str) -> str:
    """The pattern of a line: trimmed, its path shortened, a leading ``/`` gone; ``!`` stays in front."""
    pattern = line.strip(_SPACE)
    if not pattern:
        return ""
    negation = "!" if pattern.startswith("!") else ""
    if negation:
        pattern = pattern[1:].strip(_SPACE)
    if pattern:
        pattern = _clean_path(pattern)
        if len(pattern) > 1 and pattern.startswith("/"):
            pattern = pattern[1:]
    # The matcher cleans once more, the negation included.
    return _clean_path((negation + pattern).strip(_SPACE)) if negation + pattern else ""


def _clean_path(path: str) -> str:
    """Go's ``filepath.Clean``, which unlike ``normpath`` keeps no double slash."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _rule(pattern: str) -> _Rule:
    negated = pattern.startswith("!")
    if negated:
        pattern = pattern[1:]
    _check_syntax(pattern)
    parts = pattern.split("/")
    wild = next((n for n, part in enumerate(parts) if _WILD & set(part)), len(parts))
    return _Rule(negated, tuple(parts[:wild]), wild == len(parts), _matcher(pattern))


def _check_syntax(pattern: str) -> None:
    """``ValueError`` where Go's ``filepath.Match`` calls the pattern malformed."""
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "\\":
            if at == len(pattern):
                raise ValueError(pattern)
            at += 1
        elif character == "[":
            at = _check_class(pattern, at)


def _check_class(pattern: str, at: int) -> int:
    if pattern.startswith("^", at):
        at += 1
    ranges = 0
    while True:
        if ranges and pattern.startswith("]", at):
            return at + 1
        at = _class_character(pattern, at)
        if pattern.startswith("-", at):
            at = _class_character(pattern, at + 1)
        ranges += 1


def _class_character(pattern: str, at: int) -> int:
    if at >= len(pattern) or pattern[at] in "-]":
        raise ValueError(pattern)
    if pattern[at] == "\\":
        at += 1
        if pattern[at : at + 1] in _GO_BOUNDARIES:
            raise ValueError(pattern)
    if at + 1 >= len(pattern):
        raise ValueError(pattern)
    return at + 1


def _matcher(pattern: str) -> Callable[[str], bool]:
    """BuildKit's translation: whole path, prefix, suffix or regular expression, by what the pattern holds."""
    kind, regex = "exact", ""
    at = 0
    while at < len(pattern):
        start, character = at, pattern[at]
        at += 1
        if character == "*" and pattern.startswith("*", at):
            at += 1
            if pattern.startswith("/", at):
                at += 1
            if at < len(pattern):
                regex, kind = regex + "(.*/)?", "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                regex, kind = regex + ".*", "regex"
            if start == 0:
                kind = "suffix"
        elif character == "*":
            regex, kind = regex + "[^/]*", "regex"
        elif character == "?":
            regex, kind = regex + "[^/]", "regex"
        elif character in _ESCAPED:
            regex += "\\" + character
        elif character == "\\" and at < len(pattern):
            regex, kind = regex + _escape(pattern[at]), "regex"
            at += 1
        else:
            regex += character
            kind = "regex" if character in "[]" else kind
    if kind == "prefix":
        return _prefix(pattern[:-2])
    if kind == "suffix":
        return _suffix(pattern[2:])
    if kind == "regex":
        return _regex(regex)
    return pattern.__eq__


def _escape(character: str) -> str:
    if not character.isascii() or (character.isalnum() and character not in _GO_ESCAPES):
        raise ValueError(character)
    return "\\" + character


def _prefix(prefix: str) -> Callable[[str], bool]:
    return lambda path: path.startswith(prefix)


def _suffix(suffix: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])


def _regex(text: str) -> Callable[[str], bool]:
    with warnings.catch_warnings():
        # "[[" and the like are plain characters to Go, and to Python so far.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            compiled = re.compile(text, re.ASCII)
        except (re.error, OverflowError) as problem:
            raise ValueError(text) from problem
    return lambda path: compiled.fullmatch(path) is not None
