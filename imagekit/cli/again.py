"""The same build again: answered from its record where nothing changed, and shortened where only source did.

The whole command line (typer, the readers of a project) is imported only when this has no answer.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.explaining.results import BuildResult, WrittenResult
    from imagekit.pipeline import Pipeline
    from imagekit.recall.look import Recalled
    from imagekit.recall.record import Record
    from imagekit.recall.seen import Sights
    from imagekit.recall.watch import Watch
    from imagekit.recall.written import WrittenRecord
    from imagekit.settings import Settings
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec


@dataclass(frozen=True, slots=True)
class Remembering:
    """This process's build, to be kept for the next one."""

    path: Path
    began: int  # ns of the epoch
    watch: Watch
    # Of a build that goes to no engine: what was wanted, its base, and the engine that was asked.
    elsewhere: list[tuple[ImageSpec, BaseImage, Engine | None]] = field(default_factory=list)

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
        sights = self._sights(settings, spec)
        chosen = (*asked, settings.profile)
        _remember(self.path, self.began, pipeline, settings, spec, result, sights, shown, chosen, None)

    def planned(self, pipeline: Pipeline, specs: Sequence[ImageSpec]) -> None:
        """What decides an image that goes to no engine is read by now."""
        from imagekit.errors import EngineError
        from imagekit.spec.revision import read_revision

        if len(specs) != 1 or specs[0].extra_dockerfile_commands:
            return
        (spec,) = specs
        pipeline.inputs(spec)
        base = pipeline.resolved(spec).base
        read_revision(spec.context)
        self.watch.end()
        try:
            engine = pipeline.engine if base.lowest.found_at is None else None
        except EngineError:
            engine = None
        self.elsewhere.append((spec, base, engine))

    def keep_written(self, settings: Settings, result: WrittenResult, *, shown: Mapping[str, Any]) -> None:
        """As ``keep``, of an image that went to no engine."""
        import contextlib

        from imagekit.errors import ImagekitError
        from imagekit.recall.written import remember_written

        for spec, base, engine in self.elsewhere:
            sights = self._sights(settings, spec)
            if sights.settled(self.began):
                with contextlib.suppress(OSError, ImagekitError):
                    remember_written(self.path, settings, engine, spec, base, result, sights, shown)

    def _sights(self, settings: Settings, spec: ImageSpec) -> Sights:
        above = [spec.context, *spec.context.parents]
        return self.watch.sights(
            asked_for=[
                settings.config_file,
                spec.dockerignore or spec.context / ".dockerignore",
                *(directory / ".git" for directory in above),
            ],
            listed=[spec.context],
            # The configuration, which may say where it is, is not read before the watch begins.
            aside=[] if spec.context.is_relative_to(settings.cache_dir) else [settings.cache_dir],
        )


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
        from imagekit.recall.written import recall_written

        path = record_path(arguments, environ)
        written = recall_written(path, _settings_of)
        if written is not None:
            _show_written(written, began)
            return 0
        _this = Remembering(path, began, Watch([path.parents[1]]))
        return None
    if recalled.edited:
        _rebuild(recalled, record_path(arguments, environ), began)
    else:
        document = {**recalled.record.result, "seconds": round((time.time_ns() - began) / 1e9, 3)}
        show(document, None, **recalled.record.shown)
    return 0


def _show_written(written: WrittenRecord, began: int) -> None:
    from imagekit.cli.picture import show_written
    from imagekit.cli.session import reporting

    with reporting(**written.shown) as reporter:
        for each in written.result["written"]:
            where = written.result["reference"] if each["output"] == "registry" else each["output"]
            reporter.line(f"{where}: already there, skipped")
    document = {**written.result, "seconds": round((time.time_ns() - began) / 1e9, 3)}
    show_written(document, as_json=written.shown["as_json"], quiet=written.shown["quiet"])


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


def _settings_of(profile: str | None) -> Settings:
    """The settings as the command had them: what the arguments said of the profile is not read again."""
    from imagekit.cli.session import load_settings
    from imagekit.settings.config_file import DEFAULT_PROFILE
    from imagekit.settings.machine import PROFILE

    before = os.environ.get(PROFILE)
    os.environ[PROFILE] = profile or DEFAULT_PROFILE
    try:
        return load_settings()
    finally:
        # The whole command may come after it.
        if before is None:
            del os.environ[PROFILE]
        else:
            os.environ[PROFILE] = before


def _rebuild(recalled: Recalled, path: Path, began: int) -> None:
    """Build with the specification and the lock of the record, and the source as it is now."""
    from imagekit.cli.session import open_pipeline, reporting
    from imagekit.recall.resume import resolved_of

    record = recalled.record
    name, tag, profile = record.asked
    settings = _settings_of(profile)
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
