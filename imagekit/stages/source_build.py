"""Source distributions, and the project itself, built into wheels in a stage of the base.

Build backends run there and nowhere else, with tools that are locked like any other package (``build_tools``) and no
index; what they need to build is gone with the stage. A built
wheel is kept by the hash of its source, what is in the base and the Python version, so that it is built
once; one built anew need not be the same bytes, which is why the kept one is what a lock's image
is made of.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import CheckFailed, SourceBuildFailed
from imagekit.git.remote import Git
from imagekit.lock.fetch import WheelStore
from imagekit.lock.logins import Logins
from imagekit.lock.runner import DIRECTORIES
from imagekit.lock.target import Target
from imagekit.lock.uv import find_uv
from imagekit.lock.values import Directory as DirectoryOrigin
from imagekit.lock.values import LockedPackage
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.preflight.diagnosis import hint_of
from imagekit.preflight.names import system_of
from imagekit.secrets.handed import Handed
from imagekit.spec.image import Indexes
from imagekit.stages.build_tools import Tools, asked_beside, declared_tools, lock_tools
from imagekit.stages.built_wheels import BuiltWheels, LocalWheel
from imagekit.stages.in_base import InBase, RanInBase
from imagekit.stages.source_place import TREE, copy_files, place_source

# 1980-01-01, the first day that a zip file can tell: the same sources, the same times.
SOURCE_DATE_EPOCH = "315532800"
_LAST_LINES = 60
# Of a build that asks for more tools, once its backend runs: one round is common.
_ROUNDS = 5
_CONSTRAINTS = "build-constraints.txt"
_FORMAT = 2  # of the cache's key: raised when the same source is to be built in another way


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is built: a directory that holds one thing (an archive, or a source tree), and its name in it."""

    name: str  # the package
    version: str | None
    directory: Path
    path: str
    key: Digest  # of the content


def build_wheels(
    packages: Sequence[LockedPackage],
    stage: InBase,
    *,
    store: WheelStore,
    cache_dir: Path,
    git: Git | None = None,
    threads: int = 2,
    building: tuple[str, ...] = (),
) -> dict[str, LocalWheel]:
    """A wheel for each of ``packages``, by name: source distributions, commits, directories.

    What they are built from is fetched and verified on the host, a commit by ``git``, and so are the tools of their
    builds. A version of ``""`` may become any. ``building``: those whose tools these are. Errors: those of fetching,
    those of a stage, and :class:`SourceBuildFailed` naming the package.
    """
    kept = BuiltWheels(cache_dir / "built")
    git = git or Git()

    def one(package: LockedPackage) -> LocalWheel:
        artifact = package.artifact
        key = wheel_key(f"sha256:{artifact.sha256}", stage)
        if (wheel := kept.get(key)) is not None:
            return wheel
        with tempfile.TemporaryDirectory(prefix="imagekit-source-") as directory:
            # A directory with this one thing: the store's may be shared with a file being fetched.
            path = place_source(package, Path(directory), store, git)
            # What a directory's version is now need not be what it was when it was locked.
            version = None if isinstance(artifact.origin, DirectoryOrigin) else package.version or None
            source = Source(name=package.name, version=version, directory=Path(directory), path=path, key=key)
            return _Build(
                source=source, stage=stage, store=store, git=git, cache_dir=cache_dir, building=building
            ).made()

    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            return dict(zip((p.name for p in packages), pool.map(one, packages), strict=True))
        except KeyboardInterrupt:
            git.end()
            raise


def build_project_wheel(
    name: str,
    files: Mapping[str, Path],
    content: Digest,
    stage: InBase,
    *,
    store: WheelStore,
    cache_dir: Path,
) -> LocalWheel:
    """The wheel of the project itself, built from ``files`` (relative POSIX path → file on the host).

    ``content`` is the digest of the files, by which the wheel is kept. A version that is read from
    version control is not to be had, since the stage gets no ``.git``: set it in ``pyproject.toml``.
    """
    kept = BuiltWheels(cache_dir / "built")
    key = wheel_key(content, stage)
    if (wheel := kept.get(key)) is not None:
        return wheel
    with tempfile.TemporaryDirectory(prefix="imagekit-source-") as directory:
        copy_files(files, Path(directory, TREE))
        source = Source(name=name, version=None, directory=Path(directory), path=TREE, key=key)
        return _Build(source=source, stage=stage, store=store, git=Git(), cache_dir=cache_dir).made()


def wheel_key(source: str, stage: InBase) -> Digest:
    """What decides a built wheel: its source, the base it is built in, and that base's Python."""
    base = stage.base
    # An engine's ID of what recipes made tells when that was: made anew and the same, it has another one.
    content = base.image_id if base.origin is None else base.config.digest
    decisive = {"format": _FORMAT, "source": source, "base": content, "python": base.python.version}
    if base.build_packages:
        decisive["packages"] = list(base.build_packages)
    return digest_of_json(decisive)


def build_argv(source: Source) -> list[str]:
    """The arguments that build ``source`` in the stage, with the tools at hand and no others."""
    argv = ["uv", "build", "--wheel", "--no-config", "--no-sources", "--color", "never"]
    argv += ["--no-index", "--find-links", str(DIRECTORIES / "tools")]
    argv += ["--build-constraints", _CONSTRAINTS, "--require-hashes"]
    # Backends write beside their source, and the directory is read-only: the driver gives a copy.
    return [*argv, "--out-dir", "dist", "--", f"source/{source.path}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """One source's way to its wheel."""

    source: Source
    stage: InBase
    store: WheelStore
    git: Git
    cache_dir: Path
    building: tuple[str, ...] = ()

    def made(self) -> LocalWheel:
        """The wheel, which is kept."""
        source = self.source
        requires = declared_tools(source.directory / source.path)
        with tempfile.TemporaryDirectory(prefix="imagekit-built-") as temporary:
            for number in range(_ROUNDS):
                tools = self._tools(requires, Path(temporary, f"tools{number}"))
                ran = self._run(tools, Path(temporary, f"out{number}"))
                more = asked_beside(ran.stderr, requires) if ran.exit_code != 0 else ()
                if not more:
                    break
                requires = (*requires, *more)
            wheels = sorted((ran.outputs / "dist").glob("*.whl"))
            if ran.exit_code != 0 or len(wheels) != 1:
                raise failure(source.name, ran, self.stage)
            check(source, wheels[0].name, Target.of(self.stage.base))
            _refuse_secrets(source.name, wheels[0], self.stage.handed)
            return BuiltWheels(self.cache_dir / "built").put(source.key, wheels[0], tools.packages)

    def _tools(self, requires: Sequence[str], into: Path) -> Tools:
        chain = (*self.building, canonicalize_name(self.source.name))

        def build(package: LockedPackage) -> LocalWheel:
            if package.name in chain:
                raise SourceBuildFailed(
                    f"{package.name}: no wheel of it fits, and it takes itself to be built: {' → '.join(chain)}",
                    hint=f"build a wheel of {package.name} for this platform yourself, and name a directory of it: "
                    "find-links in [tool.imagekit]",
                )
            built = build_wheels(
                [package], self.stage, store=self.store, cache_dir=self.cache_dir, git=self.git, building=chain
            )
            return built[package.name]

        return lock_tools(
            self.source.name, requires, self.stage, store=self.store, cache_dir=self.cache_dir, into=into, build=build
        )

    def _run(self, tools: Tools, into: Path) -> RanInBase:
        # No index is asked, and so none of their logins is in reach of the build.
        access = replace(self.stage.access, indexes=Indexes(no_index=True), logins=Logins(), by_name={}, keyring=None)
        stage = replace(self.stage, title=f"building {self.source.name} from source", access=access)
        return stage.run(
            build_argv(self.source),
            inputs={_CONSTRAINTS: tools.constraints.encode()},
            programs={"uv": find_uv()},
            directories={"source": self.source.directory, "tools": tools.directory},
            outputs=["dist/*.whl"],
            copies={"source": str(DIRECTORIES / "source")},
            into=into,
            environment={"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PYTHONHASHSEED": "0"},
        )


def check(source: Source, filename: str, target: Target) -> None:
    """:class:`SourceBuildFailed` where ``filename`` is not the wheel that was asked for, or does not fit."""
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise SourceBuildFailed(f"{source.name}: its build backend made {filename!r}: {error}") from None
    if name != canonicalize_name(source.name):
        raise SourceBuildFailed(f"{source.name}: its build backend made a wheel of {name}")
    if source.version is not None and str(version) != source.version:
        raise SourceBuildFailed(f"{source.name}: version {source.version} is locked, and its wheel says {version}")
    if tags.isdisjoint(target.tags):
        raise SourceBuildFailed(f"{source.name}: {filename} does not fit Python {target.python} on {target.platform}")


def _refuse_secrets(name: str, wheel: Path, handed: Handed) -> None:
    """:class:`CheckFailed` where the build wrote a secret that it was given into its wheel."""
    if not handed.needles or handed.may_be_seen:
        return
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if handed.needles.found_in(archive.read(member)) or handed.needles.found_in(member.filename.encode()):
                raise CheckFailed(
                    f"the wheel of {name} holds a secret of this build: {handed.needles.concealed(member.filename)}",
                    hint="its build is to read the secret and write it nowhere; "
                    "allow_secret_build_args=True (--allow-secret-build-args) takes it",
                )


def failure(name: str, ran: RanInBase, stage: InBase) -> SourceBuildFailed:
    """The error for a build that did not end in one wheel; ``details`` are its last lines."""
    base = stage.base
    words = "\n".join(part for part in (ran.stdout.strip(), ran.stderr.strip()) if part)
    return SourceBuildFailed(
        f"{name}: building its wheel from source failed",
        hint=hint_of(words, name, system_of(base.release), stage.remedies(), python=base.python.minor),
        details="\n".join(words.splitlines()[-_LAST_LINES:]),
    )
