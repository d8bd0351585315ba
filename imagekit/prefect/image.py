"""``imagekit.prefect.DockerImage``: imagekit's, for Prefect's ``flow.deploy(image=…)`` and ``deploy(…, image=…)``.

Of an image those call ``build()``, ``push()`` and ``reference``, the last one before the build, after it, and for the
deployments' job variables when all is done (PrefectHQ/prefect 3.8, ``deployments/runner.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagekit.image
from imagekit.explaining.results import BuildResult, WrittenResult
from imagekit.prefect import wanted

try:
    import prefect
    from prefect.docker import DockerImage as _PrefectsImage
except ImportError as error:
    raise ImportError("imagekit.prefect is for where Prefect 3 is: pip install 'prefect>=3,<4'") from error

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.table import Table


# Prefect's own class is a base for the sake of its annotations alone: whatever it can do is done here.
class DockerImage(imagekit.image.DockerImage, _PrefectsImage):  # type: ignore[misc]  # Prefect is not where we lint
    """``imagekit.DockerImage``, whose keywords it takes, for deployments of a Prefect server.

    What an automatic image has unless the project or a keyword says otherwise: its source in
    ``/opt/prefect/DIRECTORY``, where Prefect's own would have it; Prefect at the version that runs here, unless a
    lock or a requirement asks for another; and an entrypoint that honours ``EXTRA_PIP_PACKAGES`` in the job variables
    (``runtime_extras``). Where there is a lock, it alone decides what is installed.

    Once it is pushed, deployments name it by its digest: ``NAME@sha256:…``. One that is not pushed (``push=False``)
    has no digest that other engines would know; they name it by its tag then.
    """

    _entered: ImageSpec | None = None  # what was built last

    @property
    def reference(self) -> str:
        """What deployments call it: ``NAME@sha256:…`` once it is pushed, ``NAME:TAG`` until then."""
        return self._tagged if self._pushed is None else f"{self.name}@{self._pushed}"

    def build(self) -> BuildResult | WrittenResult:
        """As ``imagekit.DockerImage`` does it; what flows will not find in it is told."""
        result = super().build()
        packages = tuple(package for layer in self.layers for package in layer.packages)
        found, here = wanted.version_in(packages), str(prefect.__version__)
        if found not in (None, here):
            self._tell(f"the image has Prefect {found}, as the project asks for it; what deploys it is {here}")
        spec = self._entered
        if spec is not None and spec.runtime_extras and wanted.is_locked(spec) and not wanted.has_installer(packages):
            self._tell("EXTRA_PIP_PACKAGES takes pip, which the project's lock does not have: lock it if you need them")
        return result

    def _spec(self, pipeline: Pipeline, platform: str | None, defaults: Table | None = None) -> ImageSpec:
        spec = super()._spec(pipeline, platform, wanted.defaults(self.context))
        self._entered = wanted.for_workers(spec, str(prefect.__version__))
        return self._entered

    def _tell(self, line: str) -> None:
        if self.stream_progress_to is not None:
            print(line, file=self.stream_progress_to, flush=True)
