"""What a page of the documentation has a reader type, and what it says is seen then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The examples that --help shows, each on its own and not one after the other: test_commands.py types them.
COMMANDS = "docs/commands.md"
RUN = frozenset({"console", "bash", "python"})

BLOCK = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>[^\s`]*)\n(?P<text>.*?)^(?P=indent)```$")
# A comment right above a block: nobody who reads the page sees it.
_MARK = re.compile(
    r"<!-- (?P<kind>not run|file|ends with|in another terminal|looks like|make test-docs alone)"
    r"(?:: (?P<value>(?:(?!-->).)+?))? -->\n*\Z",
    re.DOTALL,
)
_SOME = "…"
# Of a command on its page, without what it takes.
HEADING = re.compile(r"(?m)^## `imagekit (?P<words>[a-z -]+?)(?: [\[A-Z].*)?`$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """``language`` is what stands behind the backquotes; ``line`` counts from 1.

    ``not_run``: why nobody can run it here. ``file``: it is the content of this file, and not a thing to run.
    ``ends_with``: the exit code of its last command. ``elsewhere``: it goes on in a terminal of its own until Ctrl-C.
    ``alike``: words with a figure in them may be others. ``dear``: ``make test`` passes it over.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str | None = None
    file: str | None = None
    ends_with: int = 0
    elsewhere: bool = False
    alike: bool = False
    dear: bool = False

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.language in RUN and self.not_run is None and self.file is None


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command, and what is seen of it: ``…`` stands for anything; nothing at all, for whatever it prints."""

    command: str
    seen: str


def pages() -> list[str]:
    """README.md and every page of docs/, as paths from the repository's root."""
    found = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))]
    return [name for name in found if name != COMMANDS]


def blocks(page: str) -> list[Block]:
    """The blocks of ``page`` in their order, whatever their language."""
    text = (ROOT / page).read_text("utf-8")
    found = []
    for match in BLOCK.finditer(text):
        indent = len(match["indent"])
        lines = (line[indent:] for line in match["text"].splitlines(keepends=True))
        marked = _MARK.search(text[: match.start()])
        marks = {marked["kind"]: " ".join((marked["value"] or "").split())} if marked else {}
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start()) + 1,
                language=match["language"],
                text="".join(lines) if indent else match["text"],
                not_run=marks.get("not run"),
                file=marks.get("file"),
                ends_with=int(marks.get("ends with", "0")),
                elsewhere="in another terminal" in marks,
                alike="looks like" in marks,
                dear="make test-docs alone" in marks,
            )
        )
    return found


def steps(block: Block) -> list[Step]:
    """The commands of a ``console`` block; a block of ``bash`` is one."""
    if block.language != "console":
        return [Step(command=block.text, seen="")]
    commands: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if commands and commands[-1][0].endswith("\\") and not commands[-1][1]:
            commands[-1] = (f"{commands[-1][0]}\n{line.removeprefix('> ')}", [])
        elif line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            assert commands, f"{block.place}: a block of console begins with a command: $ …"
            commands[-1][1].append(line)
    return [Step(command=command, seen="\n".join(seen).strip("\n")) for command, seen in commands]


def with_any_figures(seen: str) -> str:
    """``seen`` with ``…`` in the place of each word that has a digit in it."""
    return re.sub(r"\S*\d\S*", _SOME, seen)


def is_seen(seen: str, printed: str) -> bool:
    """Whether a program that ``printed`` this shows what the page says, however wide its columns are."""

    def plain(text: str) -> str:
        return " ".join(text.split())

    pattern = ".*?".join(re.escape(plain(piece)) for piece in seen.split(_SOME))
    return re.fullmatch(pattern, plain(printed), re.DOTALL) is not None or not seen
