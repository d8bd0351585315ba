"""What images of ours are made of, by their IDs in an engine: so that one can be pushed from the layer cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.codec import decode, encode
from imagekit.layers.values import FileRange, Layer, read_file
from imagekit.notes import from_note, to_note
from imagekit.oci.config import ImageConfig
from imagekit.oci.manifest import Descriptor
from imagekit.spec import base as base_values
from imagekit.spec import installed
from imagekit.spec.base import BaseImage

_FORMAT = 4
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
    _keep(cache, image_id, config=encode(config), base=encode(base), layers=encode(tuple(layers)), materials=dict(note))


def keep_note(cache: Path, image_id: str, note: Mapping[str, Any]) -> None:
    """Remember what an image was made from whose upper layers the engine alone has: instructions made them."""
    _keep(cache, image_id, materials=dict(note))


def _keep(cache: Path, image_id: str, **parts: Any) -> None:
    write_whole(_path(cache, image_id), to_note({"format": _FORMAT, **parts}))


def made_image(cache: Path, image_id: str) -> MadeImage | None:
    """What ``image_id`` is made of; ``None`` where that is not known here."""
    value = _kept(cache, image_id)
    if value is None:
        return None
    try:
        config, base, layers = (decode(value[name], _CLASSES) for name in ("config", "base", "layers"))
    except Exception:
        # Whatever another version wrote there: the engine has the image in any case.
        return None
    if not (isinstance(config, ImageConfig) and isinstance(base, BaseImage) and isinstance(layers, tuple)):
        return None
    if not all(isinstance(layer, Layer) for layer in layers):
        return None
    return MadeImage(config=config, base=base, layers=layers, note=value["materials"])


def note_of(cache: Path, image_id: str) -> Mapping[str, Any] | None:
    """What ``image_id`` was made from (``attest.material_note``); ``None`` where that is not known here."""
    value = _kept(cache, image_id)
    note: dict[str, Any] | None = None if value is None else value["materials"]
    return note


def _kept(cache: Path, image_id: str) -> dict[str, Any] | None:
    try:
        value = from_note(read_file(_path(cache, image_id)))
        return value if value["format"] == _FORMAT and isinstance(value["materials"], dict) else None
    except Exception:
        return None


def _path(cache: Path, image_id: str) -> Path:
    return cache / "images" / f"{image_id.removeprefix('sha256:')}.json"
