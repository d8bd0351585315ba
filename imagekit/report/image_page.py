"""The page of one image: what it is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from imagekit.report.image_figures import KINDS, layer_map, layer_table, package_table
from imagekit.report.picture import PicturedImage
from imagekit.report.shown import Page, Section, Table
from imagekit.report.words import amount


def image_page(image: PicturedImage) -> Page:
    """Its layers as a map and a table, its packages, its base and its labels."""
    base = f" on {image.base}" if image.base else ""
    lead = f"{amount(image.size, 'B')} in {len(image.layers)} layers{base}."
    return Page(title=image.reference, lead=[lead], sections=list(_sections(image)))


def _sections(image: PicturedImage) -> Iterator[Section]:
    kinds = [kind for kind in KINDS if any(layer.kind == kind for layer in image.layers)]
    yield Section(
        title="What takes the room",
        words="" if image.is_ours else "None of its layers was assembled by imagekit, so what each holds is not known.",
        figures=[layer_map(image)] if any(layer.size for layer in image.layers) else [],
        key=[KINDS[kind] for kind in kinds] if image.is_ours else [],
    )
    yield Section(title="Layers", tables=[("The layers, the lowest first", layer_table(image))])
    if image.packages:
        yield Section(
            title="Packages",
            words="Those with a layer above the base; imagekit sbom lists what the base has, too.",
            tables=[("The packages, by name", package_table(image))],
        )
    yield Section(title="Base", tables=[("What it stands on", _base(image))])
    facts = [*image.facts, *sorted(image.labels.items())]
    yield Section(
        title="Labels",
        tables=[("Of the image, and its labels", Table(head=("name", "value"), rows=tuple(facts)))],
    )


def _base(image: PicturedImage) -> Table:
    own = [layer for layer in image.layers if layer.kind == "base"]
    rows = [("name", image.base or "no label tells it")]
    rows += [("digest", image.base_digest)] if image.base_digest else []
    if image.is_ours:
        rows += [("layers", str(len(own))), ("size", amount(sum(layer.size for layer in own), "B"))]
    return Table(head=("of the base", "what"), rows=tuple(rows))
