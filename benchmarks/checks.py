"""Whether an image is what it should be. What fails here has no time."""

from __future__ import annotations

import inspect
import json
import re
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines import Store
from benchmarks.process import Failed
from benchmarks.registry import Registry
from benchmarks.sets import PackageSet, Pin, uv_program
from benchmarks.surroundings import Surroundings
from imagekit.check import bytecode_program

_HERE = Path(__file__).parent
# Files that only one side has, or has otherwise, and why. Everything else must be the same on both.
DIFFERENCES = (
    r"bin/(activate|deactivate|pydoc)[^/]*",  # shell functions that a venv has and an image has no use for
    r"(\.gitignore|\.lock|CACHEDIR\.TAG|pyvenv\.cfg)",  # marks of a venv
    r"lib/python[^/]+/site-packages/_virtualenv\.(py|pth)",  # uv's own patch of distutils
    r"lib/python[^/]+/site-packages/__pycache__/_virtualenv\.[^/]+",
    r"lib/python[^/]+/site-packages/[^/]+\.dist-info/(REQUESTED|INSTALLER|RECORD|direct_url\.json|uv_cache\.json)",
    r"bin/python[^/]*",
    r"lib64",
)
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)


def python(at: Surroundings, store: Store, image: str, program: str) -> str:
    """What ``program`` prints in a container of ``image`` without a network."""
    return at.docker(store, "run", "--rm", "--interactive", "--network", "none", image, "python", "-", stdin=program)


def has_version(at: Surroundings, store: Store, image: str, pin: Pin) -> None:
    """The image has this release of the package and no other."""
    program = f"import importlib.metadata as m; print(m.version({pin.package!r}))"
    version = python(at, store, image, program).strip()
    if version != pin.version:
        raise Failed(f"{image} has {pin.package} {version}, not {pin.version}")


def has_text(at: Surroundings, store: Store, image: str, path: str, text: str) -> None:
    """The file at ``path`` in the image holds ``text``."""
    if text not in python(at, store, image, f"print(open({path!r}).read())"):
        raise Failed(f"{image} has an old {path}")


def own_layer_bytes(at: Surroundings, store: Store, image: str, package: str) -> int:
    """Bytes of the compressed layer that the package's files would make alone."""
    return int(python(at, store, image, f"NAME = {package!r}\n" + (_HERE / "own_layer.py").read_text()))


def same_content(at: Surroundings, store: Store, packages: PackageSet, images: Sequence[str]) -> None:
    """Both images have the set, the same files but for ``DIFFERENCES``, and work.

    The same in content, mode, owner and where a link leads: bytecode by what it means; the words of scripts in
    ``bin`` are each installer's own.
    """
    meaning = inspect.getsource(bytecode_program).partition("\ndef main")[0]
    program = f"{meaning}\n{(_HERE / 'inside.py').read_text()}"
    found: list[dict[str, Any]] = [json.loads(python(at, store, image, program)) for image in images]
    for image, content in zip(images, found, strict=True):
        wanted = {pin.package for pin in packages.pins.values()}
        if missing := wanted - set(content["versions"]):
            raise Failed(f"{image} lacks {', '.join(sorted(missing))}")
    first, second = ({**content["files"], **content["links"]} for content in found)
    different = [
        path
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path) and not any(re.fullmatch(d, path) for d in DIFFERENCES)
    ]
    if different:
        lines = [f"{p}: {first.get(p, 'missing')} and {second.get(p, 'missing')}" for p in different[:12]]
        raise Failed(f"{len(different)} files differ between {' and '.join(images)}:\n" + "\n".join(lines))
    for image in images:
        works(at, store, packages, image)


def works(at: Surroundings, store: Store, packages: PackageSet, image: str, *, without: str = "") -> None:
    """Its requirements agree, its modules import, its scripts start; ``without`` a package that was left out."""
    uv = f"{uv_program()}:/opt/uv:ro"
    check = ["/opt/uv", "pip", "check", "--python", "/opt/venv/bin/python", "--no-cache"]
    at.docker(store, "run", "--rm", "--network", "none", "--volume", uv, image, *check)
    python(at, store, image, import_program(packages, without=without))
    for script in packages.settings["scripts"]:
        at.docker(store, "run", "--rm", "--network", "none", image, *script.split())


def import_program(packages: PackageSet, *, without: str = "") -> str:
    """A program that imports all that the set is wanted for."""
    return "".join(f"import {name}\n" for name in packages.imports if name != without)


def whole_layers(registry: Registry, repository: str, tag: str) -> set[str]:
    """Hexadecimal digests of the tag's layers; the registry has its manifest, and every blob that it names."""
    held, layers = registry.blobs(), set()
    for digest, kind in _named(registry, repository, tag):
        name = digest.removeprefix("sha256:")
        if name not in held:
            raise Failed(f"{registry.name}/{repository}:{tag} names {digest}, which the registry has not")
        if kind == "layer":
            layers.add(name)
    return layers


def _named(registry: Registry, repository: str, reference: str) -> Iterable[tuple[str, str]]:
    request = urllib.request.Request(
        f"http://{registry.name}/v2/{repository}/manifests/{reference}", headers={"Accept": _MANIFESTS}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        manifest = json.load(answer)
    for below in manifest.get("manifests", ()):
        yield below["digest"], "manifest"
        yield from _named(registry, repository, below["digest"])
    if "config" in manifest:
        yield manifest["config"]["digest"], "config"
        yield from ((layer["digest"], "layer") for layer in manifest["layers"])
