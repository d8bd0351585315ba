"""The user's own instructions, run by BuildKit on the image that was assembled: ``extra_dockerfile_commands``.

They continue the assembled image: its layers stay as they are, and what BuildKit adds lies above them. What
came of the same instructions on the same image is remembered by its ID, so that doing nothing again is quick;
BuildKit's own cache answers where only some of them changed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.errors import AssemblyFailed, DiskFull, InputError
from imagekit.export.engine_load import Loaded, expected_id, load_image, loading_name, works
from imagekit.export.replaced import let_go
from imagekit.oci.digest import digest_of_json
from imagekit.oci.platform import Platform
from imagekit.plan.config import image_config
from imagekit.spec.commands import reads_context
from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile
from imagekit.stages.dockerfile_text import as_root

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine
    from imagekit.layers.values import Layer
    from imagekit.oci.config import ImageConfig
    from imagekit.progress import Reporter
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.source_tree import SourceTree

# Raised when the same instructions are to be run in another way.
_FORMAT = 1
# The file is called as the keyword is: an error of BuildKit's names it.
_FILE = "extra_dockerfile_commands"
# What makes a pattern of a path; what BuildKit trims, or takes for a sign; what means something then.
_WILD = re.compile(r"[*?\[\]\\\n\udc80-\udcff]")
_AT_THE_ENDS = re.compile(r"\A[!\s]|\s\Z")
_SPECIAL = re.compile(r"[*?\[\]\\.+^$(){}|]")
_UNWRITABLE = re.compile(r"[\n\udc80-\udcff]")
_ANY = "?"  # any character


def refuse_commands(spec: ImageSpec) -> None:
    """``InputError`` for instructions of an image that no engine gets."""
    if spec.extra_dockerfile_commands:
        raise InputError(
            "extra_dockerfile_commands (--dockerfile-command) are run in an engine, "
            "and this image goes elsewhere (--output)",
            hint="build it in the engine and push it (push=True, --push), or leave them out",
        )


def load_with_commands(
    engine: Engine,
    config: ImageConfig,
    base: BaseImage,
    layers: Sequence[Layer],
    reference: str,
    reporter: Reporter,
    *,
    ahead: Sequence[str] = (),
    accept: Callable[[str], object] = lambda image_id: None,
    planned: Planned,
    steps: Mapping[str, Any],
    notes: Path,
    fresh: bool = False,
) -> Loaded:
    """As ``export.engine_load.load_image``, with the plan's commands run on the image before it is accepted.

    ``steps`` are fields of ``DockerfileBuild`` that reach the commands. ``notes`` is where it is remembered what
    came of which commands. Raises ``DockerfileFailed`` with BuildKit's last lines besides.
    """
    commands, previous = planned.plan.commands, engine.image(reference)
    note = _note(notes, expected_id(engine, config, base, layers), commands, steps)
    known = None if fresh or note is None else _known(engine, note, config)
    if known is not None:
        accept(known)
        named = previous is not None and previous.id == known
        if not named:
            engine.tag(known, reference)
            if previous is not None:
                let_go(engine, previous.id, config.diff_ids)
        return Loaded(image_id=known, sent=0, up_to_date=named)
    below, above = loading_name(), loading_name()
    try:
        loaded = load_image(engine, config, base, layers, below, reporter, ahead=[reference, *ahead])
        _run(engine, planned, below, above, steps, reporter, fresh=fresh)
        image = engine.image(above)
        if image is None or image.diff_ids[: len(config.diff_ids)] != config.diff_ids:
            raise AssemblyFailed(
                "what the extra_dockerfile_commands made is not built on the assembled image",
                hint="an instruction of theirs begins another image: use a Dockerfile of your own",
            )
        accept(image.id)
        engine.tag(image.id, reference)
    finally:
        engine.remove_image(above)
        engine.remove_image(below)
    if note is not None:
        with suppress(OSError, DiskFull):
            write_whole(note, image.id.encode())
    if previous is not None and previous.id != image.id:
        let_go(engine, previous.id, image.diff_ids)
    return Loaded(image_id=image.id, sent=loaded.sent, up_to_date=False)


def _run(
    engine: Engine,
    planned: Planned,
    below: str,
    above: str,
    steps: Mapping[str, Any],
    reporter: Reporter,
    *,
    fresh: bool,
) -> None:
    """Let ``above`` name what the commands make of the image ``below``."""
    plan = planned.plan
    user = str(image_config(plan, [layer.key for layer in plan.layers]).settings.get("User") or "0:0")
    with tempfile.TemporaryDirectory(prefix="imagekit-commands-") as temporary:
        context = Path(temporary, "context")
        context.mkdir()
        file = Path(temporary, _FILE)
        if planned.tree is not None and reads_context(plan.commands):
            context = planned.tree.root
            # BuildKit looks for it under this name before it looks into the context.
            file.with_name(f"{_FILE}.dockerignore").write_text("".join(left_out(planned.tree)), "utf-8")
        file.write_text("\n".join([f"FROM {below}", *as_root(plan.commands, user)]) + "\n", "utf-8")
        platform = plan.base.config.platform
        build = DockerfileBuild(
            context=context,
            dockerfile=file,
            reference=above,
            platforms=() if platform == Platform.host() else (str(platform),),
            # Another one sees no image of the engine.
            builder="default",
            provenance="false",
            no_cache=fresh,
            **steps,
        )
        build_dockerfile(build, engine.address, reporter)


def _known(engine: Engine, note: Path, config: ImageConfig) -> str | None:
    """The image that came of this before, where the engine still has it, whole."""
    try:
        image_id = note.read_text("ascii")
    except (OSError, ValueError):
        return None
    image = engine.image(image_id)
    if image is None or image.id != image_id or image.diff_ids[: len(config.diff_ids)] != config.diff_ids:
        return None
    # The classic store loses no layer of an image that it has; the containerd store may have lost a blob.
    if engine.info.containerd_store and not works(engine, image_id, image.diff_ids):
        return None
    return image_id


def made_by_commands(notes: Path) -> frozenset[str]:
    """IDs of all images that are remembered in ``notes``."""
    found = set()
    with suppress(FileNotFoundError):
        for note in notes.iterdir():
            with suppress(OSError, ValueError):
                found.add(note.read_text("ascii"))
    return frozenset(found)


def _note(notes: Path, below: str, commands: Sequence[str], steps: Mapping[str, Any]) -> Path | None:
    """Where it is remembered; ``None`` where more than this decides what comes of it."""
    if steps.get("build_contexts") or None in (steps.get("build_args") or {}).values():
        return None
    # What a secret holds changes nothing of what is remembered, as with BuildKit.
    decisive = {name: _plain(steps[name]) for name in sorted(steps) if name != "handed"}
    key = digest_of_json([_FORMAT, below, list(commands), decisive])
    return notes / key.removeprefix("sha256:")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value


def left_out(tree: SourceTree) -> Iterator[str]:
    """Lines of a ``.dockerignore`` by which BuildKit gets what the source layer has, and no more."""
    taken = {file.path for file in tree.files}
    for directory in ("", *(f"{file.path}/" for file in tree.files if file.kind == "dir")):
        names = [f"{directory}{name}" for name in sorted(os.listdir(tree.root / directory))]
        out = [pattern(name) for name in names if name not in taken]
        yield from (f"/{each}\n" for each in out)
        # What can be written of a name may match another one, too.
        if any(_ANY in each for each in out):
            yield from (f"!/{pattern(name)}\n" for name in names if name in taken)


def pattern(path: str) -> str:
    """``path`` as a pattern of a ``.dockerignore`` that matches it alone, but for what no line can hold."""
    if not (_WILD.search(path) or _AT_THE_ENDS.search(path)):
        return path  # compared as it is
    parts = [_UNWRITABLE.sub(_ANY, _SPECIAL.sub(r"\\\g<0>", part)) for part in _AT_THE_ENDS.split(path)]
    ends = (f"[{found[0]}]" for found in _AT_THE_ENDS.finditer(path))
    return "".join(part + end for part, end in zip_longest(parts, ends, fillvalue=""))
