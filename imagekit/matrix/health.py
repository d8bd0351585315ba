"""Whether what a cell is for works in its image: a program that must end well there."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.atomic import write_whole
from imagekit.errors import CheckFailed, DiskFull
from imagekit.oci.digest import digest_of_json
from imagekit.progress import Reporter

if TYPE_CHECKING:
    from imagekit.engine.client import Engine

_TAIL = 4000  # bytes of what it said last


def check_cell(engine: Engine, image_id: str, program: str, cache: Path, reporter: Reporter) -> None:
    """Run ``program`` by the image's own Python, as its own user and without a network; once for each image.

    Raises ``CheckFailed`` with the last line that it said, and more of it in the details.
    """
    note = cache / "checked" / digest_of_json(["cell", image_id, program]).removeprefix("sha256:")
    if note.exists():
        return
    with reporter.task("running the check"):
        code, words = _run(engine, image_id, program)
    if code != 0:
        lines = words.decode(errors="replace").strip().splitlines()
        last = lines[-1].strip() if lines else f"it ended with {code}"
        raise CheckFailed(
            f"the image fails its check: {last}",
            hint="mend the requirements, or the category's check",
            details="\n".join(lines) or None,
        )
    with suppress(OSError, DiskFull):
        write_whole(note, b"")


def _run(engine: Engine, image_id: str, program: str) -> tuple[int, bytes]:
    from imagekit.engine.containers import Container, ContainerSpec
    from imagekit.runs.start import SAFE_DEFAULTS

    spec = ContainerSpec(
        image=image_id,
        entrypoint=["python"],
        command=["-c", program],
        kind="check",
        network="none",
        host_config=SAFE_DEFAULTS,
    )
    with Container.create(engine, spec) as container:
        words = b""
        with closing(container.attach()) as streams:
            container.start()
            for _, piece in streams.frames():
                words = (words + piece)[-_TAIL:]
        return container.wait(), words
