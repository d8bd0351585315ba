"""A source that is large by accident is named with its largest parts, and what to write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.spec.ignore import IgnoreRules
from imagekit.spec.large_source import LARGE_BYTES, LARGE_COUNT, large_source, largest_parts
from imagekit.spec.source_tree import SourceFile, SourceTree, scan

MB = 10**6


def tree_of(sizes: dict[str, int], rules: str | None = ".dockerignore") -> SourceTree:
    files = tuple(SourceFile(path=path, kind="file", size=size) for path, size in sorted(sizes.items()))
    return SourceTree(root=Path("/p"), files=files, rules=rules)


def test_a_usual_source_is_not_spoken_of() -> None:
    assert large_source(tree_of({"a.py": LARGE_BYTES})) is None
    assert large_source(tree_of({f"{n}.py": 1 for n in range(LARGE_COUNT)})) is None
    assert large_source(tree_of({})) is None


def test_the_largest_parts_and_the_lines_to_add() -> None:
    tree = tree_of(
        {
            "flow.py": 1000,
            "data/raw/a.parquet": 700 * MB,
            "data/raw/b.parquet": 112 * MB,
            "data/readme.txt": 10,
            ".git/objects/pack/x.pack": 90 * MB,
            ".git/HEAD": 10,
            "model [v1].bin": 60 * MB,
            "notes.pdf": 3 * MB,
        }
    )
    assert large_source(tree) == (
        "the source is large: 965 MB in 8 files; data/raw (812 MB in 2 files), .git (90 MB in 2 files), "
        "model [v1].bin (60 MB in 1 file). To leave them out, add to .dockerignore, a line each: "
        "data/raw .git model \\[v1].bin"
    )


def test_many_files_are_named_by_their_number() -> None:
    sizes = {f"node_modules/m{n}/i.js": 10 for n in range(12_000)} | {f"src/{n}.py": 1000 for n in range(100)}
    line = large_source(tree_of(sizes)) or ""
    assert "in 12,100 files; node_modules (120 kB in 12,000 files). To" in line


def test_a_first_dockerignore_names_what_imagekit_leaves_out_itself() -> None:
    line = large_source(tree_of({"data.bin": 200 * MB}, rules=None)) or ""
    assert (
        "write a .dockerignore, a line each: **/.git **/.venv **/__pycache__ **/node_modules **/.env data.bin" in line
    )


def test_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data" / "big.bin", "wb") as stream:
        os.truncate(stream.fileno(), 2 * LARGE_BYTES)
    (tmp_path / "flow.py").write_text("")
    assert "data/big.bin (200 MB in 1 file)" in (large_source(scan(tmp_path)) or "")
    (tmp_path / ".dockerignore").write_text("data/big.bin")
    assert large_source(scan(tmp_path)) is None


NAMES = st.sampled_from(["a", "b", "!c", "#d", "e[1]", "f*", "g\\h", "x y"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.integers(1, 10**9), min_size=1, max_size=12))
def test_the_lines_leave_the_parts_out_and_nothing_else(sizes: dict[str, int]) -> None:
    files = [SourceFile(path=path, kind="file", size=size) for path, size in sizes.items()]
    parts = largest_parts(files)
    assert 1 <= len(parts) <= 3
    line = large_source(tree_of({path: size + LARGE_BYTES for path, size in sizes.items()})) or ""
    assert line
    for part in parts:
        below = [f for f in files if f.path == part.path or f.path.startswith(f"{part.path}/")]
        assert (part.size, part.count) == (sum(f.size for f in below), len(below))


@pytest.mark.parametrize("name", ["a", "!c", "#d", "e[1]", "f*", "g\\h", "x y", "q?"])
def test_a_pattern_means_its_path_alone(name: str) -> None:
    line = large_source(tree_of({f"dir/{name}": 200 * MB, "dir/other": 1})) or ""
    pattern = line.rpartition("a line each: ")[2]
    rules = IgnoreRules.parse(pattern)
    assert rules.excludes(f"dir/{name}")
    assert not rules.excludes("dir/other")
