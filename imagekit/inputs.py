"""What goes into an image besides its packages, read once; and the tag that says what goes in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InvalidProject
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.spec.describe import describe
from imagekit.spec.image import ImageSpec
from imagekit.spec.source_tree import SourceTree, scan

_TAG_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The content of a project at one moment."""

    tree: SourceTree | None  # None: no source goes in
    source: Digest | None  # the tree's digest
    files: Mapping[str, str]  # target → content digest with the executable bit


def read_inputs(spec: ImageSpec) -> Inputs:
    """Read what ``spec`` names. Raises ``InvalidProject`` for what cannot be read."""
    wants_tree = spec.include_source or (spec.project is not None and spec.project.import_root is None)
    tree = scan(spec.context, spec.dockerignore) if wants_tree else None
    files = {mapping.target: _file_digest(mapping.source) for mapping in spec.files}
    return Inputs(tree=tree, source=tree.digest() if tree is not None and spec.include_source else None, files=files)


def content_tag(spec: ImageSpec, inputs: Inputs) -> str:
    """A tag for the image: the digest of all that is asked for, of the lock file, the source and the files.

    Requirements that are not locked may resolve to other versions on another day under the same tag;
    with a lock in the project the tag names one content.
    """
    wanted = describe(spec)
    lock = _file_digest(spec.lock_file) if spec.lock_file is not None else None
    digest = digest_of_json([wanted, lock, inputs.source, sorted(inputs.files.items())])
    return digest.removeprefix("sha256:")[:_TAG_DIGITS]


def dockerfile_tag(context: Path, dockerfile: Path, build_args: Mapping[str, str | None], target: str | None) -> str:
    """A tag for a Dockerfile's image: the digest of the context, the Dockerfile, the arguments' names and values."""
    tree = scan(context)
    digest = digest_of_json([tree.digest(), _file_digest(dockerfile), sorted(build_args.items()), target])
    return digest.removeprefix("sha256:")[:_TAG_DIGITS]


def _file_digest(path: Path) -> str:
    try:
        content = hashlib.sha256()
        with open(path, "rb") as stream:
            mode = path.stat().st_mode
            while piece := stream.read(1 << 20):
                content.update(piece)
    except OSError as problem:
        raise InvalidProject(f"{path} cannot be read: {problem.strerror}", hint="look at its permissions") from None
    return f"{'x' if mode & 0o100 else '-'}:{content.hexdigest()}"
