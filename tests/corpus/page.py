"""docs/public-projects.md, of the table: ``python -m tests.corpus.page`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.corpus.declarations import HERE
from tests.corpus.row import Row
from tests.corpus.table import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "public-projects.md"
_OPTIONS = {
    "requirements": "-r",
    "extras": "--extra",
    "groups": "--group",
    "source_builds": "--allow-source-build",
}
_HEAD = """# Public projects

The dependency declarations of these projects are in `tests/corpus`, as data. `make corpus` reads each as
`imagekit build` does, resolves it against the index at hand, builds the image of its dependencies and lets imagekit's
own health check look at it from inside; then it compares with what is said here. A refusal is a row, too: its reason
must be the right one. All that is told without an index and an engine is part of `make test`. What an index lacks
because it is new, and what a host says that is not in reach, is told apart.

Written by `python -m tests.corpus.page`.

"""


def rendered() -> str:
    """The page."""
    lines = ["| project | asked for | Python | what it is here for | ends with |", "|---|---|---|---|---|"]
    lines += [_line(row) for row in ROWS]
    return _HEAD + "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    cells = (f"[{row.project}]({_home(row)})", _asked(row), row.python, row.why, _end(row))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _home(row: Row) -> str:
    source = (HERE / row.project.partition("/")[0] / "SOURCE").read_text()
    found = re.search(r"declarations of (\S+),", source)
    assert found is not None
    return f"https://{found[1]}"


def _asked(row: Row) -> str:
    words = []
    for key, value in row.arguments.items():
        for each in ["'*'"] if value is True else value:
            words.append(f"{_OPTIONS[key]} {each}")
    words += row.config.splitlines() if row.config else []
    return f"`{' '.join(words)}`" if words else ""


def _end(row: Row) -> str:
    if row.refused is not None:
        return f"refused: `{row.says[0]}`"
    if row.ends is None:
        return "read"
    if row.ends.built:
        return "resolved" if row.weighs else "built"
    assert row.ends.error is not None
    return f"`{row.ends.error.__name__}`: `{row.ends.says[0]}`"


if __name__ == "__main__":
    PAGE.write_text(rendered())
