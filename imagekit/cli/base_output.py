"""Where ``imagekit base build`` puts what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.oci.platform import Platform


def base_output(output: str, platform: str | None) -> tuple[Path | None, list[Platform]]:
    """The layout to write to, or ``None`` for the engine, and the platforms; ``InputError`` for what cannot be."""
    from imagekit.building.outputs import ENGINE, LAYOUT, parse_outputs
    from imagekit.errors import InputError
    from imagekit.oci.platform import Platform

    (asked,) = parse_outputs([output])
    platforms = [Platform.parse(text) for text in dict.fromkeys((platform or str(Platform.host())).split(","))]
    if asked.kind == LAYOUT:
        return asked.path, platforms
    if asked.kind != ENGINE:
        raise InputError(f"base images are not written to {asked.kind}", hint="write --output oci:DIRECTORY")
    if platforms != [Platform.host()]:
        # Under the one name that an engine knows it by, it would take the place of the one that runs here.
        raise InputError(
            f"the engine here is for {Platform.host()}, and the base is to be for {', '.join(map(str, platforms))}",
            hint="write it to a layout: --output oci:DIRECTORY",
        )
    return None, platforms


def lay_out(
    python: str,
    platforms: list[Platform],
    layout: Path,
    *,
    lock: Path | None,
    variant: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Make the bases, write them to ``layout``, and say so."""
    from imagekit.building import bases
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, reporting

    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        cache = settings.usable_cache_dir()
        name, digest = bases.lay_out(python, platforms, layout, cache, reporter, lock_file=lock, variant=variant)
    place = f"oci:{layout}:{name}"
    if as_json:
        known = [str(platform) for platform in platforms]
        put_json({"reference": place, "how": "made", "python": python, "platforms": known, "digest": digest})
    else:
        put(place if quiet else f"{place} (made, {digest})")
