"""The leak gate: credentials in what an image is made of, found before its tag moves.

Looked at are files of the project, the configuration, and the layers that were built with secrets; wheels from
an index are public, and not looked at. A finding tells where and of what kind, and never the value.
"""

from __future__ import annotations

import codecs
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from imagekit.errors import CheckFailed
from imagekit.secrets.shapes import Shape, shapes_in

if TYPE_CHECKING:
    import tarfile

    from imagekit.secrets.needles import Needles

OF_THIS_BUILD = "a secret of this build"
_PIECE = 1 << 23
_OVERLAP = 1 << 14
# What installers put there is public, and has keys for its own tests.
_PUBLIC = (
    "/site-packages/",
    "/dist-packages/",
    "/usr/share/",
    "/usr/lib/",
    "/usr/local/lib/",
    "/node_modules/",
    "/pkgs/",
)
_COMMANDS = ("Cmd", "Entrypoint", "Shell", "Test")  # lists of words, of which two together may say what none does
_MOST_SHOWN = 20
_LARGEST_TEXT, _HEAD = 16 << 20, 8192  # bytes
# As editors and shells of Windows write text; the longer mark begins with the shorter one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


# No dataclass: to make one with an order takes a hundredth of a build in which one file was edited.
class Leak(NamedTuple):
    """A credential that was found."""

    path: str  # of the file, or the field of the configuration
    kind: str  # "a GitHub token", "a secret of this build"
    line: int | None = None
    layer: str = ""  # diff ID of the layer that has it, where it is in one

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.kind}"


def leaks_in(path: str, stream: IO[bytes], needles: Needles | None, *, shapes: bool = True) -> Iterator[Leak]:
    """What the content of ``stream`` holds; one finding of a kind."""
    found: set[str] = set()
    overlap = max(_OVERLAP, needles.longest) if needles else _OVERLAP
    before, lines = b"", 1
    while piece := stream.read(_PIECE):
        data = before + piece
        if needles and OF_THIS_BUILD not in found and needles.found_in(data):
            found.add(OF_THIS_BUILD)
            yield Leak(path=path, kind=OF_THIS_BUILD)
        for shape in (*shapes_in(data), *_in_urls(data)) if shapes else ():
            if shape.kind not in found:
                found.add(shape.kind)
                yield Leak(path=path, kind=shape.kind, line=lines + data.count(b"\n", 0, shape.offset))
        before = data[-overlap:]
        lines += data.count(b"\n", 0, len(data) - len(before))


def _in_urls(data: bytes) -> Iterator[Shape]:
    if b"://" in data:
        from imagekit.secrets.urls import in_source

        yield from in_source(data)


def leaks_of_file(path: str, file: Path, needles: Needles | None = None) -> list[Leak]:
    """What a file of the project holds; one that cannot be read any more holds nothing.

    Tokens are looked for in text of at most 16 MiB, secrets of the build in all.
    """
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD)
            encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
            is_text = os.fstat(stream.fileno()).st_size <= _LARGEST_TEXT and (encoding or b"\0" not in head)
            stream.seek(0)
            if encoding and is_text:
                text = stream.read().decode(encoding, "replace").encode("utf-8", "replace")
                return list(leaks_in(path, io.BytesIO(text), needles))
            return list(leaks_in(path, stream, needles, shapes=bool(is_text))) if is_text or needles else []
    except OSError:
        return []


def leaks_of_config(config: Mapping[str, Any], inherited: Mapping[str, Any] | None, needles: Needles) -> list[Leak]:
    """What an image's configuration (OCI image-spec, config.md) holds that its base's does not.

    Variables and labels by name and value; all else, commands and the history too, as a line of a Dockerfile is.
    """
    from imagekit.secrets.command_text import in_command, in_pair

    old = _strings(inherited or {})
    found = set()
    for path, text in dict.fromkeys(_fields(config)):  # many layers have the same time
        if text in old:
            continue
        name, value = path, text
        if path.startswith("Env"):
            name, _, value = text.partition("=")
        kind = in_pair(name, value) if path.startswith(("Env", "Labels")) else in_command(text)
        if needles.found_in(text.encode("utf-8", "surrogateescape")):
            kind = OF_THIS_BUILD
        if kind is not None:
            found.add(Leak(path=f"the configuration, {f'Env {name}' if path.startswith('Env') else path}", kind=kind))
    return sorted(found)


def leaks_of_member(layer: tarfile.TarFile, member: tarfile.TarInfo, needles: Needles) -> list[Leak]:
    """What a member of a layer holds: secrets of the build anywhere, tokens outside of packages."""
    path = "/" + member.name.lstrip("./")
    if needles.found_in(f"{path} {member.linkname}".encode("utf-8", "surrogateescape")):
        return [Leak(path="the name of a file or a link", kind=OF_THIS_BUILD)]
    stream = layer.extractfile(member) if member.isreg() else None
    if stream is None:
        return []
    looks_for_tokens = member.size <= _LARGEST_TEXT and not any(place in path for place in _PUBLIC)
    return list(leaks_in(path, stream, needles, shapes=looks_for_tokens)) if looks_for_tokens or needles else []


def refuse_leaks(leaks: Sequence[Leak], *, of: str, hint: str) -> None:
    """``CheckFailed`` naming each of ``leaks`` by its path and kind, and nothing else of it."""
    if not leaks:
        return
    first, *more = leaks
    details = "\n".join(str(leak) for leak in leaks[:_MOST_SHOWN])
    if len(leaks) > _MOST_SHOWN:
        details += f"\nand {len(leaks) - _MOST_SHOWN} more"
    raise CheckFailed(
        f"{of} holds {first.kind}: {first.path}{f':{first.line}' if first.line else ''}"
        f"{f', and {len(more)} more' if more else ''}",
        hint=hint,
        details=details if more else None,
    )


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in ("rootfs", "RootFS", "diff_ids"):
                shown = name if name not in ("config", "Config") else ""
                yield from _fields(item, f"{path}.{shown}".strip(".") if shown else path)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, path)
        if len(value) > 1 and path.rpartition(".")[2] in _COMMANDS and all(isinstance(item, str) for item in value):
            yield path, json.dumps(value)


def _strings(value: Any) -> set[str]:
    return {text for _, text in _fields(value)}
