"""Base images with conda packages on them: solved for what a specification names, and each package a layer above it.

To all that comes after, what stands then is a base like any other, whose Python is conda's. It is under a name of
its own in the engine, or in a layout of the cache where the base itself is in no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit import __version__
from imagekit.building.base_source import BaseSource, Compiling
from imagekit.errors import BaseUnusable
from imagekit.export.presence import LABEL
from imagekit.layers.cache import LayerCache
from imagekit.layers.mending import mended
from imagekit.layers.values import Layer
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.plan.config import MARK
from imagekit.progress import Reporter
from imagekit.sharing.leases import in_use
from imagekit.sharing.once import SUFFIX, make_once
from imagekit.spec.base import BaseImage
from imagekit.spec.image import ImageSpec

if TYPE_CHECKING:
    from imagekit.building.conda_layers import CondaLayers
    from imagekit.conda.values import CondaLock
    from imagekit.layers.bytecode import Compiler
    from imagekit.lock.access import IndexAccess
    from imagekit.lock.fetch import WheelStore
    from imagekit.spec.installed import Contents

CONDA_LABEL = "imagekit.conda"  # the digest of what conda's packages are


class CondaBases:
    """The bases of ``plain``, with the conda packages of each specification on them.

    ``access`` says how servers are reached for a specification, ``store`` keeps what is fetched.
    """

    def __init__(
        self,
        plain: BaseSource,
        cache: Path,
        reporter: Reporter,
        *,
        access: Callable[[ImageSpec], IndexAccess],
        store: Callable[[ImageSpec], WheelStore],
    ) -> None:
        self._plain = plain
        self._cache = cache
        self._reporter = reporter
        self._access = access
        self._store = store
        self._known: list[tuple[ImageSpec, BaseImage]] = []

    def find(self, spec: ImageSpec) -> BaseImage:
        if spec.conda is None:
            return self._plain.find(spec)
        for known, base in self._known:
            if known is spec:
                return base
        base = self._with_packages(spec)
        self._known = [(spec, base)]
        return base

    def foreseen(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec`` as far as it is known without making it: on what is below, conda's Python.

        Which distributions conda's packages bring is seen once they are unpacked, and not before.
        """
        if spec.conda is None:
            return self._plain.find(spec)
        below, lock = self._locked(spec)
        version = lock.python.version if lock.python is not None else below.python.version
        python = replace(below.python, version=version, markers=_markers(below, version), conda=True, distributions=())
        return replace(below, python=python)

    def contents(self, base: BaseImage) -> Contents:
        return self._plain.contents(base)

    def compiler(self, base: BaseImage) -> Compiling:
        return self._plain.compiler(base)

    def begin_compiler(self, base: BaseImage) -> None:
        self._plain.begin_compiler(base)

    def forget_compiler(self) -> None:
        self._plain.forget_compiler()

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        return self._plain.blobs(base)

    def in_engine(self, base: BaseImage) -> BaseImage:
        return self._plain.in_engine(base)

    def ground(self, spec: ImageSpec) -> BaseImage:
        return self._plain.ground(spec)

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        return self._plain.stand(below, config, layers, key)

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        return self._plain.standing(below, key)

    def fall(self, below: BaseImage, key: Digest) -> None:
        self._plain.fall(below, key)

    def _with_packages(self, spec: ImageSpec) -> BaseImage:
        # Who asks for none of conda's packages does not pay for them.
        from imagekit.building.conda_layers import CondaLayers
        from imagekit.building.conda_login import channel_login
        from imagekit.building.conda_notes import keep_lock

        assert spec.conda is not None
        below, lock = self._locked(spec)
        making = CondaLayers(
            lock=lock,
            base=below,
            cache=LayerCache(self._cache / "layers"),
            store=self._store(spec),
            login=channel_login(spec.conda, self._access(spec)),
            reporter=self._reporter,
        )
        history = _history_layer(spec, lock)
        key = digest_of_json(
            [below.config.digest, [layer.key for layer in making.planned], history.key, _environment(below)]
        )
        place = self._plain.standing(below, key) or self._made_once(spec, below, making, history, key)
        found = self._found(spec, place)
        if lock.python is not None and not found.python.conda:
            raise BaseUnusable(
                f"conda's Python does not start on {below.reference}",
                hint=f"try it by hand: docker run --rm {found.place} python3 -V",
            )
        keep_lock(self._cache, found, lock)
        return replace(found, reference=below.reference, digest=below.digest, found_at=found.place, ground=below)

    def _locked(self, spec: ImageSpec) -> tuple[BaseImage, CondaLock]:
        """What conda's packages are to lie on, and which they are."""
        from imagekit.conda.obtain import obtain

        assert spec.conda is not None
        below = self._below(replace(spec, conda=None))
        lock = obtain(
            spec.conda,
            below,
            lock_file=spec.lock_file,
            cache_dir=self._cache,
            access=self._access(spec),
            reporter=self._reporter,
        )
        if lock.python is None and not below.python.executable:
            raise BaseUnusable(
                f"neither {below.reference} nor what is asked of conda has a Python",
                hint='ask for one: conda = ["python=3.12", …], or - python=3.12 in environment.yml',
            )
        return below, lock

    def _made_once(self, spec: ImageSpec, below: BaseImage, making: CondaLayers, history: _History, key: Digest) -> str:
        """By one process of those that want it: a matrix has many images on the same packages."""
        lock = self._cache / "derived" / f"{key.removeprefix('sha256:')}{SUFFIX}"
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

        def make() -> str:
            with in_use(self._cache):
                return mended(lambda: self._made(spec, below, making, history, key), self._reporter)

        return make_once(lock, lambda: self._plain.standing(below, key), make)

    def _made(self, spec: ImageSpec, below: BaseImage, making: CondaLayers, history: _History, key: Digest) -> str:
        @contextmanager
        def compiler_of(lower: Sequence[Layer]) -> Iterator[Compiler | None]:
            """By the environment's own Python, in an image of the packages that are not compiled."""
            part = digest_of_json([key, "to compile"])
            place = self._plain.stand(below, _config(below, making, lower, None), lower, part)
            try:
                with self._plain.compiler(self._found(spec, place)) as compiler:
                    yield compiler
            finally:
                self._plain.fall(below, part)

        layers = making.make(compiler_of)
        above = history.layer(making.cache)
        return self._plain.stand(below, _config(below, making, layers, above), [*layers, above], key)

    def _below(self, spec: ImageSpec) -> BaseImage:
        try:
            return self._plain.find(spec)
        except BaseUnusable:
            # It may well have no Python: one comes with the packages.
            if spec.base_image is None:
                raise
            return self._plain.ground(spec)

    def _found(self, spec: ImageSpec, place: str) -> BaseImage:
        return self._plain.find(replace(spec, conda=None, base_image=place, python=None))


class _History:
    """The layer with conda's record of the environment."""

    def __init__(self, path: str, data: bytes) -> None:
        self._path, self._data = path, data
        self.key = digest_of_json(["conda history", path, data.decode()])

    def layer(self, cache: LayerCache) -> Layer:
        from imagekit.conda.history_layer import write_history
        from imagekit.layers.together import whole

        entry = cache.get(self.key) or cache.put(
            self.key, lambda out: write_history(self._path, self._data, out), title="conda environment"
        )
        return whole(entry)


def _history_layer(spec: ImageSpec, lock: CondaLock) -> _History:
    from imagekit.conda.prefix_record import HISTORY, history
    from imagekit.conda.values import PREFIX

    asked = [line.text for line in spec.conda.packages] if spec.conda is not None else []
    return _History(f"{PREFIX}/{HISTORY}", history(lock, asked))


def _markers(below: BaseImage, version: str) -> tuple[tuple[str, str], ...]:
    """The PEP 508 environment of conda's Python ``version`` on ``below``."""
    from imagekit.stages.image_python import cpython_markers

    return tuple(sorted(cpython_markers(version, below.config.platform.machine).items()))


def _environment(below: BaseImage) -> dict[str, str]:
    from imagekit.conda.values import PREFIX

    path = below.config.path
    scripts = f"{PREFIX}/bin"
    return {
        "PATH": path if scripts in path.split(":") else f"{scripts}:{path}",
        "CONDA_PREFIX": PREFIX,
    }


def _config(below: BaseImage, making: CondaLayers, layers: Sequence[Layer], above: Layer | None) -> ImageConfig:
    steps = [(made.diff_id, planned.history) for made, planned in zip(layers, making.planned, strict=False)]
    if above is not None:
        steps.append((above.diff_id, History(f"{MARK}environment: conda environment")))
    return below.config.extended(
        layers=steps,
        settings={},
        env=_environment(below),
        labels={CONDA_LABEL: making.lock.digest, LABEL: __version__},
        created=None,
    )
