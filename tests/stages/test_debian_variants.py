"""The base with a compiler: what it has more, and what of it is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.building import bases
from imagekit.engine.client import Engine
from imagekit.errors import BaseBuildFailed, InputError
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.stages.debian import DebianBase, build_base, lock_base
from imagekit.stages.debian_lock import DebianLock
from imagekit.stages.declared import BUILD, base_declaration, declared_pythons

pytestmark = pytest.mark.xdist_group("debian")

WITH_COMPILER = DebianBase(python="3.11", variant=BUILD)


def test_every_suite_has_both() -> None:
    for python in declared_pythons():
        slim, build = base_declaration(python), base_declaration(python, BUILD)
        assert replace(build, packages=slim.packages) == slim
        assert {"gcc", "g++", "make", "python3-dev"} <= set(build.packages) - set(slim.packages)
    assert DebianBase(python="3.11").reference == "imagekit/python:3.11"
    assert WITH_COMPILER.reference == "imagekit/python:3.11-build"
    with pytest.raises(InputError, match="unknown variant 'biuld'") as caught:
        base_declaration("3.11", "biuld")
    assert caught.value.hint == "did you mean 'build'?"


def test_for_another_processor_it_is_refused(tmp_path: Path) -> None:
    other = Platform("linux", "arm64" if Platform.host().architecture == "amd64" else "amd64")
    with pytest.raises(BaseBuildFailed, match="made on its own processor") as caught:
        build_base(replace(WITH_COMPILER, platform=other), cache=tmp_path)
    assert caught.value.hint


def test_a_lock_is_of_one_variant(debian_lock: DebianLock, tmp_path: Path) -> None:
    with pytest.raises(BaseBuildFailed, match="another variant of the base than build"):
        build_base(WITH_COMPILER, cache=tmp_path, lock=debian_lock)
    with_compiler = replace(debian_lock, wanted=tuple(sorted(WITH_COMPILER.declaration.packages)))
    with pytest.raises(BaseBuildFailed, match="another variant of the base than slim"):
        build_base(DebianBase(python="3.11"), cache=tmp_path, lock=with_compiler)


def test_its_lock_has_a_compiler_and_no_more_perl(debian_lock: DebianLock) -> None:
    names = {package.name for package in lock_base(WITH_COMPILER).packages}
    assert {package.name for package in debian_lock.packages} <= names
    assert {"gcc", "libc6-dev", "pkgconf", "libpython3.11-dev"} <= names
    assert not names & {"perl", "dpkg-dev", "build-essential"}


@pytest.mark.soak
def test_it_compiles(engine: Engine, tmp_path: Path) -> None:
    made = bases.make(engine, "3.11", tmp_path, SilentReporter(), variant=BUILD)
    program = "printf '#include <Python.h>\\nint main(){return Py_IsInitialized();}' > /tmp/x.c && "
    program += (
        "gcc $(pkg-config --cflags python3-embed) /tmp/x.c -o /tmp/x $(pkg-config --libs python3-embed) && /tmp/x"
    )
    command = ["docker", "run", "--rm", "--user", "app", made.reference, "sh", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
