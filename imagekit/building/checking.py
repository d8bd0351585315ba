"""The health check of an image that was built, made once for what it looks at."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit import __version__
from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.oci.digest import Digest, digest_of, digest_of_json
from imagekit.plan.values import SourceLayer
from imagekit.progress import Reporter

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine
    from imagekit.spec.image import ImageSpec


def check_built(
    engine: Engine, spec: ImageSpec, planned: Planned, image_id: str, cache: Path, reporter: Reporter
) -> None:
    """Look at ``image_id`` from inside, unless what it is made of passed before. Raises ``CheckFailed``."""
    if not spec.health_check:
        return
    distributions = {package.name: package.version for package in planned.lock.packages}
    if spec.project is not None and spec.project.version is not None:
        distributions[spec.project.name] = spec.project.version
    note = cache / "checked" / _looked_at(spec, planned, image_id, distributions).removeprefix("sha256:")
    if note.exists():
        return
    from imagekit.check.health import check_image

    with reporter.task("checking the image"):
        check_image(
            engine,
            image_id,
            expected_python=planned.plan.base.python.version,
            entrypoints=spec.entrypoints,
            distributions=distributions,
            base={found.name: found.version for found in planned.plan.base.python.kept},
            workdir=spec.workdir,
        )
    with suppress(OSError, DiskFull):
        write_whole(note, b"")


def _check_itself() -> Digest:
    programs = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "check").glob("*.py"))]
    return digest_of(b"".join(programs))


def _looked_at(spec: ImageSpec, planned: Planned, image_id: str, distributions: dict[str, str]) -> Digest:
    """What the check's answer depends on: what passed once passes again.

    An entrypoint is the source's, so the whole image counts. Without one no line of the source is run;
    but its names count, since a module of the source can stand before an installed one.
    """
    by = [__version__, _check_itself()]  # another check may find more
    if spec.entrypoints:
        return digest_of_json([*by, image_id, sorted(spec.entrypoints), sorted(distributions.items()), spec.workdir])
    plan = planned.plan
    return digest_of_json(
        [
            *by,
            plan.base.image_id,
            [layer.key for layer in plan.layers if not isinstance(layer, SourceLayer)],
            sorted(plan.env.items()),
            plan.user.name,
            sorted(distributions.items()),
            plan.workdir,
            [file.path for file in planned.tree.files] if planned.tree is not None else [],
        ]
    )
