"""Every command with its arguments and options, as docs/commands.md prints them: ``python -m imagekit.cli.page``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from imagekit.cli.offline_option import COMMANDS as OFFLINE
from imagekit.cli.offline_option import offline_option

HEADER = """\
# Commands

Every command with its arguments and options, as `imagekit COMMAND --help` says them. This page is made from the
commands themselves (`scripts/configuration-docs`), and a test holds it to them.

`--profile NAME` goes with every command, before or behind its name, and `-h`, `--help` tells of it.
"""
_EVERYWHERE = {"profile", "help", "install_completion", "show_completion"}


def markdown() -> str:
    """The page: a section for each command, those of a group one after the other."""
    import typer

    from imagekit.cli.app import app

    sections = (_section(words, command) for words, command in _commands("imagekit", typer.main.get_command(app)))
    return "\n".join([HEADER, *sections])


def _commands(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Commands with the words that call them; ``command`` is Click's, which typer makes of our functions."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name in command.list_commands(None):
        yield from _commands(f"{words} {name}", command.get_command(None, name))


def _section(words: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each
        for each in command.params
        if each.param_type_name == "option" and each.name not in _EVERYWHERE and not each.hidden
    ]
    options += [offline_option()] if words.rpartition(" ")[2] in OFFLINE else []
    usage = " ".join([words, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)])
    parts = [f"## `{usage}`", _paragraphs(command.help)]
    rows = [(f"`{_name(each)}`", _line(each.help)) for each in arguments]
    rows += [(_spellings(each), _line(each.help)) for each in options]
    if rows:
        lines = [f"| {left} | {_cell(right)} |" for left, right in rows]
        parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *lines]))
    if examples := _examples(command.epilog):
        parts.append("\n".join(["```console", *(f"$ {line}" for line in examples), "```"]))
    return "\n\n".join(parts) + "\n"


def _usage(argument: Any) -> str:
    text = _name(argument) + ("..." if argument.nargs == -1 else "")
    return text if argument.required else f"[{text}]"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper()).strip("[]").removesuffix("...")


def _spellings(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
    off = ", ".join(f"`{name}`" for name in option.secondary_opts)
    value = "" if option.is_flag else f" `{option.metavar or option.name.upper()}`"
    return f"{names}{value}{f' / {off}' if off else ''}"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").strip().split("\n\n"))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _examples(epilog: str | None) -> list[str]:
    found = re.search(r"Examples:\n((?:  .*\n?)+)", epilog or "")
    return [line.strip() for line in found[1].splitlines()] if found else []


if __name__ == "__main__":
    print(markdown(), end="")
