"""What all cases share: a work directory, engines, registries, the base image, a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import ours, uv_dockerfile
from benchmarks.at_hand import AtHand
from benchmarks.engines import BenchEngine, Store
from benchmarks.filesystem import give_back, mount_own, unmount
from benchmarks.process import Failed, Finished, run
from benchmarks.registry import Registry
from benchmarks.resident import Resident
from benchmarks.sets import Locks, uv_program

# What this machine says about how things are set up must not tell one run from another.
_FOREIGN = ("IMAGEKIT_", "PREFECT_", "DOCKER_", "BUILDX_", "BUILDKIT_", "SOURCE_DATE_EPOCH", "XDG_", "PIP_FIND_LINKS")
ROOM = 10 * 10**9  # bytes that a round may need
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


def base_of(python: str) -> str:
    """What engines of the benchmarks' own call the bare base with ``python``, whoever made it."""
    return f"imagekit/python:{python}"


class Surroundings:
    """Everything is made when it is first asked for, and gone after ``close``. ``base``: of the engine at hand."""

    def __init__(
        self, base: str | None = None, directory: Path | None = None, program: ours.Imagekit | None = None
    ) -> None:
        self.imagekit = program or ours.Imagekit()
        # A socket's path may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="ik-bench-", dir=directory))
        self.disk = self.directory.parent  # whose room all of it takes
        self.has_own_filesystem = mount_own(self.directory, self._image("run"))
        self.work = self.directory / "work"  # what cases make, gone with their group
        self._mount_work()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        self.ca_bundle = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
        self._at_hand = AtHand(self.environment, self.imagekit)
        self.base = base or self._at_hand.base()
        self.python = self._at_hand.python_of(self.base)
        self.locks = self.locks_of(self.python)
        self._engines: dict[Store, BenchEngine] = {}
        self._places: dict[Store, Path] = {}  # of their file systems
        self._engines_made = 0
        self._registries: dict[str, Registry] = {}
        self._bases: dict[str, str] = {}  # by Python, in the engine at hand

    def timed(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: Path | None = None,
        beside: Sequence[int] | None = None,
    ) -> Finished:
        """Run a command that is measured, once what was written before it is on disk.

        With ``beside``, processes of an engine or none, its memory is looked at together with theirs.
        """
        os.sync()
        if beside is None:
            return run(argv, env={**self.environment, **env}, cwd=cwd)
        with Resident(beside) as resident:
            done = run(argv, env={**self.environment, **env}, cwd=cwd, resident=resident)
        return replace(done, memory_bytes=resident.together, engine_bytes=resident.engine)

    def docker(self, store: Store, *words: str, stdin: str = "") -> str:
        """What ``docker WORDS`` prints, of the engine with ``store``; in nobody's time."""
        return run(["docker", *words], env={**self.environment, **self.engine(store).env}, stdin=stdin).stdout

    def engine(self, store: Store) -> BenchEngine:
        """The engine with ``store``; it holds the base image and uv's, the second one nothing."""
        if store not in self._engines:
            self._start(store)
            if store == "second":
                return self._engines[store]
            self._load_own_base(store)
            context = self.directory / "uv"
            if not context.exists():
                context.mkdir()
                shutil.copy2(uv_program(), context / "uv")
                (context / "Dockerfile").write_text(uv_dockerfile.UV_IMAGE_DOCKERFILE)
            self.docker(store, "build", "--quiet", "--tag", uv_dockerfile.UV_IMAGE, str(context))
        return self._engines[store]

    def _start(self, store: Store) -> None:
        self._engines_made += 1
        place = self.directory / f"{store}-{self._engines_made}"
        place.mkdir()
        others = [each for each in self._places.values() if os.path.ismount(each)]
        mount_own(place, self._image(place.name))
        self._places[store] = place
        self._engines[store] = BenchEngine(store, place / "engine", others)

    def _image(self, name: str) -> Path:
        return self.disk / f"{self.directory.name}-{name}.ext4"

    def _end(self, store: Store) -> None:
        if found := self._engines.pop(store, None):
            found.close()
        if place := self._places.pop(store, None):
            if os.path.ismount(place):
                unmount(place)
            elif self._is_short():
                shutil.rmtree(place, ignore_errors=True)

    def _is_short(self, room: int = ROOM) -> bool:
        """Whether a disk has no room for another round."""
        return min(shutil.disk_usage(place).free for place in (self.disk, self.work)) < room

    def _load_own_base(self, store: Store) -> None:
        """The base, with its layers compressed where the store keeps them so: as if it had been pulled from a hub."""
        if store == "classic":
            self.docker(store, "load", "--input", str(self._base_archive()))
            return
        name = f"{self.registry('base').name}/base:1"
        if not self.registry("base").blobs():
            self.docker("classic", "tag", self.base, name)
            self.docker("classic", "push", "--quiet", name)
            self.docker("classic", "image", "rm", name)
        self.docker(store, "pull", "--quiet", name)
        self.docker(store, "tag", name, self.base)
        self.docker(store, "image", "rm", name)

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, resident: Resident | None = None) -> Finished:
        """As ``timed``, for commands of which several run at once; ``resident`` looks at the memory of all of them."""
        return run(argv, env={**self.environment, **env}, resident=resident)

    def locks_of(self, python: str) -> Locks:
        """Locks for another Python (``X.Y`` or ``X.Y.Z``) on this machine."""
        return Locks(python, f"{os.uname().machine}-manylinux_2_36")

    def bring_base(self, store: Store, python: str) -> None:
        """The bare base with ``python`` is in the engine with ``store``, as :func:`base_of` calls it."""
        if python not in self._bases:
            self._bases[python] = self._at_hand.ensure_base(python)
        self.bring(store, self._bases[python], base_of(python))

    def bring(self, store: Store, reference: str, name: str = "") -> None:
        """An image of the engine at hand, into the engine with ``store``, by another ``name`` if one is given."""
        archive = self.directory / "brought.tar"
        self._at_hand.save(reference, archive)
        self.docker(store, "load", "--input", str(archive))
        archive.unlink()
        if name not in ("", reference):
            self.docker(store, "tag", reference, name)
            self.docker(store, "image", "rm", reference)

    @property
    def engines(self) -> frozenset[Store]:
        """The stores that have an engine now."""
        return frozenset(self._engines)

    def empty(self, store: Store) -> None:
        """An engine with ``store`` that never held more than it has at first; nothing is left of the one before."""
        self._end(store)
        self.engine(store)

    def begin_again(self, store: Store) -> None:
        """As ``empty``, and no other engine nor a registry is there."""
        self._end_all()
        if os.path.ismount(self.work):
            give_back(self.work)
        self.engine(store)

    def begin_group(self) -> None:
        """Nothing is left of the cases before, and no disk is used on: there is room for one group at a time."""
        self._end_all()
        if os.path.ismount(self.work):
            unmount(self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)
            for place in self.directory.glob("*/engine"):
                shutil.rmtree(place, ignore_errors=True)
        self._mount_work()

    def _mount_work(self) -> None:
        self.work.mkdir(exist_ok=True)
        mount_own(self.work, self._image(self.work.name))

    def _end_all(self) -> None:
        for each in tuple(self._engines):
            self._end(each)
        for name in tuple(self._registries):
            self.close_registry(name)

    def remove_images(self, store: Store) -> None:
        """Take every image but the base and uv's from the engine with ``store``."""
        names = self.docker(store, "images", "--format", "{{.Repository}}:{{.Tag}}").split()
        kept = {self.base, uv_dockerfile.UV_IMAGE}
        unwanted = [name for name in names if name not in kept and "<none>" not in name]
        if unwanted:
            self.docker(store, "image", "rm", "--force", *unwanted)
        self.docker(store, "image", "prune", "--force")

    def tidy(self, store: Store, room: int = ROOM) -> None:
        """Keep ``room`` bytes for a round: what builds left that no image names goes, and BuildKit's oldest.

        Not before it must be: what comes after thousands of files were removed is slow (see ``filesystem``).
        """
        if not self._is_short(room):
            return
        self.docker(store, "image", "prune", "--force")
        self.docker(store, "builder", "prune", "--force", "--keep-storage", "10GB")
        if store in self._places:
            give_back(self._places[store])

    def registry(self, name: str) -> Registry:
        """The registry called ``name``; a name that is new has an empty one."""
        if name not in self._registries:
            self._registries[name] = Registry(self.work / f"registry-{name}")
        return self._registries[name]

    def close_registry(self, name: str) -> None:
        if found := self._registries.pop(name, None):
            found.close()

    def ours_env(self, store: Store | None, cache: Path) -> dict[str, str]:
        """The variables of imagekit with ``cache`` and the engine with ``store``, or with none."""
        engine = self.engine(store).address if store else None
        found = ours.environment(cache, self.directory / "config.toml", engine)
        return {**found, "UV_CACHE_DIR": str(cache / "uv"), "DOCKER_HOST": found["IMAGEKIT_ENGINE"]}

    def close(self) -> None:
        # Whatever one of them says of its end, the others end too.
        ends = [registry.close for registry in self._registries.values()]
        for end in (*ends, *(partial(self._end, store) for store in tuple(self._engines))):
            with suppress(Failed, OSError, subprocess.SubprocessError):
                end()
        # All of it goes with the last process that has it open.
        if os.path.ismount(self.work):
            unmount(self.work)
        if self.has_own_filesystem:
            unmount(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _base_archive(self) -> Path:
        archive = self.directory / "base.tar"
        if not archive.exists():
            self._at_hand.save(self.base, archive)
        return archive
