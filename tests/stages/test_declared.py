"""Declarations are found from a checkout and from an installed wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.stages.declared import base_declaration, declarations_directory

CHECKOUT = Path(__file__).parents[2]


def test_a_checkout_reads_its_own() -> None:
    assert declarations_directory() == CHECKOUT / "base-images"
    assert base_declaration("3.11").suite == "bookworm"


def test_a_wheel_holds_them_all(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, CHECKOUT], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    declared = {path.name for path in (CHECKOUT / "base-images").iterdir()}
    assert {f"imagekit/_data/base-images/{name}" for name in declared} <= set(names)


def test_an_unknown_python_is_refused() -> None:
    with pytest.raises(InputError, match=r"Python 2\.7") as caught:
        base_declaration("2.7")
    assert "3.11" in (caught.value.hint or "")
