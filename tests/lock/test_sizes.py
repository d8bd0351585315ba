"""The sizes of wheels, where the index does not say them: from a real server, once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagekit.lock.fetch import WheelStore
from imagekit.lock.sizes import with_sizes
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.progress import SilentReporter

DATA = b"x" * 4321
NAMES = "abc"


class _Server(ThreadingHTTPServer):
    asked: list[str]
    answers_head = True


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self.server.asked.append("HEAD")
        if self.server.answers_head:
            return super().do_HEAD()
        return self.send_error(405)

    def do_GET(self) -> None:
        self.server.asked.append("GET")
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    (tmp_path / "served").mkdir()
    for name in NAMES:
        (tmp_path / "served" / f"{name}-1-py3-none-any.whl").write_bytes(DATA)
    with _Server(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path / "served"))) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _lock(place: str, names: str = NAMES) -> Lock:
    sha256 = hashlib.sha256(DATA).hexdigest()
    files = {name: f"{name}-1-py3-none-any.whl" for name in names}
    return Lock(
        packages=tuple(
            LockedPackage(name=name, version="1", artifact=Artifact(filename=f, url=f"{place}/{f}", sha256=sha256))
            for name, f in files.items()
        ),
        inputs=Digest("sha256:" + "0" * 64),
        python="3.11.2",
        platform="linux/amd64",
    )


def _sizes(lock: Lock, directory: Path) -> list[int | None]:
    found = with_sizes(lock, WheelStore(directory / "wheels"), directory, SilentReporter())
    assert found.digest == lock.digest
    return [p.artifact.size for p in found.packages]


@pytest.mark.parametrize("answers_head", [True, False])
def test_a_size_is_asked_for_once(server: _Server, tmp_path: Path, answers_head: bool) -> None:
    server.answers_head = answers_head
    lock = _lock(f"http://127.0.0.1:{server.server_address[1]}")
    for _ in range(2):
        assert _sizes(lock, tmp_path) == [len(DATA)] * 3
    # A server that does not say it is asked for the file, which the build needs anyway.
    assert sorted(server.asked) == ([] if answers_head else ["GET"] * 3) + ["HEAD"] * 3


def test_a_moved_pin_is_fetched_at_once(server: _Server, tmp_path: Path) -> None:
    assert _sizes(_lock(f"http://127.0.0.1:{server.server_address[1]}", "a"), tmp_path) == [len(DATA)]
    assert server.asked == ["GET"]
    assert len(list((tmp_path / "wheels").rglob("*.whl"))) == 1


def test_what_is_here_is_not_asked_for(server: _Server, tmp_path: Path) -> None:
    """Of a set of which one moved, that one's file alone is wanted, and there at once."""
    place = f"http://127.0.0.1:{server.server_address[1]}"
    moved = b"y" * 99
    (tmp_path / "served/moved-2-py3-none-any.whl").write_bytes(moved)
    store = WheelStore(tmp_path / "wheels")
    before = _lock(place)
    for package in before.packages:
        store.get(package.artifact)
    server.asked.clear()
    artifact = Artifact(
        filename="moved-2-py3-none-any.whl",
        url=f"{place}/moved-2-py3-none-any.whl",
        sha256=hashlib.sha256(moved).hexdigest(),
    )
    after = replace(before, packages=(*before.packages, LockedPackage(name="moved", version="2", artifact=artifact)))
    assert _sizes(after, tmp_path) == [len(DATA)] * 3 + [len(moved)]
    assert server.asked == ["GET"]
    assert store.path(artifact).read_bytes() == moved


def test_files_here_are_measured(server: _Server, tmp_path: Path) -> None:
    assert _sizes(_lock((tmp_path / "served").as_uri()), tmp_path) == [len(DATA)] * 3
    assert not (tmp_path / "wheels").exists()
