"""Documents about images in a layout: found by the image they are about, and gone with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import BaseUnusable
from imagekit.export.layout import write_layout
from imagekit.export.layout_attachments import read_attached
from imagekit.export.layout_read import find_image
from imagekit.oci.artifact import Attachment
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.platform import Platform

from ..registry.images import image, layer

SBOM = "application/vnd.cyclonedx+json"


def about(content: ImageContent, data: bytes, **annotations: str) -> Attachment:
    subject = content.manifest.descriptor
    return Attachment(artifact_type=SBOM, data=data, subject=subject, annotations=annotations)


def types(directory: Path) -> list[str | None]:
    return [entry.get("artifactType") for entry in json.loads((directory / "index.json").read_text())["manifests"]]


def test_they_are_read_back_and_replaced(tmp_path: Path) -> None:
    first, second = image(layer("a")), image(layer("b"))
    digest = write_layout([first], tmp_path, "x:1", attachments=[about(first, b"{}")])
    assert digest == write_layout([first], tmp_path, "x:1")
    assert types(tmp_path) == [None, SBOM]
    assert read_attached(tmp_path, digest, SBOM, {}) == b"{}"
    assert read_attached(tmp_path, digest, SBOM, {"a": "b"}) is None
    assert read_attached(tmp_path, digest_of(b"x"), SBOM, {}) is None
    # The only image is found without a name.
    assert find_image(tmp_path, None, Platform()).digest == digest

    write_layout([first], tmp_path, "x:1", attachments=[about(first, b"{ }")])
    assert types(tmp_path) == [None, SBOM]
    assert read_attached(tmp_path, digest, SBOM, {}) == b"{ }"

    # Another image of another name leaves it; one of that name takes it away.
    write_layout([second], tmp_path, "y:1", attachments=[about(second, b"[]")])
    assert types(tmp_path) == [None, SBOM, None, SBOM]
    write_layout([second], tmp_path, "x:1")
    assert types(tmp_path) == [None, None, SBOM]
    assert read_attached(tmp_path, digest, SBOM, {}) is None


def test_of_several_platforms_each_has_its_own(tmp_path: Path) -> None:
    images = [image(layer("a")), image(layer("b"), platform="linux/arm64")]
    documents = [about(each, json.dumps(n).encode()) for n, each in enumerate(images)]
    write_layout(images, tmp_path, "x:1", attachments=documents)
    write_layout(images, tmp_path, "x:1")
    assert types(tmp_path) == [None, SBOM, SBOM]
    for n, each in enumerate(images):
        found = find_image(tmp_path, "x:1", each.config.platform)
        assert read_attached(tmp_path, found.digest, SBOM, {}) == json.dumps(n).encode()


def test_one_that_is_damaged_is_told(tmp_path: Path) -> None:
    content = image(layer("a"))
    digest = write_layout([content], tmp_path, "x:1", attachments=[about(content, b'{"a": 1}')])
    path = tmp_path / "blobs" / "sha256" / digest_of(b'{"a": 1}').removeprefix("sha256:")
    path.write_bytes(b'{"a": 2}')
    with pytest.raises(BaseUnusable, match="is not what its name says"):
        read_attached(tmp_path, digest, SBOM, {})


@pytest.mark.parametrize("change", [{"digest": "../../x"}, {"size": -1}, {"size": "x"}, {"annotations": 3}])
def test_an_entry_that_is_none_is_passed_over(tmp_path: Path, change: dict[str, object]) -> None:
    content = image(layer("a"))
    digest = write_layout([content], tmp_path, "x:1", attachments=[about(content, b"{}")])
    index = json.loads((tmp_path / "index.json").read_text())
    index["manifests"][1].update(change)
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert read_attached(tmp_path, digest, SBOM, {"x": "y"}) is None
    if "annotations" not in change:
        with pytest.raises(BaseUnusable):
            read_attached(tmp_path, digest, SBOM, {})


def test_an_artifact_is_the_same_bytes_wherever_it_is_written() -> None:
    content = image(layer("a"))
    one = about(content, b"{}", x="y")
    assert one.manifest == about(content, b"{}", x="y").manifest
    assert digest_of(one.manifest) == one.entry["digest"]
    assert json.loads(replace(one, annotations={}).manifest).keys() >= {"artifactType", "subject", "config", "layers"}
