"""Which inputs differ between an image that was built and a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from imagekit.oci.digest import Digest, digest_of_json, short
from imagekit.plan.config import image_config
from imagekit.plan.image_facts import ImageFacts
from imagekit.plan.record import LABEL, Record
from imagekit.plan.values import Plan

_ANNOTATION = "org.opencontainers.image."
_BASE_NAME = f"{_ANNOTATION}base.name"
# What other inputs already tell.
_TOLD = frozenset({LABEL, "imagekit.lock", "imagekit.recipes", _BASE_NAME})
_SETTINGS = {"User": "user", "WorkingDir": "workdir", "Entrypoint": "entrypoint", "Cmd": "command"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChange:
    """One difference."""

    input: str  # requirements, lock, conda, base, recipe, python, source, file, env, label, setting, option, imagekit
    name: str  # of the file, package, variable …
    change: str  # added, changed, removed
    before: str | None = None  # where it is told
    after: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "input": self.input,
            "name": self.name,
            "change": self.change,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Files of the source that differ: paths relative to the project."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"added": list(self.added), "changed": list(self.changed), "removed": list(self.removed)}


def input_changes(old: ImageFacts, new: Plan) -> tuple[InputChange, ...]:
    """What is different, the requirements first. Values of variables and labels are not told: they may be secret."""
    record = Record.from_label(new.labels.get(LABEL))
    found: list[InputChange] = []
    if old.record is not None and record is not None:
        found += _requirements(old.record.requirements, record.requirements)
    found += _packages(old, new)
    found += _conda(old, new)
    found += _base(old, new, record)
    if old.record is not None and record is not None:
        found += _recorded(old.record, record)
    found += _configuration(old, new)
    return tuple(found)


def versions(pins: Iterable[str]) -> dict[str, str]:
    """``{"rich": "13.7.1"}`` of ``rich==13.7.1``."""
    return {name: version for name, _, version in (pin.partition("==") for pin in pins)}


def _changed(kind: str, name: str, before: str | None, after: str | None, *, told: bool = True) -> InputChange:
    change = "added" if before is None else "removed" if after is None else "changed"
    return InputChange(
        input=kind, name=name, change=change, before=before if told else None, after=after if told else None
    )


def _requirements(
    old: Mapping[str, tuple[str, ...] | str], new: Mapping[str, tuple[str, ...] | str]
) -> Iterator[InputChange]:
    for origin in sorted({*old, *new}):
        before, after = old.get(origin, ()), new.get(origin, ())
        if before == after:
            continue
        if isinstance(before, str) or isinstance(after, str):
            yield _changed("requirements", origin, str(before) or None, str(after) or None, told=False)
            continue
        gone, come = _by_name(set(before) - set(after)), _by_name(set(after) - set(before))
        for name in sorted({*gone, *come}):
            yield _changed("requirements", origin, gone.get(name), come.get(name))


def _by_name(texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in sorted(texts):
        name = text
        with suppress(InvalidRequirement):
            name = str(canonicalize_name(Requirement(text).name))
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _packages(old: ImageFacts, new: Plan) -> Iterator[InputChange]:
    before = versions(pin for layer in old.layers if layer.kind == "wheels" for pin in layer.packages)
    after = versions(pin for layer in new.layers if layer.kind == "wheels" for pin in layer.packages)
    for name, was, now in _differing(before, after):
        yield _changed("lock", name, was, now)


def _conda(old: ImageFacts, new: Plan) -> Iterator[InputChange]:
    before, after = (
        {name: build.replace("=", " ") for name, _, build in (pin.partition("=") for pin in pins)}
        for pins in (old.conda, new.conda)
    )
    for name, was, now in _differing(before, after):
        yield _changed("conda", name, was, now)


def _base(old: ImageFacts, new: Plan, record: Record | None) -> Iterator[InputChange]:
    names = (old.labels.get(_BASE_NAME, new.base.reference), new.base.reference)
    if old.record is not None and record is not None:
        digests = (old.record.base, record.base)
    else:
        # Of an image from before there were records: its layers tell.
        below = old.diff_ids[: len(old.diff_ids) - len(old.layers)]
        digests = (short(digest_of_json(below)), short(digest_of_json(new.base.config.diff_ids)))
    if digests[0] != digests[1]:
        yield _changed("base", new.base.reference, *(f"{n} ({d})" for n, d in zip(names, digests, strict=True)))
    elif names[0] != names[1]:
        yield _changed("base", new.base.reference, *names)
    if old.record is not None and old.record.python != new.base.python.version:
        yield _changed("python", "python", old.record.python, new.base.python.version)


def _recorded(old: Record, new: Record) -> Iterator[InputChange]:
    if old.source != new.source:
        yield _changed("source", "source", old.source or None, new.source or None, told=False)
    for target, was, now in _differing(old.files, new.files):
        yield _changed("file", target or "files", was, now, told=False)
    for name, was, now in _differing(old.recipes, new.recipes):
        yield _changed("recipe", name, was, now, told=False)
    if old.constraints != new.constraints:
        yield _changed("requirements", "constraints", old.constraints or None, new.constraints or None, told=False)
    for name, was, now in _differing(_options(old), _options(new)):
        yield _changed("option", name, was, now, told=name != "indexes")
    if old.layer_format != new.layer_format:
        yield _changed("imagekit", "layer format", str(old.layer_format), str(new.layer_format))


def _options(record: Record) -> dict[str, str]:
    found = {k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in record.options.items()}
    return {**found, **({"lock": record.lock_file} if record.lock_file else {}), "prefix": record.prefix}


def _configuration(old: ImageFacts, new: Plan) -> Iterator[InputChange]:
    # Only its settings are read: the layers need not be known.
    planned = image_config(new, [Digest("")] * len(new.layers))
    for name, was, now in _differing(old.env, planned.env):
        yield _changed("env", name, was, now, told=False)
    for name, was, now in _differing(old.labels, planned.labels):
        if name == "imagekit.version":
            yield _changed("imagekit", "version", was, now)
        elif name not in _TOLD:
            yield _changed("label", name, was, now, told=name.startswith(_ANNOTATION))
    for key, word in _SETTINGS.items():
        before, after = _text(old.settings.get(key)), _text(planned.settings.get(key))
        if before != after:
            yield _changed("setting", word, before, after)


def _text(value: Any) -> str | None:
    return None if not value else " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)
