"""The directory of a bake file: seen to be ours, and written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import InvalidProject
from imagekit.lock.uv import find_uv
from imagekit.matrix.bake import BAKE_FILE, TITLE, UV_DIRECTORY, UV_DOCKERFILE, Target, bake_file, contexts_of


def prepare(directory: Path, uv_image: str | None) -> None:
    """Make ``directory``, with uv in it where no image has it; ``InvalidProject`` where something else lies there."""
    file = directory / BAKE_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_ours = file.is_file() and file.read_text("utf-8", "replace").startswith(TITLE)
        if any(directory.iterdir()) and not is_ours:
            raise InvalidProject(f"{directory} is not empty, and not imagekit's", hint="name a directory of its own")
        # By it the directory is known again, should this end here.
        if not is_ours:
            write_whole(file, f"{TITLE}\n".encode(), mode=0o644)
        if uv_image is None:
            place = directory / UV_DIRECTORY
            place.mkdir(exist_ok=True)
            (place / "Dockerfile").write_text(UV_DOCKERFILE)
            shutil.copyfile(find_uv(), place / "uv")
            (place / "uv").chmod(0o755)
    except OSError as error:
        raise InvalidProject(
            f"{directory} cannot be written: {error.strerror}", hint="name another directory: --output DIR"
        ) from None


def write_bake_file(directory: Path, name: str, targets: Sequence[Target], uv_image: str | None) -> Path:
    """Write the file, whole or not at all; contexts that the former one named, and this one does not, are removed."""
    file = directory / BAKE_FILE
    text, former = bake_file(name, targets, uv_image=uv_image), file.read_text("utf-8", "replace")
    write_whole(file, text.encode(), mode=0o644)
    for context in contexts_of(former) - contexts_of(text):
        # A directory in this one, whatever somebody wrote into the file.
        if Path(context).name == context != "..":
            shutil.rmtree(directory / context, ignore_errors=True)
    return file
