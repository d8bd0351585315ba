"""OCI image configuration (image-spec, config.md), inherited from a base and added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.oci.digest import Digest, canonical_json, digest_of
from imagekit.oci.platform import Platform

# What engines give a process whose image names no PATH (moby, oci/defaults.go); bases that are made here name it, too.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class History:
    """One entry of an image's history: what made a layer, or an empty step."""

    created_by: str
    empty_layer: bool = False
    comment: str = "imagekit"

    def to_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"created_by": self.created_by, "comment": self.comment}
        if self.empty_layer:
            entry["empty_layer"] = True
        return entry


@dataclass(frozen=True)
class ImageConfig:
    """An image configuration as the registry holds it.

    ``document`` is the whole JSON object, so that fields imagekit does not know
    (a health check, ``OnBuild``, a variant) are inherited untouched.
    """

    document: Mapping[str, Any]

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """Digests of the uncompressed layers, the lowest first."""
        return tuple(Digest(d) for d in (self.document.get("rootfs") or {}).get("diff_ids") or ())

    @property
    def settings(self) -> Mapping[str, Any]:
        """The ``config`` object: ``Env``, ``User``, ``WorkingDir``, ``Entrypoint``, ``Labels`` …"""
        return self.document.get("config") or {}

    @property
    def platform(self) -> Platform:
        return Platform(
            self.document.get("os", "linux"),
            self.document.get("architecture", "amd64"),
            self.document.get("variant") or None,
        )

    @property
    def env(self) -> dict[str, str]:
        """The environment, in order; an entry without ``=`` has an empty value."""
        return {k: v for k, _, v in (e.partition("=") for e in self.settings.get("Env") or ())}

    @property
    def path(self) -> str:
        """``PATH`` of its processes: its own, or what engines give one without."""
        return self.env.get("PATH") or DEFAULT_PATH

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.settings.get("Labels") or {})

    def extended(
        self,
        *,
        layers: Sequence[tuple[Digest, History]],
        settings: Mapping[str, Any],
        env: Mapping[str, str],
        labels: Mapping[str, str],
        created: str | None,
    ) -> ImageConfig:
        """This configuration with ``layers`` on top.

        ``settings`` replace those of the base, ``env`` and ``labels`` are added to its own, but for
        its OCI annotations: those tell of the base itself.
        ``created`` is an RFC 3339 time; ``None`` leaves the field out, so that the same
        inputs give the same bytes on any day.
        """
        inner = dict(self.settings)
        inner.update(settings)
        inner["Env"] = [f"{k}={v}" for k, v in {**self.env, **env}.items()]
        inherited = {name: value for name, value in self.labels.items() if not name.startswith(_ANNOTATION)}
        inner["Labels"] = {**inherited, **labels}
        document = {k: v for k, v in self.document.items() if k not in _NOT_INHERITED}
        document.setdefault("os", "linux")
        document.setdefault("architecture", "amd64")
        document["config"] = inner
        document["rootfs"] = {"type": "layers", "diff_ids": [*self.diff_ids, *(d for d, _ in layers)]}
        document["history"] = [*self.history, *(h.to_json() for _, h in layers)]
        if created is not None:
            document["created"] = created
        return ImageConfig(document)

    @property
    def history(self) -> list[Mapping[str, Any]]:
        """The history, filled up at its end: it may be left out (image-spec), and readers count layers by it."""
        known = list(self.document.get("history") or ())
        missing = len(self.diff_ids) - sum(not entry.get("empty_layer") for entry in known)
        return [*known, *({"created_by": "unknown"} for _ in range(missing))]

    def to_bytes(self) -> bytes:
        """The canonical JSON, which is what is stored and digested."""
        return canonical_json(self.document)

    @property
    def digest(self) -> Digest:
        """The config digest; on an engine's classic image store this is the image ID."""
        return digest_of(self.to_bytes())


_ANNOTATION = "org.opencontainers.image."
# Of the base alone: when and by which engine and container it was made.
_NOT_INHERITED = frozenset({"created", "container", "container_config", "docker_version", "id", "parent"})
