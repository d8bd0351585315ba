"""The types of what ``read_spec`` is given: a mistyped one is told by its name, and not by what stumbles over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.wrong_type import wrong_type


def check_given(given: Mapping[str, Any]) -> None:
    """``InputError`` for every value of ``given`` that is of another type than its name takes; ``None`` is none."""
    problems: list[InputError] = []
    for name, value in given.items():
        is_right, what, example = _KINDS[name]
        if not is_right(value) and (value is not None or name == "context"):
            problems.append(wrong_type(value, name, what, f"write {name}={example}"))
    if problems:
        raise InputError.join(problems)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, Path))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return _is_text(value) or (_is_list(value) and all(map(_is_text, value)))


def _are_paths(value: Any) -> bool:
    return _is_path(value) or (_is_list(value) and all(map(_is_path, value)))


def _is_flag_or_texts(value: Any) -> bool:
    return _is_flag(value) or _are_texts(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_path, value))


_Kind = tuple[Callable[[Any], bool], str, str]
_TEXT: _Kind = (_is_text, "a string", "'…'")
_TEXTS: _Kind = (_are_texts, "a list of strings", "['…']")
_TABLE: _Kind = (_is_table, "a dict by strings", "{'NAME': 'VALUE'}")
_FLAG: _Kind = (_is_flag, "True or False", "True")

_KINDS: Mapping[str, _Kind] = {
    "context": (_is_path, "a path", "'PATH'"),
    "requirements": (_are_paths, "a path or a list of paths", "['PATH']"),
    "dockerignore": (_is_path, "a path", "'PATH'"),
    "source_builds": (_is_flag_or_texts, "True, False or a list of names", "['NAME']"),
    **dict.fromkeys(("name", "base_image", "python", "resolver", "preflight", "workdir"), _TEXT),
    **dict.fromkeys(
        (
            "packages",
            "extras",
            "groups",
            "entrypoints",
            "extra_dockerfile_commands",
            "conda",
            "conda_channels",
            "recipes",
        ),
        _TEXTS,
    ),
    **dict.fromkeys(("env", "files", "labels"), _TABLE),
    **dict.fromkeys(("include_source", "health_check", "runtime_extras"), _FLAG),
}
GIVEN = tuple(_KINDS)
