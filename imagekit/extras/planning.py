"""From what is to be added to a lock, and from that to the plan of the derived image and its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from imagekit import __version__
from imagekit.building.planned import Planned
from imagekit.errors import NoWheel, ResolveError
from imagekit.export.presence import LABEL
from imagekit.extras.layering import extra_plan
from imagekit.extras.values import LABEL_LOCK, LABEL_ORIGIN, LABEL_REQUIREMENTS, REPOSITORY, Derived
from imagekit.spec.extra_packages import VARIABLE

if TYPE_CHECKING:
    from imagekit.extras.addition import Addition
    from imagekit.lock.values import Lock
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec


def spec_of(addition: Addition) -> ImageSpec:
    """What is wanted, with the indexes of the project or of this machine."""
    like = addition.wanted.like or addition.pipeline.without_project(addition.name)
    return replace(
        like,
        requirements=addition.lines,
        constraints=(),
        overrides=(),
        extras=(),
        groups=(),
        requires_hashes=False,
        requires_python="",
        project=None,
        lock_file=None,
        python=None,
        platform=addition.origin.platform,
        base_image=addition.name,
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


def resolved(addition: Addition, spec: ImageSpec, base: BaseImage, *, making: bool, sized: bool) -> Lock:
    """The wheels that ``spec`` comes to beside what ``base`` holds; ``ResolveError`` in words of the variable."""
    try:
        return addition.pipeline.resolved_on(spec, base, upgrade=addition.upgrade, making=making, sized=sized)
    except ResolveError as error:
        error.message = f"{VARIABLE} on {addition.name}: {error.message}"
        error.args = (error.message,)
        if isinstance(error, NoWheel) and base.python.libc == "musl":
            error.hint = "its C library is musl, for which few wheels are made: use an image with glibc (Debian)"
        elif isinstance(error, NoWheel):
            error.hint = "nothing is built from source when a run starts: build an image, with source-builds"
        raise


def planned(addition: Addition, base: BaseImage, lock: Lock) -> tuple[Derived, Planned | None]:
    """What comes of it, by name, and the plan; ``None`` where the image has it all."""
    kept = tuple(f"{name}=={version}" for name, version in sorted(lock.kept.items()))
    if not lock.packages:
        return addition.nothing(kept=kept), None
    labels = {
        LABEL_ORIGIN: base.image_id,
        LABEL_LOCK: lock.digest,
        LABEL_REQUIREMENTS: "\n".join(addition.texts),
        # Of an image that is not ours: so that prunes and loads know it again.
        **({} if LABEL in base.config.labels else {LABEL: __version__}),
    }
    derived = Derived(
        image_id="",
        reference=_reference(base, lock, addition.texts),
        origin_id=addition.image.id,
        origin=addition.reference,
        requirements=addition.texts,
        packages=tuple(f"{package.name}=={package.version}" for package in lock.packages),
        kept=kept,
        lock_digest=lock.digest,
        up_to_date=False,
    )
    return derived, Planned(plan=extra_plan(lock, base, labels), lock=lock, tree=None)


def _reference(base: BaseImage, lock: Lock, texts: Sequence[str]) -> str:
    decisive = json.dumps([base.image_id, lock.digest, texts])
    return f"{REPOSITORY}:{hashlib.sha256(decisive.encode()).hexdigest()[:32]}"
