"""An image that documents are written about: who it is, and what it has."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

from packaging.version import Version

from imagekit.attest.materials import Materials, Wheel
from imagekit.attest.packages import Origin, Packages, PythonPackage
from imagekit.moments import parse_rfc3339
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.plan.record import LABEL, Record
from imagekit.registry.hosts import home_of

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:imagekit:attest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One platform's image."""

    name: str  # without a tag, which moves: registry.example.com/team/orders
    config: Digest  # of its configuration: the same in every store
    manifest: Digest | None  # of its manifest, where it has one
    platform: Platform
    created: str | None  # RFC 3339; ``None`` where the image does not say
    python: str  # full version of its Python; empty where it is not known
    packages: Packages
    materials: Materials | None = None  # where they were kept

    @property
    def digest(self) -> Digest:
        """By which the image is named: of its manifest, else of its configuration."""
        return self.manifest or self.config

    @property
    def moment(self) -> datetime:
        """``created``, or the epoch where the image does not say: documents are the same on any day."""
        if self.created:
            try:
                found = parse_rfc3339(self.created)
                return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).replace(microsecond=0)
            except ValueError:
                pass
        return datetime.fromtimestamp(0, timezone.utc)

    def identity(self, kind: str) -> uuid.UUID:
        """The ID of this image's document of ``kind``: the same for the same image and materials."""
        known = "with" if self.materials is not None else "without"
        return uuid.uuid5(_NAMESPACE, f"{kind} {self.name} {self.digest} {known}")

    def wheel_of(self, package: PythonPackage) -> Wheel | None:
        """The wheel that ``package`` was installed from, where that is known."""
        if self.materials is None or package.location.rpartition("/")[0] != self.materials.site:
            # What the base brought may have the same name in another place.
            return None
        known = (wheel for wheel in self.materials.wheels if wheel.name == package.name)
        return next((wheel for wheel in known if Version(wheel.version) == Version(package.version)), None)

    def origin_of(self, package: PythonPackage) -> Origin | None:
        """Where ``package`` is from, where that was no index: as its metadata says it, or as the lock does."""
        wheel = self.wheel_of(package)
        if package.origin is not None or wheel is None:
            return package.origin
        source = wheel.source or wheel.file
        if source.commit and source.repository:
            return Origin(url=source.repository, vcs="git", commit=source.commit)
        return Origin(url=source.url) if source.by_url and source.url else None


def subject_of(
    reference: str,
    config: ImageConfig,
    config_digest: Digest,
    manifest: Digest | None,
    packages: Packages,
    materials: Materials | None = None,
) -> Subject:
    """The subject that the image of ``config`` is; ``reference`` is any name of it."""
    record = Record.from_label(config.labels.get(LABEL))
    created = config.document.get("created")
    return Subject(
        name=image_name(reference),
        config=config_digest,
        manifest=manifest,
        platform=config.platform,
        created=str(created) if created else None,
        # The official images of Python say it in their environment.
        python=record.python if record is not None else config.env.get("PYTHON_VERSION", ""),
        packages=packages,
        materials=materials,
    )


def image_name(reference: str) -> str:
    """``registry/repository`` with all that Docker fills in; a word that is no reference stays as it is."""
    from imagekit.errors import InvalidReference

    try:
        parsed = Reference.parse(reference)
    except InvalidReference:
        return reference
    return home_of(parsed) if parsed.registry is not None else parsed.repository
