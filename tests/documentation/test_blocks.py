"""How a page is taken apart, and what counts as seen."""

from __future__ import annotations

import pytest

from .blocks import Block, is_seen, steps


def block(text: str, language: str = "console") -> Block:
    return Block(page="page.md", line=1, language=language, text=text)


def test_commands_and_what_is_seen_of_each() -> None:
    found = steps(block("$ imagekit build \\\n    --quiet\norders:v1\n\n$ cd orders\n$ ls\na\nb\n"))
    assert [(step.command, step.seen) for step in found] == [
        ("imagekit build \\\n    --quiet", "orders:v1"),
        ("cd orders", ""),
        ("ls", "a\nb"),
    ]


def test_a_block_of_bash_is_one_command() -> None:
    [step] = steps(block("for n in 1 2; do\n  echo $n\ndone\n", "bash"))
    assert (step.command, step.seen) == ("for n in 1 2; do\n  echo $n\ndone\n", "")


def test_output_without_a_command_is_no_block_of_console() -> None:
    with pytest.raises(AssertionError, match="begins with a command"):
        steps(block("orders:v1\n"))


@pytest.mark.parametrize(
    ("seen", "printed", "is_it"),
    [
        ("", "whatever", True),
        ("…", "whatever\nit is", True),
        ("took … s", "  took   1.8 s\n", True),
        ("took … s", "  took   1.8 s\nand more\n", False),
        ("a\n…\nz", "a\nb\nc\nz\n", True),
        ("a\nz", "a\nb\nz", False),
        ("1.8", "1x8", False),
    ],
)
def test_what_is_seen(seen: str, printed: str, is_it: bool) -> None:
    assert is_seen(seen, printed) is is_it
