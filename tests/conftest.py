"""The real engine that the tests use, and images made on it."""

from __future__ import annotations

import io
import os
import secrets
import signal
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from imagekit.engine.client import Engine
from imagekit.errors import EngineError
from imagekit.oci.platform import Platform

from .own_engine import OwnEngine
from .own_registry import OwnRegistry

if TYPE_CHECKING:
    from imagekit.stages.debian import DebianRootfs
    from imagekit.stages.debian_lock import DebianLock

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("imagekit", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("imagekit")

# A shell's background jobs ignore it, and so would every program that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine at ``DOCKER_HOST``, or the local one. Without one the test fails."""
    with Engine.connect(os.environ.get("DOCKER_HOST")) as engine:
        yield engine


@pytest.fixture(scope="session")
def python_image(engine: Engine) -> str:
    """An image with a Python 3."""
    for reference in ("imagekit/python:3.11", "python:3.11-slim"):
        if engine.image(reference) is not None:
            return reference
    engine.pull("python:3.11-slim", Platform.host())
    return "python:3.11-slim"


BuildImage = Callable[[str, Mapping[str, str]], str]


@pytest.fixture(scope="session")
def build_image(engine: Engine) -> Iterator[BuildImage]:
    """``build_image(dockerfile, files)``: the tag of an image that is removed at the end of the session."""
    made: list[str] = []

    def build(dockerfile: str, files: Mapping[str, str]) -> str:
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for name, content in {"Dockerfile": dockerfile, **files}.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content.encode()), 0o644
                tar.addfile(member, io.BytesIO(content.encode()))
        context.seek(0)
        tag = f"imagekit-test/{secrets.token_hex(6)}:1"
        made.append(tag)
        settings = {"custom_context": True, "decode": True, "rm": True, "forcerm": True, "tag": tag}
        for event in engine.api.build(fileobj=context, **settings):
            assert "error" not in event, event["error"]
        return tag

    yield build
    for tag in reversed(made):
        engine.remove_image(tag, force=True)


MakeEngine = Callable[..., OwnEngine]


@pytest.fixture(scope="session")
def own_engine() -> Iterator[MakeEngine]:
    """``own_engine(containerd_store=…, live_restore=…)``: an engine of the tests' own, running.

    Asked for again with the same settings it is the same one, started again where a test ended it. Tests
    that use it are marked ``xdist_group("own_engine")``, so that one worker has them all.
    """
    made: dict[tuple[bool, bool], OwnEngine] = {}

    def make(*, containerd_store: bool = False, live_restore: bool = False) -> OwnEngine:
        key = (containerd_store, live_restore)
        if key not in made:
            made[key] = OwnEngine(containerd_store=containerd_store, live_restore=live_restore)
            return made[key].start()
        try:
            made[key].connect().close()
        except EngineError:
            made[key].start()
        return made[key]

    yield make
    for engine in made.values():
        engine.close()


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRegistry]:
    """A registry without a password. Tests use repositories of their own in it."""
    registry = OwnRegistry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.close()


StartRegistry = Callable[..., OwnRegistry]


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """``start_registry(auth=…)``: a registry of the test's own."""
    started: list[OwnRegistry] = []

    def start(**how: object) -> OwnRegistry:
        started.append(OwnRegistry(tmp_path / f"registry{len(started)}", **how))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for registry in started:
        registry.close()


# A root filesystem of Debian packages takes half a minute to make: once for all who look at it, in this room or in
# another. They are marked ``xdist_group("debian")``, so that one worker has them all.


@pytest.fixture(scope="session")
def debian_lock() -> DebianLock:
    from imagekit.stages.debian import DebianBase, lock_base

    return lock_base(DebianBase(python="3.11"))


@pytest.fixture(scope="session")
def debian_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("debian-cache")


@pytest.fixture(scope="session")
def debian_rootfs(debian_lock: DebianLock, debian_cache: Path) -> DebianRootfs:
    from imagekit.stages.debian import DebianBase, build_base

    return build_base(DebianBase(python="3.11"), cache=debian_cache, lock=debian_lock)
