"""What BuildKit gets of a project for the instructions of a user's own: the source layer's files, whatever they are."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from imagekit.building.commands import left_out, pattern
from imagekit.spec.ignore import IgnoreRules
from imagekit.spec.source_tree import scan
from tests.spec.test_ignore_like_buildkit import buildkit

# Each name has one that a careless pattern would take with it.
LEFT = [
    "a b",
    "x*",
    "y?",
    "[z]",
    "p+q r",
    "back\\slash",
    "!sign",
    " first",
    "last ",
    "new\nline",
    "tab\t",
    "#hash",
    "é è",
]
TAKEN = ["a_b", "xyz", "yy", "z", "ppq r", "backslash", "sign", "first", "last", "new_line", "tab", "hash", "é_è"]


def test_only_what_the_source_has(tmp_path: Path) -> None:
    context = tmp_path / "context"
    for name in [*LEFT, *TAKEN]:
        for place in (context, context / "deep er", context / f"in {name.split()[0]}"):
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(name)
    (context / "ignored\udcff").write_text("x")
    rules = [f"**/{pattern(name)}\n" for name in LEFT if "\n" not in name]
    (context / ".dockerignore").write_text("".join([*rules, "**/new?line\n!**/new_line\n", "ignored*\n"]))
    tree = scan(context)
    wanted = {file.path for file in tree.files}
    assert {name for name in wanted if "/" not in name} >= set(TAKEN)
    assert not {name.rpartition("/")[2] for name in wanted} & set(LEFT)
    # BuildKit reads the same of it by the lines that are made of what is taken.
    lines = "".join(left_out(tree))
    (context / ".dockerignore").write_text(lines)
    [found] = buildkit([context], tmp_path / "out")
    assert {name for name in found if name != ".dockerignore"} == wanted - {".dockerignore"}


@given(st.text(st.characters(blacklist_characters="/\0\n", blacklist_categories=["Cs"]), min_size=1, max_size=8))
def test_a_pattern_matches_its_path_and_no_other(name: str) -> None:
    if name in (".", ".."):
        return
    rules = IgnoreRules.parse(f"/{pattern(name)}\n")
    assert rules.excludes(name)
    for at, character in enumerate(name):
        other = name[:at] + ("_" if character != "_" else "-") + name[at + 1 :]
        assert not rules.excludes(other)
    assert not rules.excludes(name + "x")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    assert pattern(os.fsdecode(b"a\xff b")) == "a? b"
