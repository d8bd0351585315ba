"""Pushes, pulls, and builds straight into a registry: how long they take, and what the registry receives."""

from __future__ import annotations

from benchmarks import checks, uv_dockerfile
from benchmarks.case import OURS, PEER
from benchmarks.pair import Pair
from benchmarks.process import Failed
from benchmarks.registry import Registry
from benchmarks.sets import Pin

_BASE = "base:1"
DIRECT = "cache-direct"  # the cache of builds without an engine
_SLUGS = {OURS: "ours", PEER: "peer"}


def registry_of(pair: Pair, side: str) -> str:
    """The registry to which the image of ``side`` is pushed first, and again after a change."""
    return f"{pair.name}-{pair.store}-{_SLUGS[side]}"


def hand_over(pair: Pair, *, pulls: bool = True) -> None:
    """Both images were pushed once, and the second engine pulled them; in nobody's time."""
    for side in _SLUGS:
        registry = registry_of(pair, side)
        if not pair.at.registry(registry).blobs():
            push(pair, side, registry)
        if not pulls:
            continue
        try:
            pair.at.docker("second", "image", "inspect", "--format", ".", _name(pair, registry))
        except Failed:
            pull(pair, registry)


def deliver(pair: Pair, side: str) -> dict[str, float]:
    """Push the image of ``side`` to where the one before it is, and pull it into the second engine, which has that."""
    return {**push_again(pair, side), **pull(pair, registry_of(pair, side))}


def push_again(pair: Pair, side: str) -> dict[str, float]:
    """Push the image of ``side`` to where the one before it is."""
    return push(pair, side, registry_of(pair, side))


def pull(pair: Pair, registry: str) -> dict[str, float]:
    """Pull what was pushed to the registry called ``registry`` into the second engine: seconds."""
    engine = pair.at.engine("second")
    return {"pull": pair.at.timed(["docker", "pull", "--quiet", _name(pair, registry)], engine.env).seconds}


def push(pair: Pair, side: str, registry: str) -> dict[str, float]:
    """Push the image of ``side`` to the registry called ``registry``: seconds, and bytes that it did not have."""
    at, to = pair.at, pair.at.registry(registry)
    image = pair.ours_image if side == OURS else pair.peer_image
    name = _name(pair, registry)
    at.docker(pair.store, "tag", image, name)
    before = to.blobs()
    if side == OURS:
        done = at.timed(at.imagekit.push(name), at.ours_env(pair.store, pair.cache))
    else:
        done = at.timed(uv_dockerfile.push(name), at.engine(pair.store).env)
    received = _received(to, before, _repository(pair))
    at.docker(pair.store, "image", "rm", name)
    return {"push": done.seconds, **received, "peak push": done.peak_bytes}


def put_base(pair: Pair, registry: str) -> None:
    """The base image is in the registry called ``registry``; in nobody's time."""
    name = f"{pair.at.registry(registry).name}/{_BASE}"
    pair.at.docker(pair.store, "tag", pair.at.base, name)
    pair.at.docker(pair.store, "push", "--quiet", name)
    pair.at.docker(pair.store, "image", "rm", name)


def build_directly(pair: Pair, registry: str, moved: Pin | None = None) -> dict[str, float]:
    """Build straight into the registry called ``registry``, which has the base; then pull, to see that it is there."""
    at, to = pair.at, pair.at.registry(registry)
    name = _name(pair, registry)
    before = to.blobs()
    command = at.imagekit.build_to_registry(pair.ours, name, f"{to.name}/{_BASE}")
    done = at.timed(command, at.ours_env(None, pair.directory / DIRECT))
    received = _received(to, before, _repository(pair))
    if moved is not None:
        at.docker(pair.store, "pull", "--quiet", name)
        pair.check_version(moved, name)
        at.docker(pair.store, "image", "rm", name)
    return {"build": done.seconds, **received, "peak": done.peak_bytes}


def _repository(pair: Pair) -> str:
    return f"bench/{pair.name}"


def _name(pair: Pair, registry: str) -> str:
    return f"{pair.at.registry(registry).name}/{_repository(pair)}:1"


def _received(registry: Registry, before: dict[str, int], repository: str) -> dict[str, float]:
    """Bytes that are new in the registry: all of them, and those of layers alone. The image is there, whole."""
    layers = checks.whole_layers(registry, repository, "1")
    new = {digest: size for digest, size in registry.blobs().items() if digest not in before}
    return {"bytes": sum(new.values()), "layer bytes": sum(new[digest] for digest in layers & set(new))}
