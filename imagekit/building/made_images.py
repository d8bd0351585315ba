"""What images of ours are made of, by their IDs in an engine: so that one can be pushed from the layer cache.

A note's second line is the SHA-256 of its first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.codec import decode, encode
from imagekit.layers.values import FileRange, Layer, read_file
from imagekit.oci.config import ImageConfig
from imagekit.oci.manifest import Descriptor
from imagekit.spec import base as base_values
from imagekit.spec import installed
from imagekit.spec.base import BaseImage

_FORMAT = 3
_CLASSES = {
    value.__name__: value
    for module in (base_values, installed)
    for value in vars(module).values()
    if hasattr(value, "__dataclass_fields__")
} | {cls.__name__: cls for cls in (FileRange, Layer, ImageConfig, Descriptor)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """An image that was assembled on this machine."""

    config: ImageConfig
    base: BaseImage
    layers: tuple[Layer, ...]  # ours, the lowest first; their files may be gone
    note: Mapping[str, Any]  # what documents about it are written of (``attest.material_note``)


def keep_made(
    cache: Path,
    image_id: str,
    config: ImageConfig,
    base: BaseImage,
    layers: Sequence[Layer],
    note: Mapping[str, Any],
) -> None:
    """Remember what ``image_id`` is made of."""
    parts = {"config": encode(config), "base": encode(base), "layers": encode(tuple(layers)), "materials": dict(note)}
    known = json.dumps({"format": _FORMAT, **parts}).encode()
    write_whole(_path(cache, image_id), known + b"\n" + hashlib.sha256(known).hexdigest().encode())


def made_image(cache: Path, image_id: str) -> MadeImage | None:
    """What ``image_id`` is made of; ``None`` where that is not known here."""
    try:
        known, _, check = read_file(_path(cache, image_id)).partition(b"\n")
        if check.strip() != hashlib.sha256(known).hexdigest().encode():
            return None
        value = json.loads(known)
        if value["format"] != _FORMAT:
            return None
        config, base, layers = (decode(value[name], _CLASSES) for name in ("config", "base", "layers"))
        note = value["materials"]
    except Exception:
        # Whatever another version wrote there: the engine has the image in any case.
        return None
    if not (isinstance(config, ImageConfig) and isinstance(base, BaseImage) and isinstance(layers, tuple)):
        return None
    if not all(isinstance(layer, Layer) for layer in layers) or not isinstance(note, dict):
        return None
    return MadeImage(config=config, base=base, layers=layers, note=note)


def _path(cache: Path, image_id: str) -> Path:
    return cache / "images" / f"{image_id.removeprefix('sha256:')}.json"
