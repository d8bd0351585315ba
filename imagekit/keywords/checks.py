"""What the values of ``DockerImage``'s keywords may be: each check gives the value in one form, or ``InputError``.

A check is called with the value and the keyword's name. A wrong type is told in plain words here, before
anything of it could fail further in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.nearest import nearest_hint
from imagekit.spec.files import check_labels
from imagekit.wrong_type import wrong_type

Check = Callable[[Any, str], Any]

_SIZE = re.compile(r"[1-9][0-9]*([bkmg]b?)?", re.IGNORECASE)
_HOST = re.compile(r"[^\s:,\"=]+")
_ADDRESS = re.compile(r"[^\s,\"]+")
_ARGUMENT = re.compile(r"[^\s=\x00-\x1f\x7f]+")
# moby/buildkit, frontend/dockerfile/instructions: the name of a stage; or how many stages are before it.
_STAGE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|[0-9]+")
# What BuildKit has; a network of the engine's own is docker-py's alone.
_NETWORKS = ("default", "none", "host")


def text(value: Any, name: str) -> str:
    """One text without a line break or a NUL."""
    if not isinstance(value, str):
        raise wrong_type(value, name, "a string", _quoted(value, name))
    return one_line(value, name)


def stage(value: Any, name: str) -> str:
    """The name of a Dockerfile's stage, or its number."""
    found = text(value, name)
    if not _STAGE.fullmatch(found):
        raise InputError(
            f"{name}: {found!r} is no stage of a Dockerfile", hint="name one that a FROM line has: FROM … AS NAME"
        )
    return found


def path(value: Any, name: str) -> Path:
    """A path, as a text or a ``Path``."""
    if not isinstance(value, (str, Path)):
        raise wrong_type(value, name, "a path", f"write {name}='PATH'")
    return Path(one_line(str(value), name))


def flag(value: Any, name: str) -> bool:
    """``True`` or ``False``, and nothing that merely looks like one."""
    if not isinstance(value, bool):
        raise wrong_type(value, name, "True or False", f"write {name}=True or {name}=False")
    return value


def inverted(value: Any, name: str) -> bool:
    """The opposite of a flag: ``cache=False`` is ``nocache=True``."""
    return not flag(value, name)


def texts(value: Any, name: str) -> tuple[str, ...]:
    """A list of texts; one text stands for a list of it alone."""
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
        raise wrong_type(value, name, "a list of strings", f"write {name}=['…', '…']")
    return tuple(one_line(each, name) for each in found)


def instructions(value: Any, name: str) -> tuple[str, ...]:
    """A list of a Dockerfile's instructions, which ``spec.commands`` reads."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise wrong_type(value, name, "a list of strings", f"write {name}=['RUN …', 'ENV …']")
    return tuple(value)


def paths(value: Any, name: str) -> tuple[str | Path, ...]:
    """A list of paths; one path stands for a list of it alone."""
    found = (value,) if isinstance(value, (str, Path)) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, (str, Path)) for each in found):
        raise wrong_type(value, name, "a path or a list of paths", f"write {name}=['PATH', 'PATH']")
    for each in found:
        one_line(str(each), name)
    return tuple(found)


def yes_or_no(value: Any, name: str) -> str:
    """A flag as buildx has it: ``true`` or ``false``."""
    return "true" if flag(value, name) else "false"


def flag_or_texts(value: Any, name: str) -> bool | tuple[str, ...]:
    """``True``, ``False`` or a list of texts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, list, tuple)):
        return texts(value, name)
    raise wrong_type(value, name, "True, False or a list of names", f"write {name}=True, or {name}=['NAME']")


def table(value: Any, name: str) -> dict[str, str]:
    """A mapping of texts to texts. What a name or a value may hold is for whoever takes it to say."""
    if not isinstance(value, Mapping):
        raise wrong_type(value, name, "a dict of strings", f"write {name}={{'NAME': 'VALUE'}}")
    found = {}
    for key, item in value.items():
        key = str(key) if isinstance(key, Path) else key
        item = str(item) if isinstance(item, Path) else item
        if not isinstance(key, str):
            raise wrong_type(key, f"a name in {name}", "a string", f"write {name}={{'{_shown(key)}': …}}")
        if not isinstance(item, str):
            raise wrong_type(item, f"{name}[{key!r}]", "a string", f"write {{{key!r}: '{_shown(item)}'}}")
        found[key] = item
    return found


def labels(value: Any, name: str) -> dict[str, str]:
    """Labels that an image, and a line of a Dockerfile, can hold."""
    return dict(check_labels(table(value, name)))


def arguments(value: Any, name: str) -> dict[str, str | None]:
    """Build arguments: texts, or ``None`` for the value that the environment has. A line break may be in one."""
    if not isinstance(value, Mapping):
        raise wrong_type(value, name, "a dict of strings", f"write {name}={{'NAME': 'VALUE'}}")
    found: dict[str, str | None] = {}
    for key, item in value.items():
        if not isinstance(key, str) or not _ARGUMENT.fullmatch(key):
            raise InputError(
                f"{name}: {key!r} is no name of a build argument",
                hint="a name is not empty, and has no space, '=' or control character",
            )
        if item is not None and not isinstance(item, str):
            raise wrong_type(item, f"{name}[{key!r}]", "a string", f"write {{{key!r}: '{_shown(item)}'}}")
        if item is not None and ("\0" in item or not _is_utf8(item)):
            raise InputError(
                f"{name}[{key!r}] has a NUL or no valid text in it", hint="put it in a file of the context instead"
            )
        found[key] = item
    return found


def hosts(value: Any, name: str) -> tuple[str, ...]:
    """``{"host": "address"}``, or ``["host:address"]``; as ``host:address``."""
    if isinstance(value, Mapping):
        found = list(table(value, name).items())
    else:
        found = []
        for each in texts(value, name):
            host, _, address = each.partition(":")
            found.append((host, address))
    for host, address in found:
        if not _HOST.fullmatch(host) or not _ADDRESS.fullmatch(address):
            raise InputError(f"{name}: {host + ':' + address!r} is not HOST:ADDRESS", hint="write {'db': '10.0.0.7'}")
    return tuple(f"{host}:{address}" for host, address in found)


def network(value: Any, name: str) -> str:
    """One of the networks that a build step can have."""
    found = text(value, name)
    if found not in _NETWORKS:
        raise InputError(
            f"{name}={found!r}: a step of BuildKit's has one of the networks {', '.join(_NETWORKS)}",
            hint="use 'host', and publish what the build must reach there",
        )
    return found


def size(value: Any, name: str) -> str:
    """Bytes as a number, or a text with a unit (b, k, m, g); more than none."""
    if isinstance(value, str) and _SIZE.fullmatch(value):
        return value
    hint = f"write {name}=67108864 (bytes), or {name}='64m'"
    if isinstance(value, str):
        raise InputError(f"{name} is a size: a number, and b, k, m or g", hint=hint)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise wrong_type(value, name, "a size (a number, or a string with a unit)", hint)
    return str(value)


def caches(value: Any, name: str) -> tuple[str, ...]:
    """Caches as buildx takes them; also a dict of one's fields, as python-on-whales has it."""
    several = value if isinstance(value, (list, tuple)) else (value,) if value else ()
    found = []
    for each in several:
        if isinstance(each, Mapping):
            each = ",".join(f"{key}={item}" for key, item in table(each, name).items())
        found.append(each)
    return texts(found, name)


def contexts(value: Any, name: str) -> dict[str, str]:
    """Names of further build contexts, and what each is."""
    found = table(value, name)
    for key, item in found.items():
        if not _ARGUMENT.fullmatch(key) or not item or "\0" in item:
            raise InputError(f"{name}: {key!r}: {item!r} is no context", hint="write {'NAME': 'DIRECTORY'}")
    return found


def secrets(value: Any, name: str) -> Any:
    """Texts as buildx has them, or a dict of ``Secret`` by their IDs; what they say is read when they are needed."""
    if not isinstance(value, Mapping):
        return texts(value, name)
    for key, item in value.items():
        hint = f"write {name}={{'ID': Secret.load('NAME')}}"
        if not isinstance(key, str):
            raise wrong_type(key, f"an id in {name}", "a string", hint)
        if isinstance(item, Mapping) or not callable(getattr(item, "get", None)):
            raise wrong_type(item, f"{name}[{key!r}]", "a Secret", hint)
    return dict(value)


def platforms(value: Any, name: str) -> tuple[str, ...]:
    """One platform, or several in a list or with a comma between."""
    return tuple(part.strip() for each in texts(value, name) for part in each.split(","))


def stream(value: Any, name: str) -> Any:
    """What has a ``write``."""
    if not callable(getattr(value, "write", None)):
        hint = f"write {name}=sys.stdout, or {name}=None for silence"
        raise wrong_type(value, name, "a stream (with a write method)", hint)
    return value


def one_of(*known: str) -> Check:
    """The check for one of the words ``known``."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in known:
            words = f"write {name}={' or '.join(map(repr, known))}"
            if not isinstance(value, str):
                raise wrong_type(value, name, "a string", words)
            raise InputError(f"unknown {name} {value!r}", hint=words)
        return value

    return check


def builder(value: Any, name: str) -> str:
    """``assemble`` or ``buildkit``; buildx has builders of its own under another keyword."""
    if isinstance(value, str) and value not in ("assemble", "buildkit"):
        near = nearest_hint(value, ("assemble", "buildkit"))
        hint = near if near.startswith("did") else f"one of docker buildx ls is buildx_builder={value!r}"
        raise InputError(f"unknown builder {value!r}", hint=hint)
    found: str = one_of("assemble", "buildkit")(value, name)
    return found


def one_line(value: str, name: str) -> str:
    """``value``; ``InputError`` where it is more than a line, or no text."""
    if any(c in value for c in "\n\r\0") or not _is_utf8(value):
        raise InputError(f"{name} has a line break, a NUL or no valid text in it", hint="write it in one line")
    return value


def _quoted(value: Any, name: str) -> str:
    return f"write {name}='{_shown(value)}'"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) and value == value else "…"


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
