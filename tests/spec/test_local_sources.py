"""Requirements that are paths: where they begin, what they may not leave, what they are called."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from imagekit.errors import InvalidProject, InvalidRequirement
from imagekit.spec.image import RequirementLine
from imagekit.spec.portable import portable
from imagekit.spec.read import read_spec
from imagekit.spec.requirements_file import read_requirements
from tests.lock.conftest import wheel_bytes

SHA = "0123456789abcdef" * 4


def project(root: Path, name: str, text: str | None = None, file: str = "pyproject.toml") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(f'[project]\nname = "{name}"\nversion = "1"\n' if text is None else text)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project", "app")


def read(root: Path, text: str) -> list[RequirementLine]:
    (root / "requirements.txt").write_text(text)
    return list(read_requirements(root / "requirements.txt", root, {"LIBS": "libs"}).requirements)


def one(root: Path, text: str) -> RequirementLine:
    (line,) = read(root, text)
    return line


@pytest.mark.parametrize(
    "text",
    [
        "./libs/common",
        "libs/common",
        "-e ./libs/common",
        "--editable=libs/common/",
        "-e file:libs/common",
        "file:libs/common#egg=common",
        "file:.#subdirectory=libs/common&egg=common",
        "common @ ./libs/common",
        "common @ file:libs/common",
        "COMMON @ file:./libs/common",
        "-e ./${LIBS}/common  # the shared part",
        "./libs/../libs/common",
        "./linked",
    ],
)
def test_a_directory_by_every_spelling(root: Path, text: str) -> None:
    path = project(root / "libs" / "common", "common")
    (root / "linked").symlink_to("libs/common")
    line = one(root, text)
    assert line.text.lower() == f"common @ {path.as_uri()}".lower()
    assert line.local is not None
    assert line.local.path == path
    assert line.origin == "requirements.txt:1"


def test_extras_markers_and_absolute_paths_inside(root: Path) -> None:
    path = project(root / "libs" / "with space", "Spaced_Name")
    line = one(root, f"-e '{path}[b,a]' ; python_version > '3'")
    assert line.text == f'spaced-name[a,b] @ {path.as_uri()} ; python_version > "3"'
    assert one(root, f"{path}[b,a] ; python_version > '3'").text == line.text
    assert one(root, f"spaced-name @ {path.as_uri()}").local == line.local


def test_a_wheel_and_a_source_distribution(root: Path) -> None:
    (root / "vendor").mkdir()
    data = wheel_bytes("x", "1.0")
    (root / "vendor" / "x-1.0-py3-none-any.whl").write_bytes(data)
    (root / "vendor" / "y-2.0.tar.gz").write_bytes(b"an archive")
    digest = hashlib.sha256(data).hexdigest()
    wheel, sdist = read(root, "./vendor/x-1.0-py3-none-any.whl\nvendor/y-2.0.tar.gz\n")
    assert (wheel.text.split(" @ ")[0], sdist.text.split(" @ ")[0]) == ("x", "y")
    assert wheel.local is not None
    assert wheel.local.content == wheel.local.metadata == f"sha256:{digest}"
    hashed = one(root, f"./vendor/x-1.0-py3-none-any.whl --hash=sha256:{digest}")
    assert hashed.hashes == (f"sha256:{digest}",)
    assert one(root, f"x @ file:vendor/x-1.0-py3-none-any.whl#sha256={digest}").local == wheel.local


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[tool.poetry]\nname = "old.name"\n'),
        ("setup.cfg", "[metadata]\nname = old.name\n"),
        ("setup.py", "from setuptools import setup\nsetup(version='1', name='old.name')\n"),
        ("setup.py", "import setuptools\nsetuptools.setup(name='old.name')\n"),
    ],
)
def test_where_older_projects_write_their_name(root: Path, file: str, text: str) -> None:
    project(root / "libs", "", text, file)
    if not (root / "libs" / "setup.py").exists():
        (root / "libs" / "setup.py").write_text("import setuptools; setuptools.setup()\n")
    assert one(root, "./libs").text.startswith("old-name @ file://")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./missing", "'./missing' is not there"),
        ("../outside", "is outside the project"),
        ("-e ../outside", "is outside the project"),
        ("/etc", "is outside the project"),
        ("~/x", "is outside the project"),
        ("x @ ../outside", "is outside the project"),
        ("x @ file:///etc/passwd", "is outside the project"),
        ("file:///etc", "is outside the project"),
        ("./link-out", "is outside the project"),
        ("./link-out/deeper", "is outside the project"),
        ("./loop", "is not a path|is not there"),
        ("x @ git+file:///etc", "is outside the project"),
        ("x @ git+file:../outside@main", "has '..' in its path"),
        ("./empty", "neither pyproject.toml nor setup.py"),
        ("./notes.txt", "neither a directory, a wheel nor a source distribution"),
        ("x @ ./notes.txt", "neither a directory, a wheel nor a source distribution"),
        ("./a.tar.bz2", "neither a directory, a wheel nor a source distribution"),
        ("./computed", "does not say which package it is: its setup.py computes its name"),
        ("./archive.zip", "does not say which package it is: its name"),
        ("other @ ./libs", "'./libs' is libs, and other is asked for"),
        ("y @ ./x-1-py3-none-any.whl", "is x, and y is asked for"),
        (f"x @ file:x-1-py3-none-any.whl#sha256={SHA}", "is not the file that its sha256 names"),
        ("x @ file:x-1-py3-none-any.whl#md5=0", "#md5"),
        ("x @ file://server/x-1-py3-none-any.whl", "another machine's file"),
        ("x @ file:", "names no file"),
        (f"./libs --hash=sha256:{SHA}", "has a hash, and is no file"),
        (f"x @ git+https://example.com/r --hash=sha256:{SHA}", "has a hash, and is no file"),
        ("-e ./x-1-py3-none-any.whl", "no directory and no repository"),
        ("-c limits.txt", "neither extras nor URL"),
    ],
)
def test_refused_with_file_and_line(root: Path, text: str, words: str) -> None:
    project(root.parent / "outside", "outside")
    (root / "link-out").symlink_to("../outside")
    (root / "loop").symlink_to("loop")
    project(root / "libs", "libs")
    project(root / "computed", "", "import setuptools\nsetuptools.setup(name='a' + 'b')\n", "setup.py")
    (root / "empty").mkdir()
    for name in ("notes.txt", "a.tar.bz2", "archive.zip"):
        (root / name).write_text("x")
    (root / "x-1-py3-none-any.whl").write_bytes(wheel_bytes("x", "1"))
    (root / "limits.txt").write_text("\nlibs @ ./libs\n")
    with pytest.raises(InvalidRequirement, match=words) as caught:
        read(root, f"# first\n{text}\n")
    where = "limits.txt:2: " if "limits" in text else "requirements.txt:2: "
    assert caught.value.message.startswith(where)
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_a_path_in_hash_checking_mode_needs_a_hash(root: Path) -> None:
    project(root / "libs", "libs")
    with pytest.raises(InvalidRequirement, match=r"requirements.txt:2: 'libs @ file:libs' can have no hash"):
        read(root, f"x==1 --hash=sha256:{SHA}\n./libs\n")


def test_an_argument_may_lie_outside_and_a_file_may_not(root: Path) -> None:
    outside = project(root.parent / "outside", "outside")
    spec = read_spec(root, packages=["../outside", f"second @ {project(root.parent / 'two', 'second').as_uri()}"])
    assert [line.local.path for line in spec.requirements if line.local] == [outside, root.parent / "two"]
    (root / "imagekit.toml").write_text('packages = ["../outside"]\n')
    with pytest.raises(InvalidRequirement, match=r"packages\[0\]: '../outside' is outside the project"):
        read_spec(root)


def test_pyproject_may_name_a_path_of_the_project(root: Path) -> None:
    path = project(root / "libs", "libs")
    text = f'[project]\nname = "app"\nversion = "1"\ndependencies = ["libs @ {path.as_uri()}"]\n'
    (root / "pyproject.toml").write_text(text + '[dependency-groups]\ndev = ["libs @ file:libs"]\n[build-system]\n')
    (root / "app.py").write_text("")
    spec = read_spec(root, groups=["dev"])
    assert {line.local.path for line in spec.requirements if line.local} == {path}
    assert spec.project is not None
    assert "Requires-Dist: libs\n" in spec.project.metadata  # no place of this machine
    (root / "pyproject.toml").write_text(text.replace(path.as_uri(), "file:///etc"))
    with pytest.raises(InvalidRequirement, match=r"pyproject\.toml:4: "):
        read_spec(root)


def test_what_decides_a_resolution_and_what_decides_an_image(root: Path) -> None:
    path = project(root / "libs", "libs")
    (path / "libs.py").write_text("1")
    before = one(root, "./libs")
    (path / "libs.py").write_text("2")
    edited = one(root, "./libs")
    project(path, "libs", '[project]\nname = "libs"\nversion = "2"\n')
    declared = one(root, "./libs")
    assert before.local is not None
    assert edited.local is not None
    assert declared.local is not None
    assert before.local.metadata == edited.local.metadata != declared.local.metadata
    assert len({before.local.content, edited.local.content, declared.local.content}) == 3


def test_a_directory_with_what_cannot_be_copied_is_told_at_its_line(root: Path) -> None:
    path = project(root / "libs", "libs")
    os.mkfifo(path / "pipe")
    with pytest.raises(InvalidRequirement, match=r"requirements.txt:1: './libs': pipe is a fifo"):
        read(root, "./libs")


def test_a_text_for_other_machines(root: Path) -> None:
    assert portable(f"x @ {root.as_uri()}/a%20b/x-1.zip", root) == "x @ file:a b/x-1.zip"
    assert portable("x @ file:///home/someone/x-1.zip ; os_name == 'a'", root) == "x @ file:x-1.zip ; os_name == 'a'"
    assert portable(f"x @ git+{root.as_uri()}/r@main#subdirectory=s", root) == "x @ git+file:r@main#subdirectory=s"
    assert portable("x @ https://example.com/x-1.zip", root) == "x @ https://example.com/x-1.zip"


def test_a_missing_context_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidProject):
        read_spec(tmp_path / "none")


# Extras and markers that stand in unusual places


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("git+https://example.com/x#egg=made[dev,b]", "made[b,dev] @ git+https://example.com/x#egg=made"),
        (
            "-e git+https://example.com/x@v1#egg=made[dev]&subdirectory=a ; python_version > '3'",
            'made[dev] @ git+https://example.com/x@v1#egg=made&subdirectory=a ; python_version > "3"',
        ),
        (
            "git+https://example.com/x#subdirectory=a&egg=made%5Bdev%5D",
            "made[dev] @ git+https://example.com/x#subdirectory=a&egg=made",
        ),
        ("file:lib#egg=made[dev]", "made[dev] @ LIB"),
        ("./lib[dev] ; python_version > '3'", 'made[dev] @ LIB ; python_version > "3"'),
    ],
)
def test_extras_and_markers_of_places_are_kept(root: Path, line: str, text: str) -> None:
    project(root / "lib", "made")
    (found,) = read(root, f"{line}\n")
    assert found.text.replace((root / "lib").as_uri(), "LIB") == text


def test_the_project_itself_by_a_url_with_extras(root: Path) -> None:
    (root / "requirements.txt").write_text("file:.#egg=app[dev]\n")
    found = read_requirements(root / "requirements.txt", root, {})
    assert (found.installs_project, found.project_extras) == (True, ("dev",))


@pytest.mark.parametrize("line", [". ; python_version < '3'", "-e .[dev] ; sys_platform == 'win32'"])
def test_the_project_itself_takes_no_marker(root: Path, line: str) -> None:
    with pytest.raises(InvalidRequirement, match=r"^requirements\.txt:1: the project itself has a marker"):
        read(root, f"{line}\n")


@pytest.mark.parametrize("line", ["git+https://[x/r#egg=x", "file://[x/r", "x @ file://[x/r", "x @ https://[x/r.whl"])
def test_what_is_no_url(root: Path, line: str) -> None:
    with pytest.raises(InvalidRequirement, match=r"^requirements\.txt:1: .*is not a URL"):
        read(root, f"{line}\n")
