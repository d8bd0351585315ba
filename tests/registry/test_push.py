"""What a push sends, and that it sends no more."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import pytest

from imagekit.errors import PushError
from imagekit.oci.content import Blob, Data
from imagekit.registry import upload

from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy
from .images import Layer, Notes, content_of, image, layer, pulled, push


def fresh(count: int, size: int = 2000) -> list[Layer]:
    session = secrets.token_hex(6)
    return [layer(f"{session}-{number}", size) for number in range(count)]


def test_a_pushed_image_is_there_as_it_was(shared_registry: OwnRegistry, repository: str, tmp_path: Path) -> None:
    reference = f"{shared_registry.name}/{repository}:v1"
    made = image(*fresh(12), layer("large", 3_000_000))
    pushed = push(reference, made)
    assert pushed.digest == made.manifest.descriptor.digest
    assert (pushed.uploaded, pushed.mounted, pushed.skipped) == (14, 0, 0)
    assert pushed.sent == sum(b.descriptor.size for b in (made.config_blob, *made.layers))
    assert pulled(reference) == (pushed.digest, content_of(made))
    # Another program's opinion.
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{reference}", f"dir:{tmp_path / 'copy'}"],
        check=True,
    )


def test_what_is_there_costs_one_look_at_each_blob(proxy: FaultProxy, repository: str) -> None:
    reference = f"{proxy.name}/{repository}:v1"
    made = image(*fresh(5))
    first = push(reference, made)
    proxy.seen.clear()
    notes = Notes()
    second = push(reference, made, reporter=notes)
    assert second.digest == first.digest
    assert (second.sent, second.uploaded, second.skipped) == (0, 0, 6)
    assert [seen.method for seen in proxy.seen] == ["GET"] * (1 + 6)
    assert notes.lines == [f"{reference}: already there, skipped"]


def test_one_changed_layer_of_a_hundred(proxy: FaultProxy, repository: str) -> None:
    reference = f"{proxy.name}/{repository}:v1"
    layers = fresh(100, 100)
    push(reference, image(*layers))
    proxy.seen.clear()
    layers[50] = fresh(1)[0]
    changed = image(*layers)
    pushed = push(reference, changed)
    assert (pushed.uploaded, pushed.mounted, pushed.skipped) == (2, 0, 99)
    assert pushed.sent == layers[50].blob.descriptor.size + changed.config_blob.descriptor.size
    # One question for each blob that is thought to be there; two requests for each that is sent, a look, a read.
    assert proxy.count("HEAD", "/blobs/") == 99 + 2
    assert proxy.count("POST") == proxy.count("PUT", "/blobs/") == 2
    assert proxy.count("PATCH") == 0
    assert proxy.count("PUT", "/manifests/") == 2
    assert len(proxy.seen) <= 99 + 2 * 4 + 5
    assert pulled(reference) == (pushed.digest, content_of(changed))


def test_blobs_of_another_repository_are_mounted(proxy: FaultProxy, repository: str) -> None:
    layers = fresh(3) + fresh(1, 2_000_000)
    push(f"{proxy.name}/{repository}-base:v1", image(*layers))
    held_by = (f"elsewhere.example.com/{repository}-base", f"{proxy.name}/{repository}-base")
    known = [
        Layer(Blob(descriptor=a.blob.descriptor, content=a.blob.content, held_by=held_by), a.diff_id) for a in layers
    ]
    made = image(*known, *fresh(1))
    proxy.seen.clear()
    pushed = push(f"{proxy.name}/{repository}:v1", made)
    assert (pushed.uploaded, pushed.mounted, pushed.skipped) == (2, 4, 0)
    assert proxy.count("PUT", "/blobs/") == 2
    assert pulled(f"{proxy.name}/{repository}:v1") == (pushed.digest, content_of(made))


def test_a_blob_that_cannot_be_mounted_is_sent(proxy: FaultProxy, repository: str) -> None:
    session = secrets.token_hex(6)
    held_by = [f"{proxy.name}/{repository}-never-pushed"]
    made = image(layer(session, held_by=held_by), layer(f"{session}-large", 2_000_000, held_by=held_by))
    pushed = push(f"{proxy.name}/{repository}:v1", made)
    assert (pushed.uploaded, pushed.mounted) == (3, 0)
    assert pulled(f"{proxy.name}/{repository}:v1")[1] == content_of(made)


def test_what_an_interrupted_push_sent_is_not_sent_again(proxy: FaultProxy, repository: str) -> None:
    reference = f"{proxy.name}/{repository}:v1"
    made = image(*fresh(2), layer(secrets.token_hex(6), 2_000_000))
    fault = proxy.fault("PUT", "/manifests/", status=400)
    with pytest.raises(PushError, match="writing the manifest"):
        push(reference, made)
    proxy.faults.remove(fault)
    pushed = push(reference, made)
    assert (pushed.sent, pushed.uploaded, pushed.skipped) == (0, 0, 4)
    assert pulled(reference)[0] == pushed.digest


def test_several_platforms_are_one_index(shared_registry: OwnRegistry, repository: str, tmp_path: Path) -> None:
    reference = f"{shared_registry.name}/{repository}:v1"
    shared = fresh(2)
    made = {p: image(*shared, *fresh(1), platform=p) for p in ("linux/amd64", "linux/arm64/v8")}
    pushed = push(reference, *made.values())
    assert pushed.uploaded == 2 + 2 + 2  # shared layers once
    for asked, platform in (("linux/amd64", "linux/amd64"), ("linux/arm64", "linux/arm64/v8")):
        expected = made[platform]
        assert pulled(reference, asked) == (expected.manifest.descriptor.digest, content_of(expected))
    subprocess.run(
        [
            *("skopeo", "copy", "--quiet", "--all", "--src-tls-verify=false"),
            *(f"docker://{reference}", f"dir:{tmp_path / 'copy'}"),
        ],
        check=True,
    )
    # What the index's images name is known to be there, too.
    assert push(reference, *made.values()).sent == 0
    changed = push(reference, made["linux/amd64"], image(*shared, *fresh(1), platform="linux/arm64/v8"))
    assert (changed.uploaded, changed.skipped) == (2, 4)


def test_a_blob_that_a_manifest_names_and_that_is_gone_is_sent_anew(
    shared_registry: OwnRegistry, repository: str
) -> None:
    reference = f"{shared_registry.name}/{repository}:v1"
    layers = fresh(3)
    push(reference, image(*layers))
    # As ``docker-registry garbage-collect`` would.
    digest = layers[1].blob.descriptor.digest
    shared_registry.blob_path(digest).unlink()
    shared_registry.restart()
    changed = image(*layers, *fresh(1))
    pushed = push(reference, changed)
    assert pushed.uploaded == 3
    assert pulled(reference) == (pushed.digest, content_of(changed))


def test_a_large_blob_goes_in_chunks(proxy: FaultProxy, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "CHUNKED_ABOVE", 1 << 20)
    monkeypatch.setattr(upload, "CHUNK", 1 << 19)
    made = image(layer(secrets.token_hex(6), 3 << 20))
    pushed = push(f"{proxy.name}/{repository}:v1", made)
    assert proxy.count("PATCH") == 7
    assert pulled(f"{proxy.name}/{repository}:v1") == (pushed.digest, content_of(made))


def test_a_registry_may_ask_for_larger_chunks(
    proxy: FaultProxy, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNKED_ABOVE", 1 << 20)
    monkeypatch.setattr(upload, "CHUNK", 1 << 19)
    proxy.answer_headers = {"OCI-Chunk-Min-Length": str(2 << 20)}
    made = image(layer(secrets.token_hex(6), 3 << 20))
    push(f"{proxy.name}/{repository}:v1", made)
    assert proxy.count("PATCH") == 2


def test_a_registry_that_takes_no_chunks(proxy: FaultProxy, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "CHUNKED_ABOVE", 1 << 20)
    monkeypatch.setattr(upload, "CHUNK", 1 << 19)
    # As GitHub's says it of what is above 4 MiB.
    proxy.fault("PATCH", "", status=416)
    made = image(*(layer(secrets.token_hex(6), 3 << 20) for _ in range(2)))
    pushed = push(f"{proxy.name}/{repository}:v1", made)
    assert proxy.count("PATCH") <= 2
    assert pulled(f"{proxy.name}/{repository}:v1") == (pushed.digest, content_of(made))


@pytest.mark.parametrize("cut", [0, 1000])
def test_content_that_ends_early_is_no_image(shared_registry: OwnRegistry, repository: str, cut: int) -> None:
    whole = fresh(1)[0]
    data = b"".join(whole.blob.content.chunks())[:cut]
    damaged = Layer(Blob(descriptor=whole.blob.descriptor, content=Data(data)), whole.diff_id)
    with pytest.raises(PushError, match="too early") as caught:
        push(f"{shared_registry.name}/{repository}:v1", image(damaged))
    assert "imagekit cache verify" in str(caught.value.hint)


def test_content_that_is_not_what_its_digest_says(shared_registry: OwnRegistry, repository: str) -> None:
    whole = fresh(1)[0]
    data = b"x" + b"".join(whole.blob.content.chunks())[1:]
    damaged = Layer(Blob(descriptor=whole.blob.descriptor, content=Data(data)), whole.diff_id)
    with pytest.raises(PushError, match="DIGEST_INVALID"):
        push(f"{shared_registry.name}/{repository}:v1", image(damaged))
