"""An image of an engine, ours or not, looked at from inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagekit.check.any_image import FAILED, Expected, Line, lines
from imagekit.check.health import IMPORT_SECONDS, examine
from imagekit.engine.client import Engine
from imagekit.errors import EngineError
from imagekit.explaining.built_image import in_engine
from imagekit.plan.image_facts import ImageFacts
from imagekit.spec.entrypoint import Entrypoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found."""

    reference: str
    image_id: str
    lines: tuple[Line, ...]
    distributions: Mapping[str, str]  # normalized name → version, all that is installed
    seconds: float

    @property
    def ok(self) -> bool:
        return all(line.status != FAILED for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "image_id": self.image_id,
            "ok": self.ok,
            "checks": [line.to_json() for line in self.lines],
            "distributions": dict(self.distributions),
            "seconds": round(self.seconds, 3),
        }


def check_any(
    engine: Engine,
    reference: str,
    *,
    expected: Expected,
    entrypoints: Sequence[Entrypoint] = (),
    workdir: str | None = None,
    env: Mapping[str, str] | None = None,
    deadline: float = IMPORT_SECONDS,
) -> Checked:
    """Look at the image that ``reference`` (or an ID) names in ``engine``, in one container without a network.

    Of an image of ours the Python and the packages that it was built with are expected besides. Raises
    ``EngineError`` where there is none, ``BaseUnusable`` where it has no Python, ``CheckFailed`` where that is broken.
    """
    image = in_engine(engine, reference)
    if image is None:
        raise EngineError(f"{reference} is not in the engine", hint=f"build it, or docker pull {reference}")
    report = examine(
        engine,
        image.image_id,
        expected_python="",
        entrypoints=entrypoints,
        distributions={},
        workdir=workdir,
        env=env,
        deadline=deadline,
        closely=True,
        called=reference,
    )
    if image.record is not None:
        expected = replace(expected, locked=_locked(image), python=expected.python or image.record.python)
    return Checked(
        reference=reference,
        image_id=image.image_id,
        lines=lines(report.answer, expected),
        distributions=report.distributions,
        seconds=report.seconds,
    )


def _locked(image: ImageFacts) -> dict[str, str] | None:
    """The packages of the layers of ours; ``None`` where they do not tell (what BuildKit made of the Dockerfile)."""
    pairs = (package.partition("==") for layer in image.layers for package in layer.packages)
    return {name: version for name, equals, version in pairs if equals} or None
