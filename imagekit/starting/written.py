"""The keys to start from as a file: ``imagekit.toml``, or ``[tool.imagekit]`` at the end of a pyproject.toml."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from imagekit.atomic import rewrite
from imagekit.errors import InvalidConfig, InvalidProject
from imagekit.spec.toml import read_toml, toml_value, with_line_ends_of
from imagekit.starting.propose import Proposal

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

_WIDTH = 100
_HEADER = """\
# How imagekit makes this project's image. Lines without '#' hold; `imagekit config view --origin`
# shows every key, its value, and where that comes from.
"""


def as_toml(proposals: Iterable[Proposal]) -> str:
    """The keys with their reasons; those that do not hold as comments."""
    parts = [_HEADER]
    for each in proposals:
        why = "\n".join(textwrap.wrap(each.why, _WIDTH, initial_indent="# ", subsequent_indent="# "))
        lines = _assignment(each).splitlines()
        parts.append("\n".join([why, *(lines if each.holds else (f"# {line}" for line in lines))]) + "\n")
    return "\n".join(parts)


def target_of(context: Path, *, in_pyproject: bool, force: bool) -> Path:
    """Where it goes. ``InvalidConfig`` where there is something that ``force`` does not allow to be replaced."""
    own, pyproject = context / "imagekit.toml", context / "pyproject.toml"
    tables = read_toml(pyproject, InvalidProject).get("tool") if pyproject.is_file() else None
    has_table = isinstance(tables, dict) and "imagekit" in tables
    if in_pyproject and not pyproject.is_file():
        what = "is a directory" if pyproject.is_dir() else "is not there"
        raise InvalidConfig(f"{pyproject} {what}", hint="leave --pyproject out: imagekit.toml is written")
    if has_table:
        raise InvalidConfig(
            "pyproject.toml has a [tool.imagekit] already",
            hint="change it there; imagekit config view shows what holds",
        )
    if own.exists() and (in_pyproject or not force):
        hint = (
            "remove that table first" if in_pyproject else "imagekit init --force writes it anew; --dry-run prints it"
        )
        raise InvalidConfig("imagekit.toml is there already", hint=hint)
    return pyproject if in_pyproject else own


def write(target: Path, text: str) -> None:
    """Put ``text`` in place, whole; a pyproject.toml keeps what it has."""
    if target.name == "pyproject.toml":
        # With its byte order mark, where it has one.
        before = target.read_bytes().decode()
        text = f"[tool.imagekit]\n{text}"
        text = with_line_ends_of(before, f"{before.rstrip()}\n\n{text}" if before.strip() else text)
        _refuse_closed(target.name, text)
    rewrite(target, text.encode(), InvalidConfig, hint="--dry-run prints it")


def _refuse_closed(name: str, whole: str) -> None:
    """``InvalidConfig`` where ``[tool]`` is written as a value (``tool = {…}``), which no table can follow."""
    try:
        tomllib.loads(whole.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        raise InvalidConfig(
            f"{name} has 'tool' in a form that cannot be added to",
            hint="leave --pyproject out: imagekit.toml is written",
        ) from None


def _assignment(proposal: Proposal) -> str:
    line = f"{proposal.key} = {toml_value(proposal.value)}"
    if isinstance(proposal.value, Sequence) and not isinstance(proposal.value, str) and len(line) > _WIDTH:
        items = "".join(f"    {toml_value(item)},\n" for item in proposal.value)
        return f"{proposal.key} = [\n{items}]"
    return line
