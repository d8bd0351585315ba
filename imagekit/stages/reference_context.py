"""What lies beside a plan's Dockerfile: the lock, uv, the files and the source. All that a build of it needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from imagekit.errors import BuildError, InvalidProject
from imagekit.layers.project_files import project_files
from imagekit.lock.pylock import dump
from imagekit.lock.uv import find_uv
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.platform import Platform
from imagekit.plan.values import FilesLayer, Plan, ProjectLayer, SourceLayer
from imagekit.spec.source_tree import SourceTree
from imagekit.stages.beneath import RECIPES, Beneath
from imagekit.stages.reference_dockerfile import (
    COMPILER,
    FILES,
    LOCK,
    NAMES,
    PROJECT,
    PYLOCK,
    SOURCE,
    TITLE,
    UV,
    file_name,
    names_of,
    reference_dockerfile,
)

DOCKERFILE = "Dockerfile"
_WHEELS = "wheels"


def write_context(
    directory: Path,
    plan: Plan,
    lock: Lock,
    tree: SourceTree | None,
    *,
    uv_image: str | None = None,
    beneath: Beneath | None = None,
) -> None:
    """Write the Dockerfile of ``plan`` and its context into ``directory``, which is made where it is missing.

    ``lock`` holds wheels alone. What an earlier call wrote there is replaced; ``InvalidProject`` where
    something else lies there. ``BuildError`` where uv is to come along and cannot run in the base.
    """
    text = reference_dockerfile(plan, uv_image=uv_image, beneath=beneath)
    uv = None if uv_image is not None else _uv_for(plan)
    clear_context(directory)
    (directory / DOCKERFILE).write_text(text, "utf-8")
    if beneath is not None:
        beneath.write(directory)
    (directory / LOCK).mkdir()
    shown = _with_local_wheels(lock, directory / LOCK / _WHEELS)
    (directory / LOCK / PYLOCK).write_text(dump(shown, relative_to=(directory / LOCK).resolve()), "utf-8")
    if uv is not None:
        _place(uv, directory / UV, executable=True)
    if not plan.prefix.is_ours:
        (directory / LOCK / NAMES).write_text("".join(f"{name}\n" for name in names_of(plan)), "utf-8")
        _place(Path(__file__).with_name(COMPILER), directory / LOCK / COMPILER, executable=False)
    for layer in plan.layers:
        if isinstance(layer, ProjectLayer):
            root = layer.prefix.root.strip("/") + "/"
            for path, data, mode in project_files(layer.project, layer.prefix, layer.workdir):
                place = directory / PROJECT / path.removeprefix(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                place.chmod(mode)
        elif isinstance(layer, FilesLayer):
            digests: Mapping[str, str] = dict(layer.digests)
            for number, mapping in enumerate(layer.files):
                executable = digests[mapping.target].startswith("x:")
                _place(mapping.source, directory / file_name(number), executable=executable)
        elif isinstance(layer, SourceLayer) and tree is not None:
            _write_source(tree, directory / SOURCE)
    # What the umask would leave out of them.
    for below in directory.rglob("*"):
        if below.is_dir() and not below.is_symlink():
            below.chmod(0o755)
    for text_file in (directory / DOCKERFILE, *filter(Path.is_file, (directory / LOCK).iterdir())):
        text_file.chmod(0o644)


def clear_context(directory: Path) -> None:
    """Take away what ``write_context`` wrote there; ``InvalidProject`` where something else lies there."""
    directory.mkdir(parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        return
    try:
        ours = (directory / DOCKERFILE).read_text("utf-8").startswith(TITLE)
    except (OSError, UnicodeDecodeError):
        ours = False
    if not ours:
        raise InvalidProject(f"{directory} is not empty, and not imagekit's", hint="name a directory of its own")
    for name in (DOCKERFILE, UV):
        (directory / name).unlink(missing_ok=True)
    for name in (LOCK, PROJECT, FILES, SOURCE, RECIPES):
        if (directory / name).exists():
            shutil.rmtree(directory / name)


def _uv_for(plan: Plan) -> Path:
    platform, host = plan.base.config.platform, Platform.host()
    if platform.architecture != host.architecture or plan.base.python.libc != "glibc":
        raise BuildError(
            f"this machine's uv does not run in {plan.base.reference} ({platform}, {plan.base.python.libc})",
            hint="--uv-image names an image that has it for there, as /uv",
        )
    return find_uv()


def _with_local_wheels(lock: Lock, directory: Path) -> Lock:
    """``lock`` with the files that only this machine has lying in ``directory``."""

    def local(package: LockedPackage) -> LockedPackage:
        # As of an index: uv would note on this machine's behalf where a file that is asked for by its place was.
        artifact = replace(package.artifact, by_url=False)
        if urlsplit(artifact.url).scheme != "file":
            return replace(package, artifact=artifact)
        place = directory / artifact.filename
        _place(Path(url2pathname(urlsplit(artifact.url).path)), place, executable=False)
        return replace(package, artifact=_at(artifact, place))

    return replace(lock, packages=tuple(map(local, lock.packages)))


def _at(artifact: Artifact, place: Path) -> Artifact:
    return replace(artifact, url=place.resolve().as_uri())


def _write_source(tree: SourceTree, directory: Path) -> None:
    directory.mkdir()
    for file in tree.files:
        place = directory / file.path
        # Directories come before what is in them; those that rules leave out may still have something that is not.
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.kind == "dir":
            place.mkdir(exist_ok=True)
        elif file.kind == "symlink":
            place.symlink_to(file.link_target or "")
        else:
            _place(tree.root / file.path, place, executable=file.executable)


def _place(source: Path, target: Path, *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise InvalidProject(f"{source} cannot be read: {error.strerror}", hint=f"see: ls -l {source}") from None
    target.chmod(0o755 if executable else 0o644)
