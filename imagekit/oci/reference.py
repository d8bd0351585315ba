"""Image references, by the grammar of distribution/reference (what Docker accepts).

``[registry/]repository[:tag][@digest]``. As Docker does, the part before the first ``/`` is
a registry only where it is ``localhost``, holds a ``.`` or ``:``, or has an upper-case letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from imagekit.errors import InvalidReference
from imagekit.oci.digest import is_digest
from imagekit.wrong_type import wrong_type

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::(?P<port>[0-9]+))?")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")
_ANY_DIGEST = re.compile(r"@(?:sha\d+|md5)[a-zA-Z0-9+._-]*:[^@/]*$")
_NAME_MAX = 255
# What imagekit makes on a machine (bases, derived images) is called so, and is in no registry.
MADE_HERE = "imagekit/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image reference as it was written: nothing is filled in."""

    registry: str | None = None
    repository: str
    tag: str | None = None
    digest: str | None = None  # sha256:<64 hex>

    @classmethod
    def parse(cls, text: str, *, target: bool = False) -> Reference:
        """The reference that ``text`` spells; ``InvalidReference`` where it spells none.

        ``target`` also refuses what cannot be built: ``scratch``, and anything with a digest.
        """
        _refuse_by_look(text)
        rest, at, digest = text.partition("@")
        if at and not is_digest(digest):
            raise _invalid(text, "its digest is not sha256: and 64 lower-case hex digits")
        name, tag = _split_tag(rest)
        if tag is not None and not _TAG.fullmatch(tag):
            raise _invalid(
                text,
                "its tag is not 1 to 128 letters, digits, '_', '.' or '-', the first no '.' or '-'",
                hint="leave the ':' out, or write a tag such as v1 after it",
            )
        registry, repository = _split_registry(name)
        _check_name(text, name, registry, repository)
        reference = cls(registry=registry, repository=repository, tag=tag, digest=digest or None)
        if target:
            reference._refuse_as_target()
        return reference

    @property
    def name(self) -> str:
        """``registry/repository``, or ``repository`` where no registry was written."""
        return self.repository if self.registry is None else f"{self.registry}/{self.repository}"

    @property
    def familiar(self) -> str:
        """As Docker prints it: without ``docker.io/`` and ``library/``."""
        if self.registry not in (None, "docker.io", "index.docker.io"):
            return str(self)
        repository = self.repository
        if repository.startswith("library/") and repository.count("/") == 1:
            repository = repository.removeprefix("library/")
        return str(replace(self, registry=None, repository=repository))

    def with_tag(self, tag: str) -> Reference:
        """The same name with ``tag`` and no digest."""
        if not _TAG.fullmatch(tag):
            raise InvalidReference(
                f"{_shown(tag)} is not an image tag",
                hint="a tag is 1 to 128 letters, digits, '_', '.' or '-', and starts with none of the last two",
            )
        return replace(self, tag=tag, digest=None)

    def with_default_namespace(self, namespace: str) -> Reference:
        """The reference under ``namespace`` (``team``, a registry, or both), unless it has one of its own."""
        namespace = namespace.rstrip("/")
        if not namespace or self.registry is not None or "/" in self.repository:
            return self
        return Reference.parse(f"{namespace}/{self}")

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    def _refuse_as_target(self) -> None:
        if replace(self, tag=None, digest=None).familiar == "scratch":
            raise InvalidReference("'scratch' is reserved and cannot be built", hint="choose another image name")
        if self.digest is not None:
            raise InvalidReference(
                f"{self.name!r} has a digest, which a build cannot promise", hint="name the image by a tag: NAME:TAG"
            )


def _split_tag(text: str) -> tuple[str, str | None]:
    slash = text.rfind("/")
    name, colon, tag = text[slash + 1 :].partition(":")
    if not colon:
        return text, None
    return text[: slash + 1] + name, tag


def _split_registry(name: str) -> tuple[str | None, str]:
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or any(c in first for c in ".:[") or first != first.lower()):
        return first, rest
    return None, name


def _refuse_by_look(text: str) -> None:
    """Mistakes that deserve their own words."""
    if not isinstance(text, str):
        raise wrong_type(text, "an image's name", "a string", "write 'NAME' or 'NAME:TAG', such as 'orders:v1'")
    if not text:
        raise InvalidReference("an image reference is empty", hint="write NAME or NAME:TAG, such as orders:v1")
    if not text.isascii():
        raise _invalid(text, "it has characters that are not ASCII")
    if any(c.isspace() or not c.isprintable() for c in text):
        raise _invalid(text, "it has spaces or control characters", hint="take them out")
    if text.startswith("-"):
        raise _invalid(text, "it looks like an option")
    if "://" in text:
        raise _invalid(text, "it is a URL", hint="leave the scheme out: HOST/NAME:TAG")
    if "@" in _ANY_DIGEST.sub("", text) and not text.endswith("@"):
        raise _invalid(
            text, "it has a user or password before '@'", hint="take them out, and sign in with: docker login HOST"
        )
    if _IMAGE_ID.fullmatch(text):
        raise _invalid(text, "64 hex digits are an image ID and no name", hint="name the image: NAME:TAG")


def _check_name(text: str, name: str, registry: str | None, repository: str) -> None:
    if len(name) > _NAME_MAX:
        raise _invalid(text, f"its name has {len(name)} characters, and {_NAME_MAX} is the most")
    if registry is not None:
        match = _REGISTRY.fullmatch(registry)
        if match is None:
            raise _invalid(text, "what stands before the first '/' is not a registry's HOST[:PORT]")
        if match["port"] and not 1 <= int(match["port"]) <= 65535:
            raise _invalid(text, f"port {match['port']} is not between 1 and 65535")
    if _REPOSITORY.fullmatch(repository):
        return
    if _REPOSITORY.fullmatch(repository.lower()):
        raise _invalid(text, "a repository name is lower case", hint=f"write {text.replace(name, name.lower(), 1)!r}")
    raise _invalid(
        text,
        "its name is not lower-case letters and digits, joined by '.', '_', '__', '-' and '/'",
        hint="write NAME or NAME:TAG, such as orders:v1 or registry.example.com/team/orders:v1",
    )


def _invalid(text: str, why: str, *, hint: str | None = None) -> InvalidReference:
    return InvalidReference(
        f"{_shown(text)} is not an image reference: {why}", hint=hint or "write NAME or NAME:TAG, such as orders:v1"
    )


def _shown(text: str) -> str:
    """``text`` for a message: on one line, not too long, and nothing of what stands before a login's ``@``."""
    digest = _ANY_DIGEST.search(text)
    head, tail = (text[: digest.start()], digest[0]) if digest else (text, "")
    scheme, found, rest = head.partition("://")
    scheme, rest = (scheme + found, rest) if found else ("", head)
    if "@" in rest and not text.endswith("@"):
        rest = "***@" + rest.rpartition("@")[2]
    shown = scheme + rest + tail
    return repr(shown if len(shown) <= 100 else shown[:97] + "...")
