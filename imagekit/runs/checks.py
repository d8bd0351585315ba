"""What the values of run settings may be. Each check gives the value in its normal form, or raises ``InputError``."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from imagekit.errors import InputError
from imagekit.nearest import nearest_hint
from imagekit.runs.concealing import Holder, is_held, revealed
from imagekit.runs.request import check_environment
from imagekit.spec.extra_pieces import VARIABLE
from imagekit.wrong_type import wrong_type

PULL_POLICIES = ("Always", "IfNotPresent", "IfPossible", "Never")
SERIALIZERS = ("json", "pickle")

# What the engine accepts as a container's name (Docker's RestrictedNamePattern).
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NETWORK = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.:-]*[a-zA-Z0-9_.-])?")
_USER = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*\$?(:[a-zA-Z0-9_][a-zA-Z0-9_.-]*\$?)?")
_CAPABILITY = re.compile(r"(?:CAP_)?([A-Z][A-Z_0-9]*)")
_MODULE_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def text(value: object, name: str) -> str:
    if value == "":
        raise InputError(f"{name} is empty", hint="give a text, or leave it out")
    if not isinstance(value, str):
        raise wrong_type(value, name, "a string", f"write {name}='…'")
    if "\0" in value:
        raise InputError(f"{name} has a NUL in it", hint="take it out")
    return value


def switch(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(value, name, "True or False", f"write {name}=True, without quotes")
    return value


def texts(value: object, name: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise wrong_type(value, name, "a list of strings", f"write {name}=['…']")
    return tuple(text(each, f"{name}[{number}]") for number, each in enumerate(value))


def mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong_type(value, name, "a dict", f"write {name}={{'NAME': 'VALUE'}}")
    for key in value:
        if not isinstance(key, str):
            raise wrong_type(key, f"a name in {name}", "a string", f"write {name}={{'NAME': 'VALUE'}}")
    return dict(value)


def command(value: object, name: str) -> tuple[str, ...]:
    """A list of arguments, or one text that is split as a shell would (no shell ever reads it)."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise InputError(
                f"{name}: {value!r} cannot be split into arguments: {error}",
                hint="close its quotes, or give a list of arguments (in Python)",
            ) from None
    hint = f"write {name}=['PROGRAM', 'ARGUMENT']"
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong_type(value, name, "a list of strings, or one string", hint)
    if not value:
        raise InputError(f"{name} is empty", hint="give a program and its arguments, or leave it out")
    for number, each in enumerate(value):
        if not isinstance(each, str):
            raise wrong_type(each, f"{name}[{number}]", "a string", hint)
        if "\0" in each:
            raise InputError(f"{name}[{number}] has a NUL in it", hint="take it out")
    return tuple(value)


def container_name(value: object, name: str) -> str:
    if not _NAME.fullmatch(text(value, name)):
        raise InputError(
            f"{value!r} is not a container's name", hint="use letters, digits, '_', '.' and '-', two at least"
        )
    return str(value)


def environment(value: object, name: str) -> dict[str, str | Holder | None]:
    """``None`` takes a variable of the image away; a ``Secret`` stays one."""
    found = mapping(value, name)
    if is_held(found.get(VARIABLE)):
        raise InputError(
            f"{name}: {VARIABLE} is a Secret, and its packages are written into the image and the record of the run",
            hint="give it as a string; a login goes into ~/.netrc, or to the index: UV_INDEX_NAME_PASSWORD",
        )
    check_environment({key: "" if each is None else each for key, each in revealed(found).items()})
    return found


def labels(value: object, name: str) -> dict[str, str]:
    """Prefect's ``example.com/team`` becomes Docker's ``com.example.team``, as its worker does it."""
    found = {}
    for key, each in mapping(value, name).items():
        if not isinstance(each, str) or not key or "=" in key or "\0" in key + each:
            raise InputError(f"{name}: {key!r} is no label with a text", hint=f"write {name}={{'team': 'data'}}")
        namespace, slash, rest = key.partition("/")
        key = f"{'.'.join(reversed(namespace.split('.')))}.{rest}" if slash else key
        if key.startswith("imagekit."):
            raise InputError(f"{name}: {key!r} is a label of imagekit's own", hint="choose another name")
        found[key] = each
    return found


def pull_policy(value: object, name: str) -> str:
    for known in PULL_POLICIES:
        if isinstance(value, str) and value.replace("_", "").lower() == known.lower():
            return known
    hint = "write " + ", ".join(PULL_POLICIES[:-1]) + " or Never"
    if not isinstance(value, str):
        raise wrong_type(value, name, "a string", hint)
    raise InputError(f"{name}: {value!r} is no policy for pulling images", hint=hint)


def network(value: object, name: str) -> str:
    if not _NETWORK.fullmatch(text(value, name)):
        raise InputError(f"{name}: {value!r} is not a network's name", hint="docker network ls lists them")
    return str(value)


def networks(value: object, name: str) -> tuple[str, ...]:
    return tuple(network(each, name) for each in texts(value, name))


def user(value: object, name: str) -> str:
    shown = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    hint = "write a name or number: app, 1000, 1000:1000, root"
    if not isinstance(shown, str):
        raise wrong_type(value, name, "a user's name or number", hint)
    if not _USER.fullmatch(shown):
        raise InputError(f"{name}: {value!r} is not a user", hint=hint)
    if any(part.isdigit() and (len(part) > 20 or int(part) >= 1 << 31) for part in shown.split(":")):
        raise InputError(f"{name}: {value!r} is no user's number", hint="numbers are below 2147483648: 1000:1000")
    return shown


def directory(value: object, name: str) -> str:
    if not text(value, name).startswith("/"):
        raise InputError(f"{name}: {value!r} is not an absolute path", hint="give the whole path, such as /app")
    return str(value)


def capabilities(value: object, name: str) -> tuple[str, ...]:
    found = []
    for each in texts(value, name):
        match = _CAPABILITY.fullmatch(each.upper())
        if match is None:
            raise InputError(f"{name}: {each!r} is no capability", hint="write NET_ADMIN; see capabilities(7)")
        found.append(match[1])
    return tuple(found)


def seconds(value: object, name: str) -> float:
    number = _number(value, name, "a number of seconds")
    if not 0 < number < math.inf:
        raise InputError(f"{name}: a time limit of {value} seconds cannot be kept", hint="give a number above 0")
    return number


def grace(value: object, name: str) -> int:
    """Whole seconds, as the engine takes them."""
    number = _number(value, name, "a number of seconds")
    if not 0 <= number <= 1 << 31 or number != int(number):
        raise InputError(f"{name}: a grace of {value} seconds cannot be given", hint="give whole seconds, 0 or more")
    return int(number)


def cpus(value: object, name: str) -> float:
    number = _number(value, name, "a number of processors")
    # The engine counts in billionths and gives a hundredth at least (moby daemon/daemon_unix.go).
    if not 0.01 <= number <= 1 << 20:
        raise InputError(f"{name}: {value!r} processors cannot be given", hint="give 0.01 or more, such as 1.5")
    return number


def pids(value: object, name: str) -> int:
    hint = "give 2 or more (a flow takes two), or -1 for any"
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(value, name, "a whole number", hint)
    if not (value == -1 or 2 <= value <= 1 << 22):
        raise InputError(f"{name}: {value!r} processes cannot be allowed", hint=hint)
    return value


def gpus(value: object, name: str) -> str:
    """``all``, a number of them, or ``device=ID,ID`` (as ``docker run --gpus``)."""
    shown = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    hint = "write all, a number, or device=0,1"
    if not isinstance(shown, str):
        raise wrong_type(value, name, "a string or a whole number", hint)
    if (shown.startswith("device=") and all(shown[7:].split(","))) or shown == "all":
        return shown
    if shown.isascii() and shown.isdigit() and 0 < int(shown) < 1 << 16:
        return shown
    raise InputError(f"{name}: {value!r} names no GPUs", hint=hint)


def serializer(value: object, name: str) -> str:
    if value in SERIALIZERS or (isinstance(value, str) and _MODULE_NAME.fullmatch(value)):
        return str(value)
    if isinstance(value, str) and ":" not in value:
        raise InputError(f"{name}: {value!r} is not known", hint=nearest_hint(value, SERIALIZERS))
    hint = "write json, pickle, or PACKAGE.MODULE:NAME"
    if not isinstance(value, str):
        raise wrong_type(value, name, "a string", hint)
    raise InputError(f"{name}: {value!r} is not known", hint=hint)


def _number(value: object, name: str, what: str) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise InputError(f"{name}: {value!r} is not {what}", hint="give a number, such as 2.5") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise wrong_type(value, name, what, f"write {name}=2.5")
    return float(value)
