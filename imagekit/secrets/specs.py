"""Secrets and ssh agents for the steps of a build: how they are written, looked at before anything runs.

Source: ``docker buildx build --help`` and buildx's ``util/buildflags`` (``--secret``, ``--ssh``); BuildKit's
``session/secrets/secretsprovider`` (the largest one). ``name=STORED`` is imagekit's own: a stored ``Secret``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imagekit.errors import InputError, InvalidSecret
from imagekit.nearest import nearest_hint

_LARGEST = 500 * 1024  # bytes, of any secret
_LARGEST_VARIABLE = 120 * 1024  # bytes; Linux has at most 128 KiB for one (execve(2))
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_KEYS = ("id", "src", "source", "env", "name", "type")
_FORMS = "write id=NAME,env=VARIABLE or id=NAME,src=FILE or id=NAME,name=STORED"
_SSH_FORMS = "write default for the agent at SSH_AUTH_SOCK, or ID=PATH of a private key or of an agent's socket"


class Holder(Protocol):
    """Something that holds a value, such as a ``Secret``."""

    def get(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSecret:
    """One secret as steps see it, in the file ``/run/secrets/ID``."""

    id: str
    file: Path | None = None  # where it is taken from; None: the value came otherwise
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAgent:
    """One ssh agent for steps: the host's own, or one that holds the keys at ``paths``."""

    id: str = "default"
    paths: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """As buildx takes it."""
        return f"{self.id}={','.join(map(str, self.paths))}" if self.paths else self.id


SecretSpecs = str | Iterable[str] | Mapping[str, Holder]


def read_secrets(
    specs: SecretSpecs, variables: Mapping[str, str], load: Callable[[str], Holder]
) -> tuple[StepSecret, ...]:
    """``secrets=`` and ``--secret``, with their values; all that is wrong with them is raised at once.

    ``specs``: texts (``"id=token,env=TOKEN"``), one text, or a mapping of IDs to ``Secret``. ``variables`` is the
    environment, ``load`` gives a stored secret.
    """
    if isinstance(specs, Mapping):
        return tuple(_held(_id(name, "secrets"), holder) for name, holder in specs.items())
    found: dict[str, StepSecret] = {}
    problems: list[InputError] = []
    for text in [specs] if isinstance(specs, str) else specs:
        try:
            secret = _read(text, variables, load)
            if secret.id in found:
                raise InvalidSecret(f"--secret: the id {secret.id!r} is there twice", hint="give each its own")
            found[secret.id] = secret
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return tuple(found.values())


def read_agents(specs: str | Iterable[str], variables: Mapping[str, str]) -> tuple[StepAgent, ...]:
    """``ssh=`` and ``--ssh``: ``"default"``, ``"ID"``, ``"ID=PATH[,PATH]"``; ``InvalidSecret`` for what is missing."""
    found: dict[str, StepAgent] = {}
    for text in [specs] if isinstance(specs, str) else specs:
        name, equals, places = str(text).partition("=")
        _id(name, "--ssh", _SSH_FORMS)
        if name in found:
            raise InvalidSecret(f"--ssh: the id {name!r} is there twice", hint="give each its own")
        paths = tuple(Path(place).expanduser().absolute() for place in places.split(",")) if equals else ()
        for path in paths:
            if path.is_dir() or not path.exists():
                raise InvalidSecret(f"--ssh {name}: {path} is no key and no agent's socket", hint=_SSH_FORMS)
        socket = variables.get("SSH_AUTH_SOCK", "")
        if not paths and not (socket and Path(socket).exists()):
            why = f"SSH_AUTH_SOCK names {socket}, which is not there" if socket else "SSH_AUTH_SOCK is not set"
            raise InvalidSecret(
                f"--ssh {name}: there is no ssh agent here: {why}",
                hint="start one (eval $(ssh-agent); ssh-add), or name a key: --ssh default=PATH",
            )
        found[name] = StepAgent(id=name, paths=paths)
    return tuple(found.values())


def _read(text: str, variables: Mapping[str, str], load: Callable[[str], Holder]) -> StepSecret:
    fields = _fields(text)
    name = _id(fields.pop("id", ""), "--secret")
    kind = fields.pop("type", None)
    source = fields.pop("src", None)
    if kind == "env" and source is not None and "env" not in fields:
        fields["env"], source = source, None
    if sum(place is not None for place in (source, fields.get("env"), fields.get("name"))) > 1:
        raise InvalidSecret(f"--secret id={name}: it comes from two places", hint=_FORMS)
    if (stored := fields.get("name")) is not None:
        return _checked(name, load(stored).get().encode("utf-8", "surrogateescape"), None)
    variable = fields.get("env")
    if variable is None and source is None:
        variable, source = (name, None) if name in variables and kind != "file" else (None, name)
    if variable is not None:
        if variable not in variables:
            raise InvalidSecret(
                f"--secret id={name}: the variable {variable} is not set", hint=f"export it, or {_FORMS}"
            )
        return _checked(name, variables[variable].encode("utf-8", "surrogateescape"), None)
    path = Path(str(source)).expanduser().absolute()
    try:
        if not path.is_file():
            raise InvalidSecret(f"--secret id={name}: the file {path} is not there", hint=_FORMS)
        if path.stat().st_size > _LARGEST:
            raise InvalidSecret(
                f"--secret id={name}: {path} is larger than 500 kB", hint="BuildKit takes no larger one"
            )
        return _checked(name, path.read_bytes(), path)
    except OSError as error:
        raise InvalidSecret(f"--secret id={name}: {path} cannot be read: {error.strerror}", hint=_FORMS) from None


def _held(name: str, holder: Holder) -> StepSecret:
    value = holder.get()
    if not isinstance(value, str):
        raise InvalidSecret(f"--secret id={name}: what it is given holds no text", hint="give it a Secret('…')")
    try:
        return _checked(name, value.encode(), None)
    except UnicodeEncodeError:
        raise InvalidSecret(
            f"--secret id={name}: it is no valid text (UTF-8)", hint=f"keep bytes in a file: id={name},src=FILE"
        ) from None


def _fields(text: str) -> dict[str, str]:
    # Not shown: who writes a secret's value here by mistake is not to find it in a log.
    try:
        pieces = next(csv.reader([text], strict=True)) if text and text.isprintable() else []
    except csv.Error:
        pieces = []
    if not pieces:
        raise InvalidSecret("--secret is empty, or not one line of NAME=VALUE fields", hint=_FORMS)
    found: dict[str, str] = {}
    for number, piece in enumerate(pieces, 1):
        key, equals, value = piece.partition("=")
        key = {"source": "src"}.get(key.strip().lower(), key.strip().lower())
        if not equals:
            raise InvalidSecret(f"--secret: its field {number} is not NAME=VALUE", hint=_FORMS)
        if key not in _KEYS:
            raise InvalidSecret(
                f"--secret: its field {number} is none that is known",
                hint=nearest_hint(key, _KEYS) if key.isalpha() and len(key) < 8 else _FORMS,
            )
        if key in found or not value:
            raise InvalidSecret(f"--secret: {key} is {'there twice' if key in found else 'empty'}", hint=_FORMS)
        if key == "type" and value not in ("file", "env"):
            raise InvalidSecret("--secret: type is file or env", hint=_FORMS)
        found[key] = value
    return found


def _id(text: str, where: str, hint: str = _FORMS) -> str:
    if not text:
        raise InvalidSecret(f"{where}: no id is given", hint=hint)
    if not _ID.fullmatch(text):
        raise InvalidSecret(f"{where}: an id has letters, digits, '.', '_' and '-' alone", hint=hint)
    return text


def _checked(name: str, value: bytes, path: Path | None) -> StepSecret:
    if not value:
        raise InvalidSecret(f"--secret id={name}: it is empty", hint="a step that reads it would find nothing")
    if path is None and (len(value) > _LARGEST_VARIABLE or b"\0" in value):
        raise InvalidSecret(
            f"--secret id={name}: a variable cannot hold it (NUL, or more than 120 kB)", hint=f"id={name},src=FILE"
        )
    return StepSecret(id=name, file=path, value=value)
