"""Fitted recipes as steps of a Dockerfile: one layer each, the settings before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagekit.recipes.distribution import Distribution
from imagekit.recipes.fitted import Fitted
from imagekit.recipes.script import (
    APT_AUTH,
    APT_CACHE,
    BUILD_SCRIPT,
    CA,
    ENVIRONMENT,
    HERE,
    SCRIPT,
    build_script,
    step_files,
)
from imagekit.spec.base import BaseImage
from imagekit.stages.beneath import RECIPES, Beneath
from imagekit.stages.dockerfile_text import pair, word
from imagekit.stages.reference_dockerfile import CA as CA_SECRET
from imagekit.stages.reference_dockerfile import ENVIRONMENT as ENVIRONMENT_SECRET

LABEL = "imagekit.recipes"  # NAME@DIGEST of each, the lowest first
_FOR_BUILDS = "build"
# What whoever builds may hand over: logins for apt (apt_auth.conf(5)).
LOGINS = "apt-auth"


def stage_of(
    recipes: Sequence[Fitted],
    base: BaseImage,
    distribution: Distribution,
    keys: Mapping[str, bytes],
) -> Beneath:
    """The steps that put ``recipes`` on ``base``, each in one layer.

    ``keys`` has each repository's key by its fingerprint.
    """
    user = str(base.config.settings.get("User") or "")
    lines = ["USER 0:0"] if user else []
    path = base.config.path
    files: dict[str, bytes] = {}
    for recipe in recipes:
        lines.append(f"# {recipe.name}: {' '.join(recipe.summary.split())}")
        lines += [f"ENV {pair(name, value, 'the environment variable')}" for name, value in recipe.env]
        if more := [each for each in recipe.path if each not in path.split(":")]:
            path = ":".join((*more, path))
            lines.append(f"ENV {pair('PATH', path, 'the environment variable')}")
        if recipe.makes_layer:
            own = step_files(recipe, keys, base.python.executable)
            files |= {f"{RECIPES}/{recipe.name}/{name}": data for name, data in own.items()}
            lines.append(_run(recipe.name, SCRIPT, distribution))
    label = " ".join(f"{each.name}@{each.digest.removeprefix('sha256:')[:12]}" for each in recipes)
    lines.append(f"LABEL {pair(LABEL, label, 'the label')}")
    if user:
        lines.append(f"USER {word(user, 'the user')}")
    return Beneath(lines=tuple(lines), files=files, layers=tuple(each.name for each in recipes if each.makes_layer))


def build_stage(packages: tuple[str, ...], distribution: Distribution) -> Beneath:
    """The step above all recipes that installs what builds of sources need."""
    return Beneath(
        lines=("USER 0:0", _run(_FOR_BUILDS, BUILD_SCRIPT, distribution)),
        files={f"{RECIPES}/{_FOR_BUILDS}/{BUILD_SCRIPT}": build_script(packages)},
        layers=(_FOR_BUILDS,),
    )


def build_packages(recipes: Sequence[Fitted]) -> tuple[str, ...]:
    """What builds of sources need, of all ``recipes``, in order."""
    return tuple(sorted({name for recipe in recipes for name in recipe.build}))


def _run(name: str, script: str, distribution: Distribution) -> str:
    cache = (
        f"imagekit-apt-{distribution.id}-{distribution.version or distribution.codename}-{distribution.architecture}"
    )
    words = [
        f"--mount=type=bind,source={RECIPES}/{name},target={HERE}",
        # apt locks it; another build at the same time has one of its own, and does not wait.
        f"--mount=type=cache,id={cache},target={APT_CACHE},sharing=private",
        "--mount=type=tmpfs,target=/tmp",
        # Certificates are no secret; apt's own user reads them.
        f"--mount=type=secret,id={CA_SECRET},target={CA},mode=0444",
        f"--mount=type=secret,id={ENVIRONMENT_SECRET},target={ENVIRONMENT}",
        f"--mount=type=secret,id={LOGINS},target={APT_AUTH}",
        f"sh {HERE}/{script}",
    ]
    return "RUN " + " \\\n    ".join(words)
