"""What ``pip-compile --generate-hashes`` writes is a lock: a file that is fetched has a hash in it, or is refused."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.errors import HashMismatch, InputError, InvalidRequirement, NoWheel
from imagekit.lock.resolve import obtain
from imagekit.progress import SilentReporter
from imagekit.spec.read import read_spec
from tests.lock.conftest import WheelDirectory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of wheels, and a project whose requirements.txt pip-compile made of it."""
    directory = tmp_path_factory.mktemp("made")
    (directory / "wheels").mkdir()
    wheels = WheelDirectory(directory / "wheels")
    wheels.add("alpha", "1.0", ["beta>=1", "gamma; sys_platform == 'win32'"])
    wheels.add("alpha", "2.0")
    wheels.add("beta", "1.0")
    wheels.add("beta", "1.0", tag="py2-none-any")
    wheels.add("gamma", "1.0")
    project = directory / "project"
    project.mkdir()
    (project / "requirements.in").write_text(
        "alpha<2\ngamma ; python_version < '3.9'\nbeta ; python_version >= '3.9'\n"
    )
    argv = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--no-strip-extras"]
    argv += ["--no-index", "--find-links", str(wheels.path), "--no-emit-find-links", "requirements.in"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "PIP_CONFIG_FILE": "/dev/null"}
    subprocess.run(argv, cwd=project, env=environment, check=True, capture_output=True)
    return directory


@pytest.fixture
def compiled(made: Path, wheels: WheelDirectory, tmp_path: Path) -> Path:
    """That project, and its wheels in ``wheels``."""
    shutil.copytree(made / "wheels", wheels.path, dirs_exist_ok=True)
    return shutil.copytree(made / "project", tmp_path / "project")


def edit(project: Path, pattern: str, replacement: str) -> None:
    path = project / "requirements.txt"
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    assert count
    path.write_text(text)


def locked(project: Path, wheels, target, tmp_path, **options) -> dict[str, str]:
    spec = read_spec(project, indexes=wheels.indexes, python="3.11", **options)
    assert spec.requires_hashes
    lock = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=SilentReporter())
    return {p.name: p.artifact.filename for p in lock.packages}


def test_it_is_taken_as_it_is_and_newer_versions_are_not(compiled, wheels, target, tmp_path):
    wheels.add("beta", "3.0")
    expected = {"alpha": "alpha-1.0-py3-none-any.whl", "beta": "beta-1.0-py3-none-any.whl"}
    assert locked(compiled, wheels, target, tmp_path) == expected
    text = (compiled / "requirements.txt").read_text()
    assert text.count("--hash=sha256:") == 3  # both files of beta have one


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_it_is_read_in_every_encoding_and_with_line_ends_of_windows(compiled, wheels, target, tmp_path, encoding):
    path = compiled / "requirements.txt"
    path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    assert locked(compiled, wheels, target, tmp_path).keys() == {"alpha", "beta"}


def test_one_line_without_a_hash_is_refused_by_its_line(compiled, wheels, target, tmp_path):
    path = compiled / "requirements.txt"
    edit(compiled, r"^alpha==1\.0 \\\n.*--hash=.*\n", "alpha==1.0\n")
    number = path.read_text().split("\n").index("alpha==1.0") + 1
    with pytest.raises(InvalidRequirement, match=rf"^requirements\.txt:{number}: 'alpha==1\.0' has no hash"):
        locked(compiled, wheels, target, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"(alpha==1\.0 \\\n +--hash=sha256:)[0-9a-f]{4}", r"\1"),
        (r"(alpha==1\.0 \\\n +--hash=)sha256", r"\1md5"),
        (r"(alpha==1\.0 \\\n +--hash=)sha256:[0-9a-f]+", r"\1"),
        (r"alpha==1\.0", "alpha>=1.0"),
    ],
)
def test_a_weak_or_partial_hash_and_a_range_are_refused_by_line(
    compiled, wheels, target, tmp_path, pattern, replacement
):
    edit(compiled, pattern, replacement)
    with pytest.raises(InputError, match=r"^requirements\.txt:\d+: "):
        locked(compiled, wheels, target, tmp_path)


def test_a_package_that_the_file_lacks_is_not_fetched(compiled, wheels, target, tmp_path):
    edit(compiled, r"^beta==1\.0.*\\\n(.*--hash=.*\n)+", "")
    with pytest.raises(HashMismatch, match=r"without one: beta==1\.0"):
        locked(compiled, wheels, target, tmp_path)


def test_a_file_of_another_hash_is_refused(compiled, wheels, target, tmp_path):
    wheels.add("alpha", "1.0", ["beta>=1", "gamma"])  # another file of that name
    with pytest.raises(HashMismatch, match="alpha"):
        locked(compiled, wheels, target, tmp_path)


def test_a_hash_of_the_source_alone_asks_for_the_source(compiled, wheels, target, tmp_path):
    source = b"a source distribution"
    (wheels.path / "alpha-1.0.tar.gz").write_bytes(source)
    edit(compiled, r"(alpha==1\.0 \\\n +--hash=sha256:)[0-9a-f]+", rf"\g<1>{hashlib.sha256(source).hexdigest()}")
    with pytest.raises((NoWheel, HashMismatch), match="alpha"):
        locked(compiled, wheels, target, tmp_path)
