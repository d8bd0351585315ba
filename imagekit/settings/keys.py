"""The keys of imagekit's configuration file, and what each may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from imagekit.errors import InvalidConfig, InvalidReference
from imagekit.oci.reference import Reference

_ENGINE_SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what it means, and how its text becomes a value (``origin`` is for the error)."""

    name: str
    meaning: str
    read: Callable[[str, str], str | float]
    is_number: bool = False


def read_namespace(text: str, origin: str) -> str:
    """A namespace that image names may be put under: ``team``, ``registry.example.com/team``, a registry."""
    namespace = text.rstrip("/")
    try:
        Reference.parse(f"{namespace}/name")
    except InvalidReference as error:
        raise InvalidConfig(
            f"{origin}: not a namespace for images",
            hint="write a team, a registry or both: team, registry.example.com/team, localhost:5000",
            details=error.message,
        ) from None
    return namespace


def read_seconds(text: str, origin: str) -> float:
    """A number of seconds above zero."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidConfig(f"{origin} is {text!r} and no number of seconds above 0", hint="write 120")
    return seconds


_UNITS = {"": 1, "b": 1, **{f"{u}b": 1000**n for n, u in enumerate("kmgt", 1)}}
_UNITS |= {f"{u}ib": 1024**n for n, u in enumerate("kmgt", 1)} | {u: 1000**n for n, u in enumerate("kmgt", 1)}
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[A-Za-z]*)")


def bytes_of(text: str, origin: str) -> int:
    """``20GB``, ``512MiB``, ``1.5 TB``, or a number of bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or found["unit"].lower() not in _UNITS or len(found["number"]) > 20:
        raise InvalidConfig(f"{origin} is {text!r} and no number of bytes", hint="write 20GB, 500MB or 1.5GiB")
    return int(float(found["number"]) * _UNITS[found["unit"].lower()])


def read_size(text: str, origin: str) -> str:
    """A number of bytes as it is written, since nobody reads eleven digits."""
    bytes_of(text, origin)
    return text.strip()


def read_directory(text: str, origin: str) -> str:
    """A directory, made absolute."""
    if not text or "\0" in text:
        raise InvalidConfig(f"{origin} is no path", hint="write a directory, such as /var/cache/imagekit")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise InvalidConfig(f"{origin} is {text!r}, in a home that is not there", hint="write it out") from None
    return str(path if path.is_absolute() else Path.cwd() / path)


def read_engine(text: str, origin: str) -> str:
    """An engine's address."""
    try:
        parts = urlsplit(text)
        _ = parts.port
        is_plain = (parts.hostname or "").encode("idna") is not None
    except ValueError:
        is_plain = False  # a port beyond 65535, an IPv6 address without its end, a name that is none
    if not is_plain or not text.startswith(_ENGINE_SCHEMES) or any(c.isspace() for c in text):
        raise InvalidConfig(
            f"{origin} is {text!r} and no engine's address",
            hint="write unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://HOST",
        )
    return text


def read_registries(text: str, origin: str) -> str:
    """Registries (``HOST[:PORT]``) or networks (``10.0.0.0/8``), separated by commas."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    for entry in entries:
        if not (_is_network(entry) if "/" in entry else _is_registry(entry)):
            raise InvalidConfig(
                f"{origin}: {entry!r} is no registry and no network",
                hint="write registry.example.com:5000, 10.0.0.0/8, or several with commas between",
            )
    return ",".join(entries)


def _is_registry(text: str) -> bool:
    try:
        return Reference.parse(f"{text}/name").registry == text
    except InvalidReference:
        return False


def _is_network(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key(name="default-namespace", meaning="put before image names that have none", read=read_namespace),
        Key(name="cache-dir", meaning="where layers, wheels and locks are kept", read=read_directory),
        Key(name="cache-size", meaning="bytes that they may take, such as 20GB", read=read_size),
        Key(name="engine", meaning="the Docker Engine's address", read=read_engine),
        Key(name="engine-timeout", meaning="seconds an engine may take to answer", read=read_seconds, is_number=True),
        Key(
            name="insecure-registries",
            meaning="registries without a known certificate, or without TLS",
            read=read_registries,
        ),
    )
}
