"""The table that ``imagekit init --pyproject`` adds is one that a build reads, whatever the file held before."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidConfig
from imagekit.spec.pyproject import read_pyproject
from imagekit.starting.propose import Proposal
from imagekit.starting.written import as_toml, target_of, write

TEXT = as_toml([Proposal(key="python", value="3.12", why="So it is.")])


@pytest.mark.parametrize(
    "before",
    [b"", b"\n\n", b"# nothing yet\n", b"[tool.ruff]\nline-length = 99", b"[tool]\n", b"\xef\xbb\xbf[tool.ruff]\r\n"],
)
def test_a_table_is_added_and_what_was_there_stays(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(before)
    write(target_of(tmp_path, in_pyproject=True, force=False), TEXT)
    assert read_pyproject(path).imagekit == {"python": "3.12"}
    assert (after := path.read_bytes()).startswith(before.rstrip())
    assert after.count(b"\r\n") == (after.count(b"\n") if b"\r" in before else 0)
    with pytest.raises(InvalidConfig, match="already"):
        target_of(tmp_path, in_pyproject=True, force=True)


def test_a_file_that_is_none_or_cannot_be_added_to_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    with pytest.raises(InvalidConfig, match="is not there") as missing:
        target_of(tmp_path, in_pyproject=True, force=False)
    assert "imagekit.toml" in str(missing.value.hint)
    path.mkdir()
    with pytest.raises(InvalidConfig, match="is a directory"):
        target_of(tmp_path, in_pyproject=True, force=False)
    path.rmdir()
    path.write_text("tool = {ruff = {}}\n")
    with pytest.raises(InvalidConfig, match="cannot be added to"):
        write(target_of(tmp_path, in_pyproject=True, force=False), TEXT)
    assert path.read_text() == "tool = {ruff = {}}\n"
