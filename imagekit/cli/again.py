"""The same build again: answered from its record where nothing changed, and shortened where only source did.

The whole command line (typer, the readers of a project) is imported only when this has no answer.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagekit.explaining.results import BuildResult
    from imagekit.pipeline import Pipeline
    from imagekit.recall.look import Recalled
    from imagekit.recall.record import Record
    from imagekit.recall.seen import Sights
    from imagekit.recall.watch import Watch
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec


@dataclass(frozen=True, slots=True)
class Remembering:
    """This process's build, to be kept for the next one."""

    path: Path
    began: int  # ns of the epoch
    watch: Watch

    def keep(
        self,
        pipeline: Pipeline,
        settings: Settings,
        spec: ImageSpec,
        result: BuildResult,
        *,
        shown: Mapping[str, Any],
        asked: tuple[str | None, str | None],
    ) -> None:
        """Keep a record of what was built and read, if a later change of what was read would be seen."""
        above = [spec.context, *spec.context.parents]
        sights = self.watch.sights(
            asked_for=[
                settings.config_file,
                spec.dockerignore or spec.context / ".dockerignore",
                *(directory / ".git" for directory in above),
            ],
            listed=[spec.context],
        )
        chosen = (*asked, settings.profile)
        _remember(self.path, self.began, pipeline, settings, spec, result, sights, shown, chosen, None)


_this: Remembering | None = None


def remembering() -> Remembering | None:
    """What is remembered of this process's command; ``None`` where it is not ``imagekit build`` as people start it."""
    return _this


def build_again(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Do ``imagekit build`` as a record of it allows; its exit code, or ``None`` where the whole command must run."""
    global _this
    from imagekit.recall.look import recall
    from imagekit.recall.record import record_path

    began = time.time_ns()
    recalled = recall(arguments, environ)
    if recalled is None:
        from imagekit.recall.watch import Watch

        path = record_path(arguments, environ)
        _this = Remembering(path, began, Watch([path.parents[1]]))
        return None
    if recalled.edited:
        _rebuild(recalled, record_path(arguments, environ), began)
    else:
        document = {**recalled.record.result, "seconds": round((time.time_ns() - began) / 1e9, 3)}
        show(document, None, **recalled.record.shown)
    return 0


def show(
    document: Mapping[str, Any], push: Mapping[str, Any] | None, *, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Print what a build came to."""
    from imagekit.cli.output import put, put_json

    if as_json:
        put_json({**document, "push": push} if push is not None else document)
    elif quiet:
        put(str(document["reference"]))
    else:
        from imagekit.cli.picture import put_build, put_push

        put_build(document)
        if push is not None:
            put_push(push)


def _rebuild(recalled: Recalled, path: Path, began: int) -> None:
    """Build with the specification and the lock of the record, and the source as it is now."""
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.recall.resume import resolved_of
    from imagekit.settings.config_file import DEFAULT_PROFILE
    from imagekit.settings.machine import PROFILE

    record = recalled.record
    name, tag, profile = record.asked
    os.environ[PROFILE] = profile or DEFAULT_PROFILE  # what the arguments said of it is not read again
    settings = load_settings()
    with reporting(**record.shown) as reporter:
        pipeline = open_pipeline(settings, reporter)
        spec, resolved = resolved_of(record)
        pipeline.resume(spec, resolved)
        result = pipeline.build(spec, pipeline.reference(spec, name, tag))
    sights = record.sights.again()
    _remember(path, began, pipeline, settings, spec, result, sights, record.shown, record.asked, record)
    show(result.to_json(), None, **record.shown)


def _remember(
    path: Path,
    began: int,
    pipeline: Pipeline,
    settings: Settings,
    spec: ImageSpec,
    result: BuildResult,
    sights: Sights,
    shown: Mapping[str, Any],
    asked: Sequence[str | None],
    before: Record | None,
) -> None:
    import contextlib

    from imagekit.errors import ImagekitError
    from imagekit.recall.resume import remember

    # A record is a convenience: where it cannot be written, the next build takes longer.
    if sights.settled(began):
        with contextlib.suppress(OSError, ImagekitError):
            remember(path, pipeline, settings, spec, result, sights, shown=shown, asked=asked, before=before)


def may_be_again() -> bool:
    """Whether this process is an ``imagekit build`` that need not show how it goes wrong."""
    return sys.argv[1:2] == ["build"] and os.environ.get("IMAGEKIT_DEBUG", "") in ("", "0")
