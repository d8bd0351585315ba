"""The leak gate of a build: what is refused before anything runs, and what is looked at before a tag moves.

The source's files are looked at once: a file whose content was found clean is not read again. What BuildKit
made with secrets, or of a context in which credentials lie, is read from the engine, the base's layers left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.check import leaks as gate
from imagekit.errors import CheckFailed, DiskFull, InputError
from imagekit.oci.digest import Digest, digest_of, digest_of_json, short
from imagekit.progress import Reporter
from imagekit.secrets import shapes
from imagekit.secrets.file_names import telling_file
from imagekit.secrets.handed import Handed

if TYPE_CHECKING:
    from imagekit.building.inputs import Inputs
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.source_tree import SourceTree
    from imagekit.stages.dockerfile import DockerfileBuild

_SHORT = 32  # hex digits of a file's digest that stand for it
# Of no user's making, and others for every edit.
_CHANGING = ("imagekit.inputs", "org.opencontainers.image.revision")
_MOST_NAMED = 5
_HINT = (
    "leave it out by a line in .dockerignore, or mark the line 'gitleaks:allow' where it is none; "
    "allow_secret_build_args=True takes it as it is"
)
_IMAGE_HINT = (
    "read it in the step that needs it (RUN --mount=type=secret,id=NAME), write it nowhere, and build once more "
    "without BuildKit's cache (--no-cache); "
    "allow_secret_build_args=True takes it as it is"
)


def refuse_in_spec(spec: ImageSpec, handed: Handed, reporter: Reporter) -> None:
    """``CredentialExposed`` for credentials in what ``spec`` puts into an image's configuration or a step."""
    from imagekit.secrets.refusal import exposed_in_dockerfile, exposed_values, refuse

    problems: list[InputError] = []
    for pairs, what in ((dict(spec.env), "environment variable"), (dict(spec.labels), "label")):
        for name, value in pairs.items():
            problems += exposed_values({name: value}, what, _written_at(spec.context, name))
    for command in spec.extra_dockerfile_commands:
        problems += exposed_in_dockerfile(command, "extra_dockerfile_commands", None)
    refuse(problems, allow=handed.may_be_seen, reporter=reporter)


def refuse_in_dockerfile(
    file: Path,
    build_args: Mapping[str, str | None],
    labels: Mapping[str, str],
    handed: Handed,
    reporter: Reporter,
) -> tuple[Handed, dict[str, str | None]]:
    """``CredentialExposed`` for credentials in a Dockerfile, its arguments (``None``: the environment's) and labels.

    Where they are allowed, the arguments come back without them, and ``handed`` with them: no process shows them.
    """
    from imagekit.secrets.refusal import exposed_in_dockerfile, exposed_values, refuse

    problems: list[InputError] = [*_in_arguments(build_args, handed), *exposed_values(labels, "label")]
    problems += exposed_in_dockerfile(file.read_bytes().decode("utf-8", "replace"), file.name)
    refuse(problems, allow=handed.may_be_seen, reporter=reporter)
    return _unshown(build_args, handed)


def refuse_in_arguments(
    build_args: Mapping[str, str | None], handed: Handed, reporter: Reporter
) -> tuple[Handed, dict[str, str | None]]:
    """As ``refuse_in_dockerfile``, for the arguments of instructions that were looked at with the project."""
    from imagekit.secrets.refusal import refuse

    refuse(_in_arguments(build_args, handed), allow=handed.may_be_seen, reporter=reporter)
    return _unshown(build_args, handed)


def _in_arguments(build_args: Mapping[str, str | None], handed: Handed) -> Sequence[InputError]:
    from imagekit.secrets.refusal import exposed_values

    return exposed_values(_with_values(build_args, handed), "build argument")


def _with_values(build_args: Mapping[str, str | None], handed: Handed) -> dict[str, str | None]:
    return {name: handed.variables.get(name) if value is None else value for name, value in build_args.items()}


def _unshown(build_args: Mapping[str, str | None], handed: Handed) -> tuple[Handed, dict[str, str | None]]:
    """What is a credential among the arguments goes with ``handed``."""
    from imagekit.secrets.refusal import exposed_values

    values = _with_values(build_args, handed)
    secret = {name: value for name, value in values.items() if value and exposed_values({name: value}, "x")}
    return handed.with_arguments(secret), {n: v for n, v in build_args.items() if n not in secret}


def check_source(spec: ImageSpec, inputs: Inputs, cache: Path, handed: Handed, reporter: Reporter) -> None:
    """Look at the files that go into the image; ``CheckFailed`` with path and kind for a token or a private key.

    Files that by their names hold credentials are told to ``reporter``.
    """
    tree = inputs.tree
    _say_names(tree, spec.dockerignore, reporter)
    note = cache / "scanned" / _key("all", inputs.source, sorted(inputs.files.items()), _names_of(inputs))
    if not handed and note.exists():
        return
    mapped = {mapping.target: mapping.source for mapping in spec.files}
    digests = {**inputs.contents, **{target: inputs.files[target][2:] for target in mapped}}
    clean_path = cache / "scanned" / f"{_key('files', str(spec.context))}.files"
    clean = _read_clean(clean_path)
    found: list[gate.Leak] = []
    if handed:
        clean_now = frozenset[str]()
        found += _handed_files(digests, tree, mapped, handed)
    else:
        clean_now = clean
    needles, unclean = handed.needles, set()
    for path, sha in digests.items():
        if sha[:_SHORT] in clean_now:
            continue
        leaks = gate.leaks_of_file(path, _file(path, tree, mapped), needles)
        found += leaks
        if leaks:
            unclean.add(sha[:_SHORT])
    now = {sha[:_SHORT] for sha in digests.values()} - unclean
    with suppress(OSError, DiskFull):
        if not now <= clean or len(clean) > 2 * len(now):
            write_whole(clean_path, "\n".join(sorted(now)).encode())
        if not found:
            write_whole(note, b"")
    _refuse(sorted(found), handed, reporter, of="the source", hint=_HINT)


def check_plan(planned: Planned, cache: Path, handed: Handed, reporter: Reporter) -> None:
    """Look at the configuration that the planned image is to have; what passed once passes again."""
    plan = planned.plan
    own = {name: value for name, value in plan.labels.items() if name not in _CHANGING}
    titles = [layer.title for layer in plan.layers]
    note = cache / "scanned" / _key("plan", plan.base.image_id, sorted(own.items()), sorted(plan.env.items()), titles)
    if not handed and note.exists():
        return
    from imagekit.plan.config import image_config

    config = image_config(plan, [layer.key for layer in plan.layers])
    found = gate.leaks_of_config(config.document, plan.base.config.document, handed.needles)
    if not found:
        with suppress(OSError, DiskFull):
            write_whole(note, b"")
    _refuse(found, handed, reporter, of="the image", hint=_IMAGE_HINT)


def refuse_in_image(
    engine: Engine, image: EngineImage, build: DockerfileBuild, cache: Path, reporter: Reporter
) -> None:
    """``CheckFailed`` for credentials in an image that BuildKit made by a user's Dockerfile.

    An image that passed once is known by its ID; with secrets it is looked at each time.
    """
    from imagekit.building.image_leaks import base_of, bases_named, image_leaks, suspicious_files

    handed = build.handed
    own_rules = build.dockerfile.with_name(f"{build.dockerfile.name}.dockerignore")
    notes = cache / "scanned" / f"{_key('context', str(build.context))}.files"
    suspicious = suspicious_files(build.context, own_rules if own_rules.is_file() else None, notes)
    reads_layers = bool(handed.needles or suspicious)
    note = cache / "scanned" / _key("image", image.id, reads_layers)
    if not handed.needles and note.exists():
        return
    text = build.dockerfile.read_bytes().decode("utf-8", "replace")
    base = base_of(engine, image, bases_named(text))
    below = len(base.diff_ids) if base is not None else 0
    with reporter.task("looking for credentials in the image") if reads_layers else nullcontext():
        found = image_leaks(engine, image, base=base, below=below if reads_layers else None, needles=handed.needles)
    found += _of_earlier_builds(image.diff_ids[below:], found, cache)
    if not found:
        with suppress(OSError, DiskFull):
            write_whole(note, b"")
    _refuse(found, handed, reporter, of="the image", hint=_IMAGE_HINT)


def check_steps(
    engine: Engine, planned: Planned, image_id: str, cache: Path, handed: Handed, reporter: Reporter
) -> None:
    """Look at the layers that a user's own instructions made, where they had secrets."""
    image = engine.image(image_id) if handed and planned.plan.commands else None
    if image is None:
        return
    from imagekit.building.image_leaks import image_leaks

    below = len(planned.plan.base.config.diff_ids) + len(planned.plan.layers)
    found = image_leaks(engine, image, base=None, below=below, needles=handed.needles)
    found += _of_earlier_builds(image.diff_ids[below:], found, cache)
    _refuse(found, handed, reporter, of="the image", hint=_IMAGE_HINT)


def _of_earlier_builds(layers: Sequence[Digest], found: Sequence[gate.Leak], cache: Path) -> list[gate.Leak]:
    """Those of ``layers`` in which a secret was found before; what is ``found`` now is remembered.

    BuildKit's cache has such a layer, and gives it to a build whose secret is another by now.
    """
    notes = {layer: cache / "scanned" / _key("leaks", layer) for layer in layers}
    now = {leak.layer for leak in found}
    earlier = [layer for layer, note in notes.items() if layer not in now and note.exists()]
    with suppress(OSError, DiskFull):
        for layer in now & set(notes):
            write_whole(notes[Digest(layer)], b"")
    kind = "a secret of an earlier build"
    return [gate.Leak(path=f"layer {short(layer)}", kind=kind, layer=layer) for layer in earlier]


def _refuse(found: Sequence[gate.Leak], handed: Handed, reporter: Reporter, *, of: str, hint: str) -> None:
    try:
        gate.refuse_leaks(found, of=of, hint=hint)
    except CheckFailed as error:
        if not handed.may_be_seen:
            raise
        reporter.line(f"allowed: {error.message}")


def _names_of(inputs: Inputs) -> list[str]:
    """What the digest of a source does not tell: the files, where they go into a wheel and not into the image."""
    return [] if inputs.source is not None else [f"{path}:{sha}" for path, sha in sorted(inputs.contents.items())]


def _file(path: str, tree: SourceTree | None, mapped: Mapping[str, Path]) -> Path:
    """The file on this machine that the image has at ``path``."""
    return mapped[path] if path in mapped or tree is None else tree.root / path


def _handed_files(
    digests: Iterable[str], tree: SourceTree | None, mapped: Mapping[str, Path], handed: Handed
) -> list[gate.Leak]:
    """Files that a step gets in secret, and that go into the image all the same."""
    paths = {secret.file for secret in handed.secrets} | {path for agent in handed.agents for path in agent.paths}
    real = {os.path.realpath(path) for path in paths if path is not None}
    places = {path: os.path.realpath(_file(path, tree, mapped)) for path in digests} if real else {}
    return [gate.Leak(path=path, kind=gate.OF_THIS_BUILD) for path, place in places.items() if place in real]


def _say_names(tree: SourceTree | None, dockerignore: Path | None, reporter: Reporter) -> None:
    names = [file.path for file in tree.files if file.kind == "file" and telling_file(file.path)] if tree else []
    rules = dockerignore.name if dockerignore is not None else ".dockerignore"
    for name in names[:_MOST_NAMED]:
        reporter.line(f"{name} may hold credentials and goes into the image; to leave it out, add to {rules}: {name}")
    if len(names) > _MOST_NAMED:
        reporter.line(f"and {len(names) - _MOST_NAMED} more such files")


def _key(*of: Any) -> str:
    known = digest_of(Path(shapes.__file__).read_bytes())  # other shapes may find more
    return digest_of_json([known, *of]).removeprefix("sha256:")


def _read_clean(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text("ascii").split())
    except (OSError, ValueError):
        return frozenset()


def _written_at(context: Path, name: str) -> str:
    """``FILE:LINE`` where the project's own configuration sets ``name``."""
    pattern = re.compile(rf"(?m)^[^#\n]*?[\"']?\b{re.escape(name)}[\"']?\s*=")
    for file in ("imagekit.toml", "pyproject.toml"):
        with suppress(OSError, ValueError):
            text = (context / file).read_text("utf-8")
            if found := pattern.search(text):
                return f"{file}:{text.count(chr(10), 0, found.start()) + 1}"
    return ""
