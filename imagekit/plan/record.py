"""What went into an image, as one of its labels: so that a later build can be compared with it, wherever it is.

The label holds what a person asks about and no more: requirements as they were written (a
digest where they are many), short digests of the rest, and the keys of the layers. No host's
path, no credential and no clock is in it, so the same inputs give the same label everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagekit.oci.digest import canonical_json, digest_of_json, short
from imagekit.plan.values import FORMAT, PlannedLayer
from imagekit.spec.base import BaseImage
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.portable import portable
from imagekit.spec.url import redacted

LABEL = "imagekit.inputs"
# Of the label's own shape: a reader passes over what it does not know.
_SHAPE = 1
# More than this of them is read from the packages, and only whether they changed from here.
_MOST_TEXT = 1500
_MOST_FILES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The inputs of one image; digests and keys are their first twelve hex digits."""

    layer_format: int  # ``plan.values.FORMAT`` of the imagekit that built it
    base: str  # digest of what an image inherits of its base: layers and settings
    base_layers: int  # with those of recipes
    python: str  # full version
    prefix: str
    # Requirements by the file, or table, that they stand in; the digest of those that are many.
    requirements: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    constraints: str = ""
    lock_file: str = ""  # the name of the project's own
    files: Mapping[str, str] = field(default_factory=dict)  # target → digest; {"": digest} where they are many
    source: str = ""
    recipes: Mapping[str, str] = field(default_factory=dict)  # what the base was given: name → digest, the lowest first
    options: Mapping[str, Any] = field(default_factory=dict)  # those that are not the default
    layers: tuple[str, ...] = ()  # keys, the lowest first

    def to_label(self) -> str:
        """Canonical JSON; what is empty is left out."""
        document: dict[str, Any] = {
            "v": _SHAPE,
            "format": self.layer_format,
            "base": {"digest": self.base, "layers": self.base_layers, "python": self.python, "prefix": self.prefix},
            "requirements": {k: v if isinstance(v, str) else list(v) for k, v in self.requirements.items()},
            "constraints": self.constraints,
            "lock": self.lock_file,
            "files": dict(self.files),
            "source": self.source,
            "recipes": [f"{name}@{digest}" for name, digest in self.recipes.items()],
            "options": dict(self.options),
            "layers": " ".join(self.layers),
        }
        return canonical_json({name: value for name, value in document.items() if value}).decode()

    @classmethod
    def from_label(cls, text: str | None) -> Record | None:
        """The record of an image's label; ``None`` where there is none, or another shape of it."""
        try:
            found = json.loads(text or "")
            if found["v"] != _SHAPE:
                return None
            base = found["base"]
            requirements = found.get("requirements") or {}
            return cls(
                layer_format=int(found["format"]),
                base=str(base["digest"]),
                base_layers=int(base["layers"]),
                python=str(base["python"]),
                prefix=str(base["prefix"]),
                requirements={
                    str(k): v if isinstance(v, str) else tuple(str(x) for x in v) for k, v in requirements.items()
                },
                constraints=str(found.get("constraints", "")),
                lock_file=str(found.get("lock", "")),
                files={str(k): str(v) for k, v in (found.get("files") or {}).items()},
                source=str(found.get("source", "")),
                recipes=dict(str(each).split("@", 1) for each in found.get("recipes") or ()),
                options=dict(found.get("options") or {}),
                layers=tuple(str(found.get("layers", "")).split()),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def record_of(
    spec: ImageSpec,
    base: BaseImage,
    prefix: str,
    layers: Sequence[PlannedLayer],
    *,
    file_digests: Mapping[str, str],
    source_digest: str | None,
) -> Record:
    """The record of the image that ``layers`` on ``base`` make."""
    files = {target: short(digest_of_json(digest)) for target, digest in sorted(file_digests.items())}
    return Record(
        layer_format=FORMAT,
        # As the image inherits it: when and by whom a base was made is no part of that.
        base=short(digest_of_json([base.named.config.diff_ids, dict(base.named.config.settings)])),
        base_layers=len(base.config.diff_ids),
        python=base.python.version,
        prefix=prefix,
        requirements=_by_origin(spec.requirements, spec.context),
        constraints=short(digest_of_json(sorted(line.text for line in spec.constraints))) if spec.constraints else "",
        lock_file=spec.lock_file.name if spec.lock_file is not None else "",
        files=files if len(files) <= _MOST_FILES else {"": short(digest_of_json(files))},
        source=short(source_digest) if source_digest is not None else "",
        recipes={recipe.name: short(recipe.content) for recipe in base.recipes},
        options=_options(spec),
        layers=tuple(short(layer.key) for layer in layers),
    )


def _by_origin(lines: Iterable[RequirementLine], context: Path) -> dict[str, tuple[str, ...] | str]:
    found: dict[str, list[str]] = {}
    for line in lines:
        # A line's number is no part of it: a comment above it is no change.
        origin, _, number = line.origin.rpartition(":")
        found.setdefault(origin if origin and number.isdigit() else line.origin, []).append(
            redacted(portable(line.text, context))
        )
    if sum(len(text) + 3 for texts in found.values() for text in texts) > _MOST_TEXT:
        return {origin: short(digest_of_json(sorted(texts))) for origin, texts in found.items()}
    return {origin: tuple(sorted(texts)) for origin, texts in found.items()}


def _options(spec: ImageSpec) -> dict[str, Any]:
    explicit = (each.url for each in spec.indexes.named if each.explicit)
    listed = (spec.indexes.default, *spec.indexes.extra, *spec.indexes.supplemental, *explicit)
    urls = [url for url in listed if url is not None]
    options: dict[str, Any] = {
        "resolver": spec.resolver if spec.resolver != "uv" else "",
        "source-builds": list(spec.source_builds),
        "only-binary": list(spec.only_binary),
        "no-binary": list(spec.no_binary),
        "pre": bool(spec.prereleases),
        "exclude-newer": spec.exclude_newer or "",
        "any-index": bool(spec.any_index),
        "pins": [f"{pin.package} {pin.index}" for pin in spec.indexes.pins],
        "commands": list(spec.extra_dockerfile_commands),
        # Directories of wheels are left out: they are paths of one machine.
        "indexes": short(digest_of_json([redacted(url) for url in urls if "://" in url])) if urls else "",
    }
    return {name: value for name, value in options.items() if value}
