"""What of an image is drawn: its layers as a map, and what is another one after a change. Pure."""

from __future__ import annotations

from imagekit.report.charts import Tile, strip, treemap
from imagekit.report.figures import NARROW, WIDE, Figure, Table
from imagekit.report.picture import Fate, Kind, PicturedImage, PicturedLayer, fates
from imagekit.report.words import amount

_GROUPS: dict[Kind, str] = {"base": "the base", "package": "packages", "packages": "packages", "own": "the project"}
COLOURS: dict[Kind, str] = {"base": "base", "package": "package", "packages": "shared", "own": "own"}
KINDS: dict[Kind, str] = {
    "base": "the base",
    "package": "a package of its own layer",
    "packages": "packages that share a layer",
    "own": "the project and its environment",
}
_FATES: dict[Fate, tuple[str, str]] = {
    "kept": ("the same", "peer"),
    "again": ("the same, unpacked again", "line2"),
    "new": ("another one", "missed"),
}


def layer_map(image: PicturedImage) -> Figure:
    """Every layer as large as its bytes."""
    tiles = [
        Tile(
            label=layer.label,
            text=amount(layer.size, "B"),
            size=layer.size,
            colour=COLOURS[layer.kind],
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
    """The layers of ``after``, by whether ``before`` has them."""
    what = fates(before, after)
    new = [layer for layer, fate in zip(after.layers, what, strict=True) if fate == "new"]
    gone = [layer for layer in before.layers if layer.digest not in {each.digest for each in after.layers}]
    items = [(_FATES[fate][0], float(layer.size), layer.label) for layer, fate in zip(after.layers, what, strict=True)]
    kinds = {words: colour for words, colour in _FATES.values() if any(words == found for found, _, _ in items)}
    again = what.count("again")
    size = amount(sum(layer.size for layer in new), "B")
    words = f"{len(new)} of {len(after.layers)} layers are other ones: {size} of {amount(after.size, 'B')}."
    if again:
        words += f" {again} more lie above them: an engine unpacks those again, a registry is sent none."
    rows = [("removed", str(each.place), amount(each.size, "B"), _content(each), short(each.digest)) for each in gone]
    rows += [("added", str(each.place), amount(each.size, "B"), _content(each), short(each.digest)) for each in new]
    return Figure(
        title="Layers before and after",
        words=words,
        wide=strip(items, kinds, WIDE),
        narrow=strip(items, kinds, NARROW),
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


def _content(layer: PicturedLayer) -> str:
    return ", ".join(pin.replace("==", " ") for pin in layer.packages) or layer.title
