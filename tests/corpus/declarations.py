"""A project's declarations, laid out where they can be resolved: with the addresses that the copies leave out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from imagekit.lock.resolve import obtain
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.pipeline import Pipeline
from imagekit.progress import SilentReporter
from imagekit.settings import Settings
from imagekit.spec.image import ImageSpec, RequirementLine
from tests.corpus.row import Row

HERE = Path(__file__).parent
_LEFT_OUT = "https://example.com/"


def laid_out(row: Row, scratch: Path) -> Path:
    """A copy of the project below ``scratch``; in another place than the data, it is nobody's work tree."""
    around, _, member = row.project.partition("/")
    root = scratch / around
    if not root.exists():
        shutil.copytree(HERE / around, root)
    if row.config is not None:
        (root / member / "imagekit.toml").write_text(row.config)
    pipfile = root / member / "Pipfile.lock"
    if pipfile.is_file():
        # Its index is the machine's own.
        lock = json.loads(pipfile.read_text())
        lock["_meta"]["sources"] = []
        for package in (package for section in lock.values() for package in section.values()):
            if isinstance(package, dict):
                package.pop("index", None)
        pipfile.write_text(json.dumps(lock))
    return root / member


def tell_addresses(pipeline: Pipeline, spec: ImageSpec) -> None:
    """Write into the lock of ``spec`` where this machine's index has the very files that it names by hash.

    The pins are resolved without their dependencies; what comes of it is matched by its hash, so that nothing but
    the addresses is told. A source distribution lies where the wheels do.
    """
    path = spec.lock_file
    if path is None or _LEFT_OUT not in (text := path.read_text()):
        return
    locked = [p.artifact for p in pipeline.lock(spec).packages if p.artifact.url.startswith(_LEFT_OUT)]
    pins = tuple(
        RequirementLine(text=f"{p.name}=={p.version}", origin="the lock", hashes=(f"sha256:{p.artifact.sha256}",))
        for p in pipeline.lock(spec).packages
        if p.artifact in locked and p.artifact.is_wheel
    )
    found = _without_dependencies(pipeline, spec, pins)
    places = {p.artifact.sha256: p.artifact.url for p in found.packages}
    for artifact in locked:
        if artifact.is_wheel:
            text = text.replace(artifact.url, places[artifact.sha256])
            inside = artifact.url.removeprefix(_LEFT_OUT)
            root = places[artifact.sha256].removesuffix(inside)
    for artifact in locked:
        text = text.replace(artifact.url, root + artifact.url.removeprefix(_LEFT_OUT))
    path.write_text(text)


def _without_dependencies(pipeline: Pipeline, spec: ImageSpec, pins: tuple[RequirementLine, ...]) -> Lock:
    settings = Settings.load()
    asked = ImageSpec(context=spec.context, requirements=pins, python=spec.python)
    return obtain(
        asked,
        Target.of(pipeline.base_image(spec)),
        cache_dir=settings.cache_dir,
        reporter=SilentReporter(),
        access=settings.index_access(asked.resolver),
        complete=True,
    )
