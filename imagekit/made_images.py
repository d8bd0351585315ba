"""What images of ours are made of, by their IDs in an engine: so that one can be pushed from the layer cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.codec import decode, encode
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.manifest import Descriptor
from imagekit.spec import base as base_values
from imagekit.spec import installed
from imagekit.spec.base import BaseImage

_FORMAT = 1
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


def keep_made(cache: Path, image_id: str, config: ImageConfig, base: BaseImage, layers: Sequence[Layer]) -> None:
    """Remember what ``image_id`` is made of."""
    value = {"format": _FORMAT, "config": encode(config), "base": encode(base), "layers": encode(tuple(layers))}
    write_whole(_path(cache, image_id), json.dumps(value).encode())


def made_image(cache: Path, image_id: str) -> MadeImage | None:
    """What ``image_id`` is made of; ``None`` where that is not known here."""
    try:
        value = json.loads(_path(cache, image_id).read_bytes())
        if value["format"] != _FORMAT:
            return None
        config, base, layers = (decode(value[name], _CLASSES) for name in ("config", "base", "layers"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return MadeImage(config=config, base=base, layers=layers)


def _path(cache: Path, image_id: str) -> Path:
    return cache / "images" / f"{image_id.removeprefix('sha256:')}.json"
