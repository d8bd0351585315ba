"""An image as it is pictured: its layers by what they are, and what is another one in a later image. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imagekit.plan.record import LABEL, Record

Kind = Literal["base", "package", "packages", "own"]
Fate = Literal["kept", "again", "new", "gone"]
_BASE = "org.opencontainers.image.base."


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedLayer:
    """One layer; ``size`` in bytes, uncompressed."""

    place: int  # 1: the lowest
    digest: str
    size: int
    kind: Kind
    title: str
    packages: tuple[str, ...]  # name==version

    @property
    def label(self) -> str:
        """What it holds, in a few words."""
        if len(self.packages) == 1:
            return self.packages[0].replace("==", " ")
        return self.title or "(no words)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedImage:
    """An image, its layers the lowest first."""

    reference: str
    size: int  # bytes, base included
    layers: tuple[PicturedLayer, ...]
    labels: Mapping[str, str]
    facts: tuple[tuple[str, str], ...]  # what else is told of it: ID, digest, platform, user, directory

    @property
    def is_ours(self) -> bool:
        """Whether imagekit assembled it."""
        return any(layer.kind != "base" for layer in self.layers)

    @property
    def base(self) -> str:
        """The base's name, where a label tells it."""
        return self.labels.get(f"{_BASE}name", "")

    @property
    def base_digest(self) -> str:
        return self.labels.get(f"{_BASE}digest", "")

    @property
    def packages(self) -> tuple[tuple[str, str, PicturedLayer], ...]:
        """Name, version and layer of every package that has a layer, by name."""
        pins = [(*_pin(pin), layer) for layer in self.layers for pin in layer.packages]
        return tuple(sorted(pins, key=lambda each: (each[0].lower(), each[1])))


def pictured(document: Mapping[str, Any]) -> PicturedImage:
    """The image that ``imagekit inspect --json`` tells of."""
    labels = {str(name): str(value) for name, value in (document["labels"] or {}).items()}
    record = Record.from_label(labels.get(LABEL))
    layers = document["layers"]
    # Where no record tells how many are ours, those with packages are.
    base = len(layers) - len(record.layers) if record is not None else _first_with_packages(layers)
    facts = (("image ID", "image_id"), ("manifest", "digest"), ("platform", "platform"), ("user", "user"))
    return PicturedImage(
        reference=str(document["reference"]),
        size=int(document["size"]),
        layers=tuple(
            PicturedLayer(
                place=n + 1,
                digest=str(layer["digest"]),
                size=int(layer["size"]),
                kind=_kind(layer["packages"], is_base=n < base),
                title=str(layer["title"]),
                packages=tuple(map(str, layer["packages"])),
            )
            for n, layer in enumerate(layers)
        ),
        labels=labels,
        facts=tuple(
            (title, str(document[name])) for title, name in (*facts, ("directory", "workdir")) if document.get(name)
        ),
    )


def fates(before: PicturedImage, after: PicturedImage) -> tuple[tuple[Fate, ...], tuple[Fate, ...]]:
    """What becomes of each layer of ``before``, and of ``after``, in an engine that has ``before``.

    ``again``: it is the same layer and lies above another one, so that an engine unpacks it again; a registry does not.
    """
    known = {layer.digest for layer in before.layers}
    intact, found = True, list[Fate]()
    for n, layer in enumerate(after.layers):
        intact = intact and n < len(before.layers) and before.layers[n].digest == layer.digest
        found.append("kept" if intact else "again" if layer.digest in known else "new")
    by_digest = {layer.digest: fate for layer, fate in zip(after.layers, found, strict=True)}
    return tuple(by_digest.get(layer.digest, "gone") for layer in before.layers), tuple(found)


def _kind(packages: list[str], *, is_base: bool) -> Kind:
    if is_base:
        return "base"
    return "own" if not packages else "package" if len(packages) == 1 else "packages"


def _first_with_packages(layers: list[Mapping[str, Any]]) -> int:
    return next((n for n, layer in enumerate(layers) if layer["packages"]), len(layers))


def _pin(pin: str) -> tuple[str, str]:
    name, _, version = pin.partition("==")
    # conda's are name=version=build.
    if not version:
        name, _, version = pin.partition("=")
    return name, version.replace("=", " ")
