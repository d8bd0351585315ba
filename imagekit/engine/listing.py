"""What an engine holds in all: its images and its containers, each in one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagekit.engine.client import Engine
from imagekit.engine.wire import query


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImage:
    """An image by its ID, with all its names."""

    id: str
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContainer:
    """A container, running or not."""

    id: str
    name: str
    image_id: str
    is_running: bool  # paused and restarting ones are, too
    labels: Mapping[str, str] = field(default_factory=dict)


def list_images(engine: Engine) -> tuple[ListedImage, ...]:
    """Every image of ``engine`` that has a name, or had one."""
    found = engine.ask("listing images", "GET", "/images/json").json
    return tuple(
        ListedImage(
            id=entry["Id"],
            # Engines before 25 call those without a name so.
            tags=tuple(tag for tag in entry.get("RepoTags") or () if tag != "<none>:<none>"),
            labels=dict(entry.get("Labels") or {}),
        )
        for entry in found
    )


def list_containers(engine: Engine) -> tuple[ListedContainer, ...]:
    """Every container of ``engine``."""
    found = engine.ask("listing containers", "GET", query("/containers/json", all=True)).json
    return tuple(
        ListedContainer(
            id=entry["Id"],
            name=next(iter(entry.get("Names") or ()), "").lstrip("/"),
            image_id=entry.get("ImageID") or "",
            is_running=entry.get("State") not in ("exited", "created", "dead"),
            labels=dict(entry.get("Labels") or {}),
        )
        for entry in found
    )
