"""Every error says what to do next, and the commands that it names are there.

Read from the source: what stands in the literal parts of messages and hints, whatever is filled in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import imagekit.errors
from imagekit.cli.app import app
from imagekit.cli.commands import COMMANDS
from imagekit.cli.exit_codes import EXIT_CODES
from imagekit.errors import ImagekitError

PACKAGE = Path(imagekit.errors.__file__).parent
FILLED = "\N{REPLACEMENT CHARACTER}"  # where a value is filled in
ERRORS = {name for name, each in vars(imagekit.errors).items() if isinstance(each, type)}
# Those that say themselves what to do next.
WITH_USUAL = {name for name in ERRORS if getattr(getattr(imagekit.errors, name), "usual_hint", None)}
# Options of other programs, of Dockerfiles and of requirements files; and variables of CSS.
OF_OTHERS = set(
    """--armor --break-system-packages --build-context --compile-bytecode --driver --entrypoint --export --find-links
    --force-reinstall --from --generate-hashes --hash --link --mount --name-only --no-index --no-install-recommends
    --no-sync --no-trunc --print-uris --progress --rm --security-opt --unshallow
    --ink --line --paper""".split()
)
# Their end is all there is to say.
ENDS = {"terminated", "interrupted"}
# Words of the inside, which nobody knows who has not read the source.
INSIDE = re.compile(
    r"\b(lease|fencing|needles?|laid-out|recall|thin assembly|NoneType|isinstance|traceback|dataclass|regex)\b", re.I
)


def texts(node: ast.AST) -> Iterator[str]:
    """The string literals in an expression, one for each f-string."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else FILLED for v in node.values)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from texts(value.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text())


TREES = dict(trees())


def raised() -> Iterator[tuple[str, str, ast.Call]]:
    """Where an error is made: its place and its class."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                yield f"{name}:{node.lineno}", node.func.id, node


def test_every_error_says_what_to_do_next() -> None:
    silent = [
        place
        for place, kind, call in raised()
        if kind not in WITH_USUAL
        and not {keyword.arg for keyword in call.keywords} & {"hint", None}
        and not any(text in ENDS for text in texts(call.args[0]))
    ]
    assert silent == []


def test_there_are_errors_to_read() -> None:
    # So that a changed shape of the source does not leave these tests without any.
    assert sum(1 for _ in raised()) > 900
    assert {"WheelRefused", "EngineError"} <= WITH_USUAL


def test_messages_have_no_words_of_the_inside() -> None:
    found = [
        (place, text)
        for place, _, call in raised()
        for part in (*call.args[:1], *(k.value for k in call.keywords if k.arg == "hint"))
        for text in texts(part)
        # The one traceback that is asked for is that of a fault of ours.
        if INSIDE.search(text.replace("report the traceback", ""))
    ]
    assert found == []


def literals() -> Iterator[tuple[str, str]]:
    """Each text of the package that is no docstring, with its place."""
    for name, tree in TREES.items():
        documented = {id(body[0].value) for n in ast.walk(tree) if (body := getattr(n, "body", None)) and _is_doc(body)}
        for node in ast.walk(tree):
            if id(node) in documented or not isinstance(node, (ast.Constant, ast.JoinedStr)):
                continue
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else FILLED
                for part in (node.values if isinstance(node, ast.JoinedStr) else [node])
            )
            yield f"{name}:{node.lineno}", text


def named() -> Iterator[tuple[str, str]]:
    """Each ``imagekit COMMAND …`` in a text, with its place."""
    for place, text in literals():
        for command in re.findall(r"\bimagekit ([a-z][^;,()`]*)", text):
            if command.split()[0] in COMMANDS:
                yield place, command


def _is_doc(body: object) -> bool:
    return isinstance(body, list) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


@cache
def program() -> Any:
    return typer.main.get_command(app)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first of ``words`` name, and the rest of them."""
    found = program()
    while words and hasattr(found, "commands") and words[0] in found.commands:
        found = found.commands[words[0]]
        words = words[1:]
    return found, words


def wrong_in(command: str) -> str | None:
    """What of ``command`` there is not."""
    words = re.sub(r"[:.'\"]+(\s|$)", " ", command).split()
    found, rest = command_of(words)
    if hasattr(found, "commands"):
        # A word behind "imagekit cache" must be a command of it, unless a sentence goes on.
        return next((word for word in rest[:1] if re.fullmatch(r"[a-z-]+", word) and word != "of"), None)
    context = found.make_context("imagekit", [], resilient_parsing=True)
    known = {name for each in found.get_params(context) for name in (*each.opts, *each.secondary_opts)}
    return next((o for o in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(rest)) if o not in known), None)


def test_commands_that_texts_name_are_there() -> None:
    every = list(named())
    assert len(every) > 120
    assert [(place, command, wrong) for place, command in every if (wrong := wrong_in(command))] == []


def options() -> set[str]:
    """Those of every command."""
    found, left = set(), [program()]
    while left:
        command = left.pop()
        left += getattr(command, "commands", {}).values()
        context = command.make_context("imagekit", [], resilient_parsing=True)
        found |= {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}
    return found


def test_options_that_texts_name_are_there() -> None:
    known = options() | OF_OTHERS
    # A word alone is an argument of a program, and no text for people.
    found = [
        (place, option)
        for place, text in literals()
        for option in re.findall(r"(?<=[ (])--[a-z][a-z-]*", text)
        if option not in known
    ]
    assert found == []


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("cache prune --al", "--al"),
        ("work-pool mend NAME", "mend"),
        ("build --no-cache", None),
        ("secret set NAME", None),
    ],
)
def test_what_is_not_there_is_found(command: str, wrong: str | None) -> None:
    assert wrong_in(command) == wrong


@pytest.mark.parametrize("name", ["a\nb", "x\x1b[31my", "\x07", "a\u2028b", "\udce4", "\u202ereversed"])
def test_what_a_terminal_would_obey_is_written_out(name: str) -> None:
    error = ImagekitError(f"{name} is not there", hint=f"looked for {name}")
    for text in (error.message, error.args[0], error.hint or ""):
        assert text.isprintable()
        text.encode()
    assert ImagekitError("ü — 日本 'a'").message == "ü — 日本 'a'"


def test_every_exit_code_is_in_the_table_of_the_help() -> None:
    errors = [each for each in vars(imagekit.errors).values() if isinstance(each, type) and hasattr(each, "exit_code")]
    assert len(errors) > 40
    assert {each.exit_code for each in errors} <= set(EXIT_CODES)
    # An error of no kind of its own would end like a flow that failed.
    assert {each.__name__ for each in errors if each.exit_code == 1} == {
        "ImagekitError",
        "FlowFailed",
        "ResultNotSerializable",
    }
