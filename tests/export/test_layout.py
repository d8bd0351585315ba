"""OCI layouts as other tools read them, and what remains of one when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import AssemblyFailed, InputError, InvalidReference
from imagekit.export.layout import write_layout
from imagekit.layers.blobs import BlobCache
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import INDEX, MANIFEST

from .images import check_layout, make_image

LAYOUT = "oci"


def _names(index: dict[str, Any]) -> dict[str, str]:
    return {
        entry.get("annotations", {}).get("org.opencontainers.image.ref.name"): entry["digest"]
        for entry in index["manifests"]
    }


def skopeo(*words: object) -> str:
    done = subprocess.run(["skopeo", "--insecure-policy", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_reads_it(tmp_path: Path) -> None:
    image, place = make_image(tmp_path), tmp_path / "a" / LAYOUT
    digest = write_layout([image], place, "registry.example.com/team/orders:v1")
    assert digest == image.manifest.descriptor.digest
    (entry,) = check_layout(place)["manifests"]
    assert entry == {
        **image.manifest.descriptor.to_json(),
        "platform": {"os": "linux", "architecture": "amd64"},
        "annotations": {
            "org.opencontainers.image.ref.name": "registry.example.com/team/orders:v1",
            "io.containerd.image.name": "registry.example.com/team/orders:v1",
        },
    }
    source = f"oci:{place}:registry.example.com/team/orders:v1"
    told = json.loads(skopeo("inspect", source))
    assert (told["Digest"], told["Architecture"]) == (digest, "amd64")
    assert told["Layers"] == [blob.descriptor.digest for blob in image.layers]
    assert skopeo("inspect", "--raw", source).encode() == image.manifest.to_bytes()
    assert json.loads(skopeo("inspect", "--config", "--raw", source)) == image.config.document
    # It unpacks each layer and compares it with its diff ID.
    skopeo("copy", source, f"docker-archive:{tmp_path}/archive.tar:orders:v1")
    skopeo("copy", source, f"dir:{tmp_path}/dir")
    assert (tmp_path / "dir" / "manifest.json").read_bytes() == image.manifest.to_bytes()


def test_several_platforms(tmp_path: Path) -> None:
    images = [make_image(tmp_path, "a", "amd64"), make_image(tmp_path, "b", "arm64")]
    place = tmp_path / LAYOUT
    digest = write_layout(images, place, "orders:v1")
    (entry,) = check_layout(place)["manifests"]
    assert (entry["mediaType"], entry["digest"]) == (INDEX, digest)
    for image, architecture in zip(images, ("amd64", "arm64"), strict=True):
        told = json.loads(skopeo("--override-arch", architecture, "inspect", f"oci:{place}:orders:v1"))
        assert told["Layers"] == [blob.descriptor.digest for blob in image.layers]
        assert told["Architecture"] == architecture
    with pytest.raises(InputError, match="two images for linux/amd64"):
        write_layout([images[0], images[0]], place, "orders:v2")
    with pytest.raises(InputError, match="no image"):
        write_layout([], place, "orders:v2")
    assert _names(check_layout(place)) == {"orders:v1": digest}


def test_other_images_stay_and_the_same_name_moves(tmp_path: Path) -> None:
    one, two, three = (make_image(tmp_path, mark) for mark in "abc")
    place = tmp_path / LAYOUT
    first = write_layout([one], place, "orders:v1")
    second = write_layout([two], place, "orders:v2")
    assert _names(check_layout(place)) == {"orders:v1": first, "orders:v2": second}
    third = write_layout([three], place, "orders:v1")
    index = check_layout(place)
    assert list(_names(index).items()) == [("orders:v1", third), ("orders:v2", second)]
    # What else its owner keeps in it stays.
    index["annotations"] = {"com.example.kept": "yes"}
    index["manifests"].append({"mediaType": "text/plain", "digest": "sha256:" + "0" * 64, "size": 0})
    (place / "index.json").write_text(json.dumps(index))
    write_layout([one], place, "orders:v3")
    found = json.loads((place / "index.json").read_text())
    assert found["annotations"] == {"com.example.kept": "yes"}
    assert found["manifests"][:3] == index["manifests"]
    assert found["manifests"][3]["digest"] == first


def test_without_a_name(tmp_path: Path) -> None:
    image, place = make_image(tmp_path), tmp_path / LAYOUT
    digest = write_layout([image], place, None)
    assert write_layout([image], place, None) == digest
    (entry,) = check_layout(place)["manifests"]
    assert (entry["digest"], entry["mediaType"], "annotations" in entry) == (digest, MANIFEST, False)
    skopeo("inspect", f"oci:{place}")
    write_layout([image], place, "orders:v1")
    assert [*_names(check_layout(place))] == ["orders:v1"]
    assert write_layout([image], place, None) == digest
    assert [*_names(check_layout(place))] == ["orders:v1"]


def test_the_same_bytes_whoever_writes_and_nothing_twice(tmp_path: Path) -> None:
    image = make_image(tmp_path)
    write_layout([image], tmp_path / "1", "orders:v1")
    old = os.umask(0o077)
    try:
        write_layout([image], tmp_path / "2", "orders:v1")
    finally:
        os.umask(old)

    def content(root: Path) -> dict[str, tuple[bytes, int]]:
        files = (p for p in sorted(root.rglob("*")) if p.is_file())
        return {str(p.relative_to(root)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in files}

    assert content(tmp_path / "1") == content(tmp_path / "2")
    assert {mode for _, mode in content(tmp_path / "1").values()} == {0o644}
    before = {path: path.stat().st_ino for path in (tmp_path / "1").rglob("*")}
    write_layout([image], tmp_path / "1", "orders:v1", verify=True)
    assert {path: path.stat().st_ino for path in (tmp_path / "1").rglob("*")} == before


@pytest.mark.parametrize("verify", [False, True])
def test_a_damaged_blob_is_written_anew(tmp_path: Path, verify: bool) -> None:
    image, place = make_image(tmp_path), tmp_path / LAYOUT
    write_layout([image], place, "orders:v1")
    for blob in (image.layers[1], image.config_blob):
        path = place / "blobs" / "sha256" / blob.descriptor.digest[7:]
        data = bytearray(path.read_bytes())
        data[5] ^= 1
        path.write_bytes(data if verify else data[:-1])
    write_layout([image], place, "orders:v1", verify=verify)
    check_layout(place)


class _Stops:
    """A blob's bytes of which only some come."""

    def __init__(self, data: bytes, error: BaseException | None = None) -> None:
        self._data, self._error = data, error

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield self._data[: len(self._data) // 2]
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), AssemblyFailed("gone")])
def test_what_fails_in_the_middle_leaves_the_old_image(tmp_path: Path, error: BaseException | None) -> None:
    old, new = make_image(tmp_path, "a"), make_image(tmp_path, "b")
    place = tmp_path / LAYOUT
    digest = write_layout([old], place, "orders:v1")
    last = new.layers[-1]
    data = b"".join(last.content.chunks())
    broken = Blob(descriptor=last.descriptor, content=_Stops(data, error))
    with pytest.raises(type(error) if error else AssemblyFailed):
        write_layout([ImageContent(config=new.config, layers=(*new.layers[:-1], broken))], place, "orders:v1")
    assert _names(check_layout(place)) == {"orders:v1": digest}
    wrong = Blob(descriptor=last.descriptor, content=Data(data[:-1] + b"x"))
    with pytest.raises(AssemblyFailed, match="other bytes"):
        write_layout([ImageContent(config=new.config, layers=(*new.layers[:-1], wrong))], place, "orders:v1")
    write_layout([new], place, "orders:v1")
    assert _names(check_layout(place)) == {"orders:v1": new.manifest.descriptor.digest}


PROGRAM = """
import sys
from pathlib import Path
from imagekit.oci.content import Blob, ImageContent
from imagekit.export.layout import write_layout
from tests.export.images import make_image
root, place, mark = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
image = make_image(root, mark, count=int(sys.argv[4]))
if "stops" in sys.argv[5:]:
    # All but the last of it is written; then it waits for a word that never comes.
    class Waits:
        def chunks(self, start=0):
            sys.stdin.readline()
            yield b""
    waits = Blob(descriptor=image.layers[-1].descriptor, content=Waits())
    image = ImageContent(config=image.config, layers=(*image.layers[:-1], waits))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    write_layout([image], place, f"orders:{mark}", verify=True)
"""


def _start(root: Path, place: Path, mark: str, count: int, *words: str) -> subprocess.Popen[str]:
    repository = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(root), str(place), mark, str(count), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository,
    )


def test_many_processes_write_to_one_layout(tmp_path: Path) -> None:
    place = tmp_path / "new" / LAYOUT
    # Two write the same, two something else.
    started = [_start(tmp_path / str(n), place, mark, 5) for n, mark in enumerate("aabc")]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate() and process.returncode for process in started] == [0] * 4
    assert sorted(_names(check_layout(place))) == ["orders:a", "orders:b", "orders:c"]


def test_a_killed_writer_leaves_the_old_image_and_its_rests_are_swept(tmp_path: Path) -> None:
    place = tmp_path / LAYOUT
    old = make_image(tmp_path, "old")
    digest = write_layout([old], place, "orders:old")
    process = _start(tmp_path, place, "new", 150, "stops")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.write("\n")
    process.stdin.flush()
    blobs = place / "blobs" / "sha256"
    have = len(list(blobs.iterdir()))
    while len(list(blobs.iterdir())) < have + 5:
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # As one that was killed while it wrote a file leaves it.
    (blobs / ".new-rest").write_bytes(b"half")
    (place / ".new-rest").write_bytes(b"half")
    assert _names(json.loads((place / "index.json").read_text())) == {"orders:old": digest}
    skopeo("copy", f"oci:{place}:orders:old", f"dir:{tmp_path}/dir")
    write_layout([old], place, "orders:again")
    assert sorted(_names(check_layout(place))) == ["orders:again", "orders:old"]


def test_one_that_was_killed_at_its_start(tmp_path: Path) -> None:
    place = tmp_path / LAYOUT
    place.mkdir()
    (place / "oci-layout").touch()
    write_layout([make_image(tmp_path)], place, "orders:v1")
    check_layout(place)


def test_a_writer_that_stands_still_is_not_waited_for_forever(tmp_path: Path) -> None:
    from imagekit.sharing.flock import acquire

    place, image = tmp_path / LAYOUT, make_image(tmp_path)
    write_layout([image], place, "orders:v1")
    held = acquire(place / "oci-layout")
    assert held is not None
    try:
        with pytest.raises(InputError, match="another process"):
            write_layout([image], place, "orders:v2", patience=0.1)
    finally:
        os.close(held)
    write_layout([image], place, "orders:v2")


def test_places_that_are_no_layout(tmp_path: Path) -> None:
    image = make_image(tmp_path / "image")
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        with pytest.raises(InputError) as caught:
            write_layout([image], place, None)
        assert caught.value.hint
    assert file.read_text() == "mine"
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_layout([image], full, None)
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    for version, text in {"2.0.0": '{"imageLayoutVersion": "2.0.0"}', "unknown": "[]"}.items():
        other = tmp_path / version
        other.mkdir()
        (other / "oci-layout").write_text(text)
        with pytest.raises(InputError, match=f"version {version}"):
            write_layout([image], other, None)
    for text in ("", "[]", '{"manifests": 1}', "{"):
        damaged = tmp_path / "damaged"
        write_layout([image], damaged, None)
        (damaged / "index.json").write_text(text)
        with pytest.raises(InputError, match="no image index"):
            write_layout([image], damaged, None)
        assert (damaged / "index.json").read_text() == text
        (damaged / "index.json").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "link").symlink_to(empty)
    write_layout([image], tmp_path / "link", None)
    check_layout(empty)


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "a//b", "a\n", "ü", "../x", "a:", "/a"])
def test_names_that_a_layout_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReference):
        write_layout([make_image(tmp_path / "image")], tmp_path / LAYOUT, name)
    assert not (tmp_path / LAYOUT).exists()


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("orders", "docker.io/library/orders:latest"),
        ("team/orders:v1", "docker.io/team/orders:v1"),
        ("localhost:5000/a_b/c--d:V1", "localhost:5000/a_b/c--d:V1"),
        ("Release-1.2", None),
    ],
)
def test_names_for_containerd(tmp_path: Path, name: str, full: str | None) -> None:
    write_layout([make_image(tmp_path / "image")], tmp_path / LAYOUT, name)
    (entry,) = check_layout(tmp_path / LAYOUT)["manifests"]
    assert entry["annotations"].get("io.containerd.image.name") == full
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == name
    skopeo("inspect", f"oci:{tmp_path / LAYOUT}:{name}")


def test_a_name_that_docker_allows_and_the_specification_does_not(tmp_path: Path) -> None:
    write_layout([make_image(tmp_path / "image")], tmp_path / LAYOUT, "a__b/c---d:v1")
    assert [*_names(check_layout(tmp_path / LAYOUT))] == ["a__b/c---d:v1"]
    skopeo("inspect", f"oci:{tmp_path / LAYOUT}")


def test_an_image_with_a_layer_twice(tmp_path: Path) -> None:
    image = make_image(tmp_path)
    cache = BlobCache(tmp_path / "blobs")
    twice = [*image.config.diff_ids, image.config.diff_ids[0]]
    config = type(image.config)({**image.config.document, "rootfs": {"type": "layers", "diff_ids": twice}})
    layers = tuple(blob for digest in twice if (blob := cache.get(Digest(digest))) is not None)
    write_layout([ImageContent(config=config, layers=layers)], tmp_path / LAYOUT, "orders:v1")
    check_layout(tmp_path / LAYOUT)
    skopeo("copy", f"oci:{tmp_path / LAYOUT}:orders:v1", f"dir:{tmp_path}/dir")
