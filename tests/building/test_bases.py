"""The file that locks a base's packages, seen to before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.building import bases
from imagekit.errors import BaseBuildFailed, ImagekitError, InputError
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter


def a_directory(path: Path) -> Path:
    path.mkdir()
    return path


def below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "debian.lock.toml"


def a_link_to_below_a_file(path: Path) -> Path:
    path.symlink_to(below_a_file(path.with_name("file")))
    return path


def a_link_to_itself(path: Path) -> Path:
    path.symlink_to(path)
    return path


def another_file(path: Path) -> Path:
    path.write_text('lock-version = "1.0"\ncreated-by = "imagekit"\n')
    return path


@pytest.mark.parametrize(
    ("made", "kind", "said"),
    [
        (a_directory, InputError, "cannot be read: Is a directory"),
        (below_a_file, InputError, "cannot be read: Not a directory"),
        (a_link_to_below_a_file, InputError, "cannot be read: Not a directory"),
        (a_link_to_itself, InputError, "cannot be read: Too many levels of symbolic links"),
        (another_file, BaseBuildFailed, "is no lock of Debian packages: lock-version 1.0 is not 1"),
    ],
)
def test_a_file_that_cannot_be_the_lock(
    tmp_path: Path, made: Callable[[Path], Path], kind: type[ImagekitError], said: str
) -> None:
    file, cache = made(tmp_path / "named"), tmp_path / "cache"
    with pytest.raises(kind) as caught:
        bases.lay_out("3.11", [Platform.host()], tmp_path / "out", cache, SilentReporter(), lock_file=file)
    assert caught.value.message == f"{file} {said}"
    assert "--lock" in str(caught.value.hint)
    assert not (cache / "debian").exists()
