"""The parts of the matrix's benchmark that need no engine."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.cells import Cell, CellSet
from benchmarks.checks import import_program
from benchmarks.disk import used
from benchmarks.matrix_case import IMPORTS
from benchmarks.uv_dockerfile import files_of_versions


def test_a_cell_is_checked_like_a_set() -> None:
    cell = Cell(label="1.0-python3.11-full", python="3.11", category="full", image="a:1", packages=("a==1",), check="")
    found = CellSet(cell, IMPORTS[cell.category])
    assert (cell.base, cell.peer) == ("imagekit/python:3.11", "imagekit-bench/matrix:1.0-python3.11-full")
    assert found.pins == {}
    assert found.settings["scripts"] == []
    assert "import pandas\n" in import_program(found)


def test_the_peer_installs_the_versions_alone() -> None:
    files = files_of_versions("base:1", ("a==1", "b==2"), "/ca.pem")
    assert files["requirements.txt"] == "a==1\nb==2\n"
    text = files["Dockerfile"]
    assert "uv pip install --no-deps -r requirements.txt" in text
    assert "SSL_CERT_FILE=/run/secrets/ca" in text
    assert "pylock" not in text
    assert "COPY . ." not in text


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(100_000))
    once = used(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert once == used(tmp_path) >= 100_000
