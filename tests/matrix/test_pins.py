"""Digests written into a matrix's file: what else stands there stays, or nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidConfig
from imagekit.matrix.pins import write_pins
from imagekit.matrix.reading import read_matrix

HEAD = 'name = "a/b"\npython = ["3.11", "3.13"] # these\n'
REST = '[[category]]\nname = "core"\nrequirements = []\n[[tag]]\nname = "python{python}"\n'
BASE = '[base]\nsource = "registry"\nimage = "x:{python}"\n'
OLD = f'"3.11" = "sha256:{"0" * 64}"'
PINS = {"3.11": f"sha256:{'1' * 64}", "3.13": f"sha256:{'2' * 64}"}


@pytest.mark.parametrize(
    "text",
    [
        HEAD + BASE + REST,
        HEAD + REST + BASE,
        HEAD + REST + BASE + f"[base.digest]\n{OLD} # old\n",
        HEAD + f"[base.digest]\n{OLD}\n" + BASE + REST,
        HEAD + BASE + f"digest = {{ {OLD} }}\n" + REST,
    ],
)
def test_pins_are_written(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.toml"
    file.write_text(text)
    before = read_matrix(file)
    assert write_pins(file, PINS)
    after = read_matrix(file)
    assert after.base is not None
    assert after.base.digest == PINS
    assert (after.python, after.category, after.tag) == (before.python, before.category, before.tag)
    assert "# these" in file.read_text()
    assert not write_pins(file, PINS)


def test_line_ends_and_the_mode_stay(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_bytes((HEAD + BASE + REST).replace("\n", "\r\n").encode())
    file.chmod(0o600)
    assert write_pins(file, PINS)
    assert (data := file.read_bytes()).count(b"\n") == data.count(b"\r\n") > 10
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        HEAD + 'base = { source = "registry", image = "x:{python}" }\n' + REST,
        HEAD + 'base.source = "registry"\nbase.image = "x:{python}"\n' + REST,
    ],
)
def test_a_file_that_would_come_out_otherwise_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.toml"
    file.write_text(text)
    with pytest.raises(InvalidConfig, match="cannot be added to") as caught:
        write_pins(file, PINS)
    assert PINS["3.13"] in str(caught.value.details)
    assert file.read_text() == text
