"""Images small enough to be pushed by the hundred, and a look at what a registry gives back."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import LAYER_GZIP, Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import SilentReporter
from imagekit.registry.access import Access
from imagekit.registry.client import Registry
from imagekit.registry.push import push_content
from imagekit.registry.read import read_image
from imagekit.registry.retry import Patience
from imagekit.registry.values import Pushed

# Enough for a machine that is busy, and no more than a test can wait for.
PATIENCE = Patience(attempts=4, first_pause=0.02, longest_pause=0.2, connect=10, answer=20, commit=20, step=60)


@dataclass(frozen=True)
class Layer:
    blob: Blob
    diff_id: Digest


def layer(seed: object, size: int = 2000, *, held_by: Iterable[str] = ()) -> Layer:
    """A layer with one file of ``size`` random bytes, the same for the same ``seed``."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo(f"srv/{seed}")
        member.size = size
        tar.addfile(member, io.BytesIO(random.Random(str(seed)).randbytes(size)))
    data = gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=digest_of(data), size=len(data))
    blob = Blob(descriptor=descriptor, content=Data(data), held_by=tuple(held_by))
    return Layer(blob, digest_of(plain.getvalue()))


def image(*layers: Layer, platform: str = "linux/amd64") -> ImageContent:
    of = Platform.parse(platform)
    document = {
        "os": of.os,
        "architecture": of.architecture,
        **({"variant": of.variant} if of.variant else {}),
        "config": {"Cmd": ["/srv/run"]},
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
    }
    return ImageContent(config=ImageConfig(document), layers=tuple(one.blob for one in layers))


class Notes(SilentReporter):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def push(
    reference: str,
    *images: ImageContent,
    access: Access | None = None,
    patience: Patience = PATIENCE,
    reporter: SilentReporter | None = None,
) -> Pushed:
    parsed = Reference.parse(reference)
    with Registry(parsed.registry, access, patience=patience) as registry:
        return push_content(images, parsed, registry, reporter or SilentReporter())


def pulled(
    reference: str, platform: str = "linux/amd64", *, access: Access | None = None
) -> tuple[Digest, list[bytes]]:
    """The manifest's digest and every layer's bytes, verified, as a new client reads them."""
    parsed = Reference.parse(reference)
    with Registry(parsed.registry, access, patience=PATIENCE) as registry:
        found = read_image(registry, parsed, Platform.parse(platform))
        return found.digest, [b"".join(blob.content.chunks()) for blob in found.layers]


def content_of(of: ImageContent) -> list[bytes]:
    return [b"".join(blob.content.chunks()) for blob in of.layers]


class Slow:
    """Bytes that call ``between`` before each piece after the first."""

    def __init__(self, data: bytes, piece: int, between: object) -> None:
        self.data, self.piece, self.between = data, piece, between

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for offset in range(start, len(self.data), self.piece):
            if offset > start:
                self.between()  # type: ignore[operator]
            yield self.data[offset : offset + self.piece]
