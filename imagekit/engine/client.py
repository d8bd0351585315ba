"""The Docker Engine's API behind one seam: images.

Every call has a deadline, and whatever goes wrong comes out as one of our errors.
Source: Docker Engine API v1.41 and later, through the Docker SDK for Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagekit.engine.faults import reach, refusal, translated
from imagekit.errors import BaseNotFound, EngineError
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform

if TYPE_CHECKING:
    from docker.api import APIClient

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
# Longer than an engine is ever seen to pause (a machine that swaps, a minute's SIGSTOP).
DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine says of itself."""

    version: str
    api_version: str
    is_docker: bool  # Docker's own, and not another that speaks its API
    containerd_store: bool  # images live in containerd's content store, by manifest digest
    storage_driver: str
    platform: Platform
    data_root: str
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image as an engine holds it."""

    id: str
    diff_ids: tuple[Digest, ...]
    tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    platform: Platform
    size: int  # bytes, uncompressed
    settings: Mapping[str, Any]  # the config object: Env, Labels, WorkingDir …

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.settings.get("Labels") or {})


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of an image's history, as an engine tells it."""

    created_by: str
    size: int  # bytes
    is_empty: bool  # surely no layer


class Engine:
    """A Docker Engine at ``address``.

    Nothing is sent before ``connect``; ``api`` is the SDK's low-level client, for this room alone.
    """

    def __init__(self, api: APIClient, address: str) -> None:
        self.api = api
        self.address = address

    @classmethod
    def connect(cls, address: str | None = None, *, deadline: float = DEADLINE_SECONDS) -> Engine:
        """The engine at ``address`` (``unix://``, ``tcp://``, ``ssh://``); by default the local socket.

        Raises ``EngineNotFound``, ``EnginePermission``, ``NotAnEngine`` or ``EngineTimeout``.
        """
        address = address or DEFAULT_ADDRESS
        reach(address)
        from docker.api import APIClient

        with translated("asking for its version", address):
            api = APIClient(base_url=address, version="auto", timeout=int(deadline), use_ssh_client=True)
        return cls(api, address)

    def close(self) -> None:
        self.api.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @cached_property
    def info(self) -> EngineInfo:
        with translated("asking for its settings", self.address):
            version, info = self.api.version(), self.api.info()
        components = {c.get("Name") for c in version.get("Components") or ()}
        status = {str(k): str(v) for k, v in info.get("DriverStatus") or ()}
        return EngineInfo(
            version=version["Version"],
            api_version=version["ApiVersion"],
            is_docker="Podman Engine" not in components,
            containerd_store=status.get("driver-type", "").startswith("io.containerd.snapshotter"),
            storage_driver=info.get("Driver", ""),
            platform=_platform(info.get("OSType", "linux"), info.get("Architecture", "x86_64")),
            data_root=info.get("DockerRootDir", ""),
            cpus=int(info.get("NCPU") or 1),
        )

    def image(self, reference: str) -> EngineImage | None:
        """The image that ``reference`` (or an ID) names here, or ``None``."""
        import docker.errors

        with translated(f"inspecting {reference}", self.address):
            try:
                found = self.api.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return None
        return EngineImage(
            id=found["Id"],
            diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            tags=tuple(found.get("RepoTags") or ()),
            repo_digests=tuple(found.get("RepoDigests") or ()),
            platform=_platform(found.get("Os", "linux"), found.get("Architecture", "amd64"), found.get("Variant")),
            size=found.get("Size") or 0,
            settings=found.get("Config") or {},
        )

    def history(self, image_id: str) -> tuple[HistoryEntry, ...]:
        """The image's history, the lowest step first."""
        with translated(f"reading the history of {image_id}", self.address):
            found = self.api.history(image_id)
        return tuple(
            HistoryEntry(
                entry.get("CreatedBy") or "",
                entry.get("Size") or 0,
                "#(nop)" in (entry.get("CreatedBy") or "") and not entry.get("Size"),
            )
            for entry in reversed(found)
        )

    def image_ids(self, *, label: str, limit: int) -> tuple[str, ...]:
        """IDs of images with ``label``, the newest first, at most ``limit``."""
        with translated("listing images", self.address):
            found = self.api.images(filters={"label": label})
        found.sort(key=lambda image: image.get("Created") or 0, reverse=True)
        return tuple(image["Id"] for image in found[:limit])

    def tags(self, repository: str) -> tuple[str, ...]:
        """``name:tag`` of every image of ``repository``."""
        with translated("listing images", self.address):
            found = self.api.images(name=repository)
        return tuple(tag for image in found for tag in image.get("RepoTags") or () if tag.startswith(f"{repository}:"))

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker or OCI archive, given in pieces (``docker load``)."""
        with translated("loading an image", self.address):
            # As the SDK's load_image, which passes over a refusal that is no event.
            answer = self.api._post(
                self.api._url("/images/load"), data=_chunked(archive), params={"quiet": 1}, stream=True
            )
            self.api._raise_for_status(answer)
            for event in self.api._stream_helper(answer, decode=True):
                self._raise_event(event)

    def save(self, reference: str) -> Iterator[bytes]:
        """The image as an archive, in pieces (``docker save``)."""
        with translated(f"saving {reference}", self.address):
            yield from self.api.get_image(reference, chunk_size=1 << 20)

    def tag(self, image_id: str, reference: str) -> None:
        """Make ``reference`` (``name:tag``) name the image."""
        name, _, tag = reference.rpartition(":")
        with translated(f"tagging {reference}", self.address):
            self.api.tag(image_id, name, tag, force=True)

    def remove_image(self, reference: str, *, force: bool = False) -> bool:
        """Remove a tag, and the image with its last one. ``False`` where it is missing or in use."""
        import docker.errors

        with translated(f"removing {reference}", self.address):
            try:
                self.api.remove_image(reference, force=force, noprune=False)
            except docker.errors.APIError as error:
                if error.status_code in (404, 409):
                    return False
                raise
        return True

    def pull(self, reference: str, platform: Platform, *, on_event: Callable[[], object] = lambda: None) -> EngineImage:
        """Pull ``reference`` for ``platform``; ``BaseNotFound`` with the registry's words where it cannot be had.

        ``on_event`` is called whenever the engine has something to say.
        """
        try:
            with translated(f"pulling {reference}", self.address):
                for event in self.api.pull(reference, platform=str(platform), stream=True, decode=True):
                    on_event()
                    self._raise_event(event)
        except EngineError as error:
            if type(error) is not EngineError:
                raise
            raise BaseNotFound(
                f"the base image {reference} is not here and cannot be pulled",
                hint="imagekit base build makes one from Debian's packages; --base-image names another",
                details=error.message,
            ) from error
        image = self.image(reference)
        if image is None:
            raise BaseNotFound(f"{reference} was pulled for {platform} and is not there", hint="check its platforms")
        return image

    def push(self, reference: str, auth: Mapping[str, str] | None = None) -> Iterator[Mapping[str, Any]]:
        """Push a tag; the engine's own progress events, the last of which may be an error."""
        name, _, tag = reference.rpartition(":")
        with translated(f"pushing {reference}", self.address):
            yield from self.api.push(name, tag, stream=True, decode=True, auth_config=dict(auth) if auth else None)

    @staticmethod
    def _raise_event(event: Mapping[str, Any]) -> None:
        if "error" in event:
            raise refusal(str(event["error"]).strip())


def _platform(os: str, architecture: str, variant: str | None = None) -> Platform:
    known = {"x86_64": "amd64", "aarch64": "arm64"}
    return Platform(os, known.get(architecture, architecture), variant or None)


def _chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # requests sends an iterator piece by piece, and a list as form fields: this is always the former.
    yield from chunks
