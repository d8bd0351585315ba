"""The whole way, from a project to an image that was seen to work: the one place that knows it.

::

    spec ──► lock ──► plan ──► layers ──► image ──► check
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.inputs import Inputs
from imagekit.building.naming import asked_reference, content_tag
from imagekit.building.workplace import Workplace
from imagekit.explaining.next_step import next_step
from imagekit.explaining.results import BuildResult, ImageReport, WrittenResult
from imagekit.oci.reference import Reference
from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.building.content_build import Made, Written
    from imagekit.building.outputs import Output
    from imagekit.building.planned import Planned, Resolved
    from imagekit.building.reference_build import Buildkit
    from imagekit.lock.access import IndexAccess
    from imagekit.lock.values import Lock
    from imagekit.oci.artifact import Attachment
    from imagekit.oci.platform import Platform
    from imagekit.plan.strategy import Strategy
    from imagekit.plan.values import Plan
    from imagekit.plan.why import Why
    from imagekit.preflight.report import Report
    from imagekit.registry.values import Pushed
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.table import Table
    from imagekit.stages.base_ensure import EnsuredBase


class Pipeline(Workplace):
    """Builds, pushes and runs images as ``settings`` say; progress goes to ``reporter``.

    As a context manager it lets go, at the end, of what it holds in the cache and of connections to registries.
    """

    # What is wanted

    def spec(self, path: Path, *, defaults: Table | None = None, **overrides: Any) -> ImageSpec:
        """What the project at ``path`` wants; see ``spec.read.read_spec`` for ``overrides``.

        ``defaults`` hold where neither the project, nor the environment, nor the user says anything.
        """
        from imagekit.building.leak_gate import refuse_in_spec
        from imagekit.spec.read import read_spec

        stronger, weaker = self._settings.project_layers()
        if defaults is not None:
            from imagekit.spec.table import layered

            weaker = layered(weaker, defaults)
        spec = read_spec(path, variables=self._settings.variables, layers=(stronger, weaker), **overrides)
        refuse_in_spec(spec, self._handed, self.reporter)
        if spec.recipes:
            from imagekit.building.leak_gate import refuse_in_recipes
            from imagekit.recipes.find import find_recipes

            # What is wrong with them is told before anything is asked.
            refuse_in_recipes(find_recipes(spec.recipes, spec.context), self._handed, self.reporter)
        return spec

    def without_project(self, base_image: str) -> ImageSpec:
        """What an image of no project is to have on ``base_image``: what the environment and the user say of all."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="imagekit-nothing-") as nothing:
            # What it has of recipes stays as it is.
            return replace(self.spec(Path(nothing), base_image=base_image, include_source=False), recipes=())

    def inputs(self, spec: ImageSpec) -> Inputs:
        """The source and the files of ``spec``, read once."""
        return self._planning.inputs(spec)

    def reference(self, spec: ImageSpec, name: str | None, tag: str | None) -> Reference:
        """The image's name: the project's unless ``name`` is given, its contents' tag unless ``tag`` is."""
        asked = asked_reference(name, tag, spec.name or spec.context.name, self._settings.default_namespace)
        return asked if asked.tag else asked.with_tag(content_tag(spec, self.inputs(spec)))

    # What that comes to

    def lock(self, spec: ImageSpec, *, upgrade: bool = False, previous: Lock | None = None) -> Lock:
        """The lock of ``spec``, resolved for the image's Python and platform.

        The versions of ``previous`` are kept where they still fit, unless ``upgrade`` asks for the newest.
        """
        return self._planning.lock(spec, self._planning.base(spec), upgrade=upgrade, previous=previous)

    def foreseen_lock(self, spec: ImageSpec) -> Lock:
        """``lock`` as far as it is known without putting recipes or conda's packages on a base."""
        return self._planning.foreseen_lock(spec)

    def index_access(self, spec: ImageSpec) -> IndexAccess:
        """How the package indexes of ``spec`` are reached."""
        return self._planning.access(spec)

    def base_image(self, spec: ImageSpec, *, newest: bool = False) -> BaseImage:
        """The base of ``spec``; ``newest``: its registry is asked what the tag names now."""
        from imagekit.building.pinning import take_newest

        base = self._planning.base(spec)
        taken = newest and take_newest(lambda: self.engine, base, spec.platform, self.reporter)
        return self._planning.base(spec) if taken else base

    def plan(self, spec: ImageSpec) -> Plan:
        """What a build would do, as far as it is known without building a wheel. Resolves where there is no lock."""
        return self._planning.foreseen(spec)

    def strategy(self, spec: ImageSpec) -> Strategy:
        """``plan`` explained: who shares a layer, at which height it lies, what it weighs, what the cache has of it."""
        from imagekit.explaining.foreseen import explained

        return explained(self.plan(spec), self.inputs(spec).tree, self._cache.path)

    def preflight(self, spec: ImageSpec, *, fetch: bool = True) -> Report:
        """What the packages' compiled files ask of the base; ``fetch``: packages that are not here are fetched."""
        from imagekit.building.preflighting import report_of

        plan, lock = self._planning.foreseen_with_lock(spec)
        return report_of(plan, lock, self._cache.path, self.wheels(spec) if fetch else None, self.reporter)

    def why(self, spec: ImageSpec, reference: Reference, *, since: Reference | None = None) -> Why:
        """What a build of ``reference`` would change, and why, since an image that is there: by default the last."""
        from imagekit.explaining.why import compare

        plan, access = self.plan(spec), self._settings.registry_access()
        return compare(self.engine, reference, plan, self.inputs(spec).tree, self._cache.path, access, since=since)

    def planned(self, spec: ImageSpec, *, making: bool = False) -> Planned:
        """The plan of ``spec`` and the files it speaks of; what has no wheel is built into one now."""
        return self._planning.planned(spec, making=making)

    def resolved(self, spec: ImageSpec) -> Resolved:
        """The base and the wheels of ``spec``, found once."""
        return self._planning.resolved(spec)

    def resolved_on(self, spec: ImageSpec, base: BaseImage, **how: bool) -> Lock:
        """The wheels that ``spec`` comes to on ``base``, which was read by the caller; see ``Planning.resolved_on``."""
        return self._planning.resolved_on(spec, base, **how)

    def resume(self, spec: ImageSpec, resolved: Resolved) -> None:
        """Take ``resolved`` for what ``spec`` comes to, as an earlier build found it."""
        self._planning.resume(spec, resolved)

    # Making it

    def build(
        self,
        spec: ImageSpec,
        reference: Reference,
        *,
        no_cache: bool = False,
        accept: Callable[[str], object] = lambda image_id: None,
        **steps: Any,
    ) -> BuildResult:
        """Build the image and give it ``reference``; the tag moves when the image is whole and checked.

        ``accept`` is called with its ID before, and may raise. ``steps`` are fields of
        ``stages.dockerfile.DockerfileBuild`` for what the specification has of commands.
        """
        from imagekit.building.engine_build import build_in_engine
        from imagekit.building.leak_gate import refuse_in_steps
        from imagekit.export.engine_load import sweep_loading

        began = time.monotonic()
        steps = refuse_in_steps(steps, self._handed, self.reporter)

        def accepted(image_id: str) -> None:
            self._check(spec, planned, image_id)
            accept(image_id)

        if no_cache:
            self.bases.make_anew()
        try:
            planned = self.planned(spec, making=True)
            sweep_loading(self.engine)
            built = build_in_engine(
                self.engine,
                planned,
                str(reference),
                cache=self._cache,
                fresh=no_cache,
                store=lambda: self.wheels(spec),
                source=self.bases,
                accept=accepted,
                reporter=self.reporter,
                began=began,
                **self._with_commands(planned, steps, fresh=no_cache),
            )
            return replace(built, next=next_step(spec, built.reference))
        finally:
            self.bases.forget_compiler()

    def make(self, spec: ImageSpec, *, no_cache: bool = False) -> Made:
        """The image of ``spec`` with every layer made and compressed, in no engine.

        What it is made of stays in the cache until the pipeline, as a context manager, ends.
        """
        from imagekit.building.commands import refuse_commands
        from imagekit.building.content_build import make_content

        refuse_commands(spec)
        if no_cache:
            self.bases.make_anew()
        planned, store = self.planned(spec), lambda: self.wheels(spec)
        return make_content(planned, self.bases, cache=self._cache, fresh=no_cache, store=store, reporter=self.reporter)

    def write(
        self,
        specs: Sequence[ImageSpec],
        reference: Reference,
        outputs: Sequence[Output],
        *,
        no_cache: bool = False,
        also: Sequence[Reference] = (),
    ) -> tuple[list[Made], list[Written]]:
        """Make an image of each of ``specs``, one a platform, and write them to registries, layouts and archives.

        ``also``: further names of it there.
        """
        from imagekit.building.content_build import make_and_write

        def make(fresh: bool) -> list[Made]:
            return [self.make(spec, no_cache=fresh) for spec in specs]

        def documents(made: Made) -> tuple[Attachment, ...]:
            from imagekit.building.attesting import Places, made_attachments

            return made_attachments(made, str(reference), Places(self._cache.path, self.reporter))

        access, wanted = self._settings.registry_access(), documents if self._settings.attest else None
        cache, names = self._cache.path, (reference, *also)
        return make_and_write(make, names, outputs, access, self.reporter, cache, fresh=no_cache, documents=wanted)

    def build_by_buildkit(self, spec: ImageSpec, reference: Reference, options: Buildkit, **steps: Any) -> BuildResult:
        """Build the image from its equivalent Dockerfile (``imagekit dockerfile``), checked as ``build`` does it.

        ``steps`` as for ``build``.
        """
        from imagekit.building.checking import check_built
        from imagekit.building.leak_gate import refuse_in_steps
        from imagekit.building.reference_build import build_reference

        options = options.checked(self._settings.variables)
        steps = refuse_in_steps(steps, self._handed, self.reporter)
        planned = self.planned(spec)

        def accept(image_id: str) -> None:
            check_built(self.engine, spec, planned, image_id, self._cache.path, self.reporter)

        built = build_reference(
            self.engine,
            planned,
            str(reference),
            options,
            self._settings,
            self.reporter,
            access=self._planning.access(spec),
            handed=steps.pop("handed"),
            steps=steps,
            accept=accept,
            beneath=self.bases.beneath(spec, planned.plan.base),
        )
        return replace(built, next=next_step(spec, built.reference))

    def build_dockerfile(self, path: Path, **options: Any) -> BuildResult | WrittenResult:
        """Build a user's own Dockerfile by BuildKit; ``options`` as ``building.user_dockerfile`` takes them."""
        from imagekit.building.user_dockerfile import build_user_dockerfile

        return build_user_dockerfile(
            lambda: self.engine, self._settings, self.reporter, path, handed=self._handed, **options
        )

    def dockerfile_reference(self, path: Path, **options: Any) -> Reference:
        """The name of a Dockerfile's image; without a tag asked for, with one that says what goes in."""
        from imagekit.building.user_dockerfile import dockerfile_reference

        return dockerfile_reference(self._settings, path, **options)

    def base(
        self, python: str, *, remake: bool = False, lock: Path | None = None, variant: str = "slim"
    ) -> EnsuredBase:
        """A base image with ``python``: found, pulled, or made from Debian packages.

        ``remake`` makes it in any case, from the packages that the file ``lock`` names if it is there;
        if it is not, what was locked is written to it. The ``variant`` ``build`` has a compiler.
        """
        from imagekit.building import bases

        cache = self._cache.path
        if remake:
            return bases.make(self.engine, python, cache, self.reporter, lock_file=lock, variant=variant)
        return bases.ensure(self.engine, python, cache, self.reporter, variant=variant)

    # What is done with images

    def push(self, reference: str) -> Pushed:
        """Push an image that the engine holds: one of ours from the layer cache, any other by the engine."""
        from imagekit.building.pushing import push_engine_image

        parsed = Reference.parse(reference)
        named = parsed if parsed.tag else parsed.with_tag("latest")
        cache, access = self._cache.path, self._settings.registry_access()
        with in_use(cache):
            attest = self._settings.attest
            return push_engine_image(self.engine, named, cache, access, self.reporter, attest=attest)

    def image_document(self, target: str, kind: str, platform: Platform) -> bytes:
        """A document about an image of the engine, a registry or a layout; ``kind``: ``attest.attachments.KINDS``."""
        from imagekit.attest.attachments import KINDS
        from imagekit.building.attesting import Places, image_document

        access, places = self._settings.registry_access(), Places(self._cache.path, self.reporter)
        with in_use(self._cache.path):
            return image_document(target, KINDS[kind], platform, lambda: self.engine, access, places)

    def project_document(self, spec: ImageSpec, kind: str) -> bytes:
        """The same about the image that a build of ``spec`` makes."""
        from imagekit.attest.attachments import KINDS
        from imagekit.building.attesting import Places, project_document

        name = self.reference(spec, None, None).name
        with in_use(self._cache.path):
            return project_document(
                self.planned(spec),
                KINDS[kind],
                name,
                source=self.bases,
                engine=lambda: self.engine,
                store=lambda: self.wheels(spec),
                places=Places(self._cache.path, self.reporter),
            )

    def inspect(self, reference: str) -> ImageReport:
        """An image of the engine, layer by layer, with the packages in each of ours."""
        from imagekit.explaining.report import image_report

        return image_report(self.engine, reference)

    # What builds have in common

    def _with_commands(self, planned: Planned, steps: Mapping[str, Any], *, fresh: bool) -> dict[str, Any]:
        if not planned.plan.commands:
            return {}
        from imagekit.building.commands import load_with_commands

        notes = self._cache.path / "commands"
        return {"load": partial(load_with_commands, planned=planned, steps=steps, notes=notes, fresh=fresh)}

    def _check(self, spec: ImageSpec, planned: Planned, image_id: str) -> None:
        from imagekit.building.checking import check_built
        from imagekit.building.leak_gate import check_steps

        check_built(self.engine, spec, planned, image_id, self._cache.path, self.reporter)
        check_steps(self.engine, planned, image_id, self._cache.path, self._handed, self.reporter)
