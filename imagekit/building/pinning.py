"""A base image taken anew, or held fast: what its tag names now, and the digest of it in the project's own file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.errors import BaseNotFound, EngineError, InvalidProject
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.spec.image import OCI_LAYOUT

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.oci.platform import Platform
    from imagekit.spec.base import BaseImage


def take_newest(engine: Callable[[], Engine], base: BaseImage, platform: Platform, reporter: Reporter) -> bool:
    """Have the engine pull ``base``'s tag anew, where it is the engine that has it; whether it did.

    A registry or a layout is read as it is now in any case. Raises ``BaseNotFound``.
    """
    base = base.named
    if base.found_at is not None or Reference.parse(base.reference).digest is not None:
        return False
    try:
        if engine().image(base.image_id) is None:
            return False
    except EngineError:
        return False
    with reporter.task(f"pulling {base.reference}"):
        engine().pull(base.reference, platform)
    return True


def pinned_reference(base: BaseImage) -> str:
    """``base`` by its digest: ``python:3.11-slim@sha256:…``, or ``oci:DIRECTORY:sha256:…``.

    ``BaseNotFound`` for one that no registry and no layout is known to have.
    """
    base = base.named
    if base.digest is None:
        raise BaseNotFound(
            f"{base.reference} has no digest: it was made here, and is in no registry",
            hint="push it, and name it by its registry; imagekit lock notes what it is in any case",
        )
    if base.found_at is not None and base.found_at.startswith(OCI_LAYOUT):
        directory, _, _ = base.found_at.removeprefix(OCI_LAYOUT).partition(":")
        return f"{OCI_LAYOUT}{directory}:{base.digest}"
    return str(replace(Reference.parse(base.reference), digest=base.digest))


def write_base(context: Path, reference: str) -> Path | None:
    """Make ``reference`` the ``base-image`` of the project at ``context``; the file that says so now.

    ``None`` where it says so already. Comments and all other lines stay. Raises ``InvalidProject``.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    own = context / "imagekit.toml"
    path = own if own.is_file() else context / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        document: Any = tomlkit.parse(text)
        table = document
        for name in () if path == own else ("tool", "imagekit"):
            if name not in table:
                table[name] = tomlkit.table(is_super_table=name == "tool")
            table = table[name]
        if table.get("base-image") == reference:
            return None
        table["base-image"] = reference
        write_whole(path.resolve(), tomlkit.dumps(document).encode(), mode=0o644)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise InvalidProject(
            f"{path} cannot be changed: {error}", hint=f'write into it: base-image = "{reference}"'
        ) from error
    return path
