"""A file for ``docker buildx bake``: the cells of a matrix as targets, for people with builders of their own. Pure.

Each target's context is a directory with the Dockerfile that imagekit writes and a hashed lock, so nothing is resolved
where it is built. Source: Docker's Bake file reference (HCL).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagekit.matrix.work import UV_TARGET
from imagekit.stages.reference_dockerfile import CA, CLIENT_CERT, ENVIRONMENT, NETRC

BAKE_FILE = "docker-bake.hcl"
TITLE = "# Made by imagekit"
UV_DOCKERFILE = "FROM scratch\nCOPY uv /uv\n"
UV_DIRECTORY = "uv"
# The variables that name files, by the secrets that they become.
_FILES = {"MATRIX_CA": CA, "MATRIX_CLIENT_CERT": CLIENT_CERT, "MATRIX_NETRC": NETRC, "MATRIX_ENVIRONMENT": ENVIRONMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One cell: its context's directory, and its tags without the images' name."""

    label: str
    directory: str
    tags: tuple[str, ...]


def bake_file(name: str, targets: Sequence[Target], *, uv_image: str | None = None) -> str:
    """The file's text. ``name`` is the images', ``uv_image`` has uv at ``/uv``; without it there is a target for it."""
    lines = [
        f"{TITLE}. In this directory: docker buildx bake [TARGET …]",
        "",
        "# The images' name: with a registry in it they can be pushed (docker buildx bake --push).",
        *_variable("MATRIX_NAME", name),
        "# Optional files, for private indexes and certificates of a site's own: PEM, PEM, netrc, export NAME='VALUE'.",
        *(line for variable in _FILES for line in _variable(variable, "")),
        'group "default" {',
        f"  targets = [{', '.join(map(_quoted, target_names(targets)))}]",
        "}",
        "",
        'target "cell" {',
        '  dockerfile = "Dockerfile"',
    ]
    if uv_image is None:
        lines.append(f"  contexts = {{ {_quoted(UV_TARGET)} = {_quoted(f'target:{UV_DIRECTORY}')} }}")
    lines.append("  secret = compact([")
    for variable, secret in _FILES.items():
        lines.append(f'    {variable} == "" ? "" : "id={secret},src=${{{variable}}}",')
    lines += ["  ])", "}", ""]
    if uv_image is None:
        lines += [f'target "{UV_DIRECTORY}" {{', f"  context = {_quoted(UV_DIRECTORY)}", "}", ""]
    for target_name, target in zip(target_names(targets), targets, strict=True):
        tags = ", ".join(f'"${{MATRIX_NAME}}:{tag}"' for tag in target.tags)
        lines += [
            f"target {_quoted(target_name)} {{",
            '  inherits = ["cell"]',
            f"  context = {_quoted(target.directory)}",
            f"  tags = [{tags}]",
            "}",
            "",
        ]
    return "\n".join(lines)


def contexts_of(text: str) -> frozenset[str]:
    """The directories that a file of ``bake_file`` names."""
    return frozenset(re.findall(r'^  context = "([^"\\$%]+)"$', text, re.MULTILINE))


def target_names(targets: Sequence[Target]) -> list[str]:
    """A name for each target: what bake takes has letters, digits, ``_`` and ``-`` alone."""
    found: list[str] = []
    for target in targets:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", target.label)
        while name in (*found, "cell", UV_DIRECTORY, "default"):
            name += "_"
        found.append(name)
    return found


def _variable(name: str, default: str) -> list[str]:
    return [f"variable {_quoted(name)} {{", f"  default = {_quoted(default)}", "}", ""]


def _quoted(text: str) -> str:
    """A string of HCL that comes out as ``text``."""
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("${", "$${"), ("%{", "%%{")):
        text = text.replace(sign, written)
    return f'"{text}"'
