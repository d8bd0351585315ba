"""``docs/inputs.md`` says of each line of a requirements file what becomes of it: so it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagekit.errors import InvalidRequirement
from imagekit.spec.requirements_file import read_requirements

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
SECTION = PAGE.read_text("utf-8").partition("## Requirements, line by line")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `(?P<line>[^`]+)` \| (?P<said>taken|refused)\b.*\|$", SECTION, re.MULTILINE)


def test_the_table_is_found() -> None:
    rows = [line for line in SECTION.splitlines() if line.startswith("|")]
    assert len(ROWS) == len(rows) - 2 >= 40


@pytest.mark.parametrize(("line", "said"), ROWS)
def test_it_is_as_the_page_says(tmp_path: Path, line: str, said: str) -> None:
    root = tmp_path / "project"
    for directory in ("libs/common", "vendor/repository", "notes"):
        (root / directory).mkdir(parents=True)
    (root / "libs/common/pyproject.toml").write_text('[project]\nname = "common"\nversion = "1"\n')
    for name in ("made-1.0-py3-none-any.whl", "packed-1.0.tar.gz", "packed-1.0.tar.bz2"):
        (root / "vendor" / name).write_bytes(b"")
    for path in (root / "more.txt", root / "limits.txt", tmp_path / "more.txt"):
        path.write_text("rich>=13\n")
    (tmp_path / "common").mkdir()
    (root / "requirements.txt").write_text(f"{line}\n")
    if said == "taken":
        found = read_requirements(root / "requirements.txt", root, {"SIX_VERSION": "1.16.0"})
        assert (
            found.requirements
            or found.constraints
            or found.installs_project
            or found.indexes.default
            or found.indexes.find_links
            or line[:2] == "--"
        )
        return
    with pytest.raises(InvalidRequirement) as caught:
        read_requirements(root / "requirements.txt", root, {"SIX_VERSION": "1.16.0"})
    assert caught.value.message.startswith("requirements.txt:1: ")
    assert not {"password", "token"} & set(re.findall(r"\w+(?=@)", str(caught.value.to_json())))
