"""``Secret``: a value that is kept on this machine and is not shown, with the methods of Prefect's ``Secret`` block.

Source: ``prefect.blocks.system.Secret`` and ``prefect.blocks.core.Block`` (``load``, ``save``, ``get``).
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from imagekit.secrets.store import SecretStore

_SHOWN = "**********"


class Secret:
    """A secret text. ``str``, ``repr`` and formatting do not show it; ``get()`` gives it.

    >>> Secret("s3cret").save("index-password")  # doctest: +SKIP
    >>> Secret.load("index-password").get()  # doctest: +SKIP

    It cannot be pickled, nor be made JSON of: load it where it is needed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            from imagekit.wrong_type import wrong_type

            raise wrong_type(value, "a Secret's value", "a string", "write Secret('…'), or Secret.load('NAME')")
        self._value = value

    def get(self) -> str:
        """The value."""
        return self._value

    def save(self, name: str, overwrite: bool = False) -> str:
        """Keep it under ``name``, in the system's keyring or in a file of the user's; ``name`` comes back.

        ``InvalidSecret`` (a ``ValueError``) for a bad name, and, unless ``overwrite``, where there is one of that name.
        """
        _store().set(name, self._value, replace=overwrite)
        return name

    @classmethod
    def load(cls, name: str) -> Secret:
        """The stored secret ``name``; ``InvalidSecret`` (a ``ValueError``) where there is none."""
        return cls(_store().get(name))

    @classmethod
    def delete(cls, name: str) -> None:
        """Forget the stored secret ``name``; ``InvalidSecret`` where there is none."""
        _store().delete(name)

    def __repr__(self) -> str:
        return f"Secret({_SHOWN!r})"

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode(errors="surrogatepass"), other._value.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: load it where it is needed, Secret.load(NAME)")


def _store() -> SecretStore:
    from imagekit.secrets.store import SecretStore
    from imagekit.settings import Settings

    return SecretStore(Settings.load().data_dir)
