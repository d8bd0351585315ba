"""What is noted of an image comes back as it was, or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from imagekit.building.made_images import keep_made, made_image
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.digest import digest_of

from ..layers.bases import base

IMAGE = digest_of(b"image")
NOTE = {"lock": digest_of(b"lock"), "wheels": [["alpha", "1.0", {"filename": "alpha-1.0-py3-none-any.whl"}, None, []]]}


def path_of(cache: Path) -> Path:
    return cache / "images" / f"{IMAGE.removeprefix('sha256:')}.json"


def checked(known: bytes) -> bytes:
    return known + b"\n" + hashlib.sha256(known).hexdigest().encode()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    some_base = base()
    layer = Layer(
        diff_id=digest_of(b"layer"),
        size=12,
        pieces=(b"head", FileRange(Path("a.tar"), 4, 12, digest_of(b"a"))),
        cached=True,
    )
    keep_made(tmp_path, IMAGE, some_base.config, some_base, [layer], NOTE)
    made = made_image(tmp_path, IMAGE)
    assert made is not None
    assert (made.config.digest, made.base.config.digest) == (some_base.config.digest, some_base.config.digest)
    assert made.base.python == some_base.python
    assert made.layers == (layer,)
    assert made.note == NOTE
    return tmp_path


def test_each_changed_bit_is_seen(kept: Path) -> None:
    path = path_of(kept)
    right = path.read_bytes()
    for position in range(0, len(right), max(1, len(right) // 200)):
        path.write_bytes(right[:position] + bytes([right[position] ^ 1]) + right[position + 1 :])
        assert made_image(kept, IMAGE) is None
    path.write_bytes(right)
    assert made_image(kept, IMAGE) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"base": None},
        {"base": {"!": "BaseImage"}},
        {"base": {"!": "Unknown"}},
        {"config": {"!": "ImageConfig"}},
        {"config": 3},
        {"config": {"!": "bytes", "hex": 3}},
        {"layers": None},
        {"layers": [3]},
        {"layers": {"!": "map", "items": 3}},
        {"materials": None},
        {"materials": [3]},
        {"format": 99},
    ],
)
def test_what_another_version_wrote_is_nothing(kept: Path, change: dict[str, object]) -> None:
    path = path_of(kept)
    known = json.loads(path.read_bytes().partition(b"\n")[0])
    path.write_bytes(checked(json.dumps({**known, **change}).encode()))
    assert made_image(kept, IMAGE) is None


@pytest.mark.parametrize("known", [b"", b"3", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_note_is_nothing(kept: Path, known: bytes) -> None:
    path_of(kept).write_bytes(checked(known))
    assert made_image(kept, IMAGE) is None
    path_of(kept).unlink()
    path_of(kept).mkdir()
    assert made_image(kept, IMAGE) is None
