"""What goes into an image besides its packages, read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InvalidProject
from imagekit.oci.digest import Digest, digest_of_stream
from imagekit.spec.files import within
from imagekit.spec.image import FileMapping, ImageSpec
from imagekit.spec.source_tree import SourceTree, scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The content of a project at one moment."""

    tree: SourceTree | None  # None: no source goes in
    source: Digest | None  # the tree's digest
    files: Mapping[str, str]  # target → content digest with the executable bit
    contents: Mapping[str, str]  # path in the tree → sha256 (hex)


def read_inputs(spec: ImageSpec) -> Inputs:
    """Read what ``spec`` names. Raises ``InvalidProject`` for what cannot be read, or would hide the source."""
    wants_tree = spec.include_source or spec.builds_project
    tree = scan(spec.context, spec.dockerignore) if wants_tree else None
    if tree is not None and spec.include_source:
        _refuse_on_source(spec.files, tree, spec.workdir)
    files = {mapping.target: file_digest(mapping.source) for mapping in spec.files}
    contents = tree.contents() if tree is not None else {}
    source = tree.digest(contents) if tree is not None and spec.include_source else None
    return Inputs(tree=tree, source=source, files=files, contents=contents)


def _refuse_on_source(files: Iterable[FileMapping], tree: SourceTree, workdir: str) -> None:
    """The source lies above the files: a target that it has, too, or that needs a directory for a file, is lost."""
    kinds = {file.path: file.kind for file in tree.files}
    for mapping in files:
        if not within(mapping.target, workdir):
            continue
        path = mapping.target[len(workdir.rstrip("/")) + 1 :]
        parts = path.split("/")
        taken = next((p for n in range(1, len(parts)) if kinds.get(p := "/".join(parts[:n]), "dir") != "dir"), None)
        if taken is not None or path in kinds:
            raise InvalidProject(
                f"files: {mapping.target!r} is taken: the source has {taken or path}",
                hint=f"choose another target, or leave {taken or path} out by .dockerignore",
            )


def file_digest(path: Path) -> str:
    """The digest of a file's content and of its executable bit; ``InvalidProject`` where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            mode = path.stat().st_mode
            content = digest_of_stream(stream)
    except OSError as problem:
        raise InvalidProject(f"{path} cannot be read: {problem.strerror}", hint=f"see: ls -l {path}") from None
    return f"{'x' if mode & 0o100 else '-'}:{content.removeprefix('sha256:')}"
