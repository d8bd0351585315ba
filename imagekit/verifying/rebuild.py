"""The layers of an image made anew in a process of its own: ``python -m imagekit.verifying.rebuild``.

``verification`` starts it under other circumstances (umask, time zone, hash seed, directories), hands it what
is to be made on standard input, and compares the digests that it prints.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.oci.digest import Digest
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be made, and where."""

    spec: ImageSpec
    settings: Settings
    directory: Path  # empty, for the layers and for copies of the source and the files
    mtime: int  # that the copies get, in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """What came of it."""

    config: Digest
    settings: Mapping[str, Any]  # of the configuration: Env, Labels, User …
    layers: tuple[tuple[str, Digest], ...]  # title, diff ID; the lowest first


def remake(request: Request) -> Remade:
    """Plan ``request.spec`` and make every layer of it, with nothing taken from the layer cache."""
    from imagekit.building.assembly import make_layers
    from imagekit.layers.cache import LayerCache
    from imagekit.pipeline import Pipeline
    from imagekit.plan.config import image_config
    from imagekit.progress import SilentReporter

    settings = request.settings
    with Pipeline(settings, needs_engine=False) as pipeline:
        planned = elsewhere(pipeline.planned(request.spec), request)
        base = planned.plan.base
        layers = make_layers(
            planned,
            compiler=lambda: pipeline.bases.compiler(base),
            store=lambda: pipeline.wheels(request.spec),
            cache=LayerCache(request.directory / "layers"),
            reporter=SilentReporter(),
            contents=lambda: pipeline.bases.contents(base),
        )
    diff_ids = [layer.diff_id for layer in layers]
    titles = [layer.title for layer in planned.plan.layers]
    config = image_config(planned.plan, diff_ids)
    return Remade(config=config.digest, settings=config.settings, layers=tuple(zip(titles, diff_ids, strict=True)))


def elsewhere(planned: Planned, request: Request) -> Planned:
    """``planned`` with its source and files lying in ``request.directory``, with other times."""
    import os

    from imagekit.plan.values import FilesLayer
    from imagekit.spec.source_tree import scan

    def copied(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
        if not target.is_symlink():
            # The owner's bit is all that counts; the others are left to the umask.
            target.chmod(0o700 if source.stat().st_mode & 0o100 else 0o600)
            os.utime(target, (request.mtime, request.mtime))

    layers = []
    for layer in planned.plan.layers:
        if isinstance(layer, FilesLayer):
            files = []
            for number, mapping in enumerate(layer.files):
                place = request.directory / "files" / str(number)
                copied(mapping.source, place)
                files.append(replace(mapping, source=place))
            layer = replace(layer, files=tuple(files))
        layers.append(layer)
    tree = planned.tree
    if tree is not None:
        root = request.directory / "source"
        root.mkdir()
        # In the other order: what a directory lists first is not what was there first.
        for file in reversed(tree.files):
            if file.kind == "dir":
                (root / file.path).mkdir(parents=True, exist_ok=True)
            else:
                copied(tree.root / file.path, root / file.path)
        # All of it is wanted, whatever the rules of a directory of that name would be.
        keep = request.directory / "keep-all"
        keep.write_text("")
        tree = scan(root, keep)
    return replace(planned, plan=replace(planned.plan, layers=tuple(layers)), tree=tree)


def main() -> None:
    """Read a pickled ``Request``, print the outcome or the error as JSON."""
    from imagekit.errors import ImagekitError

    # From our own parent, over a pipe that nobody else has.
    request: Request = pickle.load(sys.stdin.buffer)  # noqa: S301
    try:
        made = remake(request)
    except ImagekitError as error:
        print(json.dumps({"error": error.to_json()}))
    else:
        print(json.dumps({"config": made.config, "settings": made.settings, "layers": made.layers}))


if __name__ == "__main__":
    main()
