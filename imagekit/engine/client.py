"""The Docker Engine's API behind one seam: images.

Every call has a deadline, and whatever goes wrong comes out as one of our errors.
Source: Docker Engine API v1.41 and later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imagekit.engine.faults import not_an_engine, reach, refusal, translated
from imagekit.engine.wire import JSON, TAR, Answer, SdkWire, SocketWire, Wire, part, query
from imagekit.errors import BaseNotFound, EngineError, EngineLost
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
    tagged: str = ""  # RFC 3339: when it last got a name here; an image of ours tells no other time

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
    """A Docker Engine at ``address``. Nothing is sent before ``connect``, or the first question."""

    def __init__(self, address: str, *, deadline: float = DEADLINE_SECONDS) -> None:
        self.address = address
        self.deadline = deadline
        self._is_docker = True  # until it says that it is another

    @classmethod
    def connect(cls, address: str | None = None, *, deadline: float = DEADLINE_SECONDS) -> Engine:
        """The engine at ``address`` (``unix://``, ``tcp://``, ``ssh://``); by default the local socket.

        Raises ``EngineNotFound``, ``EnginePermission``, ``NotAnEngine`` or ``EngineTimeout``.
        """
        engine = cls(address or DEFAULT_ADDRESS, deadline=deadline)
        reach(engine.address)
        try:
            _ = engine.api_version
        except EngineLost as error:
            # It takes connections, and closes them without a word.
            raise not_an_engine(engine.address, str(error.__cause__)) from error
        return engine

    @cached_property
    def api(self) -> APIClient:
        """The SDK's low-level client, for what streams or needs credentials; for this room alone."""
        from docker.api import APIClient

        with translated("asking for its version", self.address):
            return APIClient(base_url=self.address, version="auto", timeout=int(self.deadline), use_ssh_client=True)

    @cached_property
    def api_version(self) -> str:
        """The newest version of the API that it speaks."""
        answer = self._wire.ask("asking for its version", "GET", "/_ping")
        version = answer.headers.get("api-version", "")
        if answer.status != 200 or not version:
            raise not_an_engine(self.address, answer.message)
        self._is_docker = "libpod-api-version" not in answer.headers
        return version

    def speaks(self, major: int, minor: int) -> bool:
        """Whether it knows that version of the API."""
        return tuple(map(int, self.api_version.split("."))) >= (major, minor)

    @cached_property
    def _wire(self) -> Wire:
        plain = self.address.startswith(("unix://", "tcp://", "http://"))
        return SocketWire(self.address, self.deadline) if plain else SdkWire(self.api)

    def ask(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        body: object = None,
        archive: Iterable[bytes] | None = None,
        accept: tuple[int, ...] = (),
        alive: Callable[[], object] | None = None,
        most: int | None = None,
    ) -> Answer:
        """One question; a refusal is raised unless its status is in ``accept``. For this room alone."""
        content = archive if body is None else [json.dumps(body).encode()]
        kind = JSON if archive is None else TAR
        path = f"/v{self.api_version}{path}"
        answer = self._wire.ask(doing, method, path, content=content, content_type=kind, alive=alive, most=most)
        if answer.status >= 400 and answer.status not in accept:
            raise refusal(f"{doing}: {answer.message}", answer.status)
        return answer

    def hijack(self, doing: str, path: str, *, method: str = "POST") -> Any:
        """A connection that is ours alone from here on (``POST`` with an upgrade to raw bytes, or the answer to a
        ``GET`` as it comes), as a socket or a file object over one. For this room alone."""
        return self._wire.hijack(doing, f"/v{self.api_version}{path}", method=method)

    def ping(self) -> None:
        """Nothing, but an error where it does not answer."""
        self.ask("asking whether it is there", "GET", "/_ping")

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @cached_property
    def info(self) -> EngineInfo:
        info = self.ask("asking for its settings", "GET", "/info").json
        status = {str(k): str(v) for k, v in info.get("DriverStatus") or ()}
        return EngineInfo(
            version=info.get("ServerVersion", ""),
            api_version=self.api_version,
            is_docker=self._is_docker,
            containerd_store=status.get("driver-type", "").startswith("io.containerd.snapshotter"),
            storage_driver=info.get("Driver", ""),
            platform=_platform(info.get("OSType", "linux"), info.get("Architecture", "x86_64")),
            data_root=info.get("DockerRootDir", ""),
            cpus=int(info.get("NCPU") or 1),
        )

    def image(self, reference: str) -> EngineImage | None:
        """The image that ``reference`` (or an ID) names here, or ``None``."""
        answer = self.ask(f"inspecting {reference}", "GET", f"/images/{part(reference)}/json", accept=(404,))
        if answer.status == 404:
            return None
        found = answer.json
        return EngineImage(
            id=found["Id"],
            diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            tags=tuple(found.get("RepoTags") or ()),
            repo_digests=tuple(found.get("RepoDigests") or ()),
            platform=_platform(found.get("Os", "linux"), found.get("Architecture", "amd64"), found.get("Variant")),
            size=found.get("Size") or 0,
            settings=found.get("Config") or {},
            tagged=(found.get("Metadata") or {}).get("LastTagTime") or "",
        )

    def history(self, image_id: str) -> tuple[HistoryEntry, ...]:
        """The image's history, the lowest step first."""
        found = self.ask(f"reading the history of {image_id}", "GET", f"/images/{part(image_id)}/history").json
        return tuple(
            HistoryEntry(
                entry.get("CreatedBy") or "",
                entry.get("Size") or 0,
                "#(nop)" in (entry.get("CreatedBy") or "") and not entry.get("Size"),
            )
            # The containerd store says null of an image without one.
            for entry in reversed(found or ())
        )

    def image_ids(self, *, label: str, limit: int) -> tuple[str, ...]:
        """IDs of images with ``label``, the newest first, at most ``limit``."""
        found = self._images(label=[label])
        found.sort(key=lambda image: image.get("Created") or 0, reverse=True)
        return tuple(image["Id"] for image in found[:limit])

    def tags(self, repository: str) -> tuple[str, ...]:
        """``name:tag`` of every image of ``repository``."""
        found = self._images(reference=[repository])
        return tuple(tag for image in found for tag in image.get("RepoTags") or () if tag.startswith(f"{repository}:"))

    def _images(self, **filters: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("listing images", "GET", query("/images/json", filters=filters)).json
        return found

    def load(self, archive: Iterable[bytes]) -> None:
        """Load a docker or OCI archive, given in pieces (``docker load``)."""
        # It says nothing while it unpacks, which on a slow disk may be for minutes.
        answer = self.ask("loading an image", "POST", "/images/load?quiet=1", archive=archive, alive=self.ping)
        for line in filter(None, answer.body.splitlines()):
            try:
                self._raise_event(json.loads(line))
            except ValueError:
                continue  # not an event, but words

    def save(self, reference: str) -> Iterator[bytes]:
        """The image as an archive, in pieces (``docker save``)."""
        with translated(f"saving {reference}", self.address):
            yield from self.api.get_image(reference, chunk_size=1 << 20)

    def tag(self, image_id: str, reference: str) -> None:
        """Make ``reference`` (``name:tag``) name the image."""
        name, _, tag = reference.rpartition(":")
        self.ask(f"tagging {reference}", "POST", query(f"/images/{part(image_id)}/tag", repo=name, tag=tag))

    def remove_image(self, reference: str, *, force: bool = False) -> bool:
        """Remove a tag, and the image with its last one. ``False`` where it is missing or in use."""
        path = query(f"/images/{part(reference)}", force=force)
        return self.ask(f"removing {reference}", "DELETE", path, accept=(404, 409)).status < 400

    def pull(
        self,
        reference: str,
        platform: Platform | None,
        *,
        auth: Mapping[str, str] | None = None,
        on_event: Callable[[], object] = lambda: None,
    ) -> EngineImage:
        """Pull ``reference`` for ``platform``; ``BaseNotFound`` with the registry's words where it cannot be had.

        Without a platform it is the engine's own. ``auth`` is the login that the engine uses; by default what
        ``docker login`` keeps. ``on_event`` is called whenever the engine has something to say.
        """
        wanted = str(platform) if platform else None
        try:
            with translated(f"pulling {reference}", self.address):
                for event in self.api.pull(reference, platform=wanted, auth_config=auth, stream=True, decode=True):
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
            raise BaseNotFound(
                f"{reference} was pulled for {platform} and is not there",
                hint=f"see which it is for: docker manifest inspect {reference}",
            )
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
