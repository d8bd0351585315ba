"""What an image is called: the name asked for or the project's, and a tag that says what goes in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from imagekit.building.inputs import Inputs, file_digest
from imagekit.errors import InvalidProject, InvalidReference
from imagekit.oci.digest import digest_of_json
from imagekit.oci.reference import Reference
from imagekit.spec.describe import describe
from imagekit.spec.image import ImageSpec
from imagekit.spec.source_tree import scan

_TAG_DIGITS = 16
_LOCKED_PATH = re.compile(rb'\b(?:path|directory|editable|url) = "([^":\\\x00]+)"')


def asked_reference(name: str | None, tag: str | None, project: str, namespace: str | None) -> Reference:
    """``name`` with ``tag``; without a name, one made of ``project``. ``namespace`` goes before a bare name."""
    # [tool.imagekit] may name a registry and a namespace; no project's or directory's name has the sign.
    reference = Reference.parse(name or (project if "/" in project else _repository(project)), target=True)
    if tag is not None:
        if reference.tag is not None:
            raise InvalidReference(f"two tags: {reference.tag!r} in the name, and {tag!r}", hint="give one of them")
        reference = Reference.parse(f"{reference}:{tag}", target=True)
    return reference.with_default_namespace(namespace) if namespace else reference


def content_tag(spec: ImageSpec, inputs: Inputs) -> str:
    """A tag for the image: the digest of all that is asked for, of the lock file, the source and the files.

    Requirements that are not locked may resolve to other versions on another day under the same tag;
    with a lock in the project the tag names one content.
    """
    lock = file_digest(spec.lock_file) if spec.lock_file is not None else None
    parts: list[object] = [describe(spec), lock, inputs.source, sorted(inputs.files.items())]
    if spec.recipes:
        from imagekit.recipes.find import find_recipes

        parts.append([recipe.digest for recipe in find_recipes(spec.recipes, spec.context)])
    if spec.lock_file is not None and (found := _directories(spec.lock_file)):
        parts.append([scan(path).digest() for path in found])
    return _tag(parts)


def dockerfile_tag(context: Path, dockerfile: Path, options: Mapping[str, object]) -> str:
    """A tag for a Dockerfile's image: the digest of the context, the Dockerfile and what else decides the build."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    tree = scan(context, own if own.is_file() else None, by_default=False)
    return _tag([tree.digest(), file_digest(dockerfile), {name: options[name] for name in sorted(options)}])


def _directories(lock: Path) -> list[Path]:
    """Projects that ``lock`` names by their path (PEP 751, uv.lock, poetry.lock): they are built as they are now."""
    root = lock.parent.resolve()
    places = {(root / os.fsdecode(name)).resolve() for name in _LOCKED_PATH.findall(lock.read_bytes())}
    return sorted(p for p in places if p != root and ((p / "pyproject.toml").is_file() or (p / "setup.py").is_file()))


def _tag(value: object) -> str:
    return digest_of_json(value).removeprefix("sha256:")[:_TAG_DIGITS]


def _repository(text: str) -> str:
    """``text`` in the characters of a repository name: lower case, a dash for what it does not allow."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise InvalidProject(f"{text!r} gives no image name", hint="give one: --name NAME")
    return name
