"""What dpkg would write down of a package, from its .deb file alone (deb(5), deb-control(5), dpkg(1))."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import BaseBuildFailed

# Written by dpkg itself, and not taken from the package.
_OWN_FIELDS = ("Status", "Conffiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDeb:
    """A .deb file, read."""

    control: tuple[tuple[str, str], ...]  # fields in their order, with continuation lines
    scripts: tuple[tuple[str, tarfile.TarInfo, bytes], ...]  # the control archive's other members
    archive: tarfile.TarFile  # its files
    members: tuple[tarfile.TarInfo, ...]

    def field(self, name: str) -> str:
        return next((value for key, value in self.control if key == name), "").strip()


@contextmanager
def open_deb(path: Path, directory: Path) -> Iterator[OneDeb]:
    """``path``, with its archive of files unpacked into ``directory`` as long as the block lasts."""
    with tempfile.TemporaryFile(dir=directory) as files, tempfile.TemporaryFile(dir=directory) as control:
        _run("--fsys-tarfile", path, files)
        _run("--ctrl-tarfile", path, control)
        with tarfile.open(fileobj=control) as head:
            fields: tuple[tuple[str, str], ...] = ()
            scripts = []
            for member in head:
                stream = head.extractfile(member) if member.isreg() else None
                if stream is None:
                    continue
                name, data = member.name.removeprefix("./"), stream.read()
                if name == "control":
                    fields = tuple(fields_of(data.decode("utf-8", "surrogateescape")))
                else:
                    scripts.append((name, member, data))
        with tarfile.open(fileobj=files) as archive:
            yield OneDeb(control=fields, scripts=tuple(scripts), archive=archive, members=tuple(archive))


def _run(what: str, path: Path, out: object) -> None:
    done = subprocess.run(
        ["dpkg-deb", what, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=out,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
    )
    if done.returncode != 0:
        raise BaseBuildFailed(
            f"{path.name} could not be unpacked",
            hint="imagekit cache verify removes it if it is damaged; then make the base again",
            details=done.stderr.decode(errors="replace"),
        )
    out.seek(0)  # type: ignore[attr-defined]


def fields_of(stanza: str) -> Iterator[tuple[str, str]]:
    """The fields of one control stanza: name, and all that follows the colon, continuation lines included."""
    name, value = "", ""
    for line in stanza.splitlines(keepends=True):
        if line[:1] in (" ", "\t"):
            value += line
            continue
        if name:
            yield name, value
        name, _, value = line.partition(":")
    if name:
        yield name, value


def info_files(deb: OneDeb) -> Iterator[tuple[str, int, int | None, bytes]]:
    """The files of ``/var/lib/dpkg/info`` for ``deb``: name there, mode, time where it is the package's, content."""
    key = deb.field("Package")
    if deb.field("Multi-Arch") == "same":
        key += f":{deb.field('Architecture')}"
    for name, member, data in deb.scripts:
        yield f"{key}.{name}", member.mode & 0o777, int(member.mtime), data
    names = [member.name.removeprefix(".").rstrip("/") for member in deb.members]
    yield f"{key}.list", 0o644, None, "".join(f"{name or '/.'}\n" for name in names).encode("utf-8", "surrogateescape")


def status_of(status: str, debs: Sequence[OneDeb], architecture: str) -> str:
    """``/var/lib/dpkg/status`` with the stanzas of ``debs`` in the place of those of the same packages."""
    by_name = {deb.field("Package"): deb for deb in debs}
    stanzas = []
    for block in status.split("\n\n"):
        if not block.strip():
            stanzas.append(block)
            continue
        fields = list(fields_of(block.rstrip("\n") + "\n"))
        deb = by_name.get(next(value.strip() for name, value in fields if name == "Package"))
        if deb is None:
            stanzas.append(block)
            continue
        theirs = dict(deb.control)
        known = [name for name, _ in fields]
        kept = [(name, theirs.get(name, value)) for name, value in fields if name in theirs or name in _OWN_FIELDS]
        added = [(name, value) for name, value in deb.control if name not in known]
        kept = [(name, _conffiles(deb, value) if name == "Conffiles" else value) for name, value in kept]
        stanzas.append("".join(f"{name}:{value}" for name, value in (*kept, *added)).rstrip("\n"))
    text = "\n\n".join(stanzas)
    return text if text.endswith("\n") else text + "\n"


def _conffiles(deb: OneDeb, known: str) -> str:
    """The field ``Conffiles`` (deb-conffiles(5)), with the digests of the files as they come in ``deb``."""
    listed = next((data.decode() for name, _, data in deb.scripts if name == "conffiles"), "")
    by_path = {member.name.removeprefix("."): member for member in deb.members}
    lines = []
    for path in listed.split():
        stream = deb.archive.extractfile(by_path[path]) if path in by_path else None
        if stream is None:
            # One that the package wants removed: as dpkg wrote it down.
            lines += [line for line in known.splitlines() if line.split()[:1] == [path]]
            continue
        digest = hashlib.md5(stream.read(), usedforsecurity=False).hexdigest()
        lines.append(f" {path} {digest}")
    return "\n" + "\n".join(lines) + "\n"
