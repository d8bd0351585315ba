"""Files asked for by name never take the place of something else in the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.building.inputs import read_inputs
from imagekit.errors import InvalidProject
from imagekit.plan.targets import check_targets
from imagekit.spec.read import read_spec

from ..layers.bases import base


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text("def etl(): ...\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("a")
    return tmp_path


@pytest.mark.parametrize(
    "target",
    [
        *("/app", "/opt", "/opt/venv", "/opt/venv/bin/python", "/opt/venv/new"),
        *("/etc", "/etc/passwd", "/etc/group", "/etc/passwd/x"),
    ],
)
def test_what_no_image_can_do_without(project: Path, target: str) -> None:
    with pytest.raises(InvalidProject, match="files: ") as caught:
        read_spec(project, files={"flow.py": target})
    assert caught.value.hint


def test_the_working_directory_named_otherwise(project: Path) -> None:
    for target in ("/srv", "/srv/work"):
        with pytest.raises(InvalidProject, match="is a directory of the image"):
            read_spec(project, files={"flow.py": target}, workdir="/srv/work")
    assert read_spec(project, files={"flow.py": "/app"}, workdir="/srv/work").files[0].target == "/app"


def test_a_target_below_another(project: Path) -> None:
    with pytest.raises(InvalidProject, match="'/a/b/c' lies below '/a'"):
        read_spec(project, files={"flow.py": "/a", "sub/a.txt": "/a/b/c"})
    assert len(read_spec(project, files={"flow.py": "/a", "sub/a.txt": "/ab"}).files) == 2


@pytest.mark.parametrize("target", ["/app/flow.py", "/app/flow.py/x", "/app/sub", "/app/sub/a.txt/x"])
def test_a_target_that_the_source_takes(project: Path, target: str) -> None:
    with pytest.raises(InvalidProject, match="is taken: the source has"):
        read_inputs(read_spec(project, files={"flow.py": target}))
    without = read_spec(project, files={"flow.py": target}, include_source=False)
    assert set(read_inputs(without).files) == {target}


def test_targets_beside_the_source(project: Path) -> None:
    (project / ".dockerignore").write_text("sub\n")
    spec = read_spec(project, files={"flow.py": "/app/sub/a.txt", "sub/a.txt": "/app/new/a.txt"})
    assert set(read_inputs(spec).files) == {"/app/sub/a.txt", "/app/new/a.txt"}


@pytest.mark.parametrize(
    "target",
    [
        *("/bin", "/lib64", "/usr", "/usr/bin", "/var", "/var/run", "/var/lib", "/tmp", "/home", "/home/app"),
        *("/usr/lib/python3.11", "/data", "/data/own", "/elsewhere"),
    ],
)
def test_a_directory_of_the_base(target: str) -> None:
    directories = (("/data/own/deep", 0o700, 5, 5),)
    links = (("/bin", "/usr/bin"), ("/lib64", "/usr/lib64"), ("/var/run", "/run"), ("/etc/link", "/elsewhere"))
    with pytest.raises(InvalidProject, match="is a directory of the image") as caught:
        check_targets([target], base(directories=directories, links=links), "/app")
    assert caught.value.hint == f"name the file: {target}/NAME"


@pytest.mark.parametrize("target", ["/bin/python3.11", "/usr/bin/python3.11", "/usr/bin/python3.11/x"])
def test_the_python_of_the_base(target: str) -> None:
    with pytest.raises(InvalidProject, match="is the image's Python"):
        check_targets([target], base(), "/app")


def test_links_lead_nowhere_else() -> None:
    links = (("/o", "/opt"), ("/e", "/etc"), ("/w", "/srv/work"))
    for target in ("/o/venv", "/o/venv/x", "/e/passwd"):
        with pytest.raises(InvalidProject, match="imagekit's own"):
            check_targets([target], base(links=links), "/app")
    for target in ("/srv", "/srv/work"):
        with pytest.raises(InvalidProject, match="directory of the image"):
            check_targets([target], base(links=links), "/w")
    with pytest.raises(InvalidProject, match="are one file"):
        check_targets(["/e/x.yml", "/etc/x.yml"], base(links=links), "/app")


def test_plain_targets_are_let_through() -> None:
    check_targets(["/etc/app/a.yml", "/bin/tool", "/var/run/x", "/app/x", "/x", "/usr/lib/x"], base(), "/app")
