"""The keys of the user's own configuration, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from imagekit.errors import InvalidConfig, InvalidReference
from imagekit.oci.reference import Reference
from imagekit.spec.keys import Declared, Key, keys_of
from imagekit.spec.url import redacted

_ENGINE_SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")


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


def check_seconds(seconds: float, origin: str) -> float:
    """A number of seconds above zero."""
    if not seconds > 0:
        raise InvalidConfig(f"{origin} is {seconds:g} and no number of seconds above 0", hint="write 120")
    return seconds


def check_ahead(seconds: float, origin: str) -> float:
    """A number of seconds up to an hour."""
    if not 0 <= seconds <= 3600:
        raise InvalidConfig(f"{origin} is {seconds:g} and no number of seconds from 0 to 3600", hint="write 10")
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
        raise InvalidConfig(
            f"{origin} is {text!r}, and that home directory is not known", hint="write the whole path: /home/NAME/…"
        ) from None
    return str(path if path.is_absolute() else Path.cwd() / path)


def check_file(text: str, where: str) -> str:
    """A file that is there, made absolute."""
    path = Path(read_directory(text, where))
    if not path.is_file():
        raise InvalidConfig(f"{where}: {path} is not there", hint="name a file, or unset the setting")
    return str(path)


def read_engine(text: str, origin: str) -> str:
    """An engine's address."""
    try:
        parts = urlsplit(text)
        _ = parts.port
        is_plain = (parts.hostname or "").encode("idna") is not None
    except ValueError:
        is_plain = False  # a port beyond 65535, an IPv6 address without its end, a name that is none
    # Whatever is before an "@" may be a password, also where the rest is mistyped.
    shown = redacted(text) if "://" in text else re.sub(r".*@", "***@", text, flags=re.DOTALL)
    if not is_plain or not text.startswith(_ENGINE_SCHEMES) or any(c.isspace() for c in text):
        raise InvalidConfig(
            f"{origin} is {shown!r} and no engine's address",
            hint="write unix:///var/run/docker.sock, tcp://HOST:PORT or ssh://HOST",
        )
    # ssh asks a user by name, with a key; the engine's API knows neither user nor password.
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise InvalidConfig(
            f"{origin} is {shown!r}, with a login in it, which an engine does not take",
            hint="reach it by ssh, with a key: ssh://USER@HOST",
        )
    return text


def check_registries(texts: tuple[str, ...], origin: str) -> tuple[str, ...]:
    """Registries (``HOST[:PORT]``) or networks (``10.0.0.0/8``); one text may hold several, with commas between."""
    entries = tuple(entry.strip() for text in texts for entry in text.split(",") if entry.strip())
    for entry in entries:
        if not (_is_network(entry) if "/" in entry else _is_registry(entry)):
            raise InvalidConfig(
                f"{origin}: {entry!r} is no registry and no network",
                hint="write registry.example.com:5000, 10.0.0.0/8, or several with commas between",
            )
    return entries


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTable:
    """How imagekit is set up on a machine: what the user's configuration holds, of no project."""

    default_namespace: Annotated[
        str | None,
        Key(
            "what is put before the names of images that have no namespace",
            otherwise="Prefect's (PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE), where it has one",
            example="registry.example.com/team",
            check=read_namespace,
        ),
    ] = None
    cache_dir: Annotated[
        str | None,
        Key(
            "where layers, wheels and locks are kept",
            otherwise="~/.cache/imagekit",
            example="/var/cache/imagekit",
            check=read_directory,
        ),
    ] = None
    cache_size: Annotated[
        str | None, Key("what they may take, in bytes", default="20GB", example="500MB", check=read_size)
    ] = None
    engine: Annotated[
        str | None,
        Key(
            "the Docker Engine's address",
            otherwise="DOCKER_HOST, or docker's current context",
            example="ssh://builder.example.com",
            check=read_engine,
        ),
    ] = None
    engine_timeout: Annotated[
        float | None, Key("seconds that the engine may take to answer", default=120, example=300, check=check_seconds)
    ] = None
    insecure_registries: Annotated[
        tuple[str, ...] | None,
        Key(
            "registries or networks without a known certificate, or without TLS",
            default=[],
            example=["10.0.0.0/8"],
            check=check_registries,
        ),
    ] = None
    attest: Annotated[
        bool | None,
        Key("whether an SBOM and provenance are attached to what is pushed or laid out", default=False, example=True),
    ] = None
    frozen: Annotated[
        bool | None,
        Key("whether a build is refused without a lock, and where the base has moved", default=False, example=True),
    ] = None
    ca_bundle: Annotated[
        str | None,
        Key(
            "a PEM file of the certificates to trust, in place of those that each program brings",
            otherwise="SSL_CERT_FILE, REQUESTS_CA_BUNDLE, PIP_CERT, CURL_CA_BUNDLE, or pip's cert",
            example="/etc/ssl/corporate.pem",
            check=check_file,
        ),
    ] = None
    client_cert: Annotated[
        str | None,
        Key(
            "a PEM file with a certificate and its key, for package indexes that ask for one",
            otherwise="SSL_CLIENT_CERT, or pip's client-cert",
            example="~/.config/client.pem",
            check=check_file,
        ),
    ] = None
    worker_prefetch_seconds: Annotated[
        float | None,
        Key(
            "how many seconds before its time a worker claims a run and makes it ready",
            default=10,
            example=0,
            check=check_ahead,
        ),
    ] = None
    offline: Annotated[
        bool | None,
        Key("whether packages come from caches and this machine alone", default=False, example=True),
    ] = None


def machine_keys() -> Mapping[str, Declared]:
    return keys_of(MachineTable)


def user_keys() -> Mapping[str, Declared]:
    """All keys of the user's configuration: the machine's, and those of a project that hold where it has no other."""
    from imagekit.spec.table import Table

    return {**machine_keys(), **{name: each for name, each in keys_of(Table).items() if each.key.by_user}}
