"""The options that a line of a requirements file may carry, each with its values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from imagekit.errors import InvalidRequirement
from imagekit.nearest import nearest

_WITH_VALUE = {
    "--requirement",
    "--constraint",
    "--editable",
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--no-binary",
    "--only-binary",
    "--hash",
}
_FLAGS = {"--no-index", "--pre", "--prefer-binary", "--require-hashes"}
_SPELLINGS = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "--pypi-url": "--index-url",
}
_REFUSED = {
    "--trusted-host": "let the machine trust the host's certificate authority instead: SSL_CERT_FILE=…",
    "--no-require-hashes": "leave it out",
    "--config-settings": "put the settings into the package's own build",
    "--global-option": "put the settings into the package's own build",
    "--use-feature": "leave it out: it is about pip itself",
}
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def split_line(text: str) -> tuple[str, str]:
    """A line's requirement and its options; only the latter follow shell quoting (as pip has it)."""
    words = text.split(" ")
    at = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:at]).strip(), " ".join(words[at:])


def read_options(text: str, origin: str) -> Iterator[tuple[str, str]]:
    """(long name, value) of each option, the value ``""`` for a flag."""
    try:
        words = iter(shlex.split(text))
    except ValueError:
        raise InvalidRequirement(f"{origin}: a quote is not closed", hint="close it") from None
    for word in words:
        name, value = _name_of(word)
        if name in _REFUSED:
            raise InvalidRequirement(f"{origin}: {name} is not honoured", hint=_REFUSED[name])
        if name in _FLAGS:
            if value is not None:
                raise InvalidRequirement(f"{origin}: {name} takes no value", hint=f"write {name} alone")
            yield name, ""
            continue
        if name not in _WITH_VALUE:
            raise InvalidRequirement(f"{origin}: unknown option {name!r}", hint=_known(name))
        if value is None:
            value = next(words, "")
        if not value or value.startswith("-"):
            raise InvalidRequirement(f"{origin}: {name} needs a value", hint=f"write {name} VALUE")
        yield name, value


def check_hash(value: str, origin: str) -> str:
    """``sha256:<64 hex>``; every other hash is refused."""
    algorithm, _, _ = value.partition(":")
    if not _HASH.fullmatch(value):
        weak = "sha256 with 64 lower-case hex digits is what is taken"
        raise InvalidRequirement(
            f"{origin}: --hash of {algorithm[:20]!r} is too weak, incomplete or not known",
            hint=f"{weak}; make it by: pip hash FILE.whl",
        )
    return value


def _name_of(word: str) -> tuple[str, str | None]:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return _SPELLINGS.get(name, name), value if equals else None
    if word.startswith("-") and len(word) > 1:
        name, value = word[:2], word[2:]
        return _SPELLINGS.get(name, name), value.removeprefix("=") or None
    return word, None


def _known(name: str) -> str:
    known = _WITH_VALUE | _FLAGS
    found = nearest(name, known)
    return f"did you mean {found}?" if found else "known are " + ", ".join(sorted(known))
