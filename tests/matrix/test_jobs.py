"""What a process is told of a cell."""

from __future__ import annotations

from pathlib import Path

from imagekit.matrix.cells import expand
from imagekit.matrix.destination import destination
from imagekit.matrix.jobs import job_of
from imagekit.matrix.reading import read_matrix

TEXT = """
name = "a/b"
python = ["3.11"]
flavor = ["standard", "conda"]
[[category]]
name = "core"
requirements = ["alpha"]
source-builds = ["alpha"]
check = "import alpha # {python}"
[conda]
channels = ["own"]
packages = ["gdal>=3"]
[[tag]]
name = "python{python}{-flavor}"
"""


def test_all_that_the_file_says_of_a_cell(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(TEXT)
    table = read_matrix(tmp_path / "m.toml")
    where = destination(table, output="oci:x", platform=["linux/arm64", "linux/amd64"])
    standard, conda = (job_of(table, cell, "base:1", where, references=("a/b:1",)) for cell in expand(table)[0])
    # The cell's, whatever this machine's configuration says of other images.
    assert (standard.python, conda.python) == ("3.11", "3.11")
    assert (standard.requirements, standard.source_builds, standard.conda) == (("alpha",), ("alpha",), ())
    assert (standard.platforms, standard.output) == (("linux/arm64", "linux/amd64"), "oci:x")
    assert standard.program.endswith("import alpha # 3.11\n")
    assert standard.labels == (("imagekit.matrix.cell", "python3.11-core"),)
    assert (conda.conda, conda.channels) == (("python=3.11.*", "gdal>=3"), ("own",))
    assert conda.references == ("a/b:1",)
