"""Where a matrix's images go, and for which platforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagekit.building.outputs import ENGINE, LAYOUT, REGISTRY, Output, parse_outputs, platforms_of
from imagekit.errors import InputError
from imagekit.matrix.declared import MatrixTable
from imagekit.oci.platform import Platform

_ELSEWHERE = f"--output {REGISTRY}, or --output {LAYOUT}:DIRECTORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One place, and the platforms of each image there: one in an engine, an index of several elsewhere."""

    output: Output
    platforms: tuple[Platform, ...]
    push: bool = False

    @property
    def is_engine(self) -> bool:
        return self.output.kind == ENGINE

    @property
    def is_native(self) -> bool:
        """Whether this machine's platform is all there is."""
        return [each.architecture for each in self.platforms] == [Platform.host().architecture]


def destination(
    table: MatrixTable, *, output: str = ENGINE, platform: Sequence[str] = (), push: bool = False
) -> Destination:
    """What ``output`` (``engine``, ``registry``, ``oci:DIRECTORY``) and ``platform``, else the file's, come to.

    Raises ``InputError`` for what cannot be.
    """
    (where,) = parse_outputs([output])
    if where.kind not in (ENGINE, REGISTRY, LAYOUT):
        raise InputError(f"{where} holds one image, and a matrix has several", hint=f"write {_ELSEWHERE}")
    if push and where.kind == LAYOUT:
        raise InputError("what goes to a layout is not pushed", hint=f"write --output {REGISTRY}, or leave --push out")
    texts = ",".join(platform or table.platform or ()) if platform or table.platform else None
    # For the engine the file may have others as well, which a registry or a layout gets.
    asked = (where,) if platform else ()
    platforms = tuple(Platform.parse(each) for each in platforms_of(texts, asked) if each is not None)
    host = Platform.host()
    if where.kind != ENGINE or not platforms:
        return Destination(output=where, platforms=platforms or (host,), push=push)
    native = tuple(each for each in platforms if each.architecture == host.architecture)
    if not native:
        raise InputError(
            f"the engine here is for {host}, and the images are for {', '.join(map(str, platforms))}",
            hint=f"write them elsewhere: {_ELSEWHERE}",
        )
    if push and len(platforms) > 1:
        raise InputError(
            f"an engine holds one platform, and the images are for {', '.join(map(str, platforms))}",
            hint=f"push them together: --output {REGISTRY}",
        )
    return Destination(output=where, platforms=native, push=push)
