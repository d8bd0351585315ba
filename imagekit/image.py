"""``DockerImage``: the library's face for images.

``DockerImage`` has the signature and the meaning of Prefect's ``prefect.docker.DockerImage``,
so that Prefect's own ``flow.deploy(image=…)`` takes it as it is, and more keywords besides.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from imagekit.errors import BuildError, InputError
from imagekit.keywords.checks import path, text
from imagekit.keywords.understand import dockerfile_fields, understand
from imagekit.oci.reference import Reference
from imagekit.progress import PlainReporter, Reporter, SilentReporter
from imagekit.spec.base import check_base_image

if TYPE_CHECKING:
    from imagekit.explaining.results import BuildResult, BuiltLayer, WrittenResult
    from imagekit.oci.digest import Digest
    from imagekit.pipeline import Pipeline
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.table import Table

AUTO = "auto"
# The keywords that a specification takes as they are.
_OF_SPEC = tuple(
    """requirements packages extras groups env files base_image python resolver source_builds include_source
    dockerignore workdir entrypoints health_check preflight runtime_extras extra_dockerfile_commands labels
    conda conda_channels recipes""".split()
)


class DockerImage:
    """An image that is wanted; ``build()`` makes it, ``push()`` publishes it.

    ``name`` is ``[registry/][namespace/]repository[:tag]``; the default namespace is put before a
    name that has none. Without a tag the image gets one that says what goes in. ``dockerfile="auto"``
    assembles the image from the project in ``context`` (the working directory): its dependencies,
    a layer each, its source, and what the further keywords ask for; a path builds that Dockerfile by
    BuildKit. Nothing is written into the context.

    ``stream_progress_to``: where progress is written, a line at a time; ``None``: nowhere.
    ``build_backend`` is taken for Prefect's sake: both of its values build by BuildKit.
    ``extra_dockerfile_commands``: instructions that BuildKit runs on the assembled image, as root.
    ``output``: where the image goes besides, or instead of, the engine; only ``"engine"`` needs one.
    ``push=True``: ``build()`` pushes as well; several ``platforms`` go to the registry together.
    ``builder="buildkit"`` builds the automatic image from its equivalent Dockerfile, by BuildKit.
    ``build_kwargs`` are docker-py's and python-on-whales'. What each keyword means to which build is
    one table: ``imagekit.keywords.table``, printed in docs/keywords.md.

    Raises ``InputError``'s kinds at once for what cannot be meant; nothing is asked of an engine here.
    """

    def __init__(
        self,
        name: str,
        tag: str | None = None,
        dockerfile: str | Path = AUTO,
        stream_progress_to: TextIO | None = sys.stdout,
        build_backend: str = "docker-py",
        *,
        context: str | Path | None = None,
        requirements: str | Path | Sequence[str | Path] | None = None,
        packages: Sequence[str] | None = None,
        extras: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        base_image: str | None = None,
        python: str | None = None,
        resolver: str | None = None,
        source_builds: bool | Sequence[str] | None = None,
        include_source: bool | None = None,
        dockerignore: str | Path | None = None,
        workdir: str | None = None,
        entrypoints: Sequence[str] | None = None,
        health_check: bool | None = None,
        preflight: str | None = None,
        runtime_extras: bool | None = None,
        extra_dockerfile_commands: Sequence[str] | None = None,
        conda: Sequence[str] | None = None,
        conda_channels: Sequence[str] | None = None,
        recipes: Sequence[str] | None = None,
        builder: str | None = None,
        output: str | Sequence[str] | None = None,
        push: bool | None = None,
        **build_kwargs: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "build_kwargs")}
        given["name"], given["dockerfile"] = text(name, "name"), path(dockerfile, "dockerfile")
        understood = understand({**given, **build_kwargs})
        values = understood.values
        self.build_kwargs = build_kwargs
        self.dockerfile = str(values["dockerfile"])
        self.stream_progress_to = stream_progress_to
        self.build_backend = build_backend
        self.context = Path(values.get("context", ".")).absolute()
        self._values = values
        self._ignored = understood.ignored
        if base_image is not None:
            check_base_image(base_image)
        self._asked = Reference.parse(name, target=True)
        if tag is not None:
            if self._asked.tag is not None:
                raise InputError(f"two tags: {self._asked.tag!r} in the name, and {tag!r}", hint="give one of them")
            self._asked = Reference.parse(f"{name}:{tag}", target=True)
        # Looked at now, so that nothing is built for what cannot be delivered.
        from imagekit.keywords.meaning import destinations

        self._where = destinations(values, auto=self.dockerfile == AUTO)
        self._content: Reference | None = None
        self._built: BuildResult | WrittenResult | None = None
        self._pushed: Digest | None = None

    @property
    def name(self) -> str:
        """Registry, namespace and repository, the default namespace included. Raises ``InvalidConfig``."""
        return self._named().name

    @property
    def tag(self) -> str:
        """The tag asked for, or the one that says what goes in: then as ``reference``."""
        return self._tagged.rpartition(":")[2]

    @property
    def reference(self) -> str:
        """``name:tag``. Without a tag of its own, the project's files are read; nothing is resolved or run.

        Raises ``InputError``'s kinds for what is wrong with those files, or with the configuration.
        """
        return self._tagged

    @property
    def _tagged(self) -> str:
        named = self._named()
        if named.tag is not None:
            return str(named)
        if self._content is None:
            pipeline = self._pipeline()
            if self.dockerfile == AUTO:
                spec = self._spec(pipeline, self._where.platforms[0])
                self._content = pipeline.reference(spec, str(self._asked), None)
            else:
                self._content = pipeline.dockerfile_reference(self.context, **self._dockerfile_arguments())
        return str(self._content)

    @property
    def image_id(self) -> str:
        """The engine's ID of the built image.

        Raises ``BuildError`` before ``build()``, and where the image was written elsewhere and is in no engine.
        """
        from imagekit.explaining.results import BuildResult

        result = self._result
        if not isinstance(result, BuildResult):
            raise BuildError(f"{result.reference} is in no engine", hint="output='engine' puts it into one")
        return result.image_id

    @property
    def digest(self) -> Digest:
        """After a push, the manifest's in the registry; before, the image configuration's.

        Of several platforms it is the index's, and one that was written elsewhere alone has the digest from there.
        Raises ``BuildError`` before ``build()`` or ``push()``.
        """
        return self._pushed or self._result.digest

    @property
    def layers(self) -> tuple[BuiltLayer, ...]:
        """The built image's layers above the base, the lowest first; of several platforms, the first one's.

        Raises ``BuildError`` before ``build()``.
        """
        from imagekit.explaining.results import BuildResult

        result = self._result
        return result.layers if isinstance(result, BuildResult) else next((i.layers for i in result.images), ())

    def build(self) -> BuildResult | WrittenResult:
        """Build the image, in the engine unless ``output`` or several platforms say otherwise; quick where nothing
        changed. With ``push=True`` it is in the registry, too, when this returns.

        Raises ``InputError``'s kinds for what the project's files or the configuration say wrong; ``EngineError``'s
        where the engine or the base is not to be had; ``ResolveError``'s; ``BuildError``'s; ``CheckFailed``, and then
        no tag has moved; ``RegistryError``'s where a registry is read or written.
        """
        from imagekit.explaining.results import BuildResult

        self._content = self._pushed = None
        pipeline = self._pipeline()
        for line in self._ignored:
            pipeline.reporter.line(line)
        with pipeline:
            self._built = result = self._build(pipeline)
            self._content = Reference.parse(result.reference)
            self._pushed = None if isinstance(result, BuildResult) else result.pushed
            if self._where.push and self._pushed is None:
                self._pushed = pipeline.push(result.reference).digest
        return result

    def push(self) -> Digest:
        """Push the image with the credentials of ``docker login``; the digest of its manifest in the registry.

        One that ``build()`` has pushed is not pushed again. Raises ``RegistryError``'s kinds: ``AuthError``,
        and ``PushError`` where the image is not in the engine or did not arrive whole; ``EngineError``'s where no
        engine answers; ``BuildError`` for one that was written elsewhere; and as ``reference`` does.
        """
        if self._pushed is None:
            if self._built is not None and not self._where.engine:
                raise BuildError(
                    f"{self._asked} was written elsewhere", hint="output='registry' writes to the registry"
                )
            with self._pipeline() as pipeline:
                self._pushed = pipeline.push(self._tagged).digest
        return self._pushed

    def __repr__(self) -> str:
        return f"DockerImage({str(self._asked)!r}, dockerfile={self.dockerfile!r})"

    @property
    def is_built(self) -> bool:
        """Whether ``build()`` has made it."""
        return self._built is not None

    @property
    def _result(self) -> BuildResult | WrittenResult:
        if self._built is None:
            raise BuildError(f"{self._asked} is not built yet", hint="call build() first")
        return self._built

    def _build(self, pipeline: Pipeline) -> BuildResult | WrittenResult:
        if self.dockerfile != AUTO:
            return pipeline.build_dockerfile(self.context, **self._dockerfile_arguments(), push=self._where.push)
        from imagekit.keywords.meaning import buildkit_of, steps_of

        no_cache = bool(self._values.get("nocache"))
        if not self._where.engine:
            from imagekit.elsewhere import write_elsewhere

            return write_elsewhere(
                pipeline,
                partial(self._spec, pipeline),
                (str(self._asked), None),
                self._where.platforms,
                self._where.outputs,
                no_cache=no_cache,
            )
        spec = self._spec(pipeline, self._where.platforms[0])
        if self._values.get("pull"):
            _pull_base(pipeline, spec)
        reference = pipeline.reference(spec, str(self._asked), None)
        if self._values.get("builder") == "buildkit":
            return pipeline.build_by_buildkit(spec, reference, buildkit_of(self._values), **steps_of(self._values))
        result = pipeline.build(spec, reference, no_cache=no_cache, **steps_of(self._values))
        if self._where.outputs:
            pipeline.write([spec], reference, self._where.outputs)
        return result

    def _named(self) -> Reference:
        from imagekit.settings import Settings

        namespace = Settings.load().default_namespace
        return self._asked.with_default_namespace(namespace) if namespace else self._asked

    def _pipeline(self) -> Pipeline:
        stream = self.stream_progress_to
        reporter = PlainReporter(stream) if stream is not None else SilentReporter()
        return _pipeline(reporter, needs_engine=self._where.engine, values=self._values)

    def _spec(self, pipeline: Pipeline, platform: str | None, defaults: Table | None = None) -> ImageSpec:
        given = {name: self._values[name] for name in _OF_SPEC if name in self._values}
        return pipeline.spec(self.context, defaults=defaults, platform=platform, **given)

    def _dockerfile_arguments(self) -> dict[str, Any]:
        fields = dockerfile_fields(self._values)
        return {"dockerfile": Path(self.dockerfile), "name": str(self._asked), **fields}


def _pipeline(reporter: Reporter, *, needs_engine: bool = True, values: Mapping[str, Any] | None = None) -> Pipeline:
    from imagekit.pipeline import Pipeline
    from imagekit.secret import Secret
    from imagekit.secrets.handed import Handed
    from imagekit.settings import Settings

    settings, values = Settings.load(), values or {}
    handed = Handed.read(
        values.get("secrets"),
        values.get("ssh"),
        variables=settings.variables,
        load=Secret.load,
        may_be_seen=bool(values.get("allow_secret_build_args")),
    )
    return Pipeline(settings, reporter, needs_engine=needs_engine, handed=handed)


def _pull_base(pipeline: Pipeline, spec: ImageSpec) -> None:
    from imagekit.spec.image import OCI_LAYOUT

    if spec.base_image is None or spec.base_image.startswith(OCI_LAYOUT):
        pipeline.reporter.line("pull is ignored: no base_image in a registry is named")
        return
    with pipeline.reporter.task(f"pulling {spec.base_image}"):
        pipeline.engine.pull(spec.base_image, spec.platform)
