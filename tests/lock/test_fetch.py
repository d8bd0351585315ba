"""Fetching, from a real server that answers well, late, wrong, or not at all."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagekit.errors import HashMismatch, IndexUnreachable
from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.logins import Login, Logins
from imagekit.lock.values import Artifact, LockedPackage
from imagekit.progress import SilentReporter

CONTENT = b"wheel" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "alpha-1.0-py3-none-any.whl"

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """Gives the answers it was told to, one a request, the last one for good."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [whole]
        self.asked: list[dict[str, str]] = []
        outer, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    outer.asked.append(dict(self.headers))
                    answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def artifact(self, *, sha256: str = SHA256, size: int | None = None, userinfo: str = "") -> Artifact:
        return Artifact(
            filename=NAME, url=f"http://{userinfo}127.0.0.1:{self.port}/{NAME}?token=canary", sha256=sha256, size=size
        )


def status(code: int, **headers: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def whole(handler: http.server.BaseHTTPRequestHandler, content: bytes = CONTENT, sent: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[:sent])
    if sent is not None:
        handler.close_connection = True


def slowly(handler: http.server.BaseHTTPRequestHandler) -> None:
    time.sleep(3)
    whole(handler)


def endlessly(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A piece now and then, for as long as somebody reads."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass


def cut(handler: http.server.BaseHTTPRequestHandler) -> None:
    whole(handler, sent=1000)


def reset(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    handler.connection.close()


def other(handler: http.server.BaseHTTPRequestHandler) -> None:
    whole(handler, b"something else")


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> WheelStore:
    return WheelStore(tmp_path / "wheels", pause=0.001)


def left(tmp_path: Path) -> list[str]:
    return [str(p) for p in (tmp_path / "wheels").rglob("*") if p.is_file()]


def test_a_file_comes_once_and_is_kept(server, store):
    seen: list[int] = []
    path = store.get(server.artifact(), advance=seen.append)
    assert path.read_bytes() == CONTENT
    assert path.name == NAME
    assert sum(seen) == len(CONTENT)
    assert store.get(server.artifact()) == path
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", [status(500), status(503), status(429, Retry_After="0"), cut, reset])
def test_a_passing_fault_is_tried_again(server, store, tmp_path, fault):
    server.answers = [fault, fault, whole]
    seen: list[int] = []
    path = store.get(server.artifact(), advance=seen.append)
    assert path.read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT)
    assert len(server.asked) == 3
    assert left(tmp_path) == [str(path)]


@pytest.mark.parametrize(
    ("fault", "said"), [(status(503), "503"), (cut, "1000"), (reset, "onnection")], ids=["503", "cut", "reset"]
)
def test_a_fault_that_stays_ends_bounded_naming_package_and_url(server, store, tmp_path, fault, said):
    server.answers = [fault]
    with pytest.raises(IndexUnreachable) as caught:
        store.get(server.artifact(userinfo="user:canary@"), package="alpha")
    assert len(server.asked) == 5
    assert caught.value.message.startswith("alpha: ")
    assert f"127.0.0.1:{server.port}/{NAME}" in caught.value.message
    assert said in caught.value.message
    assert "canary" not in f"{caught.value.to_json()}"
    assert left(tmp_path) == []


def test_a_server_that_asks_to_wait_for_long_is_not_waited_for(server, store):
    server.answers = [status(503, Retry_After="86400")]
    with pytest.raises(IndexUnreachable):
        store.get(server.artifact())
    assert len(server.asked) == 1


@pytest.mark.parametrize("asked", ["0", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_a_server_that_asks_for_no_pause_is_not_stormed(server, tmp_path, asked):
    server.answers = [status(429, Retry_After=asked), status(429, Retry_After=asked), whole]
    began = time.monotonic()
    WheelStore(tmp_path / "wheels", pause=0.2).get(server.artifact())
    # Half of 0.2 and of 0.4 seconds at least.
    assert time.monotonic() - began > 0.3


def test_a_missing_file_is_not_asked_for_twice(server, store, tmp_path):
    server.answers = [status(404)]
    with pytest.raises(IndexUnreachable, match=r"alpha.*404"):
        store.get(server.artifact(), package="alpha")
    assert len(server.asked) == 1
    assert left(tmp_path) == []


def test_another_file_than_the_locked_one_is_never_taken(server, store, tmp_path):
    server.answers = [other, whole]
    with pytest.raises(HashMismatch) as caught:
        store.get(server.artifact(), package="alpha")
    assert len(server.asked) == 1
    assert SHA256 in (caught.value.details or "")
    assert "canary" not in f"{caught.value.to_json()}"
    assert left(tmp_path) == []


def test_nobody_listening_is_said(store):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/{NAME}"
        with pytest.raises(IndexUnreachable, match="Connection refused"):
            store.get(Artifact(filename=NAME, url=url, sha256=SHA256))


def test_credentials_are_sent_to_their_host_alone(server, tmp_path):
    def store(url: str) -> WheelStore:
        logins = Logins(by_url=(Login(url=url, user="user", password="pass", origin="a test"),))
        return WheelStore(tmp_path / url.replace("/", "-"), access=IndexAccess(logins=logins))

    store(f"http://127.0.0.1:{server.port}/simple").get(server.artifact())
    store("http://other.example/simple").get(server.artifact())
    assert server.asked[0]["Authorization"] == "Basic dXNlcjpwYXNz"
    assert "Authorization" not in server.asked[1]


def test_a_kept_file_of_another_size_is_verified_again(server, store):
    path = store.get(server.artifact(size=len(CONTENT)))
    path.write_bytes(b"cut short")
    assert store.get(server.artifact(size=len(CONTENT))).read_bytes() == CONTENT
    path.write_bytes(b"")
    assert store.get(server.artifact()).read_bytes() == CONTENT
    # The index may be wrong about a size; the hash is what counts.
    assert store.get(server.artifact(size=7)).read_bytes() == CONTENT
    assert len(server.asked) == 3


@pytest.mark.parametrize("damage", ["flipped", "directory"])
def test_a_kept_file_that_was_damaged_is_fetched_again(server, store, damage):
    path = store.get(server.artifact(size=len(CONTENT)))
    if damage == "flipped":
        path.write_bytes(CONTENT[:-1] + b"x")
    else:
        path.unlink()
        (path / "inner").mkdir(parents=True)
    assert store.get(server.artifact(size=len(CONTENT))).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_store_removed_in_the_middle(server, store, tmp_path):
    def gone(handler):
        shutil.rmtree(tmp_path / "wheels")
        whole(handler)

    server.answers = [gone, whole]
    assert store.get(server.artifact()).read_bytes() == CONTENT


def test_processes_fetch_a_file_once(server, tmp_path):
    """One of them; the others wait for it and take its file."""
    program = (
        "import sys; from pathlib import Path; from imagekit.lock.fetch import WheelStore\n"
        "from imagekit.lock.values import Artifact\n"
        "a = Artifact(filename=sys.argv[2], url=sys.argv[3], sha256=sys.argv[4])\n"
        "print(WheelStore(Path(sys.argv[1])).get(a))"
    )
    server.answers = [slowly]
    artifact = server.artifact()
    argv = [sys.executable, "-c", program, tmp_path / "wheels", artifact.filename, artifact.url, artifact.sha256]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert {process.communicate()[0].strip() for process in processes} == {str(tmp_path / "wheels" / SHA256 / NAME)}
    assert len(server.asked) == 1
    assert left(tmp_path) == [str(tmp_path / "wheels" / SHA256 / NAME)]


def test_a_file_on_disk_is_copied(store, tmp_path):
    source = tmp_path / NAME
    source.write_bytes(CONTENT)
    artifact = Artifact(filename=NAME, url=source.as_uri(), sha256=SHA256)
    path = store.get(artifact)
    source.write_bytes(b"changed")
    assert path.read_bytes() == CONTENT
    missing = Artifact(filename=NAME, url=(tmp_path / "gone.whl").as_uri(), sha256="0" * 64)
    with pytest.raises(IndexUnreachable, match=r"gone\.whl"):
        store.get(missing)


def test_many_at_once_share_a_store(server, tmp_path):
    stores = [WheelStore(tmp_path / "wheels") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda n: stores[n % 4].get(server.artifact()), range(16)))
    assert [p.read_bytes() == CONTENT for p in paths] == [True]
    assert left(tmp_path) == [str(next(iter(paths)))]


def packages(server: Server, tmp_path: Path) -> list[LockedPackage]:
    found = []
    for number in range(8):
        path = tmp_path / f"p{number}-1.0-py3-none-any.whl"
        path.write_bytes(b"%d" % number)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        artifact = Artifact(filename=path.name, url=path.as_uri(), sha256=sha256)
        found.append(LockedPackage(name=f"p{number}", version="1.0", artifact=artifact))
    return [*found, LockedPackage(name="alpha", version="1.0", artifact=server.artifact())]


def test_all_arrive_each_with_its_file(server, store, tmp_path):
    wanted = packages(server, tmp_path)
    got = dict(fetch_all(wanted, store, reporter=SilentReporter()))
    assert {p.name for p in got} == {p.name for p in wanted}
    assert all(path.name == p.artifact.filename for p, path in got.items())


def test_one_that_fails_fails_the_whole(server, store, tmp_path):
    server.answers = [status(404)]
    with pytest.raises(IndexUnreachable, match="alpha"):
        list(fetch_all(packages(server, tmp_path), store, reporter=SilentReporter()))


def endless(server: Server, tmp_path: Path) -> list[LockedPackage]:
    """One that comes at once, one that never ends."""
    server.answers = [endlessly]
    (alpha,) = [package for package in packages(server, tmp_path) if package.name == "alpha"]
    return [packages(server, tmp_path)[0], alpha]


def test_who_stops_early_waits_for_no_download(server, store, tmp_path):
    arriving = fetch_all(endless(server, tmp_path), store, reporter=SilentReporter())
    package, path = next(arriving)
    while not server.asked:
        time.sleep(0.01)
    arriving.close()  # would not come back
    assert package.name == "p0"
    assert left(tmp_path) == [str(path)]


def test_a_failure_waits_for_no_download(server, store, tmp_path):
    wrong = Artifact(filename=NAME, url=(tmp_path / "none.whl").as_uri(), sha256="0" * 64)
    wanted = [LockedPackage(name="gone", version="1.0", artifact=wrong), *endless(server, tmp_path)]
    with pytest.raises(IndexUnreachable, match="gone"):
        list(fetch_all(wanted, store, reporter=SilentReporter()))


INTERRUPTED = """
import sys
from pathlib import Path
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.values import Artifact, LockedPackage
from imagekit.progress import SilentReporter
wheel = Artifact(filename="alpha-1.0-py3-none-any.whl", url=sys.argv[1], sha256="0" * 64)
package = LockedPackage(name="alpha", version="1.0", artifact=wheel)
list(fetch_all([package], WheelStore(Path(sys.argv[2])), reporter=SilentReporter()))
"""


def test_an_interrupt_ends_a_download_at_once(server, tmp_path):
    server.answers = [endlessly]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, server.artifact().url, tmp_path / "wheels"],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not server.asked and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert left(tmp_path) == []
