"""Where stored secrets are: in the keyring of the system, or in a file that only its owner can read.

The names of all of them, and the values that are in no keyring, are in ``secrets.json`` in the user's data
directory (0700): the ``keyring`` library cannot list what it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.errors import InvalidSecret
from imagekit.nearest import nearest_hint
from imagekit.sharing.flock import LocksUnavailable, acquire

SERVICE = "imagekit"
KEYRING, FILE = "keyring", "file"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # as Prefect names its blocks
_LONGEST_NAME = 100
_LARGEST = 100_000  # bytes; a step of a build gets it by a variable
_LOCK_SECONDS = 30.0
# What plain files of the keyring library's third parties have; ours is one as good.
_LEAST_PRIORITY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """The name of a stored secret, and where its value is: ``"keyring"`` or ``"file"``."""

    name: str
    where: str


def check_name(name: str) -> str:
    """``name``; ``InvalidSecret`` where no secret can have it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidSecret(
            "that is no name for a secret", hint="lower-case letters and digits, with single '-' between them"
        )
    return name


class SecretStore:
    """The secrets of one user; ``directory`` is made when the first is kept."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "secrets.json"

    def names(self) -> list[StoredName]:
        """What there is, in order; no value is read."""
        return [StoredName(name=name, where=entry["in"]) for name, entry in sorted(self._read().items())]

    def get(self, name: str) -> str:
        """The value; ``InvalidSecret`` for one that is not there, or cannot be had."""
        entries = self._read()
        entry = entries.get(check_name(name))
        if entry is None:
            near = nearest_hint(name, entries) + "; " if entries else ""
            raise InvalidSecret(f"there is no secret {name!r}", hint=f"{near}imagekit secret set {name}")
        if entry["in"] == FILE:
            return str(entry["value"])
        with _keyring_errors(name):
            import keyring

            value = keyring.get_password(SERVICE, name)
        if value is None:
            raise InvalidSecret(f"the keyring no longer has {name!r}", hint=f"imagekit secret set {name}")
        return value

    def set(self, name: str, value: str, *, replace: bool = True) -> StoredName:
        """Keep ``value``; without ``replace`` ``InvalidSecret`` where the name is taken."""
        check_name(name)
        _check_value(name, value)
        with self._alone():
            entries = self._read()
            if name in entries and not replace:
                raise InvalidSecret(f"there is a secret {name!r} already", hint="save(…, overwrite=True)")
            before = entries.get(name)
            if usable_keyring():
                with _keyring_errors(name):
                    import keyring

                    keyring.set_password(SERVICE, name, value)
                entries[name] = {"in": KEYRING}
            else:
                if before is not None and before["in"] == KEYRING:
                    # It would stay there for good, with nobody who knows of it.
                    _forget_in_keyring(name)
                entries[name] = {"in": FILE, "value": value}
            try:
                self._write(entries)
            except BaseException:
                if before is None and entries[name]["in"] == KEYRING:
                    with contextlib.suppress(InvalidSecret):
                        _forget_in_keyring(name)
                raise
        return StoredName(name=name, where=entries[name]["in"])

    def delete(self, name: str) -> None:
        """Forget it; ``InvalidSecret`` for one that is not there."""
        with self._alone():
            entries = self._read()
            if check_name(name) not in entries:
                raise InvalidSecret(
                    f"there is no secret {name!r}",
                    hint=nearest_hint(name, entries) if entries else "imagekit secret ls shows those that there are",
                )
            if entries.pop(name)["in"] == KEYRING:
                _forget_in_keyring(name)
            self._write(entries)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InvalidSecret(
                f"{self._path} cannot be read: {error.strerror}", hint="it is to be a plain file of yours"
            ) from None
        with os.fdopen(descriptor, "rb") as file:
            self._refuse_open_to_others(os.fstat(file.fileno()), self._path, 0o600)
            self._refuse_open_to_others(os.stat(self._directory), self._directory, 0o700)
            try:
                document = json.loads(file.read())
                return {check_name(name): _checked_entry(entry) for name, entry in document["secrets"].items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                raise InvalidSecret(
                    f"{self._path} is not what imagekit wrote", hint="move it away, and set the secrets again"
                ) from None

    def _write(self, entries: dict[str, dict[str, Any]]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {"version": 1, "secrets": dict(sorted(entries.items()))}
        write_whole(self._path, json.dumps(document, indent=1).encode())

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process sets or deletes meanwhile."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = acquire(self._directory / "lock", seconds=_LOCK_SECONDS)
        except LocksUnavailable:
            yield  # a file system without locks: the last one wins
            return
        except OSError as error:
            raise InvalidSecret(
                f"{self._directory} cannot be made: {error.strerror}",
                hint="set XDG_DATA_HOME to a directory that can be written",
            ) from None
        if held is None:
            raise InvalidSecret(f"another process holds {self._directory / 'lock'}", hint="wait for its end")
        try:
            yield
        finally:
            os.close(held)

    def _refuse_open_to_others(self, info: os.stat_result, path: Path, mode: int) -> None:
        if sys.platform == "win32":
            return
        if info.st_uid not in (os.geteuid(), 0):
            raise InvalidSecret(f"{path} belongs to another user", hint=f"move it away, or chown it to {os.geteuid()}")
        if stat.S_IMODE(info.st_mode) & 0o077:
            raise InvalidSecret(
                f"{path} is open to other users (mode {stat.S_IMODE(info.st_mode):04o})", hint=f"chmod {mode:o} {path}"
            )


def usable_keyring() -> bool:
    """Whether the system has a keyring that keeps secrets better than a file (``python -m keyring diagnose``)."""
    try:
        import keyring

        return keyring.get_keyring().priority >= _LEAST_PRIORITY
    except Exception:
        # Whatever a backend stumbles over when it is asked whether it works: it does not.
        return False


def _forget_in_keyring(name: str) -> None:
    """Take ``name`` out of the keyring; ``InvalidSecret`` where it is still there afterwards."""
    with _keyring_errors(name):
        import keyring
        from keyring.errors import PasswordDeleteError

        # Gone from there already, or not to be had away: which of them, the keyring itself must say.
        with contextlib.suppress(PasswordDeleteError):
            keyring.delete_password(SERVICE, name)
        left = keyring.get_password(SERVICE, name)
    if left is not None:
        raise InvalidSecret(
            f"the keyring does not let go of {name!r}", hint="unlock it and delete the entry of imagekit there"
        )


@contextlib.contextmanager
def _keyring_errors(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidSecret:
        raise
    except Exception as error:
        # Backends raise what their systems raise; its words may hold the value, so the kind must do.
        raise InvalidSecret(
            f"the keyring did not give or take {name!r} ({type(error).__name__})",
            hint="unlock it, or do without: PYTHON_KEYRING_BACKEND=keyring.backends.fail.Keyring",
        ) from None


def _check_value(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise InvalidSecret(f"the value of {name!r} is no text", hint="a secret is a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidSecret(f"the value of {name!r} is no valid text (UTF-8)", hint="encode it first") from None
    if not value or size > _LARGEST or "\0" in value:
        raise InvalidSecret(
            f"the value of {name!r} is empty, larger than 100 kB, or has a NUL in it",
            hint="keep such a thing in a file, and hand that to a build: secrets=['id=NAME,src=FILE']",
        )


def _checked_entry(entry: Any) -> dict[str, Any]:
    if entry["in"] not in (KEYRING, FILE) or (entry["in"] == FILE and not isinstance(entry["value"], str)):
        raise ValueError("no entry")
    return dict(entry)
