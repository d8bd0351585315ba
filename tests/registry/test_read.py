"""Reading an image for a platform, and refusing what is not one."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from imagekit.errors import BaseNotFound, RegistryError
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import INDEX, MANIFEST
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.registry.client import DOCKER_INDEX, DOCKER_MANIFEST, Registry
from imagekit.registry.read import RemoteImage, choose, read_image

from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy
from .images import PATIENCE, content_of, image, layer, push


def read(reference: str, platform: str = "linux/amd64") -> RemoteImage:
    parsed = Reference.parse(reference)
    with Registry(parsed.registry, patience=PATIENCE) as registry:
        return read_image(registry, parsed, Platform.parse(platform))


def put(name: str, repository: str, document: Mapping[str, Any] | bytes, media_type: str, tag: str = "v1") -> str:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with Registry(name, patience=PATIENCE) as registry:
        registry.put_manifest(repository, tag, data, media_type)
    return digest_of(data)


def test_an_image_is_read_with_two_requests_and_its_layers_when_asked(proxy: FaultProxy, repository: str) -> None:
    reference = f"{proxy.name}/{repository}:v1"
    made = image(layer(secrets.token_hex(6)), layer(secrets.token_hex(6), 1 << 20))
    pushed = push(reference, made)
    proxy.seen.clear()
    parsed = Reference.parse(reference)
    with Registry(parsed.registry, patience=PATIENCE) as registry:
        found = read_image(registry, parsed, Platform.parse("linux/amd64"))
        assert len(proxy.seen) == 2
        assert (found.digest, found.index_digest) == (pushed.digest, None)
        assert found.config_bytes == made.config.to_bytes()
        assert [b.descriptor for b in found.layers] == [b.descriptor for b in made.layers]
        assert {b.held_by for b in found.layers} == {(f"{proxy.name}/{repository}",)}
        assert [b"".join(b.content.chunks()) for b in found.layers] == content_of(made)
        assert b"".join(found.layers[1].content.chunks(1000)) == content_of(made)[1][1000:]


def test_by_digest(shared_registry: OwnRegistry, repository: str) -> None:
    name = f"{shared_registry.name}/{repository}"
    first, second = (image(layer(secrets.token_hex(6))) for _ in range(2))
    digest = push(f"{name}:v1", first).digest
    push(f"{name}:v1", second)
    # As for Docker, the digest wins over the tag.
    assert read(f"{name}:v1@{digest}").config_bytes == first.config.to_bytes()
    assert read(f"{name}:v1").config_bytes == second.config.to_bytes()


@pytest.mark.parametrize("wanted", ["linux/arm64", "linux/arm64/v8"])
@pytest.mark.parametrize("held", ["linux/arm64", "linux/arm64/v8"])
def test_the_platform_of_an_index(shared_registry: OwnRegistry, repository: str, wanted: str, held: str) -> None:
    reference = f"{shared_registry.name}/{repository}:v1"
    amd, arm = image(layer("amd")), image(layer("arm"), platform=held)
    index = push(reference, amd, arm).digest
    found = read(reference, wanted)
    assert (found.digest, found.index_digest) == (arm.manifest.descriptor.digest, index)


def test_a_platform_that_is_not_there(shared_registry: OwnRegistry, repository: str) -> None:
    reference = f"{shared_registry.name}/{repository}:v1"
    push(reference, image(layer("amd")), image(layer("arm"), platform="linux/arm64/v9"))
    with pytest.raises(BaseNotFound, match="is not there for linux/arm64") as caught:
        read(reference, "linux/arm64")
    assert caught.value.hint == "it is for linux/amd64, linux/arm64/v9"
    push(reference, image(layer("amd")))
    with pytest.raises(BaseNotFound, match="is for linux/amd64, and not for linux/arm64"):
        read(reference, "linux/arm64")


def test_attestations_are_no_platform() -> None:
    digests = [f"sha256:{n:064x}" for n in range(2)]
    entries = [
        {"digest": digests[0], "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": digests[1], "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    assert choose(entries, Platform.parse("linux/amd64"), "x") == digests[1]
    with pytest.raises(BaseNotFound) as caught:
        choose(entries, Platform.parse("linux/arm64"), "x")
    assert caught.value.hint == "it is for linux/amd64"


def test_an_image_that_is_not_there(shared_registry: OwnRegistry, repository: str) -> None:
    with pytest.raises(BaseNotFound, match="there is no image") as caught:
        read(f"{shared_registry.name}/{repository}:v1")
    assert "docker pull" in str(caught.value.hint)


def test_docker_media_types(shared_registry: OwnRegistry, repository: str) -> None:
    made = image(layer(secrets.token_hex(6)))
    push(f"{shared_registry.name}/{repository}:oci", made)
    docker = json.loads(made.manifest.to_bytes())
    docker["mediaType"] = DOCKER_MANIFEST
    docker["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    docker["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    digest = put(shared_registry.name, repository, docker, DOCKER_MANIFEST)
    found = read(f"{shared_registry.name}/{repository}:v1")
    assert found.digest == digest
    # A blob is the same under either name.
    assert found.layers[0].descriptor == made.layers[0].descriptor
    entry = {"mediaType": DOCKER_MANIFEST, "digest": digest, "size": len(json.dumps(docker))}
    entry["platform"] = {"os": "linux", "architecture": "amd64"}
    document = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [entry]}
    put(shared_registry.name, repository, document, DOCKER_INDEX, tag="list")
    assert read(f"{shared_registry.name}/{repository}:list").digest == digest


def changed(value: Any, path: tuple[str | int, ...], to: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return copy


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (("layers",), None, "not an image's"),
        (("config",), "x", "not an image's"),
        (("layers", 0, "digest"), "sha256:x", "a descriptor that cannot be read"),
        (("layers", 0, "digest"), "md5:" + "0" * 32, "a descriptor that cannot be read"),
        (("layers", 0, "size"), "10", "a descriptor that cannot be read"),
        (("layers", 0, "size"), -1, "a descriptor that cannot be read"),
        (("layers", 0, "mediaType"), "application/vnd.example.sbom", "is of the type"),
        (("config", "size"), 1 << 40, "a configuration of"),
        (("layers",), [], "has 0 layers, and its configuration names 1"),
    ],
)
def test_manifests_that_are_not_an_image(
    proxy: FaultProxy, repository: str, path: tuple[str | int, ...], to: Any, words: str
) -> None:
    reference = f"{proxy.name}/{repository}:v1"
    made = image(layer(secrets.token_hex(6)))
    push(reference, made)
    body = json.dumps(changed(json.loads(made.manifest.to_bytes()), path, to)).encode()
    proxy.fault("GET", "/manifests/", status=200, headers={"Content-Type": MANIFEST}, body=body)
    with pytest.raises(RegistryError, match=words):
        read(reference)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"\xff", b'{"manifests": 3}', b'{"manifests": [3, {"digest": "x"}]}']
)
@pytest.mark.parametrize("media_type", [MANIFEST, INDEX, "text/html"])
def test_answers_that_are_no_manifest(proxy: FaultProxy, repository: str, body: bytes, media_type: str) -> None:
    proxy.fault("GET", "/manifests/", status=200, headers={"Content-Type": media_type}, body=body)
    with pytest.raises((RegistryError, BaseNotFound)):
        read(f"{proxy.name}/{repository}:v1")


def test_an_answer_without_an_end(proxy: FaultProxy, repository: str) -> None:
    proxy.fault("GET", "/manifests/", status=200, headers={"Content-Type": MANIFEST}, body=b" " * (9 << 20))
    with pytest.raises(RegistryError, match="more than"):
        read(f"{proxy.name}/{repository}:v1")


def test_a_blob_that_is_taken_up_where_it_broke(proxy: FaultProxy, repository: str) -> None:
    made = image(layer(secrets.token_hex(6), 1 << 20))
    push(f"{proxy.name}/{repository}:v1", made)
    blob = made.layers[0].descriptor
    proxy.seen.clear()
    proxy.fault("GET", "/blobs/", cut_after=400_000, times=2)
    with Registry(proxy.name, patience=PATIENCE) as registry:
        assert b"".join(registry.read_blob(repository, blob)) == content_of(made)[0]
    assert proxy.count("GET") == 3


def test_a_registry_without_ranges(proxy: FaultProxy, repository: str) -> None:
    made = image(layer(secrets.token_hex(6), 1 << 20))
    push(f"{proxy.name}/{repository}:v1", made)
    data = content_of(made)[0]
    proxy.fault("GET", "/blobs/", cut_after=400_000, times=1)
    proxy.fault("GET", "/blobs/", status=200, body=data)
    with Registry(proxy.name, patience=PATIENCE) as registry:
        blob = made.layers[0].descriptor
        assert b"".join(registry.read_blob(repository, blob)) == data
        assert b"".join(registry.read_blob(repository, blob, 5)) == data[5:]
        assert registry.gives_end(repository, blob)


@pytest.mark.parametrize("at", [0, 500_000, -1])
def test_content_that_is_not_what_its_digest_says(proxy: FaultProxy, repository: str, at: int) -> None:
    made = image(layer(secrets.token_hex(6), 1 << 20))
    push(f"{proxy.name}/{repository}:v1", made)
    data = bytearray(content_of(made)[0])
    data[at] ^= 1
    proxy.fault("GET", "/blobs/", status=200, body=bytes(data))
    given = bytearray()
    proxy.seen.clear()

    def read_all() -> None:
        with Registry(proxy.name, patience=PATIENCE) as registry:
            for piece in registry.read_blob(repository, made.layers[0].descriptor):
                given.extend(piece)

    with pytest.raises(RegistryError, match="not what its digest says"):
        read_all()
    # Nobody has had all of it, so nobody can have taken it for whole.
    assert len(given) < len(data)
    # Never tried again into acceptance.
    assert proxy.count("GET", "/blobs/") == 1


@pytest.mark.parametrize("change", [-100, 100])
def test_content_of_another_size(proxy: FaultProxy, repository: str, change: int) -> None:
    made = image(layer(secrets.token_hex(6), 50_000))
    push(f"{proxy.name}/{repository}:v1", made)
    blob = made.layers[0].descriptor
    wrong = dataclasses.replace(blob, size=blob.size + change)
    with Registry(proxy.name, patience=PATIENCE) as registry:
        assert not registry.holds(repository, wrong)
        with pytest.raises(RegistryError):
            b"".join(registry.read_blob(repository, wrong))


def test_redirects_without_an_end(proxy: FaultProxy, repository: str) -> None:
    proxy.fault("GET", "", status=307, headers={"Location": f"/v2/{repository}/manifests/v1"})
    with pytest.raises(RegistryError, match="redirected without an end"):
        read(f"{proxy.name}/{repository}:v1")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//", "http://"])
def test_redirects_to_nowhere(proxy: FaultProxy, repository: str, location: str) -> None:
    proxy.fault("GET", "", status=307, headers={"Location": location})
    with pytest.raises(RegistryError):
        read(f"{proxy.name}/{repository}:v1")


def test_a_link_to_storage_that_is_past_its_time(
    proxy: FaultProxy, shared_registry: OwnRegistry, repository: str
) -> None:
    made = image(layer(secrets.token_hex(6)))
    push(f"{proxy.name}/{repository}:v1", made)
    storage = FaultProxy(shared_registry.name)
    blob = made.layers[0].descriptor
    place = f"http://{storage.name}/v2/{repository}/blobs/{blob.digest}?signature=canary"
    storage.fault("GET", "", status=403, times=1)
    proxy.fault("GET", "/blobs/", status=307, headers={"Location": place})
    with Registry(proxy.name, patience=PATIENCE) as registry:
        assert b"".join(registry.read_blob(repository, blob)) == content_of(made)[0]
        storage.fault("GET", "", status=403)
        with pytest.raises(RegistryError, match="HTTP 403 from the registry's storage") as caught:
            b"".join(registry.read_blob(repository, blob))
    assert "canary" not in str(caught.value)
    storage.close()
