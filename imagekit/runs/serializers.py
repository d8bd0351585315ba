"""Serializers by name: ``json`` and ``pickle`` as Prefect calls them, and any ``PACKAGE.MODULE:NAME``."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast


class Serializer(Protocol):
    """What a serializer has: as ``json``, ``pickle``, ``cloudpickle`` and Prefect's own serializers have it."""

    def dumps(self, value: Any) -> bytes: ...
    def loads(self, data: bytes) -> Any: ...


def serializer(name: str) -> Serializer:
    """The serializer of that name; a class is called. Raises ``ImportError`` or ``AttributeError``."""
    module, _, attribute = name.partition(":")
    found: Any = import_module(module)
    if attribute:
        found = getattr(found, attribute)
    return cast(Serializer, found() if isinstance(found, type) else found)
