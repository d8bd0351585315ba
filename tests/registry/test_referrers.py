"""Documents beside an image in a registry, with and without its own list of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from imagekit.errors import PushError, RegistryError
from imagekit.oci.artifact import Attachment
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import INDEX, MANIFEST, Descriptor
from imagekit.oci.reference import Reference
from imagekit.progress import SilentReporter
from imagekit.registry.client import Registry
from imagekit.registry.push import push_content
from imagekit.registry.referrers import attach, read_attached, referrers, tag_of

from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy
from .images import PATIENCE, image, layer
from .referrers_proxy import ReferrersProxy

SBOM, STATEMENT = "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"
QUIET = SilentReporter()


@pytest.fixture(params=["tag", "list", "pages"])
def place(request: pytest.FixtureRequest, shared_registry: OwnRegistry) -> Iterator[str]:
    """A registry without a list of referrers, one with, and one whose list comes in pages."""
    if request.param == "tag":
        yield shared_registry.name
        return
    proxy = ReferrersProxy(shared_registry.name, page=1 if request.param == "pages" else 100)
    yield proxy.name
    proxy.close()


def pushed(name: str, repository: str, seed: str) -> tuple[ImageContent, Digest]:
    content = image(layer(f"{repository} {seed}"))
    with Registry(name, patience=PATIENCE) as registry:
        found = push_content([content], Reference.parse(f"{name}/{repository}:v1"), registry, QUIET)
    return content, found.digest


def about(content: ImageContent, data: bytes, kind: str = SBOM, **annotations: str) -> Attachment:
    return Attachment(artifact_type=kind, data=data, subject=content.manifest.descriptor, annotations={**annotations})


def test_a_document_is_attached_listed_and_read_back(place: str, repository: str) -> None:
    content, digest = pushed(place, repository, "one")
    documents = [about(content, b'{"a": 1}'), about(content, b'{"b": 2}', STATEMENT, predicate="x")]
    with Registry(place, patience=PATIENCE) as registry:
        assert referrers(registry, repository, digest) == []
        assert read_attached(registry, repository, digest, SBOM, {}) is None
        attach(registry, repository, documents, QUIET)
        listed = referrers(registry, repository, digest)
        assert [each["artifactType"] for each in listed] == [SBOM, STATEMENT]
        # Once more is no more.
        attach(registry, repository, documents, QUIET)
        assert referrers(registry, repository, digest) == listed
        assert read_attached(registry, repository, digest, SBOM, {}) == b'{"a": 1}'
        assert read_attached(registry, repository, digest, STATEMENT, {"predicate": "x"}) == b'{"b": 2}'
        assert read_attached(registry, repository, digest, STATEMENT, {"predicate": "y"}) is None
        held = registry.manifest(repository, str(listed[0]["digest"]))
        # The image is what it was.
        top = registry.manifest(repository, "v1")
    assert top is not None
    assert (top.digest, top.data) == (digest, content.manifest.to_bytes())
    assert held is not None
    manifest = held.document
    assert manifest["subject"]["digest"] == digest
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == SBOM


def test_the_newest_document_of_a_kind_is_the_one(place: str, repository: str) -> None:
    content, digest = pushed(place, repository, "two")
    with Registry(place, patience=PATIENCE) as registry:
        for data in (b"{}\n", b"{ }\n"):
            attach(registry, repository, [about(content, data)], QUIET)
        assert read_attached(registry, repository, digest, SBOM, {}) == b"{ }\n"


def test_where_there_is_no_list_a_tag_is_one_and_others_entries_stay(
    shared_registry: OwnRegistry, repository: str
) -> None:
    name = shared_registry.name
    content, digest = pushed(name, repository, "three")
    foreign = {
        "mediaType": MANIFEST,
        "digest": content.manifest.descriptor.digest,
        "size": content.manifest.descriptor.size,
        "artifactType": "application/vnd.example",
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [foreign]}).encode()
    with Registry(name, patience=PATIENCE) as registry:
        registry.put_manifest(repository, tag_of(digest), index, INDEX)
        attach(registry, repository, [about(content, b"{}\n")], QUIET)
        attach(registry, repository, [about(content, b"{ }\n")], QUIET)
        held = registry.manifest(repository, f"sha256-{digest.removeprefix('sha256:')}")
    assert held is not None
    assert [each["artifactType"] for each in held.document["manifests"]] == ["application/vnd.example", SBOM]


def test_a_registry_with_a_list_gets_no_tag(shared_registry: OwnRegistry, repository: str) -> None:
    proxy = ReferrersProxy(shared_registry.name)
    content, digest = pushed(proxy.name, repository, "four")
    with Registry(proxy.name, patience=PATIENCE) as registry:
        attach(registry, repository, [about(content, b"{}")], QUIET)
        assert registry.manifest(repository, tag_of(digest)) is None
    proxy.close()


def test_a_tag_that_is_no_list_is_not_written_over(shared_registry: OwnRegistry, repository: str) -> None:
    name = shared_registry.name
    content, digest = pushed(name, repository, "five")
    with Registry(name, patience=PATIENCE) as registry:
        registry.put_manifest(repository, tag_of(digest), content.manifest.to_bytes(), MANIFEST)
        with pytest.raises(PushError, match="is no list of documents"):
            attach(registry, repository, [about(content, b"{}")], QUIET)


def test_passing_failures_are_tried_again(proxy: FaultProxy, repository: str) -> None:
    content, digest = pushed(proxy.name, repository, "six")
    proxy.fault("PUT", "/manifests/", times=1, status=503)
    proxy.fault("GET", "/referrers/", times=1, status=500)
    with Registry(proxy.name, patience=PATIENCE) as registry:
        attach(registry, repository, [about(content, b"{}")], QUIET)
        assert read_attached(registry, repository, digest, SBOM, {}) == b"{}"


def test_a_document_that_was_lost_is_missed(proxy: FaultProxy, repository: str) -> None:
    content, digest = pushed(proxy.name, repository, "seven")
    # Its list is acknowledged, and never written.
    proxy.fault("PUT", f"/manifests/{tag_of(digest)}", swallow=True, status=201)
    with (
        Registry(proxy.name, patience=PATIENCE) as registry,
        pytest.raises(PushError, match=r"acknowledged a document .* and does not list it"),
    ):
        attach(registry, repository, [about(content, b"{}")], QUIET)


@pytest.mark.parametrize("body", [b"[]", b"not json", b'{"manifests": {}}', b'{"manifests": [3, {"digest": "x"}]}'])
def test_an_answer_that_is_no_list_is_none(proxy: FaultProxy, repository: str, body: bytes) -> None:
    _, digest = pushed(proxy.name, repository, "eight")
    proxy.fault("GET", "/referrers/", status=200, body=body)
    with Registry(proxy.name, patience=PATIENCE) as registry:
        assert referrers(registry, repository, digest) == []


def test_a_document_about_another_image_is_not_taken(shared_registry: OwnRegistry, repository: str) -> None:
    proxy = ReferrersProxy(shared_registry.name)
    content, digest = pushed(proxy.name, repository, "nine")
    other = replace(about(content, b"{}"), subject=Descriptor(media_type=MANIFEST, digest=digest_of(b"x"), size=1))
    with Registry(proxy.name, patience=PATIENCE) as registry:
        attach(registry, repository, [other], QUIET)
        proxy.known[digest] = proxy.known[other.subject.digest]
        assert read_attached(registry, repository, digest, SBOM, {}) is None
        # A list that has no end is not followed for ever.
        proxy.page = 0
        with pytest.raises(RegistryError, match="no end"):
            referrers(registry, repository, digest)
    proxy.close()
