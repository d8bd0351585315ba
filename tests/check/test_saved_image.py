"""Reading every file of an image out of an engine's archive of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest

from imagekit.check.saved_image import File, files_of
from imagekit.errors import EngineError


def member(name: str, data: bytes | None = None, **fields: object) -> tuple[tarfile.TarInfo, bytes | None]:
    info = tarfile.TarInfo(name)
    info.type = tarfile.REGTYPE if data is not None else tarfile.DIRTYPE
    info.size = len(data or b"")
    info.mode = 0o644 if data is not None else 0o755
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes | None]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes | None]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes | None]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, None if data is None else io.BytesIO(data))
    return out.getvalue()


def saved(layers: Sequence[bytes], *, upside_down: bool = False, names: Sequence[str] | None = None) -> Iterator[bytes]:
    """As ``docker save`` has it; layers in any order, and what they are called said at the end."""
    names = names or [f"blobs/sha256/{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    files = dict(zip(names, layers, strict=True))
    order = list(files)[::-1] if upside_down else list(files)
    members = [member(name, files[name]) for name in order]
    members.append(member("blobs/sha256/config", b'{"rootfs": {}}'))
    members.append(member("manifest.json", json.dumps([{"Layers": names}]).encode()))
    data = tar(members)
    # Pieces of a size that fits nothing.
    return (data[at : at + 777] for at in range(0, len(data), 777))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


LOWER = [
    member("etc"),
    member("etc/passwd", b"root", mode=0o600, uid=1, gid=2),
    member("etc/old", b"old"),
    member("opt"),
    member("opt/a", b"a"),
    member("opt/b", b"b"),
    link("lib", "usr/lib"),
]
UPPER = [
    member("etc", mode=0o700),
    member("etc/.wh.old", b""),
    member("etc/new", b"new"),
    hard("etc/newer", "etc/new"),
    member("opt"),
    member("opt/.wh..wh..opq", b""),
    member("opt/c", b"c", mode=0o4755),
    member("deep/er/file", b"x"),
]


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_layers_are_applied_in_their_order(upside_down: bool, packed: bool) -> None:
    layers = [tar(LOWER), tar(UPPER)]
    if packed:
        layers = [gzip.compress(layer) for layer in layers]
    found = files_of(saved(layers, upside_down=upside_down))
    assert sorted(found) == [
        *("/deep", "/deep/er", "/deep/er/file", "/etc", "/etc/new", "/etc/newer", "/etc/passwd"),
        *("/lib", "/opt", "/opt/c"),
    ]
    assert found["/etc"] == File(kind="dir", mode=0o700, uid=0, gid=0)
    passwd = found["/etc/passwd"]
    assert (passwd.mode, passwd.uid, passwd.gid, passwd.size) == (0o600, 1, 2, 4)
    assert passwd.content is not None
    assert (passwd.content.digest, passwd.content.data) == (sha(b"root"), None)
    assert found["/etc/newer"] == found["/etc/new"]
    assert found["/opt/c"].mode == 0o4755
    assert found["/lib"].target == "usr/lib"
    assert found["/deep/er"].mode == 0o755


def test_one_byte_mode_owner_or_target_tells_images_apart() -> None:
    before = files_of(saved([tar(LOWER)]))
    for number, changed in (
        (1, member("etc/passwd", b"rooT", mode=0o600, uid=1, gid=2)),
        (1, member("etc/passwd", b"root", mode=0o601, uid=1, gid=2)),
        (1, member("etc/passwd", b"root", mode=0o600, uid=2, gid=2)),
        (6, link("lib", "usr/lib32")),
        (1, link("etc/passwd", "shadow")),
        (
            1,
            member(
                "etc/passwd", b"root", mode=0o600, uid=1, gid=2, pax_headers={"SCHILY.xattr.security.capability": "x"}
            ),
        ),
    ):
        after = files_of(saved([tar([*LOWER[:number], changed, *LOWER[number + 1 :]])]))
        unlike = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert unlike == {f"/{changed[0].name}"}


def test_a_layer_may_begin_like_a_document() -> None:
    assert set(files_of(saved([tar([member("{x}", b"x"), member("[y]", b"y")])]))) == {"/{x}", "/[y]"}


def test_times_are_left_out() -> None:
    later = [(info.replace(mtime=4711), data) for info, data in LOWER]
    assert files_of(saved([tar(LOWER)])) == files_of(saved([tar(later)]))


def test_the_bytes_of_those_that_are_asked_for() -> None:
    found = files_of(saved([tar(LOWER)]), keep=lambda path: path == "/opt/a")
    kept = {path: file.content.data for path, file in found.items() if file.content and file.content.data is not None}
    assert kept == {"/opt/a": b"a"}


def test_contents_are_not_held() -> None:
    large = tar([member(f"f{number}", bytes([number]) * (8 << 20)) for number in range(8)])
    pieces = list(saved([large]))
    tracemalloc.start()
    try:
        assert len(files_of(iter(pieces))) == 8
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 24 << 20


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive at all" * 100,
        tar([member("manifest.json", b"[]")]),
        tar([member("manifest.json", b'[{"Layers": ["missing"]}]')]),
        tar([member("manifest.json", b'[{"Layers": ["x"]}]'), member("x", b"no layer" * 200)]),
        tar([member("manifest.json", b'[{"Layers": ["x"]}]'), member("x", tar([member("../out", b"x")]))]),
        tar([member("manifest.json", b'[{"Layers": ["x"]}]'), member("x", gzip.compress(tar(LOWER) * 20)[:-300])]),
    ],
    # Not the archives: gzip writes the time into them, and every worker of a run must call a test the same.
    ids=["empty", "no archive", "no list", "a layer missing", "no layer", "a member outside", "a layer cut"],
)
def test_what_cannot_be_read_is_an_error_of_ours(archive: bytes) -> None:
    with pytest.raises(EngineError):
        files_of(iter([archive]))
