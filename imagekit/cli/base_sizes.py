"""What ``imagekit base sizes`` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from imagekit.cli.output import put, put_json, put_table, size

if TYPE_CHECKING:
    from imagekit.check.package_sizes import PackageSize
    from imagekit.settings import Settings

_NAMED = 4  # packages of a section that are named


def show_sizes(images: Sequence[str], settings: Settings, *, packages: bool, as_json: bool) -> None:
    """A table for each of ``images``; ``InputError``'s kin for one that the engine has not."""
    from imagekit.check.package_sizes import sizes_of
    from imagekit.engine.client import Engine
    from imagekit.errors import BaseNotFound

    found: dict[str, tuple[PackageSize, ...]] = {}
    with Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine:
        for reference in dict.fromkeys(images):
            if engine.image(reference) is None:
                raise BaseNotFound(f"the engine has no image {reference}", hint=f"docker pull {reference}")
            found[reference] = sizes_of(engine.save(reference))
    if as_json:
        put_json({"images": [_json(reference, parts) for reference, parts in found.items()]})
        return
    for number, (reference, parts) in enumerate(found.items()):
        if number:
            put()
        put(f"{reference}: {size(sum(part.size for part in parts))}")
        put_table(_of_packages(parts) if packages else _of_sections(parts), right=(0,))


def _json(reference: str, parts: Sequence[PackageSize]) -> Mapping[str, object]:
    return {
        "reference": reference,
        "size": sum(part.size for part in parts),
        "packages": [
            {"name": part.name, "version": part.version, "section": part.section, "size": part.size} for part in parts
        ],
    }


def _of_packages(parts: Sequence[PackageSize]) -> list[list[str]]:
    return [[size(part.size), part.section, f"{part.name} {part.version}".strip()] for part in parts]


def _of_sections(parts: Sequence[PackageSize]) -> list[list[str]]:
    sections: dict[str, list[PackageSize]] = {}
    for part in parts:
        sections.setdefault(part.section, []).append(part)
    rows = []
    for section, of_it in sorted(sections.items(), key=lambda entry: -sum(part.size for part in entry[1])):
        names = [f"{part.name} {size(part.size)}" for part in of_it[:_NAMED]]
        rest = f", and {len(of_it) - _NAMED} more" if len(of_it) > _NAMED else ""
        rows.append([size(sum(part.size for part in of_it)), section, ", ".join(names) + rest])
    return rows
