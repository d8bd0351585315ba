"""A damaged layer is found when it is read, never passed on whole, and made again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.errors import DamagedLayer
from imagekit.layers.cache import LayerCache, drop
from imagekit.layers.mending import mended
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.digest import Digest
from imagekit.progress import SilentReporter

from .plans import make, plan_of, small_wheels


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int((len(data) - 1) * at)] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inner").write_text("")


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped": flip,
    "flipped at the start": lambda path: flip(path, 0.0),
    "flipped at the end": lambda path: flip(path, 1.0),
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
    "directory": directory,
    "link": link_to_nowhere,
    "fifo": fifo,
}


class Built:
    """Layers of four wheels: one alone, three together."""

    def __init__(self, tmp_path: Path) -> None:
        self.wheels = small_wheels(tmp_path, 4)
        self.plan = plan_of(self.wheels[:1], self.wheels[1:])
        self.cache = LayerCache(tmp_path / "cache" / "layers")

    def layers(self) -> list[Layer]:
        return make(self.plan, self.cache, self.wheels)


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


def files(layer: Layer) -> list[Path]:
    return [piece.path for piece in layer.pieces if isinstance(piece, FileRange)]


@pytest.mark.parametrize(
    ("which", "damage"),
    # Of a layer of several only the middle of each file is used.
    [(which, damage) for which in (0, 1) for damage in DAMAGES if which == 0 or not damage.startswith("flipped at")],
)
def test_damage_after_planning_is_found_and_mended(which: int, damage: str, built: Built) -> None:
    whole = [b"".join(layer.chunks()) for layer in built.layers()]
    harmed: list[Path] = []
    received: list[bytes] = []

    def attempt() -> list[bytes]:
        layers = built.layers()
        if not harmed:
            harmed.append(files(layers[which])[-1])
            DAMAGES[damage](harmed[0])
        sent = []
        for layer in layers:
            received.clear()
            for chunk in layer.chunks():
                received.append(chunk)
            sent.append(b"".join(received))
        return sent

    with pytest.raises(DamagedLayer) as caught:
        attempt()
    assert str(harmed[0]) in caught.value.paths
    # Whoever received it did not receive all.
    assert sum(map(len, received)) < len(whole[which])
    assert mended(attempt, SilentReporter()) == whole
    # And the next build finds nothing any more.
    assert [layer.cached for layer in built.layers()] == [True, True]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".tar", ".json", ".paths", ".group"])
def test_damage_between_builds(suffix: str, damage: str, built: Built) -> None:
    whole = [b"".join(layer.chunks()) for layer in built.layers()]
    for path in (built.cache._root).rglob(f"*{suffix}"):  # all of that kind
        DAMAGES[damage](path)
    assert mended(lambda: [b"".join(layer.chunks()) for layer in built.layers()], SilentReporter()) == whole


def test_a_digest_of_wrong_bytes_is_not_remembered(built: Built) -> None:
    first, second = built.layers()
    for path in built.cache._root.rglob("*.group"):
        path.unlink()
    flip(files(second)[1])
    with pytest.raises(DamagedLayer) as caught:
        built.layers()
    assert caught.value.paths == (str(files(second)[1]),)
    assert list(built.cache._root.rglob("*.group")) == []
    drop(files(second)[1])
    assert [layer.diff_id for layer in built.layers()] == [first.diff_id, second.diff_id]


def test_only_what_is_damaged_is_made_again(built: Built) -> None:
    _, second = built.layers()
    flip(files(second)[1])
    # Held open: the number of a file that is gone may be its successor's.
    with contextlib.ExitStack() as held:
        before = {path: os.fstat(held.enter_context(path.open("rb")).fileno()).st_ino for path in files(second)}
        with pytest.raises(DamagedLayer) as caught:
            list(second.chunks())
        assert second.noted is not None
        assert caught.value.paths == (str(files(second)[1]), str(second.noted))
        mended(lambda: [list(layer.chunks()) for layer in built.layers()], SilentReporter())
        assert [path for path in files(second) if path.stat().st_ino != before[path]] == [files(second)[1]]


@pytest.mark.parametrize("start", [0, 1, 511, 5000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000 - 1, 3_000_000])
def test_reading_from_an_offset(start: int, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data[10:])
    pieces = (data[:10], FileRange(tmp_path / "a", 0, len(data) - 10))
    digest = Digest("sha256:" + hashlib.sha256(data).hexdigest())
    layer = Layer(diff_id=digest, size=len(data), pieces=pieces, cached=True)
    assert b"".join(layer.chunks(start)) == data[start:]
    flip(tmp_path / "a", 0.0)
    with pytest.raises(DamagedLayer):
        # What lies before the offset was sent before, and counts.
        list(layer.chunks(start))


def test_a_disk_that_goes_on_damaging_ends(built: Built) -> None:
    attempts = []

    def attempt() -> None:
        layers = built.layers()
        flip(files(layers[0])[0])
        attempts.append(1)
        list(layers[0].chunks())

    with pytest.raises(DamagedLayer) as caught:
        mended(attempt, SilentReporter())
    assert len(attempts) == 3
    assert "cache verify" in (caught.value.hint or "")


def test_the_cache_removed_in_the_middle(built: Built) -> None:
    import shutil

    whole = [b"".join(layer.chunks()) for layer in built.layers()]
    layers = built.layers()
    shutil.rmtree(built.cache._root)
    with pytest.raises(DamagedLayer):
        list(layers[1].chunks())
    assert mended(lambda: [b"".join(layer.chunks()) for layer in built.layers()], SilentReporter()) == whole


def test_a_wheel_removed_in_the_middle(built: Built) -> None:
    kept = built.wheels[0].read_bytes()
    built.wheels[0].unlink()

    def attempt() -> list[Layer]:
        try:
            return built.layers()
        finally:
            built.wheels[0].write_bytes(kept)  # as fetching it again would

    assert len(mended(attempt, SilentReporter())) == 2


def test_two_processes_share_the_work(built: Built, tmp_path: Path) -> None:
    """Each of the wheels is written once, whoever does it, and all have all."""
    others = [Built(tmp_path) for _ in range(4)]
    results: list[list[Layer]] = []
    threads = [threading.Thread(target=lambda b=b: results.append(b.layers())) for b in others]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len({tuple(layer.diff_id for layer in layers) for layers in results}) == 1
    assert sum(not layer.cached for layers in results for layer in layers) >= 2
    assert sorted(path.suffix for path in built.cache._root.rglob("*") if path.is_file()) == sorted(
        [".json", ".tar", ".paths"] * 4 + [".group"]
    )
