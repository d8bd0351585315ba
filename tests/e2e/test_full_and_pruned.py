"""Disks that are full, and images, tags and builders that go while a build is under way (faults 10 and 20)."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from ..own_engine import OwnEngine
from ..own_registry import OwnRegistry
from .conftest import Imagekit, WriteProject
from .wheels import write_wheel

pytestmark = pytest.mark.xdist_group("own_engine")
MakeEngine = Callable[..., OwnEngine]
# Between what is read and what is made of it.
HOOK = """
import subprocess
import imagekit.building.assembly as assembly

make = assembly.make_layers

def hooked(*words, **more):
    subprocess.run({command!r}, shell=True, check=False, stdout=subprocess.DEVNULL)
    return make(*words, **more)

assembly.make_layers = hooked
"""


@pytest.fixture
def root(project: WriteProject, tmp_path: Path) -> Path:
    # Nothing of it compresses, and no engine has seen it.
    content = {"once.bin": secrets.token_hex(4 << 20), "once.py": f"MARK = {secrets.token_hex(8)!r}\n"}
    write_wheel(tmp_path / "once", "once", "1.0", content)
    return project(
        {
            "requirements.txt": "--no-index\n--find-links ../once\nonce\n",
            "flow.py": "import once\n\n\ndef etl():\n    return once.MARK\n",
        }
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few hundred kilobytes, in a file."""
    place = tmp_path / "small"
    with mounted(tmp_path / "disk", 1 << 20, place):
        yield place


class mounted:
    """A file system of ``size`` bytes in the file ``disk``, at ``place``."""

    def __init__(self, disk: Path, size: int, place: Path) -> None:
        self._disk, self._size, self._place = disk, size, place

    def __enter__(self) -> Path:
        self._disk.touch()
        with self._disk.open("r+b") as file:
            file.truncate(self._size)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", self._disk], check=True)
        self._place.mkdir(parents=True)
        subprocess.run(["mount", "-o", "loop", self._disk, self._place], check=True)
        return self._place

    def __exit__(self, *exc: object) -> None:
        subprocess.run(["umount", self._place], check=True)


def fill(place: Path) -> Path:
    """Leave next to nothing in the file system of ``place``."""
    filler = place / "filler"
    with filler.open("wb") as file:
        for piece in (1 << 12, 1 << 8, 1):
            with contextlib.suppress(OSError):
                while os.write(file.fileno(), bytes(piece)):
                    pass
    # Whether there is room at all is tried out by a file of a few bytes; if not, another directory is taken.
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - (16 << 10))
    return filler


def test_no_room_for_temporary_files(imagekit: Imagekit, root: Path, small: Path) -> None:
    # What the resolver is given does not fit.
    more = "".join(f"absent{number}; python_version < '3'\n" for number in range(3000))
    (root / "requirements.txt").write_text((root / "requirements.txt").read_text() + more)
    filler = fill(small)
    env = {"TMPDIR": str(small)}
    found = imagekit.refused("build", root, "--name", imagekit.name(), env=env)
    assert found["error"] == "DiskFull"
    assert str(small) in found["message"] + found["hint"] + (found["details"] or "")
    filler.unlink()
    imagekit.json("build", root, "--name", imagekit.name(), env=env)
    assert [path.name for path in small.iterdir()] == ["lost+found"]


@contextlib.contextmanager
def engine_on(disk: Path, size: int, python_image: str, engine: Engine) -> Iterator[tuple[OwnEngine, list[str]]]:
    """An engine whose data lie on a disk of ``size`` bytes, with the base; and how a command is run in its mounts."""
    ours = OwnEngine()
    try:
        # In its own mounts: what is mounted here later is not seen there.
        data = ours.directory / "data"
        data.mkdir()
        subprocess.run(["truncate", f"--size={size}", disk], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", disk], check=True)
        inside = ["nsenter", f"--target={ours._first}", "--mount", "--"]
        subprocess.run([*inside, "mount", "-o", "loop", disk, data], check=True)
        ours.start()
        with ours.connect() as connected:
            connected.load(engine.save(python_image))
        yield ours, inside
    finally:
        ours.close()


def test_no_room_where_the_engine_keeps_images(
    imagekit: Imagekit, root: Path, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    with engine_on(tmp_path / "disk", 600 << 20, python_image, engine) as (ours, inside):
        data = ours.directory / "data"
        env = {"IMAGEKIT_ENGINE": ours.address}
        words = ("build", root, "--tag", f"{imagekit.name()}:v1", "--base-image", python_image)
        (root / "requirements.txt").rename(root / "later.txt")
        (root / "requirements.txt").write_text("")
        first = imagekit.json(*words, env=env)["image_id"]
        (root / "later.txt").rename(root / "requirements.txt")
        filling = f"dd if=/dev/zero of={data}/filler bs=1M 2>/dev/null; truncate --size=-4M {data}/filler"
        subprocess.run([*inside, "sh", "-c", filling], check=True)
        found = imagekit.refused(*words, env=env)
        assert found["error"] == "DiskFull"
        with ours.connect() as connected:
            kept = connected.image(words[3])
            assert kept is not None
            assert kept.id == first
            assert connected.api.containers(all=True) == []
        subprocess.run([*inside, "rm", f"{data}/filler"], check=True)
        # With something of ours that was replaced, and is worth the room that is wanted.
        replaced = f"imagekit/replaced:{int(time.time())}-{secrets.token_hex(6)}"
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "Dockerfile").write_text(f"FROM {python_image}\nRUN head -c 80M /dev/urandom > /large\n")
            build = ["docker", "--host", ours.address, "build", "--no-cache", "--quiet", "--tag", replaced, directory]
            subprocess.run(build, check=True, capture_output=True)
            prune = ["docker", "--host", ours.address, "builder", "prune", "-af"]
            subprocess.run(prune, check=True, capture_output=True)
        subprocess.run([*inside, "sh", "-c", filling], check=True)
        assert imagekit.json(*words, env=env)["image_id"] != first
        with ours.connect() as connected:
            assert connected.image(replaced) is None
        assert len(imagekit.json("run", "flow.py:etl", "--image", words[3], env=env)["result"]) == 16


@pytest.fixture
def classic(own_engine: MakeEngine, engine: Engine, python_image: str) -> OwnEngine:
    ours = own_engine()
    with ours.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    return ours


@pytest.fixture
def hooked(imagekit: Imagekit, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """``hooked(engine, command)``: an environment in which a build has ``command`` done before it makes layers."""

    def make(ours: OwnEngine, command: str) -> dict[str, str]:
        hook = tmp_path / f"hook-{secrets.token_hex(3)}"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK.format(command=command))
        return {
            "IMAGEKIT_ENGINE": ours.address,
            "DOCKER_HOST": ours.address,
            "PYTHONPATH": f"{hook}:{imagekit.env.get('PYTHONPATH', '')}",
        }

    return make


def base_of(ours: OwnEngine, python_image: str, mark: str) -> str:
    """A base of its own in the engine; the name that it has there."""
    name = f"imagekit-test/{mark}:1"
    dockerfile = f"FROM {python_image}\nENV MARK={mark}\nRUN echo {mark} > /etc/mark\n"
    # Not by standard input: buildx leaves a directory behind for each Dockerfile that came so.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Dockerfile").write_text(dockerfile)
        command = ["docker", "--host", ours.address, "buildx", "build", "--load", "--quiet", "--tag", name, directory]
        subprocess.run(command, check=True, capture_output=True)
    return name


def test_the_base_pruned_in_the_middle_of_a_build(
    imagekit: Imagekit, root: Path, classic: OwnEngine, python_image: str, hooked: Callable[..., dict[str, str]]
) -> None:
    base = base_of(classic, python_image, secrets.token_hex(6))
    env = {"IMAGEKIT_ENGINE": classic.address}
    words = ("build", root, "--tag", f"{imagekit.name()}:v1", "--base-image", base)
    imagekit.json("build", root, "--name", imagekit.name(), "-o", f"oci:{root.parent / 'out'}", *words[-2:], env=env)
    found = imagekit.refused(
        *words, env=hooked(classic, f"docker builder prune --all --force; docker rmi --force {base}")
    )
    assert found["exit_code"] in (3, 5)
    assert base in found["message"]
    assert found["hint"]
    with classic.connect() as connected:
        assert connected.image(words[3]) is None
        assert connected.api.containers(all=True) == []
    # The same command, with the base there again.
    mark = base.partition("/")[2].partition(":")[0]
    base_of(classic, python_image, mark)
    assert imagekit.json(*words, env=env)["image_id"]
    with classic.connect() as connected:
        connected.remove_image(words[3], force=True)
        connected.remove_image(base, force=True)


@pytest.mark.soak
def test_a_base_tag_that_moves_in_the_middle_of_a_build(
    imagekit: Imagekit, root: Path, classic: OwnEngine, python_image: str, hooked: Callable[..., dict[str, str]]
) -> None:
    """The build goes by what it has read; the next one reads the new one."""
    old, new = (base_of(classic, python_image, secrets.token_hex(6)) for _ in range(2))
    words = ("build", root, "--tag", f"{imagekit.name()}:v1", "--base-image", old)
    with classic.connect() as connected:
        before, after = (diff_ids_of(connected, name) for name in (old, new))
        imagekit.json(*words, env=hooked(classic, f"docker tag {new} {old}"))
        built = diff_ids_of(connected, words[3])
        assert built[: len(before)] == before
        imagekit.json(*words, env={"IMAGEKIT_ENGINE": classic.address})
        assert diff_ids_of(connected, words[3])[: len(after)] == after
        for name in (words[3], old, new):
            connected.remove_image(name, force=True)


def diff_ids_of(engine: Engine, name: str) -> tuple[Any, ...]:
    image = engine.image(name)
    assert image is not None
    return tuple(image.diff_ids)


@pytest.mark.soak
def test_a_pinned_digest_wins(
    imagekit: Imagekit, root: Path, python_image: str, tmp_path: Path, build_image: Any
) -> None:
    registry = OwnRegistry(tmp_path / "registry")
    try:
        base = f"{registry.name}/bases/python"
        digests = []
        for number in range(2):
            tag = build_image(f"FROM {python_image}\nENV NUMBER={number}\n", {})
            subprocess.run(["docker", "save", "-o", tmp_path / f"{number}.tar", tag], check=True)
            words = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"--digestfile={tmp_path / 'digest'}"]
            subprocess.run([*words, f"docker-archive:{tmp_path / f'{number}.tar'}", f"docker://{base}:1"], check=True)
            digests.append((tmp_path / "digest").read_text())
        nowhere = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
        for reference, number in ((f"{base}@{digests[0]}", "0"), (f"{base}:1@{digests[0]}", "0"), (f"{base}:1", "1")):
            out = f"oci:{tmp_path / secrets.token_hex(3)}"
            imagekit.json("build", root, "--name", "pinned", "-o", out, "--base-image", reference, env=nowhere)
            config = subprocess.run(["skopeo", "inspect", "--config", out], capture_output=True, text=True, check=True)
            assert f'"NUMBER={number}"' in config.stdout
    finally:
        registry.close()


def test_a_builder_pruned_while_it_builds(
    imagekit: Imagekit, root: Path, classic: OwnEngine, python_image: str
) -> None:
    env = {"IMAGEKIT_ENGINE": classic.address}
    name = f"{imagekit.name()}:v1"
    process = imagekit.start(
        *("build", root, "--tag", name, "--base-image", python_image, "--builder", "buildkit", "--json"), env=env
    )
    while process.poll() is None:
        prune = ["docker", "--host", classic.address, "builder", "prune", "--all", "--force"]
        subprocess.run(prune, check=True, capture_output=True)
    assert process.wait() == 0, process.communicate()[1]
    assert len(imagekit.json("run", "flow.py:etl", "--image", name, env=env)["result"]) == 16
    with classic.connect() as connected:
        connected.remove_image(name, force=True)
