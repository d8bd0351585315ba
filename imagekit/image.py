"""``DockerImage`` and ``run``: the library's face.

``DockerImage`` has the signature and the meaning of Prefect's ``prefect.docker.DockerImage``,
so that Prefect's own ``flow.deploy(image=…)`` takes it as it is, and more keywords besides.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from imagekit.build_keywords import check_keywords, dockerfile_fields, ignored_by_auto
from imagekit.errors import BuildError, InputError
from imagekit.oci.reference import Reference
from imagekit.progress import PlainReporter, Reporter, SilentReporter
from imagekit.spec.base import check_base_image

if TYPE_CHECKING:
    from imagekit.explaining.results import BuildResult, BuiltLayer
    from imagekit.oci.digest import Digest
    from imagekit.pipeline import Pipeline
    from imagekit.runs.values import RunResult
    from imagekit.runs.watch import Sink
    from imagekit.spec.image import ImageSpec

AUTO = "auto"


class DockerImage:
    """An image that is wanted; ``build()`` makes it, ``push()`` publishes it.

    ``name`` is ``[registry/][namespace/]repository[:tag]``; the default namespace is put before a
    name that has none. Without a tag the image gets one that says what goes in. ``dockerfile="auto"``
    assembles the image from the project in ``context`` (the working directory): its dependencies,
    a layer each, its source, and what the further keywords ask for; a path builds that Dockerfile by
    BuildKit with docker-py's ``build_kwargs``. Nothing is written into the context.

    ``stream_progress_to``: where progress is written, a line at a time; ``None``: nowhere.
    ``build_backend`` is taken for Prefect's sake: both of its values build by BuildKit.
    ``builder="buildkit"`` builds the automatic image from its equivalent Dockerfile, by BuildKit, with the
    keywords ``cache_from``, ``cache_to`` and ``buildx_builder``.
    The keywords from ``requirements`` to ``health_check`` are those of ``spec.read.read_spec``.
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
        packages: Sequence[str] = (),
        extras: Sequence[str] = (),
        groups: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        base_image: str | None = None,
        python: str | None = None,
        resolver: str | None = None,
        source_builds: bool | Sequence[str] | None = None,
        include_source: bool | None = None,
        entrypoints: Sequence[str] = (),
        health_check: bool | None = None,
        builder: str = "assemble",
        **build_kwargs: Any,
    ) -> None:
        if build_backend not in ("docker-py", "buildx"):
            raise InputError(f"unknown build_backend {build_backend!r}", hint="'docker-py' or 'buildx'")
        if builder not in ("assemble", "buildkit"):
            raise InputError(f"unknown builder {builder!r}", hint="'assemble' or 'buildkit'")
        path = build_kwargs.pop("path", None)
        if path is not None and context is not None:
            raise InputError("path and context are the same directory: both are given", hint="give one of them")
        overrides = {
            "requirements": requirements,
            "packages": packages,
            "extras": extras,
            "groups": groups,
            "env": env,
            "files": files,
            "base_image": base_image,
            "python": python,
            "resolver": resolver,
            "source_builds": source_builds,
            "include_source": include_source,
            "entrypoints": entrypoints,
            "health_check": health_check,
        }
        check_keywords(build_kwargs, {*overrides, "builder", "context", "path"})
        if str(dockerfile) != AUTO and (given := [k for k, v in overrides.items() if v]):
            raise InputError(
                f"{given[0]} does not go with a Dockerfile of your own", hint="say it there, or use dockerfile='auto'"
            )
        if base_image is not None:
            check_base_image(base_image)
        self._asked = Reference.parse(name, target=True)
        if tag is not None:
            if self._asked.tag is not None:
                raise InputError(f"two tags: {self._asked.tag!r} in the name, and {tag!r}", hint="give one of them")
            self._asked = Reference.parse(f"{name}:{tag}", target=True)
        self.dockerfile = str(dockerfile)
        self.stream_progress_to = stream_progress_to
        self.build_backend = build_backend
        self.build_kwargs = build_kwargs
        self.builder = builder
        self.context = Path(context if context is not None else path if path is not None else ".").absolute()
        self._overrides = overrides
        self._content: Reference | None = None
        self._built: BuildResult | None = None
        self._pushed: Digest | None = None

    @property
    def name(self) -> str:
        """Registry, namespace and repository, the default namespace included."""
        return self._named().name

    @property
    def tag(self) -> str:
        """The tag asked for, or the one that says what goes in (then the project's files are read)."""
        return self.reference.rpartition(":")[2]

    @property
    def reference(self) -> str:
        """``name:tag``. Without a tag of its own, the project's files are read; nothing is resolved or run."""
        named = self._named()
        if named.tag is not None:
            return str(named)
        if self._content is None:
            pipeline = self._pipeline()
            if self.dockerfile == AUTO:
                self._content = pipeline.reference(self._spec(pipeline), str(self._asked), None)
            else:
                self._content = pipeline.dockerfile_reference(self.context, **self._dockerfile_arguments())
        return str(self._content)

    @property
    def image_id(self) -> str:
        """The engine's ID of the built image."""
        return self._result.image_id

    @property
    def digest(self) -> Digest:
        """After a push, the manifest's in the registry; before, the image configuration's."""
        return self._pushed or self._result.digest

    @property
    def layers(self) -> tuple[BuiltLayer, ...]:
        """The built image's layers above the base, the lowest first."""
        return self._result.layers

    def build(self) -> BuildResult:
        """Build the image in the engine; quick where nothing changed."""
        pipeline = self._pipeline()
        self._content = None
        if self.dockerfile != AUTO:
            self._built = pipeline.build_dockerfile(self.context, **self._dockerfile_arguments())
        else:
            by_buildkit = self.builder == "buildkit"
            for keyword in ignored_by_auto(self.build_kwargs, by_buildkit=by_buildkit):
                pipeline.reporter.line(f"{keyword} has no meaning without a Dockerfile of your own; it is ignored")
            spec = self._spec(pipeline)
            reference = pipeline.reference(spec, str(self._asked), None)
            if by_buildkit:
                from imagekit.building.reference_build import Buildkit

                own = {k: v for k, v in dockerfile_fields(self.build_kwargs).items() if k in Buildkit.__slots__}
                self._built = pipeline.build_by_buildkit(spec, reference, Buildkit(**own))
            else:
                self._built = pipeline.build(spec, reference, no_cache=bool(self.build_kwargs.get("nocache")))
        self._content = Reference.parse(self._built.reference)
        self._pushed = None
        return self._built

    def push(self) -> Digest:
        """Push the image with the credentials of ``docker login``; the digest of its manifest in the registry."""
        self._pushed = self._pipeline().push(self.reference).digest
        return self._pushed

    def __repr__(self) -> str:
        return f"DockerImage({str(self._asked)!r}, dockerfile={self.dockerfile!r})"

    @property
    def _result(self) -> BuildResult:
        if self._built is None:
            raise BuildError(f"{self._asked} is not built yet", hint="call build() first")
        return self._built

    def _named(self) -> Reference:
        from imagekit.settings import Settings

        namespace = Settings.load().default_namespace
        return self._asked.with_default_namespace(namespace) if namespace else self._asked

    def _pipeline(self) -> Pipeline:
        stream = self.stream_progress_to
        return _pipeline(PlainReporter(stream) if stream is not None else SilentReporter())

    def _spec(self, pipeline: Pipeline) -> ImageSpec:
        return pipeline.spec(
            self.context,
            platform=self.build_kwargs.get("platform"),
            labels=self.build_kwargs.get("labels"),
            **self._overrides,
        )

    def _dockerfile_arguments(self) -> dict[str, Any]:
        fields = dockerfile_fields(self.build_kwargs)
        return {"dockerfile": Path(self.dockerfile), "name": str(self._asked), **fields}


def run(
    entrypoint: str,
    *,
    image: DockerImage | str,
    parameters: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    name: str | None = None,
    on_output: Sink | None = None,
    raise_on_failure: bool = True,
) -> RunResult:
    """Run one flow, ``"PATH.py:FUNCTION"``, in one container of ``image``, which is gone afterwards.

    A ``DockerImage`` is built first where it has not been. The flow's output goes to standard output and
    error as it comes, or to ``on_output`` as ``(1 or 2, bytes)``. What the flow returns (JSON) is
    ``.result`` of what this returns. ``timeout`` is in seconds.

    Raises ``InvalidEntrypoint`` and ``InvalidParameters`` before an engine is asked; ``FlowFailed``,
    ``ResultNotSerializable`` or ``RunCrashed`` unless ``raise_on_failure`` is false.
    """
    from imagekit.runs.runner import run_flow
    from imagekit.spec.entrypoint import Entrypoint

    asked = Entrypoint.parse(entrypoint)
    if isinstance(image, DockerImage):
        if image.dockerfile == AUTO:
            asked.signature(image.context).check(dict(parameters or {}))
        if image._built is None:
            image.build()
        image = image.image_id
    else:
        Reference.parse(image)
    return run_flow(
        _pipeline(SilentReporter()).engine,
        image=image,
        entrypoint=str(asked),
        parameters=parameters,
        env=env,
        timeout=timeout,
        name=name,
        on_output=on_output or _to_own_streams,
        raise_on_failure=raise_on_failure,
    )


def _pipeline(reporter: Reporter) -> Pipeline:
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings

    return Pipeline(Settings.load(), reporter)


def _to_own_streams(stream: int, data: bytes) -> None:
    target = sys.stdout if stream == 1 else sys.stderr
    # Text streams without bytes below (a notebook's, a test's) get text.
    buffer = getattr(target, "buffer", None)
    if buffer is not None:
        buffer.write(data)
    else:
        target.write(data.decode(errors="replace"))
    target.flush()
