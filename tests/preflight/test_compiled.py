"""The compiled files of a wheel: the same from the wheel and from its layer, and from what was kept of them."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from imagekit.errors import DamagedLayer, WheelRefused
from imagekit.layers.cache import Entry, LayerCache
from imagekit.layers.wheel_layer import write_wheel_layer
from imagekit.oci.digest import digest_of
from imagekit.plan.prefix import Prefix
from imagekit.preflight.compiled import compiled_in_layer, compiled_in_wheel, may_be_compiled
from imagekit.preflight.kept import KeptNeeds

from ..layers.bases import base
from ..layers.wheels import In, write_wheel
from .elves import shared_library

PREFIX = Prefix.venv(base().python)
LIBRARY = shared_library("libc.so.6", "libq.so.5", soname="libown.so.1", search="$ORIGIN", versions=["GLIBC_2.17"])


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    members = {
        "tricky/__init__.py": b"WORD = 1\n",
        "tricky/fast.abi3.so": LIBRARY,
        "tricky/" + "deep/" * 40 + "libfar.so": LIBRARY,
        "tricky/script.so": b"INPUT(libq.so)\n",
        "tricky/LICENSE": b"words\n",
        "tricky-1.0.data/scripts/tool": In(shared_library("libm.so.6"), mode=0o100755),
        "tricky-1.0.data/data/lib/libown.so.1": LIBRARY,
    }
    return write_wheel(tmp_path, members)


def layer_of(wheel: Path, cache: Path) -> Entry:
    key = digest_of(secrets.token_bytes())
    return LayerCache(cache).put(key, lambda out: write_wheel_layer(wheel, PREFIX, "cpython-311", None, out))


def test_wheel_and_layer_tell_the_same(wheel: Path, tmp_path: Path) -> None:
    found = compiled_in_wheel(wheel, PREFIX)
    assert [file.path for file in found] == [
        "../../../bin/tool",
        "../../libown.so.1",
        "tricky/" + "deep/" * 40 + "libfar.so",
        "tricky/fast.abi3.so",
    ]
    assert found[-1].needed == ("libc.so.6", "libq.so.5")
    assert (found[-1].soname, found[-1].search, found[-1].glibc) == ("libown.so.1", ("$ORIGIN",), "2.17")
    assert compiled_in_layer(layer_of(wheel, tmp_path / "layers"), PREFIX.site_path) == found


def test_what_was_kept_is_the_same_and_what_is_damaged_is_none(wheel: Path, tmp_path: Path) -> None:
    found, sha256 = compiled_in_wheel(wheel, PREFIX), "ab" * 32
    kept = KeptNeeds(tmp_path / "cache")
    assert kept.get(sha256) is None
    kept.keep(sha256, found)
    assert kept.get(sha256) == found
    (note,) = (tmp_path / "cache").rglob("*.json")
    for damage in (b"", b"{}\n", note.read_bytes().replace(b"libq", b"libr"), b"\xff\n"):
        note.write_bytes(damage)
        assert kept.get(sha256) is None


def test_damaged_ones_are_refused_in_words(wheel: Path, tmp_path: Path) -> None:
    entry = layer_of(wheel, tmp_path / "layers")
    data = bytearray(entry.path.read_bytes())
    data[124:135] = b"no number  "
    entry.path.write_bytes(bytes(data))
    with pytest.raises(DamagedLayer, match="cannot be read"):
        compiled_in_layer(entry, PREFIX.site_path)
    wheel.write_bytes(wheel.read_bytes()[:-400])
    with pytest.raises(WheelRefused, match=wheel.name):
        compiled_in_wheel(wheel, PREFIX)


@pytest.mark.parametrize(
    ("path", "looked_at"),
    [
        ("a/b.so", True),
        ("a.libs/libq-1a2b.so.5.2", True),
        ("a/b.cpython-311-x86_64-linux-gnu.so", True),
        ("bin/tool", True),
        ("a/b.py", False),
        ("a/b.something", False),
        ("a/b.so.txt", True),
        ("a-1.0.dist-info/LICENSE", False),
    ],
)
def test_names_say_what_is_looked_at(path: str, looked_at: bool) -> None:
    assert may_be_compiled(path) is looked_at
