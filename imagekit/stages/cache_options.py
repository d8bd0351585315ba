"""Where BuildKit's cache comes from and goes to: ``--cache-from`` and ``--cache-to``, looked at before anything runs.

Source: BuildKit's cache backends and their parameters (docs.docker.com, build/cache/backends). A mistake
in one would else be a warning among the build's lines, or a build without a cache.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagekit.errors import InputError, InvalidReference
from imagekit.nearest import nearest_hint
from imagekit.oci.reference import Reference
from imagekit.secrets.command_text import in_pair

_COMPRESSION = ("compression", "compression-level", "force-compression")
_FROM = {
    "registry": ("ref",),
    "local": ("src", "digest", "tag"),
    "gha": ("url", "url_v2", "scope", "timeout", "version"),
}
_TO = {
    "registry": ("ref", "mode", "oci-mediatypes", "image-manifest", "ignore-error", *_COMPRESSION),
    "local": ("dest", "tag", "mode", "oci-mediatypes", "image-manifest", "ignore-error", *_COMPRESSION),
    "inline": (),
    "gha": ("url", "url_v2", "scope", "mode", "ignore-error", "timeout", "repository", "version"),
}
_BOOLEANS = ("oci-mediatypes", "image-manifest", "ignore-error", "force-compression")
_COMPRESSIONS = ("uncompressed", "gzip", "estargz", "zstd")
_EXAMPLES = {"ref": "example.com/app:cache", "src": "DIRECTORY", "dest": "DIRECTORY"}
_GHA = "ACTIONS_RUNTIME_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOption:
    """One cache backend and its parameters."""

    type: str
    parameters: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """As buildx takes it: ``type=registry,ref=example.com/app:cache``."""
        fields = [f"{name}={value}" for name, value in (("type", self.type), *self.parameters)]
        return ",".join('"' + f.replace('"', '""') + '"' if set(f) & set(',"') else f for f in fields)


def cache_sources(texts: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """``--cache-from`` as buildx takes it; ``InputError`` for one that cannot be meant.

    A plain reference is a registry's. ``variables``: the environment, by which GitHub's cache is reached.
    """
    return tuple(str(_option(text, "--cache-from", _FROM, variables, to=False)) for text in texts)


def cache_targets(texts: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """``--cache-to`` as buildx takes it; ``InputError`` for one that cannot be meant."""
    return tuple(str(_option(text, "--cache-to", _TO, variables, to=True)) for text in texts)


def cache_fault(words: str) -> InputError | None:
    """The error for a cache that the builder's driver cannot write, by buildx's own words."""
    if "Cache export is not supported for the docker driver" in words:
        return InputError(
            "this builder cannot export a cache: its engine has the classic image store, which knows --cache-to "
            "type=inline alone",
            hint="docker buildx create --name NAME --driver docker-container, then --buildx-builder NAME",
            details=words,
        )
    return None


def _option(
    text: str, option: str, known: Mapping[str, tuple[str, ...]], variables: Mapping[str, str], *, to: bool
) -> CacheOption:
    where = f"{option} {text!r}"
    for field in re.split("[,;]", text):
        name, _, value = field.partition("=")
        if (found := in_pair(name, value)) is not None:
            raise InputError(
                f"{option}: {name} holds {found}, and everyone on this machine would see it among the arguments",
                hint="leave it out: a registry's login comes from docker login, GitHub's token from the environment",
            )
    parameters = _fields(text, option)
    kind = parameters.pop("type")
    if kind not in known:
        inline = "an inline cache is in the image: write type=registry,ref=IMAGE"
        hint = inline if kind == "inline" else nearest_hint(kind, known)
        raise InputError(f"{option}: there is no cache of type {kind!r} to use here", hint=hint)
    for name, value in parameters.items():
        _check(name, value, where, known[kind], kind)
    needed = {"registry": "ref", "local": "dest" if to else "src"}.get(kind)
    if needed is not None and not parameters.get(needed):
        raise InputError(f"{where} has no {needed}", hint=f"write type={kind},{needed}={_EXAMPLES[needed]}")
    if kind == "gha" and _GHA not in variables:
        raise InputError(
            f"{option} type=gha: {_GHA} is not set, so there is no GitHub Actions cache to reach",
            hint="use it in a workflow whose steps see the runtime's variables, or another type of cache",
        )
    return CacheOption(type=kind, parameters=tuple(parameters.items()))


def _fields(text: str, option: str) -> dict[str, str]:
    if any(not c.isprintable() for c in text) or not text.strip():
        raise InputError(f"{option} {text!r} is empty, or not one line of text", hint="write type=registry,ref=NAME")
    if "=" not in text:
        return {"type": "registry", "ref": text}
    found: dict[str, str] = {}
    for field in next(csv.reader([text], strict=False)):
        name, equals, value = field.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {text!r}: {field!r} is not NAME=VALUE", hint="write type=registry,ref=NAME")
        if name in found:
            raise InputError(f"{option} {text!r}: {name} is there twice", hint="give it once")
        found[name] = value
    if "type" not in found:
        raise InputError(f"{option} {text!r} has no type", hint=f"begin it with type=: type=registry,{text}")
    return found


def _check(name: str, value: str, where: str, known: tuple[str, ...], kind: str) -> None:
    if name in ("token", "ghtoken"):
        raise InputError(
            f"{_option_of(where)}: a {name} among the arguments is seen by everyone on this machine",
            hint=f"leave it out: buildx takes it from {_GHA}",
        )
    if name not in known:
        raise InputError(
            f"{_option_of(where)}: a cache of type {kind} has no {name!r} here", hint=nearest_hint(name, known)
        )
    if name == "ref":
        try:
            Reference.parse(value)
        except InvalidReference as error:
            raise InvalidReference(f"{_option_of(where)}: {error.message}", hint=error.hint) from None
    if name == "mode" and value not in ("min", "max"):
        raise InputError(f"{where}: mode is min or max, not {value!r}", hint="max keeps every stage's steps")
    if name in _BOOLEANS and value not in ("true", "false"):
        raise InputError(f"{where}: {name} is true or false, not {value!r}", hint=f"write {name}=true")
    if name == "compression" and value not in _COMPRESSIONS:
        raise InputError(
            f"{where}: compression is {', '.join(_COMPRESSIONS)}, not {value!r}", hint="write compression=zstd"
        )
    if name == "compression-level" and not (value.isdecimal() and int(value) <= 22):
        raise InputError(
            f"{where}: compression-level is a number from 0 to 22, not {value!r}", hint="write compression-level=3"
        )


def _option_of(where: str) -> str:
    """The option alone: what follows it may hold a secret."""
    return where.partition(" ")[0]
