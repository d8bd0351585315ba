"""Deriving an image that is not there: read, resolved, made and loaded, by one process of those that want it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagekit.errors import BaseNotFound, NoWheel, ResolveError
from imagekit.extras.derive import Wanted, is_there
from imagekit.extras.grammar import VARIABLE, read_extras
from imagekit.extras.tickets import DIRECTORY
from imagekit.extras.values import LABEL_LOCK, LABEL_ORIGIN, LABEL_REQUIREMENTS, REPOSITORY, Derived
from imagekit.sharing.once import make_once

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.lock.values import Lock
    from imagekit.pipeline import Pipeline
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec, RequirementLine


def make_derived(pipeline: Pipeline, reference: str, image: EngineImage, wanted: Wanted, *, upgrade: bool) -> Derived:
    """See ``derive``."""
    lines, origin, name = read_extras(wanted.text), image, reference
    if LABEL_ORIGIN in image.labels:
        origin, name, lines = _below(pipeline.engine, image, reference, lines)
    if not lines:
        return _nothing(reference, image, lines, kept=())
    return _Deriving(pipeline, pipeline.engine, wanted, lines, name, origin).carry_out(
        image, reference, upgrade=upgrade
    )


def _below(
    engine: Engine, image: EngineImage, reference: str, lines: tuple[RequirementLine, ...]
) -> tuple[EngineImage, str, tuple[RequirementLine, ...]]:
    """The image that a derived one was derived from, and all that is asked for on it."""
    origin = engine.image(image.labels[LABEL_ORIGIN])
    if origin is None:
        raise BaseNotFound(
            f"{reference} was derived from {image.labels[LABEL_ORIGIN]}, which is gone, and packages are added to that",
            hint="name the image itself, or make one of this by: imagekit promote",
        )
    before = read_extras(image.labels.get(LABEL_REQUIREMENTS, ""))
    return origin, origin.tags[0] if origin.tags else origin.id, tuple(dict.fromkeys((*before, *lines)))


def _nothing(
    reference: str, image: EngineImage, lines: tuple[RequirementLine, ...], *, kept: tuple[str, ...]
) -> Derived:
    return Derived(
        image_id=image.id,
        reference=reference,
        origin_id=image.id,
        origin=reference,
        requirements=tuple(line.text for line in lines),
        packages=(),
        kept=kept,
        lock_digest=None,
        up_to_date=True,
    )


@dataclass(frozen=True, slots=True)
class _Deriving:
    """One image being derived from ``origin``."""

    pipeline: Pipeline
    engine: Engine
    wanted: Wanted
    lines: tuple[RequirementLine, ...]
    name: str  # of ``origin``
    origin: EngineImage

    def carry_out(self, image: EngineImage, reference: str, *, upgrade: bool) -> Derived:
        spec, base = self._spec(), self._base()
        request = json.dumps([self.origin.id, [line.text for line in self.lines]])
        digest = hashlib.sha256(request.encode()).hexdigest()
        lock_file = self.pipeline.cache_directory / DIRECTORY / f"{digest}.lock"

        def find() -> Derived | None:
            # Another process may have made it while this one waited.
            known = None if upgrade else self.wanted.tickets.find(image.id)
            return known if known is not None and is_there(self.engine, known) else None

        def make() -> Derived:
            made = self._made(spec, base, image, reference, upgrade=upgrade)
            self.wanted.tickets.keep(made)
            return made

        lock_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return make_once(lock_file, find, make)

    def _spec(self) -> ImageSpec:
        """What is wanted, with the indexes of the project or of this machine."""
        like = self.wanted.like or self.pipeline.without_project(self.name)
        return replace(
            like,
            requirements=self.lines,
            constraints=(),
            overrides=(),
            extras=(),
            groups=(),
            requires_hashes=False,
            requires_python="",
            project=None,
            lock_file=None,
            python=None,
            platform=self.origin.platform,
            base_image=self.name,
            only_binary=(),
            no_binary=(),
            resolver="uv",
            env=(),
            labels=(),
            files=(),
            include_source=False,
            extra_dockerfile_commands=(),
            entrypoints=(),
        )

    def _base(self) -> BaseImage:
        from imagekit.extras.reading import read_image

        return read_image(self.pipeline, self.name, self.origin)

    def _made(self, spec: ImageSpec, base: BaseImage, image: EngineImage, reference: str, *, upgrade: bool) -> Derived:
        resolved = self._resolved(spec, base, upgrade=upgrade)
        kept = tuple(f"{name}=={version}" for name, version in sorted(resolved.kept.items()))
        if not resolved.packages:
            return _nothing(reference, image, self.lines, kept=kept)
        from imagekit import __version__
        from imagekit.building.planned import Planned
        from imagekit.export.presence import LABEL
        from imagekit.extras.assembly import assemble
        from imagekit.extras.layering import extra_plan

        texts = [line.text for line in self.lines]
        labels = {
            LABEL_ORIGIN: base.image_id,
            LABEL_LOCK: resolved.digest,
            LABEL_REQUIREMENTS: "\n".join(texts),
            # Of an image that is not ours: so that prunes and loads know it again.
            **({} if LABEL in base.config.labels else {LABEL: __version__}),
        }
        planned = Planned(plan=extra_plan(resolved, base, labels), lock=resolved, tree=None)
        name = _reference(base, resolved, texts)
        loaded = assemble(self.pipeline, spec, planned, name)
        return Derived(
            image_id=loaded.image_id,
            reference=name,
            origin_id=image.id,
            origin=reference,
            requirements=tuple(texts),
            packages=tuple(f"{package.name}=={package.version}" for package in resolved.packages),
            kept=kept,
            lock_digest=resolved.digest,
            up_to_date=loaded.up_to_date,
        )

    def _resolved(self, spec: ImageSpec, base: BaseImage, *, upgrade: bool) -> Lock:
        try:
            return self.pipeline.resolved_on(spec, base, upgrade=upgrade)
        except ResolveError as error:
            error.message = f"{VARIABLE} on {self.name}: {error.message}"
            error.args = (error.message,)
            if isinstance(error, NoWheel) and base.python.libc == "musl":
                error.hint = "its C library is musl, for which few wheels are made: use an image with glibc (Debian)"
            elif isinstance(error, NoWheel):
                error.hint = "nothing is built from source when a run starts: build an image, with source-builds"
            raise


def _reference(base: BaseImage, lock: Lock, texts: list[str]) -> str:
    decisive = json.dumps([base.image_id, lock.digest, texts])
    return f"{REPOSITORY}:{hashlib.sha256(decisive.encode()).hexdigest()[:32]}"
