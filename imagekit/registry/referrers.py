"""What a registry has about an image: written beside it, listed, read back. The image's digest stays what it is.

Source: OCI distribution-spec v1.1, "Pushing Manifests with Subject", "Listing Referrers", "Referrers Tag Schema":
a registry that does not know of referrers gets a list of them under a tag made of the image's digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagekit.errors import PushError, RegistryError
from imagekit.oci.artifact import Attachment
from imagekit.oci.digest import Digest, canonical_json, is_digest, short
from imagekit.oci.manifest import INDEX, MANIFEST, Descriptor
from imagekit.progress import Reporter
from imagekit.registry.auth import Scope
from imagekit.registry.client import DOCKER_MANIFEST, HeldManifest, Registry
from imagekit.registry.upload import Upload

_MOST_LIST = 8 << 20
_MOST_DOCUMENT = 64 << 20  # bytes of what is read back
_PAGES = 64


def attach(registry: Registry, repository: str, attachments: Sequence[Attachment], reporter: Reporter) -> None:
    """Write ``attachments`` into ``repository``, and see that each is listed. Raises ``RegistryError``."""
    title = f"attaching documents in {registry.name}/{repository}"
    with reporter.task(title, total=len(attachments)) as task:
        for attachment in attachments:
            _attach(registry, repository, attachment)
            task.advance()


def _attach(registry: Registry, repository: str, attachment: Attachment) -> None:
    entry = attachment.entry
    for blob in attachment.blobs:
        upload = Upload(registry, repository, blob)
        # Begins the upload where the blob is not there.
        if not upload.mount(repository):
            upload.send()
    headers = registry.put_manifest(repository, entry["digest"], attachment.manifest, MANIFEST)
    subject = attachment.subject.digest
    if headers.get("oci-subject") != subject:
        _list_under_tag(registry, repository, subject, entry)
    if entry["digest"] not in [each["digest"] for each in referrers(registry, repository, subject)]:
        raise PushError(
            f"{registry.name} acknowledged a document about {short(subject)}, and does not list it",
            hint=f"attach it again: imagekit push --attest {registry.name}/{repository}:TAG",
        )


def referrers(registry: Registry, repository: str, subject: Digest) -> list[Mapping[str, Any]]:
    """Descriptors of what refers to the manifest ``subject``, as the registry lists them; none is an answer, too."""
    step = f"asking what refers to {short(subject)} in {registry.name}/{repository}"
    url: str | None = f"/v2/{repository}/referrers/{subject}"
    found: list[Mapping[str, Any]] = []
    for _ in range(_PAGES):
        if url is None:
            return found
        page = registry.document(step, url, Scope(repository, ("pull",)), most=_MOST_LIST)
        if page is None or not isinstance(page[0].get("manifests"), list):
            # Not known here: then they are under a tag.
            held = registry.manifest(repository, tag_of(subject))
            return _entries(held.document) if held is not None and held.is_index else []
        found += _entries(page[0])
        url = page[1]
    raise RegistryError(f"{step}: the list has no end", hint="check the registry")


def read_attached(
    registry: Registry, repository: str, subject: Digest, artifact_type: str, annotations: Mapping[str, str]
) -> bytes | None:
    """The document of ``artifact_type`` about ``subject`` that was attached last; ``None`` where there is none.

    Those with other values of ``annotations`` are passed over.
    """
    for entry in reversed(referrers(registry, repository, subject)):
        said = entry.get("annotations")
        if entry.get("artifactType") != artifact_type:
            continue
        if annotations and (not isinstance(said, Mapping) or any(said.get(k) != v for k, v in annotations.items())):
            continue
        held = registry.manifest(repository, str(entry["digest"]))
        blob = _document_in(held, subject) if held is not None else None
        if blob is not None:
            return b"".join(registry.read_blob(repository, blob))
    return None


def tag_of(subject: Digest) -> str:
    """The tag under which what refers to ``subject`` is listed where the registry has no other list."""
    return subject.replace(":", "-")


def _list_under_tag(registry: Registry, repository: str, subject: Digest, entry: Mapping[str, Any]) -> None:
    tag = tag_of(subject)
    held = registry.manifest(repository, tag)
    if held is not None and not held.is_index:
        raise PushError(
            f"{registry.name}/{repository}:{tag} is no list of documents", hint="remove that tag, and push again"
        )
    before = _entries(held.document) if held is not None else []
    kept = [each for each in before if not _is_replaced(each, entry)]
    if entry["digest"] in [each["digest"] for each in kept]:
        return
    index = canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*kept, dict(entry)]})
    registry.put_manifest(repository, tag, index, INDEX)


def _is_replaced(there: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether ``there`` is an older document of ours of the same kind: what another imagekit wrote of the image."""
    return (
        there["digest"] != entry["digest"]
        and there.get("artifactType") == entry["artifactType"]
        and there.get("annotations") == entry.get("annotations")
    )


def _entries(index: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    manifests = index.get("manifests")
    listed = manifests if isinstance(manifests, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and is_digest(str(entry.get("digest")))]


def _document_in(held: HeldManifest, subject: Digest) -> Descriptor | None:
    """The one blob of an artifact about ``subject``; ``None`` for anything else."""
    document = held.document
    said = document.get("subject")
    if held.media_type in (MANIFEST, DOCKER_MANIFEST) and isinstance(said, dict) and said.get("digest") == subject:
        try:
            (layer,) = document["layers"]
            blob = Descriptor.from_json(layer)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if is_digest(blob.digest) and isinstance(blob.size, int) and 0 < blob.size <= _MOST_DOCUMENT:
            return blob
    return None
