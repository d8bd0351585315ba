"""The extra packages of a run: what its environment asks for, or else the image's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from imagekit.extras.derive import Start, TakesFiles, Wanted, check_extras, derive_to_start
from imagekit.spec.extra_packages import VARIABLE

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec

# Of pip and uv in a container: what is added before it starts comes from where imagekit has packages from.
_INDEXES = frozenset(
    """PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL
    UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NO_INDEX""".split()
)


def wanted_by(env: Mapping[str, str | None], settings: Settings, *, like: ImageSpec | None = None) -> Wanted | None:
    """What ``env`` asks for, ``None`` where that is nothing; ``InputError`` for what is no list of requirements.

    Nothing is asked of anyone. ``like`` is the project whose indexes are asked later, if there is one.
    """
    text = env.get(VARIABLE)
    return check_extras(settings, text, like=like) if text and text.strip() else None


def with_extras(
    engine: Engine,
    pipeline: Callable[[], Pipeline],
    settings: Settings,
    reference: str,
    image: EngineImage,
    env: Mapping[str, str | None],
    wanted: Wanted | None,
    takes_files: TakesFiles,
    *,
    like: ImageSpec | None = None,
    upgrade: bool = False,
) -> Start | None:
    """What to run in, ``image`` with what is wanted in it; ``None`` where nothing is.

    ``wanted`` is what ``wanted_by`` gave. What the image's own environment says holds where ``env`` says nothing; a
    run that takes the variable away has none of it. ``pipeline`` is opened where something must be made. What else
    it raises: see ``derive``.
    """
    if VARIABLE not in env:
        own = dict(entry.partition("=")[::2] for entry in image.settings.get("Env") or ())
        wanted = wanted_by(own, settings, like=like)
    if wanted is None:
        return None

    def telling() -> Pipeline:
        opened = pipeline()
        for name in sorted(_INDEXES & env.keys()):
            opened.reporter.line(
                f"{name} of the run's environment is not asked for {VARIABLE}: set it where imagekit runs"
            )
        return opened

    return derive_to_start(engine, telling, reference, image, wanted, takes_files, upgrade=upgrade)
