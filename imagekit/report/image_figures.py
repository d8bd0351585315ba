"""What of an image is drawn: its layers as a map, and what is another one after a change. Pure."""

from __future__ import annotations

from imagekit.report.layer_charts import Tile, strips, treemap
from imagekit.report.picture import Fate, Kind, PicturedImage, PicturedLayer, fates
from imagekit.report.shown import NARROW, WIDE, Figure, Key, Table
from imagekit.report.words import amount

_GROUPS: dict[Kind, str] = {"base": "the base", "package": "packages", "packages": "packages", "own": "the project"}
KINDS: dict[Kind, Key] = {
    "base": Key(words="the base", colour="base"),
    "package": Key(words="a package of its own layer", colour="package"),
    "packages": Key(words="packages that share a layer", colour="shared"),
    "own": Key(words="the project and its environment", colour="own"),
}
_FATES: dict[Fate, Key] = {
    "kept": Key(words="the same", colour="peer"),
    "again": Key(words="the same, unpacked again", colour="line2"),
    "gone": Key(words="removed", colour="line3"),
    "new": Key(words="added", colour="missed"),
}


def layer_map(image: PicturedImage) -> Figure:
    """Every layer as large as its bytes."""
    tiles = [
        Tile(
            label=layer.label,
            text=amount(layer.size, "B"),
            size=layer.size,
            colour=KINDS[layer.kind].colour,
            group=_GROUPS[layer.kind],
        )
        for layer in image.layers
        if layer.size
    ]
    sums = {
        group: sum(layer.size for layer in image.layers if _GROUPS[layer.kind] == group) for group in _GROUPS.values()
    }
    parts = ", ".join(f"{group} {amount(size, 'B')}" for group, size in sums.items() if size)
    return Figure(
        title="Layers by size",
        words=f"{len(image.layers)} layers, {amount(image.size, 'B')}: {parts}.",
        wide=treemap(tiles, WIDE, 420),
        narrow=treemap(tiles, NARROW, 460),
        table=layer_table(image),
    )


def layer_table(image: PicturedImage) -> Table:
    """The layers, the lowest first."""
    rows = tuple(
        (str(layer.place), amount(layer.size, "B"), _content(layer), _GROUPS[layer.kind], short(layer.digest))
        for layer in image.layers
    )
    return Table(head=("layer", "size", "holds", "of", "digest"), rows=rows, right=frozenset({0, 1}))


def layer_change(before: PicturedImage, after: PicturedImage) -> Figure:
    """The layers of both, by what becomes of them in an engine that has ``before``."""
    old, new = (
        list(zip(fate, image.layers, strict=True))
        for fate, image in zip(fates(before, after), (before, after), strict=True)
    )
    added = [layer for fate, layer in new if fate == "new"]
    again = [layer for fate, layer in new if fate == "again"]
    size = amount(sum(layer.size for layer in added), "B")
    words = f"{len(added)} of {len(after.layers)} layers are other ones: {size} of {amount(after.size, 'B')}."
    if again:
        words += (
            f" {len(again)} more, {amount(sum(layer.size for layer in again), 'B')}, lie above them: an engine unpacks "
            "those again, a registry is sent none."
        )
    images = {
        name: [(_FATES[fate].words, float(layer.size)) for fate, layer in layers]
        for name, layers in (("before", old), ("after", new))
    }
    key = [each for fate, each in _FATES.items() if any(fate == found for found, _ in (*old, *new))]
    colours = {each.words: each.colour for each in key}
    rows = [_changed("removed", layer) for fate, layer in old if fate == "gone"]
    rows += [_changed("added", layer) for layer in added]
    rows += [_changed("unpacked again", layer) for layer in again]
    return Figure(
        title="Layers before and after",
        words=f"{words} A bar is a layer, as high as its bytes on a logarithmic axis.",
        wide=strips(images, colours, WIDE),
        narrow=strips(images, colours, NARROW),
        key=key,
        table=Table(head=("change", "layer", "size", "holds", "digest"), rows=tuple(rows), right=frozenset({1, 2})),
    )


def package_table(image: PicturedImage) -> Table:
    """The packages that have layers, by name."""
    rows = tuple(
        (name, version, str(layer.place), amount(layer.size, "B") + (" shared" if len(layer.packages) > 1 else ""))
        for name, version, layer in image.packages
    )
    return Table(head=("package", "version", "layer", "its size"), rows=rows, right=frozenset({2, 3}))


def short(digest: str) -> str:
    """The first twelve hex digits of a digest."""
    return digest.partition(":")[2][:12] or digest[:12]


def _changed(what: str, layer: PicturedLayer) -> tuple[str, ...]:
    return what, str(layer.place), amount(layer.size, "B"), _content(layer), short(layer.digest)


def _content(layer: PicturedLayer) -> str:
    return ", ".join(pin.replace("==", " ") for pin in layer.packages) or layer.title
