"""A file's name in a URL or a lock leads to no other directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import ResolveError
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Artifact, is_file_name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x-1.0-py3-none-any.whl", "/tmp/x.whl", "a\\b", "a\0b"])
def test_what_is_no_file_name(name: str, tmp_path: Path) -> None:
    assert not is_file_name(name)
    content = tmp_path / "x"
    content.write_bytes(b"content")
    store = WheelStore(tmp_path / "wheels")
    with pytest.raises(ResolveError, match="is not a file name"):
        store.take(content.as_uri(), name, package="x")
    with pytest.raises(ResolveError, match="is not a file name"):
        store.get(Artifact(filename=name, url=content.as_uri(), sha256="0" * 64), package="x")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != content] == []


def test_file_names() -> None:
    assert is_file_name("x-1.0-py3-none-any.whl")
    assert is_file_name("..x")
