"""Spec + lock + base → plan. Pure: no file is read, nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from imagekit.lock.values import Lock, LockedPackage
from imagekit.oci.digest import Digest, digest_of, digest_of_json
from imagekit.plan.layering import arrange, wheel_budget
from imagekit.plan.prefix import Prefix
from imagekit.plan.record import LABEL, record_of
from imagekit.plan.replaced import replaced_by
from imagekit.plan.targets import check_targets
from imagekit.plan.user import account_files, choose_user
from imagekit.plan.values import (
    FORMAT,
    EnvironmentLayer,
    FilesLayer,
    Plan,
    PlannedLayer,
    PlannedWheel,
    ProjectLayer,
    RemovedLayer,
    SourceLayer,
    User,
    WheelsLayer,
)
from imagekit.spec.base import BaseImage, real_directory
from imagekit.spec.image import ImageSpec, Project
from imagekit.spec.installed import Distribution
from imagekit.spec.runtime_extras import entrypoint_before


def make_plan(
    spec: ImageSpec,
    lock: Lock,
    base: BaseImage,
    *,
    file_digests: Mapping[str, str],
    source_digest: str | None,
    labels: Mapping[str, str],
    created: str | None,
) -> Plan:
    """The plan of an image.

    ``file_digests`` has the content digest of every ``spec.files`` target; ``source_digest`` is the
    source tree's, or ``None`` where no source goes in; ``labels`` are added under the user's own.
    Raises ``InvalidProject`` for a file whose target is something else in ``base``, and ``BaseConflict``
    for a package of ``base`` that cannot be replaced.
    """
    check_targets((mapping.target for mapping in spec.files), base, spec.workdir)
    prefix = Prefix.of(base)
    user = choose_user(base)
    removed, replaced = replaced_by(lock, spec.project, base)
    layers: list[PlannedLayer] = [_removed(removed, base)] if removed else []
    layers.append(_environment(spec, base, prefix, user))
    above: list[PlannedLayer] = []
    if spec.project is not None and not spec.builds_project:
        above.append(_project(spec.project, prefix, spec.workdir))
    if spec.files:
        digests = tuple(sorted(file_digests.items()))
        key = _key("files", [_tree(base), digests])
        above.append(
            FilesLayer(kind="files", title=_count(len(spec.files), "file"), key=key, files=spec.files, digests=digests)
        )
    if source_digest is not None:
        key = _key("source", [_tree(base), spec.workdir, user.uid, user.gid, source_digest])
        above.append(
            SourceLayer(kind="source", title="source", key=key, workdir=spec.workdir, user=user, digest=source_digest)
        )
    budget = wheel_budget(len(base.config.diff_ids), len(layers) + len(above))
    wheels = [planned_wheel(package, base, prefix) for package in lock.packages]
    layers += [wheels_layer(group) for group in arrange(wheels, budget, spec.beneath)]
    layers += above
    record = record_of(spec, base, prefix.root, layers, file_digests=file_digests, source_digest=source_digest)
    return Plan(
        base=base,
        prefix=prefix,
        user=user,
        layers=tuple(layers),
        env=_environment_variables(spec, base, prefix, user),
        labels={**labels, "imagekit.lock": lock.digest, **dict(spec.labels), LABEL: record.to_label()},
        workdir=spec.workdir,
        created=created,
        entrypoint=entrypoint_before(base.config.settings.get("Entrypoint")) if spec.runtime_extras else None,
        commands=spec.extra_dockerfile_commands,
        kept=tuple(f"{name}=={version}" for name, version in sorted(lock.kept.items())),
        replaced=replaced,
    )


def planned_wheel(package: LockedPackage, base: BaseImage, prefix: Prefix) -> PlannedWheel:
    """``package`` with the key of its layer: wheel, full Python version, prefix and format decide it."""
    python = base.python
    artifact = package.artifact
    return PlannedWheel(
        name=package.name,
        version=package.version,
        filename=artifact.filename,
        sha256=artifact.sha256,
        size=artifact.size or 0,
        direct=package.direct,
        from_source=not artifact.is_wheel,
        key=_key(
            "wheel",
            # Bytecode differs between patch releases that share a magic number.
            [
                artifact.sha256,
                python.implementation,
                python.version,
                python.cache_tag,
                prefix.identity,
            ],
        ),
    )


def created_at(epoch: int | None) -> str | None:
    """``SOURCE_DATE_EPOCH`` as RFC 3339 (reproducible-builds.org); ``None`` where it is not set."""
    if epoch is None:
        return None
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _removed(distributions: Sequence[Distribution], base: BaseImage) -> RemovedLayer:
    pins = [found.pin for found in distributions]
    several = f"{len(pins)} packages of the base removed"
    return RemovedLayer(
        kind="removed",
        title=several if len(pins) > 3 else f"{', '.join(pins)} of the base removed",
        key=_key("removed", [base.config.diff_ids, sorted(found.metadata for found in distributions), _tree(base)]),
        distributions=tuple(distributions),
    )


def _environment(spec: ImageSpec, base: BaseImage, prefix: Prefix, user: User) -> EnvironmentLayer:
    accounts = {path: digest_of(data) for path, data in account_files(base, user).items()}
    python = base.python
    venv = [prefix.root, prefix.site, python.executable, python.version] if prefix.is_ours else []
    key = _key(
        "environment",
        [
            *venv,
            accounts,
            user.uid,
            user.gid,
            user.home,
            spec.workdir,
            _tree(base),
        ],
    )
    return EnvironmentLayer(
        kind="environment", title="environment", key=key, prefix=prefix, user=user, workdir=spec.workdir
    )


def _tree(base: BaseImage) -> Digest:
    """What a layer's directories repeat of the base: so the same files on another base are another layer."""
    text = repr((base.directories, base.links))
    return digest_of(text.encode("utf-8", "surrogateescape"))


def wheels_layer(group: Sequence[PlannedWheel]) -> WheelsLayer:
    """One layer of the wheels of ``group``, keyed by them."""
    key = group[0].key if len(group) == 1 else _key("group", [wheel.key for wheel in group])
    title = group[0].pin if len(group) == 1 else _count(len(group), "package")
    return WheelsLayer(kind="wheels", title=title, key=key, wheels=tuple(group))


def _project(project: Project, prefix: Prefix, workdir: str) -> ProjectLayer:
    key = _key(
        "project",
        [
            project.name,
            project.version,
            project.import_root,
            project.scripts,
            project.gui_scripts,
            project.entry_points,
            project.metadata,
            prefix.identity,
            workdir,
        ],
    )
    return ProjectLayer(
        kind="project",
        title=f"{project.name}=={project.version}",
        key=key,
        project=project,
        prefix=prefix,
        workdir=workdir,
    )


def _environment_variables(spec: ImageSpec, base: BaseImage, prefix: Prefix, user: User) -> dict[str, str]:
    path = base.config.path
    places = {real_directory(place, base) for place in path.split(":")}
    if prefix.is_ours or prefix.scripts_path not in places:
        path = f"{prefix.scripts_path}:{path}"
    return {
        "PATH": path,
        **({"VIRTUAL_ENV": prefix.root} if prefix.is_ours or base.python.is_virtual else {}),
        "HOME": user.home,
        # A flow's lines should be seen when they are printed, not when a buffer is full.
        "PYTHONUNBUFFERED": "1",
        **dict(spec.env),
    }


def _key(kind: str, value: object) -> Digest:
    return digest_of_json([FORMAT, kind, value])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
