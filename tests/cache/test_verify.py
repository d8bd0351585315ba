"""Everything that is kept is read, and what is not what was written is found."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from imagekit.cache.describe import kept_layer
from imagekit.cache.kinds import scan
from imagekit.cache.prune import remove
from imagekit.cache.verify import verify
from imagekit.layers.cache import LayerCache
from imagekit.notes import to_note
from imagekit.progress import SilentReporter

from .entries import key, put, wheel


def found(root: Path) -> dict[str, str]:
    """Kind → reason of what is damaged."""
    return {damage.unit.kind.name: damage.reason for damage in verify(root, SilentReporter())[1]}


def everything(root: Path) -> None:
    put(root, 1)
    LayerCache(root / "layers").keep_group(key(2), key(3))
    wheel(root)
    built = root / "built" / ("a" * 64) / hashlib.sha256(b"built").hexdigest() / "b-1-py3-none-any.whl"
    built.parent.mkdir(parents=True)
    built.write_bytes(b"built")
    blob = gzip.compress(b"layer")
    place = root / "blobs" / "ab" / ("ab" * 32 + ".tar.gz")
    place.parent.mkdir(parents=True)
    place.write_bytes(blob)
    known = {"digest": "sha256:" + hashlib.sha256(blob).hexdigest(), "size": len(blob)}
    (place.parent / ("ab" * 32 + ".json")).write_bytes(to_note(known))
    for name, content in {
        "bases/" + "c" * 64 + ".json": b"{}",
        "bases/" + "d" * 64 + ".1.json.gz": gzip.compress(b"{}"),
        "locks/" + "e" * 64 + ".toml": b"a = 1",
        "checked/" + "f" * 64: b"",
        "keys/" + "0A" * 20 + ".gpg": b"key",
        **{f"{name}/{'1' * 64}.json": to_note({}) for name in ("builds", "images", "homes", "extras/" + "2" * 64)},
        "debian/debs/" + hashlib.sha256(b"deb").hexdigest() + ".deb": b"deb",
        "debian/" + "9" * 64 + ".tar": b"base",
        "debian/" + "9" * 64 + ".json": json.dumps(
            {"diff_id": "sha256:" + hashlib.sha256(b"base").hexdigest()}
        ).encode(),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def test_what_is_whole_is_whole(tmp_path: Path) -> None:
    everything(tmp_path)
    assert verify(tmp_path, SilentReporter()) == (16, [])
    assert {unit.kind.name for unit in scan(tmp_path).units} == {
        *(
            "layers",
            "blobs",
            "wheels",
            "built",
            "bases",
            "debs",
            "facts",
            "checks",
            "locks",
            "builds",
            "images",
            "homes",
            "extras",
            "keys",
        )
    }


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("layers/*/*.tar", "layers"),
        ("layers/*/*.json", "layers"),
        ("layers/*/*.paths", "layers"),
        ("blobs/*/*.gz", "blobs"),
        ("wheels/*/*.whl", "wheels"),
        ("built/*/*/*.whl", "built"),
        ("debian/*.tar", "bases"),
        ("debian/debs/*.deb", "debs"),
        ("bases/*.gz", "facts"),
        ("locks/*.toml", "locks"),
        ("builds/*.json", "builds"),
        ("images/*.json", "images"),
        ("homes/*.json", "homes"),
        ("extras/*/*.json", "extras"),
    ],
)
@pytest.mark.parametrize("damage", ["flipped", "cut", "directory"])
def test_damage_is_found_and_removed(pattern: str, kind: str, damage: str, tmp_path: Path) -> None:
    everything(tmp_path)
    path = next(tmp_path.glob(pattern))
    if damage == "flipped":
        flip(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        path.unlink()
        path.mkdir()
    units = [each.unit for each in verify(tmp_path, SilentReporter())[1]]
    if kind in ("wheels", "built") and damage == "directory":
        assert units == []  # an empty one holds nothing that could be used
        return
    assert [unit.kind.name for unit in units] == [kind]
    remove(units, tmp_path)
    assert found(tmp_path) == {}
    assert not path.exists()
    assert len(scan(tmp_path).units) == 15


def test_half_an_entry_of_a_killed_process_is_damage(tmp_path: Path) -> None:
    entry = put(tmp_path, 1)
    entry.path.with_suffix(".json").unlink()
    assert found(tmp_path) == {"layers": "a file of it is missing"}
    # One that is being written is none.
    entry.path.with_suffix(".lock").write_text("")
    assert found(tmp_path) == {}


def test_what_a_layer_holds_is_said(tmp_path: Path) -> None:
    put(tmp_path, 1, title="six==1.17.0")
    LayerCache(tmp_path / "layers").keep_group(key(2), key(3))
    titles = {layer.title for unit in scan(tmp_path).units if (layer := kept_layer(unit)) is not None}
    assert titles == {"six==1.17.0"}
