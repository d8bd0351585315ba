"""The leak gate of a build: what is refused before anything runs, and what is looked at before a tag moves.

The source's files are looked at once: a file whose content was found clean is not read again. What BuildKit
made with secrets, or of a context in which credentials lie, is read from the engine, the base's layers left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.scan_notes import found_path, note_path, put_note, read_note
from imagekit.check import leaks as gate
from imagekit.errors import CheckFailed, InputError
from imagekit.oci.digest import Digest, short
from imagekit.progress import Reporter
from imagekit.secrets.file_names import telling_file
from imagekit.secrets.handed import Handed

if TYPE_CHECKING:
    from imagekit.building.inputs import Inputs
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.recipes.declared import Recipe, RecipeTable, WhenTable
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.source_tree import SourceTree
    from imagekit.stages.dockerfile import DockerfileBuild

_SHORT = 32  # hex digits of a file's digest that stand for it
# Of no user's making, and others for every edit.
_CHANGING = ("imagekit.inputs", "org.opencontainers.image.revision")
_MOST_NAMED = 5
_HINT = (
    "leave it out by a line in .dockerignore, or mark the line 'gitleaks:allow' where it is none; "
    "allow_secret_build_args=True (--allow-secret-build-args) takes it as it is"
)
_IMAGE_HINT = (
    "read it in the step that needs it (RUN --mount=type=secret,id=NAME), write it nowhere, and build once more "
    "without BuildKit's cache (--no-cache); "
    "allow_secret_build_args=True (--allow-secret-build-args) takes it as it is"
)


def refuse_in_spec(spec: ImageSpec, handed: Handed, reporter: Reporter) -> None:
    """``CredentialExposed`` for credentials in what ``spec`` puts into an image's configuration or a step."""
    from imagekit.secrets.refusal import exposed_in_dockerfile, exposed_values, refuse
    from imagekit.spec.told import written_at

    problems: list[InputError] = []
    kinds = (("env", dict(spec.env), "environment variable"), ("labels", dict(spec.labels), "label"))
    origins = dict(spec.env_origins)
    for key, pairs, what in kinds:
        for name, value in pairs.items():
            if exposed_values({name: value}, what):
                place = origins.get(name, "") if key == "env" else ""
                problems += exposed_values({name: value}, what, place or written_at(spec.context, (key, name)))
    for command in spec.extra_dockerfile_commands:
        problems += exposed_in_dockerfile(command, "extra_dockerfile_commands", None)
    refuse(problems, allow=handed.may_be_seen, reporter=reporter)


def refuse_in_recipes(recipes: Iterable[Recipe], handed: Handed, reporter: Reporter) -> None:
    """The same for what recipes set in the image, or in the script of a step."""
    from imagekit.secrets.refusal import exposed_values, refuse

    problems: list[InputError] = []
    for recipe in recipes:
        parts: list[tuple[tuple[str | int, ...], RecipeTable | WhenTable]] = [((), recipe.table)]
        parts += [(("when", number), when) for number, when in enumerate(recipe.table.when)]
        for above, part in parts:
            for key, pairs in (("env", part.env), ("build-env", part.build_env)):
                for name, value in (pairs or {}).items():
                    if exposed_values({name: value}, "environment variable"):
                        place = recipe.source.at((*above, key, name))
                        problems += exposed_values({name: value}, "environment variable", place)
    refuse(problems, allow=handed.may_be_seen, reporter=reporter)


def refuse_in_dockerfile(
    file: Path,
    build_args: Mapping[str, str | None],
    labels: Mapping[str, str],
    contexts: Mapping[str, str],
    handed: Handed,
    reporter: Reporter,
) -> tuple[Handed, dict[str, str | None]]:
    """``CredentialExposed`` for credentials in a Dockerfile, its arguments (``None``: the environment's) and labels.

    In ``contexts``, by their names, they are refused in any case: no process may show them.

    Where they are allowed, the arguments come back without them, and ``handed`` with them: no process shows them.
    """
    from imagekit.secrets.refusal import exposed_in_dockerfile, exposed_values, refuse

    _refuse_in_contexts(contexts)
    problems: list[InputError] = [*_in_arguments(build_args, handed), *exposed_values(labels, "label")]
    problems += exposed_in_dockerfile(file.read_bytes().decode("utf-8", "replace"), file.name)
    refuse(problems, allow=handed.may_be_seen, reporter=reporter)
    return _unshown(build_args, handed)


def refuse_in_steps(steps: Mapping[str, Any], handed: Handed, reporter: Reporter) -> dict[str, Any]:
    """As ``refuse_in_dockerfile``, for what reaches instructions that were looked at with the project.

    ``steps``: fields of ``DockerfileBuild``; the same comes back, with ``handed`` among them.
    """
    if not steps:
        return {"handed": handed}
    from imagekit.secrets.refusal import refuse

    build_args = steps.get("build_args") or {}
    _refuse_in_contexts(steps.get("build_contexts") or {})
    refuse(_in_arguments(build_args, handed), allow=handed.may_be_seen, reporter=reporter)
    handed, plain = _unshown(build_args, handed)
    return {**steps, "build_args": plain, "handed": handed}


def _refuse_in_contexts(contexts: Mapping[str, str]) -> None:
    from imagekit.secrets.refusal import exposed_values

    if problems := exposed_values(contexts, "build context"):
        raise InputError.join(problems)


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
    note = note_path(cache, "all", inputs.source, sorted(inputs.files.items()), _names_of(inputs))
    if not handed and note.exists():
        return
    mapped = {mapping.target: mapping.source for mapping in spec.files}
    digests = {**inputs.contents, **{target: inputs.files[target][2:] for target in mapped}}
    clean_path = note_path(cache, "files", str(spec.context), suffix=".files")
    clean = read_note(clean_path)
    found: list[gate.Leak] = []
    if handed:
        clean_now = frozenset[str]()
        found += _handed_files(digests, tree, mapped, handed)
    else:
        clean_now = clean
    needles, unclean = handed.needles if handed else None, set()
    for path, sha in digests.items():
        if sha[:_SHORT] in clean_now:
            continue
        leaks = gate.leaks_of_file(path, _file(path, tree, mapped), needles)
        found += leaks
        if leaks:
            unclean.add(sha[:_SHORT])
    now = {sha[:_SHORT] for sha in digests.values()} - unclean
    if not now <= clean or len(clean) > 2 * len(now):
        put_note(clean_path, sorted(now))
    if not found:
        put_note(note)
    _refuse(sorted(found), handed, reporter, of="the source", hint=_HINT)


def check_plan(planned: Planned, cache: Path, handed: Handed, reporter: Reporter) -> None:
    """Look at the configuration that the planned image is to have; what passed once passes again."""
    plan = planned.plan
    own = {name: value for name, value in plan.labels.items() if name not in _CHANGING}
    titles = [layer.title for layer in plan.layers]
    note = note_path(cache, "plan", plan.base.image_id, sorted(own.items()), sorted(plan.env.items()), titles)
    if not handed and note.exists():
        return
    from imagekit.plan.config import image_config

    config = image_config(plan, [layer.key for layer in plan.layers])
    found = gate.leaks_of_config(config.document, plan.base.config.document, handed.needles)
    if not found:
        put_note(note)
    _refuse(found, handed, reporter, of="the image", hint=_IMAGE_HINT)


def refuse_in_image(
    engine: Engine, image: EngineImage, build: DockerfileBuild, cache: Path, reporter: Reporter
) -> None:
    """``CheckFailed`` for credentials in an image that BuildKit made by a user's Dockerfile.

    An image that passed once is known by its ID; with secrets it is looked at each time.
    """
    from imagekit.building.image_leaks import base_of, bases_named, image_leaks

    handed = build.handed
    reads_layers = reads_layers_of(build, cache)
    note = note_path(cache, "image", image.id, reads_layers)
    if not handed.needles and note.exists():
        return
    text = build.dockerfile.read_bytes().decode("utf-8", "replace")
    base = base_of(engine, image, bases_named(text))
    below = len(base.diff_ids) if base is not None else 0
    with reporter.task("looking for credentials in the image") if reads_layers else nullcontext():
        found = image_leaks(engine, image, base=base, below=below if reads_layers else None, needles=handed.needles)
    found += _of_earlier_builds(image.diff_ids[below:], found, cache)
    if not found:
        put_note(note)
    _refuse(found, handed, reporter, of="the image", hint=_IMAGE_HINT)


def reads_layers_of(build: DockerfileBuild, cache: Path) -> bool:
    """Whether there is a reason to look into the layers of what ``build`` makes: secrets, or tokens in its context."""
    from imagekit.building.image_leaks import suspicious_files

    if build.handed.needles:
        return True
    own_rules = build.dockerfile.with_name(f"{build.dockerfile.name}.dockerignore")
    notes = note_path(cache, "context", str(build.context), suffix=".files")
    return bool(suspicious_files(build.context, own_rules if own_rules.is_file() else None, notes))


def check_steps(
    engine: Engine, planned: Planned, image_id: str, cache: Path, handed: Handed, reporter: Reporter
) -> None:
    """Look at the layers that a user's own instructions made on an assembled image, where they had secrets."""
    if handed and planned.plan.commands:
        below = len(planned.plan.base.config.diff_ids) + len(planned.plan.layers)
        check_layers(engine, image_id, below, cache, handed, reporter)


def check_layers(engine: Engine, image_id: str, below: int, cache: Path, handed: Handed, reporter: Reporter) -> None:
    """Look at the layers of an image above its lowest ``below``, which steps made that had secrets."""
    image = engine.image(image_id) if handed.needles else None
    if image is None:
        return
    from imagekit.building.image_leaks import image_leaks

    found = image_leaks(engine, image, base=None, below=below, needles=handed.needles)
    refuse_found(found, image.diff_ids[below:], cache, handed, reporter)


def refuse_found(
    found: Sequence[gate.Leak], layers: Sequence[Digest], cache: Path, handed: Handed, reporter: Reporter
) -> None:
    """``CheckFailed`` for what was ``found`` in an image, and for ``layers`` of it in which something was before."""
    _refuse([*found, *_of_earlier_builds(layers, found, cache)], handed, reporter, of="the image", hint=_IMAGE_HINT)


def _of_earlier_builds(layers: Sequence[Digest], found: Sequence[gate.Leak], cache: Path) -> list[gate.Leak]:
    """Those of ``layers`` in which a secret was found before; what is ``found`` now is remembered.

    BuildKit's cache has such a layer, and gives it to a build whose secret is another by now.
    """
    notes = {layer: found_path(cache, layer) for layer in layers}
    now = {leak.layer for leak in found}
    earlier = [layer for layer, note in notes.items() if layer not in now and note.exists()]
    for layer in now & set(notes):
        put_note(notes[Digest(layer)])
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
