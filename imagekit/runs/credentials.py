"""A login to the registry that a run's image is pulled from, as the worker variable of that name has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagekit.errors import InputError
from imagekit.registry.hosts import canonical_host
from imagekit.runs.concealing import is_held

_HINT = "give username, password and registry_url"
_NAMES = ("username", "password", "registry_url", "reauth")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """``registry_url`` is a registry's ``HOST[:PORT]``, with or without a scheme. The password is never shown."""

    username: str
    password: str = field(repr=False)
    registry_url: str

    @classmethod
    def of(cls, given: object) -> RegistryCredentials:
        """From a mapping, or from an object with these attributes (Prefect's block). Raises ``InputError``."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            unknown = [str(name) for name in given if name not in _NAMES]
            if unknown:
                raise InputError(f"registry_credentials: unknown {unknown[0]!r}", hint=_HINT)
            found = {name: given.get(name) for name in _NAMES}
        else:
            found = {name: getattr(given, name, None) for name in _NAMES}
        # A block's password is pydantic's SecretStr.
        reveal = getattr(found["password"], "get_secret_value", None)
        password = reveal() if callable(reveal) else found["password"]
        password = password.get() if is_held(password) else password
        texts = (found["username"], password, found["registry_url"])
        if not all(isinstance(text, str) and text for text in texts):
            raise InputError("registry_credentials: username, password or registry_url is missing", hint=_HINT)
        username, password, url = map(str, texts)
        return cls(username=username, password=password, registry_url=url)

    @property
    def host(self) -> str:
        rest = self.registry_url.partition("://")[2] or self.registry_url
        return canonical_host(rest.partition("/")[0])
