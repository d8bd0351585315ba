"""Base images made from Debian's packages, where none can be pulled.

Small, reproducible, every .deb locked by version and hash. The image is assembled from
the root filesystem and a configuration of our own, so that the same lock has the same image ID.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from imagekit.atomic import is_disk_full
from imagekit.errors import BaseBuildFailed, DiskFull
from imagekit.oci.config import DEFAULT_PATH, History, ImageConfig
from imagekit.oci.digest import Digest, digest_of_json, digest_of_stream
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.leases import mark_used
from imagekit.stages.debian_foreign import build_foreign_rootfs, require_same
from imagekit.stages.debian_lock import DebianLock, lock_packages, run_words
from imagekit.stages.debian_rootfs import MMDEBSTRAP, RootfsTar, build_rootfs
from imagekit.stages.declared import BUILD, SLIM, BaseDeclaration, base_declaration

# Part of the key of a kept root filesystem: raise it when the same packages give other bytes.
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianBase:
    """A base image from Debian packages, as it is wanted."""

    python: str = "3.11"
    platform: Platform = field(default_factory=Platform.host)
    variant: str = SLIM  # one of ``declared.VARIANTS``

    @property
    def reference(self) -> str:
        """The name that the image gets in the engine."""
        return f"imagekit/python:{self.python}{'' if self.variant == SLIM else f'-{self.variant}'}"

    @property
    def declaration(self) -> BaseDeclaration:
        """What it is to hold; ``InputError`` for a Python that no declared suite has."""
        return base_declaration(self.python, self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRootfs:
    """A base image ready to be loaded: its one layer and its configuration."""

    tar: Path
    diff_id: Digest
    size: int  # bytes of the tar
    config: ImageConfig
    lock: DebianLock


def lock_base(base: DebianBase) -> DebianLock:
    """Resolve the packages of ``base`` on the Debian mirror that this machine uses."""
    require_debian()
    return lock_packages(base.declaration, architecture=base.platform.architecture)


def build_base(
    base: DebianBase,
    *,
    cache: Path,
    lock: DebianLock | None = None,
    reporter: Reporter | None = None,
) -> DebianRootfs:
    """Make the base image's layer and configuration; the same lock gives the same bytes.

    ``cache`` keeps .deb files and root filesystems for the next time. Without ``lock``
    the packages are resolved anew. Raises ``BaseBuildFailed``.
    """
    reporter = reporter or SilentReporter()
    declaration = base.declaration
    if base.variant == BUILD and base.platform.machine != Platform.host().machine:
        # Compilers are other packages on another processor, so its files cannot be exchanged for theirs.
        raise BaseBuildFailed(
            f"a base with a compiler is made on its own processor, and not here for {base.platform}",
            hint=f"run it on a machine of {base.platform.architecture}, or leave --variant build out: "
            "images are built on the slim one",
        )
    require_debian()
    if lock is None:
        with reporter.task(f"Locking Debian packages of {declaration.suite} for {base.platform.architecture}"):
            lock = lock_base(base)
    if lock.architecture != base.platform.architecture:
        raise BaseBuildFailed(
            f"the lock is of packages for {lock.architecture}, and the base is to be for {base.platform}",
            hint=f"name another file for {base.platform}: --lock FILE (written if it is not there)",
        )
    if set(lock.wanted) != set(declaration.packages) and _is_of_other_variant(base, lock):
        raise BaseBuildFailed(
            f"the lock is of another variant of the base than {base.variant}",
            hint=f"name another file for the variant {base.variant}: --lock FILE (written if it is not there)",
        )
    store = cache / "debian"
    store.mkdir(parents=True, exist_ok=True)
    key = digest_of_json({"format": FORMAT, "lock": lock.digest, "declaration": asdict(declaration)})
    tar = store / f"{key.removeprefix('sha256:')}.tar"
    kept = _kept(tar)
    if kept is None:
        try:
            rootfs = _make(base, lock, tar, cache, reporter)
            _note(tar).write_text(json.dumps({"diff_id": rootfs.diff_id, "size": rootfs.size}))
        except OSError as error:
            if is_disk_full(error):
                raise DiskFull(f"no space left for a base image in {store}", hint=f"df -h {store}") from error
            raise
        kept = (rootfs.diff_id, rootfs.size)
    diff_id, size = kept
    return DebianRootfs(tar=tar, diff_id=diff_id, size=size, config=_config(base, lock, diff_id), lock=lock)


def _is_of_other_variant(base: DebianBase, lock: DebianLock) -> bool:
    compilers = set(base_declaration(base.python, BUILD).packages) - set(base_declaration(base.python).packages)
    return (compilers <= set(lock.wanted)) != (base.variant == BUILD)


def _make(base: DebianBase, lock: DebianLock, tar: Path, cache: Path, reporter: Reporter) -> RootfsTar:
    debs = cache / "debian" / "debs"
    if base.platform.machine == Platform.host().machine:
        _require_root()
        require_mmdebstrap(reporter)
        return build_rootfs(lock, base.declaration, tar, store=debs, reporter=reporter)
    # Nothing of another processor's runs here: it is made from the same base for this machine.
    native = replace(base, platform=Platform.host())
    native_lock = lock_base(native)
    require_same(native_lock, lock)
    made = build_base(native, cache=cache, lock=native_lock, reporter=reporter)
    return build_foreign_rootfs(made.tar, native_lock, lock, base.declaration, tar, store=debs, reporter=reporter)


def require_debian() -> None:
    """``BaseBuildFailed`` unless this is Debian, or something with its tools and keys."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise BaseBuildFailed(
            f"base images from Debian packages are made on Debian; {missing[0]} is not here",
            hint="build on another image: imagekit build --base-image REF",
        )


def _require_root() -> None:
    if os.geteuid() != 0:
        raise BaseBuildFailed(
            "making a base image from Debian packages needs root",
            hint="run it with sudo, or build on another image: imagekit build --base-image REF",
        )


def require_mmdebstrap(reporter: Reporter) -> None:
    """Install mmdebstrap by apt where it is missing."""
    if shutil.which(MMDEBSTRAP) is not None:
        return
    reporter.line("Installing mmdebstrap by apt-get")
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends", "install"]
    hint = "apt-get install mmdebstrap"
    try:
        run_words([*install, "--", MMDEBSTRAP], failure="mmdebstrap could not be installed", hint=hint)
    except BaseBuildFailed:
        # No package lists yet. A third-party source that fails must not stop it:
        # whether mmdebstrap can be had is seen by asking for it again.
        try:
            run_words(["apt-get", "-q", "update"], failure="apt-get update failed")
        except BaseBuildFailed as error:
            reporter.line(error.message)
        run_words([*install, "--", MMDEBSTRAP], failure="mmdebstrap could not be installed", hint=hint)


def _note(tar: Path) -> Path:
    return tar.with_suffix(".json")


def _kept(tar: Path) -> tuple[Digest, int] | None:
    """Digest and size of a root filesystem made before, if it is still what it was."""
    mark_used(_note(tar), tar.parent.parent)
    try:
        noted = json.loads(_note(tar).read_text())
        diff_id, size = Digest(noted["diff_id"]), int(noted["size"])
        if tar.stat().st_size != size:
            return None
        with tar.open("rb") as stream:
            digest = digest_of_stream(stream)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (diff_id, size) if digest == diff_id else None


def _config(base: DebianBase, lock: DebianLock, diff_id: Digest) -> ImageConfig:
    version = next((p.version for p in lock.packages if p.name == "python3"), base.python)
    build = base.variant == BUILD
    how = f"imagekit base build --python {base.python}{f' --variant {BUILD}' if build else ''}"
    bare = ImageConfig({"os": base.platform.os, "architecture": base.platform.architecture})
    return bare.extended(
        layers=[(diff_id, History(f"{how} (Debian {lock.suite})"))],
        settings={"Cmd": ["python3"]},
        env={"PATH": DEFAULT_PATH, "LANG": "C.UTF-8"},
        labels={
            "org.opencontainers.image.title": f"Python {base.python}{' and a compiler' * build} on Debian {lock.suite}",
            "org.opencontainers.image.version": version,
            "imagekit.base.suite": lock.suite,
            "imagekit.base.lock": lock.digest,
        },
        created=None,
    )
