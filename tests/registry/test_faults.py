"""Registries that fail: the push ends well or with a word, and the old tag pulls either way."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.errors import PushError, RegistryError
from imagekit.oci.content import Blob, ImageContent
from imagekit.registry import upload
from imagekit.registry.retry import Patience

from ..conftest import StartRegistry
from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy
from .images import PATIENCE, Layer, content_of, image, layer, pulled, push

# (method, path, what the error calls it)
STEPS = {
    "GET manifest": ("GET", "/manifests/v1", "reading the manifest"),
    "HEAD blob": ("HEAD", "/blobs/", "asking for the blob"),
    "POST": ("POST", "/blobs/uploads/", r"(mounting|\(POST\)|sending)"),
    "PATCH": ("PATCH", "/blobs/uploads/", "sending the blob"),
    "PUT blob": ("PUT", "/blobs/uploads/", "sending the blob"),
    "PUT manifest": ("PUT", "/manifests/sha256:", "writing the manifest"),
    "PUT tag": ("PUT", "/manifests/v1", "writing the manifest"),
    "HEAD tag": ("HEAD", "/manifests/v1", "asking for the manifest"),
}
# What may pass is told in one place for all steps: each status once, and one of them at every step; in soak, all.
ONCE = {("GET manifest", 429), ("POST", 500), ("PATCH", 502), ("PUT tag", 504)}
PASSING = [
    pytest.param(step, status, marks=() if status == 503 or (step, status) in ONCE else pytest.mark.soak)
    for step in STEPS
    for status in (429, 500, 502, 503, 504)
]
# (step, how many bytes of the body are taken); that of a POST is empty.
BROKEN = [("POST", 0), *((s, n) for s in ("PATCH", "PUT blob", "PUT manifest", "PUT tag") for n in (0, 1000, 500_000))]
# The tag has moved by then.
LATE = {"HEAD tag"}
SHORT = dataclasses.replace(PATIENCE, answer=1.0, commit=1.0, connect=1.0, attempts=4)


class Case:
    """A repository with an old image at ``v1``, and a new one that is to be pushed over it."""

    def __init__(self, registry: OwnRegistry, proxy: FaultProxy, repository: str) -> None:
        self.proxy = proxy
        self.direct = f"{registry.name}/{repository}:v1"
        self.faulty = f"{proxy.name}/{repository}:v1"
        session = secrets.token_hex(6)
        layers = [layer(f"{session}-{number}") for number in range(3)]
        self.old = image(*layers)
        self.new = image(*layers, layer(f"{session}-new"), layer(f"{session}-large", 3 << 20))
        push(self.direct, self.old)
        proxy.seen.clear()

    def push(self, patience: Patience = PATIENCE) -> None:
        push(self.faulty, self.new, patience=patience)

    def has(self, one: ImageContent) -> bool:
        return pulled(self.direct) == (one.manifest.descriptor.digest, content_of(one))

    def goes_on(self) -> bool:
        """The same command again, without the fault."""
        self.proxy.faults.clear()
        self.push()
        return self.has(self.new)


@pytest.fixture
def case(shared_registry: OwnRegistry, proxy: FaultProxy, repository: str) -> Case:
    return Case(shared_registry, proxy, repository)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that one blob goes in chunks, and the others as a whole.
    monkeypatch.setattr(upload, "CHUNKED_ABOVE", 2 << 20)
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)


@pytest.mark.parametrize(("step", "status"), PASSING)
def test_a_passing_failure_is_tried_again(case: Case, step: str, status: int) -> None:
    method, path, _ = STEPS[step]
    fault = case.proxy.fault(method, path, status=status, times=2)
    case.push()
    assert fault.met > 2
    assert case.has(case.new)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_that_stays_ends(case: Case, step: str, status: int) -> None:
    method, path, words = STEPS[step]
    body = b'{"errors": [{"code": "UNAVAILABLE", "message": "out of order"}]}'
    case.proxy.fault(method, path, status=status, body=body)
    with pytest.raises(PushError, match=words) as caught:
        case.push()
    assert f"HTTP {status}" in caught.value.message
    assert "(tried 4 times)" in caught.value.message
    if method != "HEAD":
        assert "UNAVAILABLE out of order" in caught.value.message
    # For each blob there may be one that tries.
    assert case.proxy.count(method, path) <= 4 * 6
    assert case.has(case.new if step in LATE else case.old)
    assert case.goes_on()


def test_the_pause_that_a_registry_asks_for_is_kept(case: Case) -> None:
    case.proxy.fault("PUT", "/manifests/v1", status=429, times=1, headers={"Retry-After": "1"})
    case.push()
    first, second = (seen.at for seen in case.proxy.seen if (seen.method, seen.path[-3:]) == ("PUT", "/v1"))
    assert second - first >= 1
    assert case.has(case.new)


@pytest.mark.parametrize("value", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_pause_that_is_too_long_is_not_waited_for(case: Case, value: str) -> None:
    case.proxy.fault("PUT", "/manifests/v1", status=503, headers={"Retry-After": value})
    with pytest.raises(PushError, match="it asks to wait"):
        case.push()
    assert case.proxy.count("PUT", "/manifests/v1") == 1
    assert case.has(case.old)
    assert case.goes_on()


@pytest.mark.parametrize("step", STEPS)
def test_a_black_hole_ends_with_the_step(case: Case, step: str) -> None:
    method, path, words = STEPS[step]
    case.proxy.fault(method, path, hole=True)
    with pytest.raises(PushError, match=words) as caught:
        case.push(SHORT)
    assert "no answer within the deadline" in caught.value.message
    assert case.has(case.new if step in LATE else case.old)
    assert case.goes_on()


@pytest.mark.parametrize(("step", "taken"), BROKEN)
def test_a_connection_that_breaks_is_taken_up_again(case: Case, step: str, taken: int) -> None:
    method, path, _ = STEPS[step]
    fault = case.proxy.fault(method, path, reset_after=taken, times=2)
    case.push()
    assert fault.met > 2
    assert case.has(case.new)


@pytest.mark.parametrize("step", ["POST", "PATCH", "PUT blob", "PUT manifest", "PUT tag"])
def test_an_answer_that_is_lost_does_no_harm(case: Case, step: str) -> None:
    method, path, _ = STEPS[step]
    fault = case.proxy.fault(method, path, lose_answer=True, times=2)
    case.push()
    assert fault.met >= 2
    assert case.has(case.new)


@pytest.mark.parametrize("step", STEPS)
def test_a_connection_that_always_breaks_ends(case: Case, step: str) -> None:
    method, path, words = STEPS[step]
    case.proxy.fault(method, path, reset_after=0)
    with pytest.raises(PushError, match=words):
        case.push()
    assert case.has(case.new if step in LATE else case.old)
    assert case.goes_on()


def test_chunks_that_arrived_are_not_sent_again(case: Case) -> None:
    case.proxy.fault("PATCH", "", reset_after=0, after=2, times=1)
    pushed = push(case.faulty, case.new, patience=PATIENCE)
    whole = sum(b.descriptor.size for b in (case.new.config_blob, *case.new.layers[3:]))
    assert pushed.sent is not None
    assert pushed.sent <= whole + (1 << 20)
    assert case.has(case.new)


def test_a_slow_link_is_slow_and_no_fault(case: Case) -> None:
    # 3 MiB in chunks of 1 MiB, each of which takes longer than the deadline of one wait.
    case.proxy.fault("PATCH", "", rate=700_000)
    case.push(dataclasses.replace(PATIENCE, answer=1.0, commit=20.0))
    assert case.has(case.new)


def test_a_blob_that_is_acknowledged_and_lost(case: Case) -> None:
    lost = case.new.layers[3].descriptor.digest
    case.proxy.fault("PUT", f"/blobs/uploads/.*{lost.replace(':', '(:|%3A)')}", status=201)
    with pytest.raises(PushError, match=f"acknowledged the blob {lost}"):
        case.push()
    assert case.proxy.count("PUT", "/manifests/v1") == 0
    assert case.has(case.old)
    assert case.goes_on()


def test_a_blob_that_is_lost_while_the_tag_moves(case: Case, shared_registry: OwnRegistry) -> None:
    lost = case.new.layers[3].descriptor.digest
    # The registry's own cache still says that it is there.
    case.proxy.fault("PUT", "/manifests/v1", times=1, then=shared_registry.blob_path(lost).unlink)
    with pytest.raises(PushError, match=re.escape(lost.removeprefix("sha256:")[:12])):
        case.push()
    assert case.goes_on()


@pytest.mark.parametrize("size", [2000, 2 << 20])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_blob_that_is_lost_after_the_push(start_registry: StartRegistry, size: int, restarts: bool) -> None:
    registry = start_registry()
    reference = f"{registry.name}/app:v1"
    session = secrets.token_hex(6)
    made = image(layer(f"{session}-a"), layer(f"{session}-b", size))
    push(reference, made)
    registry.blob_path(made.layers[1].descriptor.digest).unlink()
    if restarts:
        registry.restart()  # and its cache knows of nothing
    again = push(reference, made)
    assert (again.uploaded, again.skipped) == (1, 2)
    assert pulled(reference) == (made.manifest.descriptor.digest, content_of(made))


def test_an_image_of_an_index_that_is_lost_after_the_push(start_registry: StartRegistry) -> None:
    registry = start_registry()
    reference = f"{registry.name}/app:v1"
    images = [image(layer(secrets.token_hex(6)), platform=f"linux/{each}") for each in ("amd64", "arm64")]
    push(reference, *images)
    for revision in registry.storage.glob(f"**/_manifests/revisions/*/{images[1].manifest.descriptor.digest[7:]}/link"):
        revision.unlink()
    registry.restart()
    assert push(reference, *images).sent == 0
    for each, platform in zip(images, ("linux/amd64", "linux/arm64"), strict=True):
        assert pulled(reference, platform) == (each.manifest.descriptor.digest, content_of(each))


def test_a_manifest_that_is_acknowledged_and_lost(case: Case) -> None:
    case.proxy.fault("PUT", "/manifests/sha256:", status=201)
    with pytest.raises(PushError, match="acknowledged the manifest sha256:"):
        case.push()
    assert case.proxy.count("PUT", "/manifests/v1") == 0
    assert case.has(case.old)
    assert case.goes_on()


def test_a_tag_that_is_acknowledged_and_not_moved(case: Case) -> None:
    case.proxy.fault("PUT", "/manifests/v1", status=201)
    with pytest.raises(PushError, match="acknowledged the tag v1"):
        case.push()
    assert case.has(case.old)
    assert case.goes_on()


def test_a_manifest_that_comes_back_as_another(case: Case) -> None:
    case.proxy.fault("GET", "/manifests/sha256:", status=200, body=case.old.manifest.to_bytes())
    with pytest.raises(PushError, match="gave another one"):
        case.push()
    assert case.has(case.old)
    assert case.goes_on()


def test_an_upload_that_the_registry_forgets(case: Case) -> None:
    case.proxy.fault("PUT|PATCH", "/blobs/uploads/", status=404, times=3)
    case.push()
    assert case.has(case.new)


def test_a_refusal_is_not_tried_again(case: Case) -> None:
    body = b'{"errors": [{"code": "MANIFEST_INVALID", "message": "not like this"}]}'
    case.proxy.fault("PUT", "/manifests/sha256:", status=400, body=body)
    with pytest.raises(PushError, match="MANIFEST_INVALID not like this"):
        case.push()
    assert case.proxy.count("PUT", "/manifests/") == 1
    assert case.has(case.old)


def test_pushes_at_once_to_one_tag(case: Case, shared_registry: OwnRegistry) -> None:
    session = secrets.token_hex(6)
    images = [image(*(layer(f"{session}-{n}-{k}") for k in range(3))) for n in range(4)]
    failures: list[BaseException] = []

    def one(made: ImageContent) -> None:
        try:
            push(case.direct, made)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(made,)) for made in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert pulled(case.direct) in [(i.manifest.descriptor.digest, content_of(i)) for i in images]


# A push of its own process: of three layers named after the second word, to the reference that is the first.
PUSH = """
import sys
from imagekit.registry import upload
from tests.registry.images import image, layer, push
upload.CHUNKED_ABOVE = 1 << 20
reference, session = sys.argv[1:]
push(reference, image(*(layer(f"{session}-{number}", 3 << 20) for number in range(3))))
"""


class Child:
    def __init__(self, case: Case) -> None:
        self.session = secrets.token_hex(6)
        self.made = image(*(layer(f"{self.session}-{number}", 3 << 20) for number in range(3)))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUSH, case.faulty, self.session],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        while not case.proxy.count("PATCH"):
            assert self.process.poll() is None
            time.sleep(0.01)

    def end(self, signum: int) -> str:
        self.process.send_signal(signum)
        return self.process.communicate()[1]


def test_a_push_that_is_killed(case: Case) -> None:
    case.proxy.fault("PATCH", "", rate=500_000)
    child = Child(case)
    child.end(signal.SIGKILL)
    assert case.has(case.old)
    case.proxy.faults.clear()
    push(case.faulty, child.made)
    assert case.has(child.made)


def test_an_interrupt_ends_the_push(case: Case) -> None:
    # Nobody answers, and nobody is waited for.
    case.proxy.fault("PATCH", "", hole=True)
    began = time.monotonic()
    assert "KeyboardInterrupt" in Child(case).end(signal.SIGINT)
    assert time.monotonic() - began < PATIENCE.commit
    assert case.has(case.old)


def test_what_fails_in_one_thread_ends_the_others(case: Case) -> None:
    class Unreadable:
        def chunks(self, start: int = 0) -> Iterator[bytes]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    large = layer(secrets.token_hex(6), 3 << 20)
    damaged = Layer(Blob(descriptor=large.blob.descriptor, content=Unreadable()), large.diff_id)
    # Another blob would be waited for.
    case.proxy.fault("PUT", "/blobs/", hole=True)
    began = time.monotonic()
    with pytest.raises(PushError, match="Input/output error"):
        push(case.faulty, image(damaged, layer(secrets.token_hex(6))))
    assert time.monotonic() - began < PATIENCE.commit
    assert case.has(case.old)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "imagekit-tests", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_registry_whose_disk_is_full(start_registry: StartRegistry, small_disk: Path) -> None:
    registry = start_registry(storage=small_disk)
    reference = f"{registry.name}/app:v1"
    session = secrets.token_hex(6)
    old = image(layer(f"{session}-old", 1 << 20))
    push(reference, old)
    with pytest.raises(PushError, match="sending the blob"):
        push(reference, image(layer(f"{session}-a", 4 << 20), layer(f"{session}-b", 6 << 20)))
    assert pulled(reference) == (old.manifest.descriptor.digest, content_of(old))


def test_a_registry_that_is_read_only(start_registry: StartRegistry, small_disk: Path) -> None:
    registry = start_registry(storage=small_disk)
    reference = f"{registry.name}/app:v1"
    old = image(layer(secrets.token_hex(6)))
    push(reference, old)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(PushError, match="read-only file system"):
        push(reference, image(layer(secrets.token_hex(6))))
    assert push(reference, old).sent == 0
    assert pulled(reference) == (old.manifest.descriptor.digest, content_of(old))


def test_a_registry_that_is_not_there() -> None:
    with pytest.raises(PushError, match="connection refused"):
        push("127.0.0.1:1/app:v1", image(layer("any")))


def test_what_answers_is_no_registry(proxy: FaultProxy) -> None:
    proxy.fault(".*", "", status=200, body=b"<html>hello</html>")
    with pytest.raises(RegistryError):
        push(f"{proxy.name}/app:v1", image(layer("any")))
