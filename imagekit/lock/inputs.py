"""What decides a resolution, as one digest: a lock is stale when it differs."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.lock.target import Target
from imagekit.network.urls import without_login
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine

# Part of every digest: raised when the same inputs are to be resolved in another way.
FORMAT = 1


def inputs_digest(spec: ImageSpec, target: Target) -> Digest:
    """The digest of all that decides what ``spec`` resolves to for ``target``.

    Where a requirement was written, and in which order, is no part of it; neither are the
    credentials of an index. A base's patch release and C library are no part of it either: a lock
    stays good for them as long as its files fit. What an index holds is not known before it is asked,
    so a lock goes stale by what is wanted, and not by what was released since. What a base has
    installed is a part where the packages must get along with it.
    """
    indexes = spec.indexes
    installed = sorted({(found.name, found.version) for found in target.installed})
    return digest_of_json(
        {
            **({"installed": installed} if installed else {}),
            **({"held": True} if target.held else {}),
            "format": FORMAT,
            "requirements": _lines(spec.requirements),
            "constraints": _lines(spec.constraints),
            **({"overrides": _lines(spec.overrides)} if spec.overrides else {}),
            "requires_hashes": spec.requires_hashes,
            "indexes": {
                "default": None if indexes.default is None else without_login(indexes.default),
                "extra": [without_login(u) for u in indexes.extra],
                **({"supplemental": list(indexes.supplemental)} if indexes.supplemental else {}),
                "find_links": [without_login(u) for u in indexes.find_links],
                "no_index": indexes.no_index,
                **_pinned(indexes),
            },
            **_policy(spec),
            "source_builds": sorted(spec.source_builds),
            "resolver": spec.resolver,
            "target": {
                "python": list(target.version),
                "platform": str(target.platform),
                "libc": target.libc,
                "implementation": target.environment.get("implementation_name", "cpython"),
            },
        }
    )


def _pinned(indexes: Indexes) -> dict[str, object]:
    explicit = sorted((each.name, each.url) for each in indexes.named if each.explicit)
    pins = sorted((pin.package, pin.index, pin.marker) for pin in indexes.pins)
    return {**({"explicit": explicit} if explicit else {}), **({"pins": pins} if pins else {})}


def _policy(spec: ImageSpec) -> dict[str, object]:
    policy = {
        "prereleases": spec.prereleases,
        "exclude_newer": spec.exclude_newer,
        "any_index": spec.any_index,
        "only_binary": sorted(spec.only_binary),
        # Where not all may be built, those that are to be stand among them.
        "no_binary": sorted(spec.no_binary) if "*" in spec.source_builds else [],
    }
    return {name: value for name, value in policy.items() if value}


def _lines(lines: Iterable[RequirementLine]) -> list[list[object]]:
    # Extras and markers are part of the text.
    return sorted([without_credentials_in(_text(line)), sorted(line.hashes)] for line in lines)


def _text(line: RequirementLine) -> str:
    """A requirement with what decides its resolution, wherever that lies on this machine."""
    if line.local is None:
        return line.text
    return line.text.replace(line.local.path.as_uri(), f"file:{line.local.metadata}")


def without_credentials_in(requirement: str) -> str:
    """``requirement`` with the credentials of its direct URL, if it has one, left out."""
    name, at, url = requirement.partition("@")
    return f"{name}@{without_login(url.strip())}" if at and "://" in url else requirement


def direct_names(spec: ImageSpec, target: Target) -> frozenset[str]:
    """The normalized names that ``spec`` itself asks for on ``target``."""
    return frozenset(canonicalize_name(r.name) for r, _ in applying(spec.requirements, target))


def applying(lines: Iterable[RequirementLine], target: Target) -> list[tuple[Requirement, RequirementLine]]:
    """The requirements among ``lines`` whose markers hold on ``target``."""
    environment = target.environment
    parsed = [(Requirement(line.text), line) for line in lines]
    return [(r, line) for r, line in parsed if r.marker is None or r.marker.evaluate({**environment, "extra": ""})]
