"""Requirements that name their source: wheels of them are what the resolver sees, and the lock names the source."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from imagekit.errors import HashMismatch, NoWheel, ResolveError, SourceBuildFailed, StaleLock, Unsatisfiable
from imagekit.git.remote import Git
from imagekit.lock.direct import Sources
from imagekit.lock.fetch import WheelStore
from imagekit.lock.pylock import dump, load
from imagekit.lock.resolve import obtain, resolve
from imagekit.lock.target import Target
from imagekit.lock.uv import find_uv
from imagekit.lock.values import Artifact, Directory, GitCommit, Lock, LockedPackage
from imagekit.progress import SilentReporter
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec
from imagekit.stages.source_place import place_source
from tests.lock.conftest import wheel_bytes
from tests.own_repositories import Repository, package_files

QUIET = SilentReporter()
Read = Callable[..., ImageSpec]


def put(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def read(root: Path) -> Read:
    def of(*lines: str, **others: object) -> ImageSpec:
        (root / "requirements.txt").write_text("--no-index\n" + "".join(f"{line}\n" for line in lines))
        return read_spec(root, **others)  # type: ignore[arg-type]

    return of


class Builder:
    """Builds here, and not in a base: what is built is this test's own. ``built`` are the names."""

    def __init__(self, directory: Path) -> None:
        self.store = WheelStore(directory / "wheels")
        self.git = Git(environment={"PATH": "/usr/bin:/bin", "HOME": str(directory)})
        self.built: list[str] = []
        self._directory = directory

    def __call__(self, package: LockedPackage) -> Artifact:
        self.built.append(package.name)
        place = self._directory / f"build{len(self.built)}"
        place.mkdir()
        path = place_source(package, place, self.store, self.git)
        options = ["--wheel", "--offline", "--no-config", "--out-dir", str(place / "dist")]
        argv = [str(find_uv()), "build", *options, "--", str(place / path)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise SourceBuildFailed(f"{package.name}: {done.stderr}")
        (wheel,) = (place / "dist").glob("*.whl")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return Artifact(filename=wheel.name, url=wheel.as_uri(), sha256=digest)

    @property
    def sources(self) -> Sources:
        return Sources(store=self.store, git=self.git, build=self)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    (tmp_path / "builder").mkdir()
    return Builder(tmp_path / "builder")


def locked(spec: ImageSpec, target: Target, builder: Builder, **others: object) -> Lock:
    return resolve(spec, target, reporter=QUIET, sources=builder.sources, **others)  # type: ignore[arg-type]


def by_name(lock: Lock) -> dict[str, LockedPackage]:
    return {package.name: package for package in lock.packages}


def test_every_kind_is_locked_as_what_it_is(root: Path, read: Read, target: Target, builder: Builder) -> None:
    put(root / "libs/tree", package_files("tree", "1.0", requires="dependency>=1,part"))
    repository = Repository(root / "repositories/part")
    commit = repository.commit(package_files("part", "2.0", below="inner/"))
    (root / "vendor").mkdir()
    wheel = wheel_bytes("dependency", "1.5")
    (root / "vendor/dependency-1.5-py3-none-any.whl").write_bytes(wheel)
    put(root / "packed-3.0", package_files("packed", "3.0"))
    with tarfile.open(root / "vendor/packed-3.0.tar.gz", "w:gz") as archive:
        archive.add(root / "packed-3.0", "packed-3.0")
    lines = [
        "-e ./libs/tree",
        "part @ git+file:./repositories/part@main#subdirectory=inner",
        "--find-links vendor",
        "./vendor/packed-3.0.tar.gz ; python_version > '3'",
        "nothing @ git+https://example.com/r@v1 ; sys_platform == 'win32'",
    ]
    lock = locked(read(*lines), target, builder)
    found = by_name(lock)
    assert sorted(found) == ["dependency", "packed", "part", "tree"]
    assert found["tree"].artifact.origin == Directory(path=root / "libs/tree")
    assert found["part"].artifact.origin == GitCommit(
        url=(root / "repositories/part").as_uri(), commit=commit, requested="main", subdirectory="inner"
    )
    packed = found["packed"].artifact
    assert (packed.filename, packed.by_url) == ("packed-3.0.tar.gz", True)
    assert packed.sha256 == hashlib.sha256((root / "vendor/packed-3.0.tar.gz").read_bytes()).hexdigest()
    assert found["dependency"].artifact.sha256 == hashlib.sha256(wheel).hexdigest()
    assert {name for name, package in found.items() if package.direct} == {"tree", "part", "packed"}
    assert sorted(builder.built) == ["packed", "part", "tree"]
    text = dump(lock, relative_to=root)
    assert f'commit-id = "{commit}"' in text
    assert 'requested-revision = "main"' in text
    assert 'path = "libs/tree"' in text
    assert 'path = "vendor/packed-3.0.tar.gz"' in text
    assert load(text, root / "pylock.toml") == lock


def test_a_branch_stays_at_its_commit_until_it_is_asked_to_move(
    root: Path, read: Read, target: Target, builder: Builder, tmp_path: Path
) -> None:
    repository = Repository(root / "r")
    first = repository.commit(package_files("part", "1.0"))
    spec = read("part @ git+file:./r@main")
    ask = partial(obtain, spec, target, cache_dir=tmp_path / "cache", reporter=QUIET, sources=builder.sources)
    assert by_name(ask())["part"].artifact.origin == GitCommit(url=repository.url, commit=first, requested="main")
    second = repository.commit(package_files("part", "2.0"))
    before = ask()
    assert by_name(before)["part"].version == "1.0"
    assert builder.built == ["part"]  # the second time it was known
    kept = by_name(locked(spec, target, builder, previous=before))["part"].artifact.origin
    moved = by_name(ask(upgrade=True))["part"]
    assert isinstance(kept, GitCommit)
    assert kept.commit == first
    assert (moved.version, moved.artifact.origin) == (
        "2.0", GitCommit(url=repository.url, commit=second, requested="main"),
    )  # fmt: skip


def test_a_directory_is_read_anew_and_its_declarations_make_a_lock_stale(
    root: Path, read: Read, target: Target, builder: Builder, tmp_path: Path
) -> None:
    put(root / "libs", package_files("libs", "1.0"))
    ask = partial(obtain, target=target, cache_dir=tmp_path / "cache", reporter=QUIET, sources=builder.sources)
    before = ask(read("./libs"))
    (root / "pylock.toml").write_text(dump(before, relative_to=root))
    put(root / "libs", {"libs.py": "VALUE = 2\n"})
    edited = ask(read("./libs"))
    assert edited.packages[0].artifact.sha256 != before.packages[0].artifact.sha256
    assert edited.inputs == before.inputs
    put(root / "libs", package_files("libs", "2.0"))
    with pytest.raises(StaleLock):
        ask(read("./libs"))


def test_another_programs_word_against_ones_own(root: Path, read: Read, target: Target, builder: Builder) -> None:
    """A package names a place in its metadata: the project names another, or none."""
    put(root / "libs/top", package_files("top", "1.0", requires="base @ git+https://127.0.0.1:1/nowhere"))
    put(root / "libs/base", package_files("base", "1.0"))
    with pytest.raises(ResolveError, match=r"requirements.txt:2: top 1.0 needs base from git\+https") as caught:
        locked(read("./libs/top"), target, builder)
    assert "base @" in str(caught.value.hint)
    found = by_name(locked(read("./libs/top", "./libs/base"), target, builder))
    assert found["base"].artifact.origin == Directory(path=root / "libs/base")


def test_versions_of_named_sources_are_held_to_what_others_need(
    root: Path, read: Read, target: Target, builder: Builder
) -> None:
    put(root / "libs/top", package_files("top", "1.0", requires="base>=2"))
    put(root / "libs/base", package_files("base", "1.0"))
    with pytest.raises(Unsatisfiable, match="base"):
        locked(read("./libs/top", "./libs/base"), target, builder)


def test_one_package_from_two_places(root: Path, read: Read, target: Target, builder: Builder) -> None:
    for name in ("one", "two"):
        put(root / name, package_files("same", "1.0"))
    with pytest.raises(Unsatisfiable, match=r"from two places: requirements.txt:2 and requirements.txt:3"):
        locked(read("./one", "./two"), target, builder)


def test_a_source_that_a_lock_of_ours_names_must_fit(
    root: Path, read: Read, target: Target, builder: Builder, other_target: Callable[..., Target]
) -> None:
    (root / "x-1.0-cp39-cp39-win_amd64.whl").write_bytes(wheel_bytes("x", "1.0", tag="cp39-cp39-win_amd64"))
    with pytest.raises((NoWheel, ResolveError, Unsatisfiable), match="x"):
        locked(read("./x-1.0-cp39-cp39-win_amd64.whl"), target, builder)


def test_hashes_are_of_what_is_named(root: Path, read: Read, target: Target, builder: Builder) -> None:
    put(root / "packed-3.0", package_files("packed", "3.0"))
    with tarfile.open(root / "packed-3.0.tar.gz", "w:gz") as archive:
        archive.add(root / "packed-3.0", "packed-3.0")
    digest = hashlib.sha256((root / "packed-3.0.tar.gz").read_bytes()).hexdigest()
    (package,) = locked(read(f"./packed-3.0.tar.gz --hash=sha256:{digest}"), target, builder).packages
    assert package.artifact.sha256 == digest
    with pytest.raises(HashMismatch, match=r"requirements.txt:2"):
        locked(read(f"./packed-3.0.tar.gz --hash=sha256:{'0' * 64}"), target, builder)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory, and the URL that it is served at."""
    directory = tmp_path / "served"
    directory.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield directory, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_url_is_held_to_the_hash_it_had_when_it_was_locked(
    read: Read, target: Target, builder: Builder, served: tuple[Path, str], tmp_path: Path
) -> None:
    directory, url = served
    name = "x-1.0-py3-none-any.whl"
    (directory / name).write_bytes(wheel_bytes("x", "1.0"))
    digest = hashlib.sha256(wheel_bytes("x", "1.0")).hexdigest()
    (package,) = locked(read(f"x @ {url}/{name}"), target, builder).packages
    assert (package.artifact.url, package.artifact.sha256) == (f"{url}/{name}", digest)
    assert builder.store.get(package.artifact).read_bytes() == wheel_bytes("x", "1.0")
    (directory / name).write_bytes(wheel_bytes("x", "1.0", requires=["y"]))
    elsewhere = WheelStore(tmp_path / "elsewhere")
    with pytest.raises(HashMismatch, match=r"x: http://127.0.0.1.* is not the file that the lock names"):
        elsewhere.get(package.artifact, package="x")
    builder.store = elsewhere
    spec = read(f"x @ {url}/{name}#sha256={digest}")
    with pytest.raises(HashMismatch):
        locked(spec, target, builder)


def test_a_source_distribution_at_a_url(
    root: Path, read: Read, target: Target, builder: Builder, served: tuple[Path, str]
) -> None:
    directory, url = served
    put(directory / "tree", package_files("packed", "3.0"))
    with tarfile.open(directory / "v3.tar.gz", "w:gz") as archive:
        archive.add(directory / "tree", "packed-3.0")
    lock = locked(read(f"packed @ {url}/v3.tar.gz"), target, builder)
    assert [(p.version, p.artifact.filename) for p in lock.packages] == [("3.0", "v3.tar.gz")]
    assert load(dump(lock), root / "pylock.toml") == lock


def test_nothing_to_fetch_by_is_said(read: Read, target: Target) -> None:
    with pytest.raises(ResolveError, match=r"requirements.txt:2: x @ git\+https"):
        resolve(read("x @ git+https://example.com/r@v1"), target, reporter=QUIET)


def test_pip_tools_sees_the_same_wheels(root: Path, read: Read, target: Target, builder: Builder) -> None:
    put(root / "libs/tree", package_files("tree", "1.0", requires="dependency>=1"))
    (root / "vendor").mkdir()
    (root / "vendor/dependency-1.5-py3-none-any.whl").write_bytes(wheel_bytes("dependency", "1.5"))
    found = by_name(locked(read("./libs/tree", "-f vendor", resolver="pip-tools"), target, builder))
    assert found["tree"].artifact.origin == Directory(path=root / "libs/tree")
    assert found["dependency"].version == "1.5"
