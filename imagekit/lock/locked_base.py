"""The base image that a lock was made on, kept with the lock: so that a tag that has moved since is seen.

What is compared is the configuration's digest, which is the same wherever an image lies; what is told is the
digest of the manifest, where both are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagekit.errors import StaleLock
from imagekit.lock.values import Lock
from imagekit.oci.digest import Digest, is_digest
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import ImageSpec

_KEY = "base"
UPGRADE = "imagekit lock --upgrade-base takes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBase:
    """A base image as a lock has it."""

    image: str  # as it was named
    config: Digest  # of its configuration as canonical JSON
    digest: Digest | None = None  # of its manifest or index

    @property
    def shown(self) -> Digest:
        return self.digest or self.config


def with_base(lock: Lock, base: BaseImage) -> Lock:
    """``lock`` with the base that it was made on, under ``[tool.imagekit.base]``."""
    base = base.named
    known: dict[str, Any] = dict(lock.extra.get(_KEY) or {})
    known |= {"image": base.reference, "config": base.config.digest}
    known.pop("digest", None)
    if base.digest is not None:
        known["digest"] = base.digest
    return replace(lock, extra={**lock.extra, _KEY: known})


def locked_base(extra: Mapping[str, Any]) -> LockedBase | None:
    """The base in a lock's own table; ``None`` for a lock that names none."""
    known = extra.get(_KEY)
    if not isinstance(known, Mapping) or not is_digest(str(known.get("config"))):
        return None
    digest = known.get("digest")
    return LockedBase(
        image=str(known.get("image") or ""),
        config=Digest(str(known["config"])),
        digest=Digest(str(digest)) if is_digest(str(digest)) else None,
    )


def moved(lock: Lock, base: BaseImage) -> str | None:
    """One line where ``base`` is not what ``lock`` was made on; ``None`` where it is, or nothing is known of it."""
    known, base = locked_base(lock.extra), base.named
    # Images of one name for two platforms are two.
    if known is None or lock.platform != str(base.config.platform) or known.config == base.config.digest:
        return None
    if known.image != base.reference:
        return f"the lock was made on {known.image}, and the base is {base.reference}: imagekit lock takes it"
    both = known.digest is not None and base.digest is not None and known.digest != base.digest
    before, now = (known.digest, base.digest) if both else (known.config, base.config.digest)
    return f"{base.reference} moved since the lock: {before} → {now}; {UPGRADE}"


def hold_to_base(spec: ImageSpec, lock: Lock, base: BaseImage, reporter: Reporter, *, frozen: bool) -> None:
    """Say that the base has moved since ``lock``; ``frozen``: ``StaleLock`` for that, and where there is no lock."""
    if frozen and spec.lock_file is None:
        raise StaleLock(
            "there is no lock, and the build is a frozen one (--frozen, or frozen = true)",
            hint="make one, and keep it with the project: imagekit lock",
        )
    line = moved(lock, base)
    if line is None:
        return
    if frozen:
        raise StaleLock(line, hint=f"{UPGRADE}; a base image with a digest (imagekit base pin) stays what it is")
    reporter.line(line)
