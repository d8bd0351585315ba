"""All that a build is made of, before any of it is made."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.lock.values import Lock
from imagekit.plan.values import Plan
from imagekit.spec.base import BaseImage
from imagekit.spec.source_tree import SourceTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and the files that it speaks of."""

    plan: Plan
    lock: Lock  # of wheels alone
    tree: SourceTree | None  # None: no source goes in
    working_tree: str = "unknown"  # clean or dirty, for who has looked (git.working_tree)
    preflight: str = "warn"  # strict, off: what becomes of packages' libraries that the base does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a specification was resolved to. It stays as it is while only the project's source changes."""

    base: BaseImage
    lock: Lock  # of wheels alone
