"""The packages of an image, out of the records that its layers hold. Pure.

A Python package counts where installers put it: in a ``site-packages`` or ``dist-packages`` directory. What
packages carry within themselves (``setuptools/_vendor``) is theirs.
Sources: core metadata (PEP 566, 639), PEP 610, ``dpkg(1)``, ``os-release(5)``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.attest.material_note import bare_url
from imagekit.conda.channels import without_token
from imagekit.stanzas import stanzas

_INFO = re.compile(r"(?P<place>.*-packages)/(?P<stem>[^/]+)\.(?:dist|egg)-info(?:/(?:METADATA|PKG-INFO))?")
_SOURCE = re.compile(r"(?P<name>\S+)(?: \((?P<version>[^)]+)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a package was installed from, where that was no index (PEP 610). No credentials, no path of a host."""

    url: str
    vcs: str = ""  # git, hg …
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPackage:
    """An installed distribution."""

    name: str  # normalized (PEP 503)
    version: str
    location: str  # absolute path of its metadata
    license_expression: str = ""  # PEP 639
    license_text: str = ""  # the older field, whatever it holds
    classifiers: tuple[str, ...] = ()  # those of licences
    summary: str = ""
    homepage: str = ""
    requires: tuple[str, ...] = ()  # PEP 508
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPackage:
    """A package that ``dpkg`` has installed."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaInstalled:
    """A package that conda has in an environment; one of Python's is a ``PythonPackage``, too."""

    name: str
    version: str
    build: str
    subdir: str
    channel: str  # a name, or a URL
    location: str  # absolute path of its record
    filename: str = ""
    url: str = ""
    sha256: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distro:
    """An operating system, by its ``os-release``."""

    id: str  # debian
    version: str  # 12; empty for a rolling one
    name: str  # Debian GNU/Linux 12 (bookworm)

    @property
    def qualifier(self) -> str:
        """As package URLs have it: ``debian-12``."""
        return f"{self.id}-{self.version}" if self.version else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """What an image has installed."""

    python: tuple[PythonPackage, ...] = ()  # by name and place
    system: tuple[SystemPackage, ...] = ()  # by name and architecture
    conda: tuple[CondaInstalled, ...] = ()  # by name and place
    distro: Distro | None = None


def packages_of(records: Mapping[str, str]) -> Packages:
    """The packages that ``records`` (path → text, see ``layer_contents``) tell of."""
    found = (_python(path, text, records) for path, text in records.items() if _INFO.fullmatch(path))
    python = sorted((p for p in found if p is not None), key=lambda p: (p.name, p.location))
    paths = [path for path in records if path.startswith("var/lib/dpkg/status")]
    system = {(p.name, p.architecture): p for path in paths for p in _system(path, records[path])}
    text = records.get("etc/os-release") or records.get("usr/lib/os-release")
    return Packages(
        python=tuple(python),
        system=tuple(system[key] for key in sorted(system)),
        conda=tuple(
            sorted(
                (p for path, text in records.items() if (p := _conda(path, text)) is not None),
                key=lambda p: (p.name, p.location),
            )
        ),
        distro=_distro(text) if text else None,
    )


def _conda(path: str, text: str) -> CondaInstalled | None:
    if path.split("/")[-2:-1] != ["conda-meta"]:
        return None
    try:
        found = json.loads(text)
        words = {name: str(found.get(name) or "") for name in ("name", "version", "build", "subdir", "channel")}
        more = {name: str(found.get(name) or "") for name in ("sha256", "license")}
        if not words["name"] or not words["version"]:
            return None
        url = bare_url(without_token(str(found.get("url") or "")))
        channel = words.pop("channel").rstrip("/")
        channel = bare_url(without_token(channel)) or channel.rpartition("/")[2]
        filename = str(found.get("fn") or "")
        return CondaInstalled(**words, **more, channel=channel, url=url, filename=filename, location=f"/{path}")
    except (ValueError, TypeError, AttributeError):
        return None


def _python(path: str, text: str, records: Mapping[str, str]) -> PythonPackage | None:
    fields = HeaderParser().parsestr(text)
    name, version = (fields.get("Name") or "").strip(), (fields.get("Version") or "").strip()
    if not name or not version:
        return None
    directory = path.rpartition("/")[0] if path.endswith(("/METADATA", "/PKG-INFO")) else path
    return PythonPackage(
        name=canonicalize_name(name),
        version=version,
        location=f"/{directory}",
        license_expression=_word(fields, "License-Expression"),
        license_text=_word(fields, "License"),
        classifiers=tuple(c for c in fields.get_all("Classifier") or () if c.startswith("License ::")),
        summary=_word(fields, "Summary"),
        homepage=_homepage(fields),
        requires=tuple(fields.get_all("Requires-Dist") or ()),
        origin=_origin(records.get(f"{directory}/direct_url.json")),
    )


def _word(fields: Message, name: str) -> str:
    value = (fields.get(name) or "").strip()
    # Before PEP 639 tools wrote it where nothing was said.
    return "" if value.upper() == "UNKNOWN" else value


def _homepage(fields: Message) -> str:
    urls = [_word(fields, "Home-page")]
    for entry in fields.get_all("Project-URL") or ():
        label, _, url = entry.partition(",")
        if label.strip().lower().replace("-", "") in ("homepage", "home"):
            urls.append(url.strip())
    return next((url for url in urls if url.startswith(("https://", "http://")) and not re.search(r"[\s@]", url)), "")


def _origin(text: str | None) -> Origin | None:
    try:
        document: Any = json.loads(text or "null")
        url = str(document["url"])
    except (ValueError, KeyError, TypeError):
        return None
    vcs = document.get("vcs_info")
    if not isinstance(vcs, dict):
        vcs = {}
    elif vcs.get("requested_revision") and not vcs.get("commit_id"):
        return None
    url = bare_url(url)
    if not url:
        return None
    return Origin(url=url, vcs=str(vcs.get("vcs") or ""), commit=str(vcs.get("commit_id") or ""))


def _system(path: str, text: str) -> Iterator[SystemPackage]:
    # Of distroless images each package has a file of its own, without a word on its state.
    is_shared = path == "var/lib/dpkg/status"
    for fields in stanzas(text):
        name, version = fields["Package"], fields.get("Version")
        state = (fields.get("Status") or ("" if is_shared else "install ok installed")).split()
        if not version or state[-1:] != ["installed"]:
            continue
        source = _SOURCE.match(fields.get("Source") or name)
        yield SystemPackage(
            name=name,
            version=version,
            architecture=fields.get("Architecture") or "",
            source=source["name"] if source else name,
            source_version=(source and source["version"]) or version,
        )


def _distro(text: str) -> Distro | None:
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.isidentifier():
            try:
                found[name] = " ".join(shlex.split(value))
            except ValueError:
                continue
    if not found.get("ID"):
        return None
    return Distro(
        id=found["ID"], version=found.get("VERSION_ID", ""), name=found.get("PRETTY_NAME") or found.get("NAME", "")
    )
