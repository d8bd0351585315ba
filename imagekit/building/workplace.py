"""What everything is done with on this machine: settings, engine, bases, cache; each is made at its first use."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from imagekit.building.cache_use import CacheUse
from imagekit.building.planning import Planning
from imagekit.progress import Reporter, SilentReporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings

if TYPE_CHECKING:
    from imagekit.building.reciped_bases import RecipedBases
    from imagekit.engine.client import Engine
    from imagekit.lock.fetch import WheelStore
    from imagekit.spec.image import ImageSpec

_Entered = TypeVar("_Entered", bound="Workplace")


class Workplace:
    """What ``pipeline.Pipeline`` works with. As a context manager it lets go, at the end, of what it holds."""

    def __init__(
        self,
        settings: Settings,
        reporter: Reporter | None = None,
        *,
        needs_engine: bool = True,
        handed: Handed = NOTHING,
    ) -> None:
        """Without ``needs_engine`` base images come from registries and layouts, too, and other platforms' as well.

        ``handed``: what steps of builds get in secret.
        """
        self._settings = settings
        self.reporter: Reporter = reporter or SilentReporter()
        self._needs_engine = needs_engine
        self._handed = handed
        self._ends = ExitStack()
        self._planning = Planning(
            settings,
            self.reporter,
            bases=lambda: self.bases,
            cache=lambda: self._cache.path,
            store=self.wheels,
            handed=handed,
        )

    def __enter__(self: _Entered) -> _Entered:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.close()

    @cached_property
    def engine(self) -> Engine:
        """The engine, connected at the first use."""
        from imagekit.engine.client import Engine
        from imagekit.engine.containers import sweep

        engine = Engine.connect(self._settings.engine_address, deadline=self._settings.engine_deadline)
        # What a process of ours that was killed left behind.
        sweep(engine)
        return engine

    @cached_property
    def bases(self) -> RecipedBases:
        """Where base images are, how they are read, and what makes bytecode for them."""
        from imagekit.building.base_source import base_source
        from imagekit.building.conda_bases import CondaBases
        from imagekit.building.reciped_bases import RecipedBases

        access = None if self._needs_engine else self._settings.registry_access()
        source = base_source(
            lambda: self.engine, self._cache.path, self.reporter, access, offline=self._settings.offline
        )
        with_conda = CondaBases(
            self._ends.enter_context(source),
            self._cache.path,
            self.reporter,
            access=self._planning.access,
            store=self.wheels,
        )
        return RecipedBases(
            with_conda,
            lambda: self.engine,
            self._cache.path,
            self.reporter,
            machine=self._planning.machine,
            handed=self._handed,
        )

    @property
    def cache_directory(self) -> Path:
        """Where layers, wheels, locks and what is known of images are kept."""
        return self._cache.path

    @property
    def settings(self) -> Settings:
        """How imagekit is set up on this machine."""
        return self._settings

    @cached_property
    def _cache(self) -> CacheUse:
        """Where layers, wheels and bases are kept; seen to be writable before an engine is asked."""
        cache = CacheUse(self._settings.usable_cache_dir(), self._settings.cache_size)
        self._ends.callback(cache.close)
        return cache

    def wheels(self, spec: ImageSpec) -> WheelStore:
        """The wheels that are here, and how those of ``spec`` are fetched."""
        from imagekit.lock.fetch import WheelStore

        return WheelStore(self._cache.path / "wheels", access=self._planning.access(spec))
