"""The documentation names what the program has: commands, variables, inputs; each is derived from the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import imagekit
from imagekit.cli.exit_codes import EXIT_CODES
from imagekit.cli.page import markdown
from imagekit.spec import requirements_options, wanted
from imagekit.spec.environment_yml import NAMES as ENVIRONMENTS

ROOT = Path(__file__).parents[1]
CODE = Path(imagekit.__file__).parent
DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.rglob("*.md")}
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|NETRC")


def variables() -> set[str]:
    """Every name of a variable in the rooms that read the environment."""
    files = [path for room in ("settings", "cli") for path in (CODE / room).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if VARIABLE.fullmatch(text)}


def test_every_command_and_option_is_on_the_page() -> None:
    assert PAGES["commands.md"] == markdown(), "run scripts/configuration-docs"


def test_every_variable_that_is_read_is_named() -> None:
    said = {name for page in PAGES.values() for name in re.findall(r"`([A-Z][A-Z0-9_]+)(?:=[^`]*)?`", page)}
    found = variables()
    assert len(found) > 40
    # A key's own variable is told by a rule: IMAGEKIT_ and the key in capitals.
    keys = {
        f"IMAGEKIT_{key.upper().replace('-', '_')}"
        for key in re.findall(r"\| `([a-z-]+)` \|", PAGES["configuration.md"])
    }
    assert sorted(found - said - keys) == []


@pytest.mark.parametrize(
    "name", ["pylock.toml", *wanted.FOREIGN_LOCKS, *wanted._REFUSED, *ENVIRONMENTS, "requirements.txt"]
)
def test_every_file_that_is_read_or_refused_is_named(name: str) -> None:
    assert f"`{name}`" in PAGES["inputs.md"]


@pytest.mark.parametrize(
    "option",
    sorted(
        requirements_options._WITH_VALUE
        | requirements_options._FLAGS
        | set(requirements_options._REFUSED)
        | set(requirements_options._SPELLINGS)
    ),
)
def test_every_option_of_a_requirements_file_is_named(option: str) -> None:
    assert re.search(rf"`[^`]*(?<![\w-]){re.escape(option)}(?![\w-])", PAGES["inputs.md"])


def test_every_page_is_led_to() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    told = {name for text in PAGES.values() for name in re.findall(r"\]\(([\w/-]+\.md)\b", text)}
    assert [name for name in sorted(PAGES) if f"docs/{name}" not in readme and name not in told] == []


@pytest.mark.parametrize("name", imagekit.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    # Errors are all of a module's, by one line.
    assert re.search(rf"(?m)^\.\. auto\w+:: {name}$", PAGES["api.md"]) or name == "ImagekitError"


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    # `make docs` looks at headings as well.
    links = re.findall(r"\]\((?!https?://|#)([^)\s#]+)(?:#[^)\s]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_exit_codes_are_those_of_help() -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    assert {int(code): meaning for code, meaning in re.findall(r"(?m)^\| (\d+) \| (.*) \|$", table)} == EXIT_CODES


def test_rows_of_the_benchmarks_that_a_page_names_were_kept() -> None:
    kept = "".join(path.read_text("utf-8") for path in (ROOT / "benchmarks" / "results").glob("reference*.json"))
    named = set(re.findall(r"`(data/[a-z-]+)`", PAGES["wheel-layers.md"]))
    assert len(named) > 4
    assert [name for name in sorted(named) if f'"{name}"' not in kept] == []


# A command as a page has it: on a line of a block, or between backquotes.
BLOCK = re.compile(r"(?ms)^```\w*\n(.*?)^```$")
IN_BLOCK = re.compile(r"(?m)^(?:\$ )?(?:\w+=\S+ )*(imagekit [^\n#]+)")
IN_LINE = re.compile(r"`(imagekit [^`\n]+)`")


def shown() -> list[tuple[str, str]]:
    pages = {**PAGES, "README.md": (ROOT / "README.md").read_text("utf-8")}
    found = set()
    for name, page in pages.items():
        blocks = "\n".join(BLOCK.findall(page)).replace("\\\n", " ")
        found |= {(name, text.strip()) for text in (*IN_BLOCK.findall(blocks), *IN_LINE.findall(BLOCK.sub("", page)))}
    return sorted(found)


@cache
def program() -> Any:
    import typer

    from imagekit.cli.app import app

    return typer.main.get_command(app)


@pytest.mark.parametrize(("page", "text"), shown())
def test_every_command_that_a_page_shows_is_one(page: str, text: str) -> None:
    from imagekit.cli.offline_option import offline_option

    command = program()
    words = text.split()[1:]
    while hasattr(command, "commands"):
        while words and words[0].startswith("--"):  # --profile NAME
            words = words[2:]
        if not words or not re.fullmatch(r"[a-z-]+", words[0]):
            return  # a group, or all of its commands
        assert words[0] in command.commands, f"{page}: {text}"
        command = command.commands[words.pop(0)]
    known = {name for each in (*command.params, offline_option()) for name in (*each.opts, *each.secondary_opts)}
    asked = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = [
        word for word in asked if word not in known | {"--profile", "--help", "-h"} and not re.match(r"-[a-z].", word)
    ]
    assert not unknown, f"{page}: {text}"
