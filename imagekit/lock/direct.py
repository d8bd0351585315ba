"""Requirements that name a source: a URL, a path, a commit. Each becomes a wheel before the resolver is asked.

So the resolver never fetches a repository and never runs a build backend for them, and what it
resolves with is the metadata of the very wheels that are installed. The lock names the sources.
"""

from __future__ import annotations

import email.parser
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.requirements import InvalidRequirement as NotARequirement
from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import HashMismatch, InvalidRequirement, ResolveError, Unsatisfiable, WheelRefused
from imagekit.git.remote import Git
from imagekit.lock.fetch import WheelStore
from imagekit.lock.inputs import applying
from imagekit.lock.target import Target
from imagekit.lock.values import Artifact, GitCommit, Lock, LockedPackage, is_file_name
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.url import fragment_items, redacted, split_ref

_THREADS = 2  # a build is a container, which uses a core
_METADATA_LIMIT = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Sources:
    """How sources are fetched, and built into wheels in the base.

    ``build`` gives the wheel (a ``file:`` URL) of a package that is none; its version may be unknown (``""``).
    """

    store: WheelStore
    git: Git
    build: Callable[[LockedPackage], Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """One requirement's source, as the lock names it, and the wheel that it came to."""

    name: str
    version: str
    source: Artifact
    wheel: Artifact


def with_wheels(
    spec: ImageSpec, target: Target, sources: Sources | None, *, previous: Lock | None = None, complete: bool = False
) -> tuple[ImageSpec, Mapping[str, Direct]]:
    """``spec`` with a wheel of this machine for each source that it names, and what each is, by name.

    ``complete``: what packages need is in ``spec`` too, and will not be asked of them. A branch that
    ``previous`` has a commit of stays at that. Errors: those of fetching and building; :class:`HashMismatch`
    where a file is not what its requirement says, :class:`Unsatisfiable` where one package is asked for from
    two places.
    """
    applied = {line for _, line in applying(spec.requirements, target)}
    named = [(r, line) for r, line in applying(spec.requirements, target) if r.url is not None]
    if not named:
        return spec, {}
    if sources is None:
        raise ResolveError(
            f"{named[0][1].origin}: {redacted(named[0][1].text)} must be fetched, and there is nothing to fetch it by",
            hint="name it by a version, or build where the network and an engine are",
        )
    _refuse_two_places(named)
    given = sources  # for the closure: it is there
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        try:
            found = {d.name: d for d in pool.map(lambda pair: _direct(pair[0], pair[1], given, previous), named)}
        except BaseException:
            # An interrupt, or the first failure: the others are not waited for.
            given.git.end()
            raise
    if not complete:
        _refuse_hidden_urls(found, named, target)
    lines = []
    for line in spec.requirements:
        requirement = Requirement(line.text)
        direct = found.get(canonicalize_name(requirement.name))
        if requirement.url is None:
            lines.append(line)
        elif direct is not None and line in applied:
            requirement.url = direct.wheel.url
            held = line.hashes or "sha256" in fragment_items(urlsplit(line.text).fragment)
            hashes = (f"sha256:{direct.wheel.sha256}",) if held else ()
            lines.append(replace(line, text=str(requirement), hashes=hashes, local=None))
    return replace(spec, requirements=tuple(lines)), found


def overrides(found: Mapping[str, Direct]) -> str:
    """A requirements file that says where those of ``found`` are that another one's metadata names a place of."""
    hidden = {canonicalize_name(r.name) for d in found.values() for r in _requires(d) if r.url is not None}
    return "".join(f"{d.name} @ {d.wheel.url}\n" for d in found.values() if d.name in hidden)


def with_sources(lock: Lock, found: Mapping[str, Direct]) -> Lock:
    """``lock``, which was resolved with the wheels of ``found``, with their sources instead."""
    return replace(
        lock,
        packages=tuple(replace(p, artifact=found[p.name].source) if p.name in found else p for p in lock.packages),
    )


def _direct(requirement: Requirement, line: RequirementLine, sources: Sources, previous: Lock | None) -> Direct:
    name = canonicalize_name(requirement.name)
    source = _source(name, requirement.url or "", line, sources, previous)
    held = {h.removeprefix("sha256:") for h in line.hashes}
    if held and source.sha256 not in held:
        raise HashMismatch(
            f"{line.origin}: {redacted(source.url)} has none of the hashes that the requirement names",
            hint="never install it; find out who changed it, or write its hash anew: pip hash FILE",
            details=f"received sha256:{source.sha256}",
        )
    if source.is_wheel:
        path = sources.store.get(source, package=name)
        wheel = replace(source, url=path.as_uri())
    else:
        wheel = sources.build(LockedPackage(name=name, version="", artifact=source))
    try:
        found, version, _, _ = parse_wheel_filename(wheel.filename)
    except InvalidWheelFilename:
        raise WheelRefused(
            f"{line.origin}: {wheel.filename!r} is no name of a wheel",
            hint="name a file as its author called it: NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
        ) from None
    assert found == name  # a wheel's name is looked at when it is read, or built
    return Direct(name=name, version=str(version), source=source, wheel=wheel)


def _source(name: str, url: str, line: RequirementLine, sources: Sources, previous: Lock | None) -> Artifact:
    if line.local is not None:
        path, content = line.local.path, line.local.content
        if path.is_dir():
            return Artifact.of_directory(name, path, content)
        sha256 = content.removeprefix("sha256:")
        file = Artifact(filename=path.name, url=path.as_uri(), sha256=sha256, by_url=True)
        return replace(file, size=sources.store.get(file, package=name).stat().st_size)
    bare, fragment = urldefrag(url)
    items = fragment_items(fragment)
    if bare.startswith("git+"):
        return Artifact.of_commit(name, _commit(name, bare, items.get("subdirectory", ""), sources.git, previous))
    filename = unquote(urlsplit(bare).path.rsplit("/", 1)[-1])
    if not is_file_name(filename):
        raise InvalidRequirement(
            f"{line.origin}: {name}: {filename!r} is not a file name", hint="name a URL that ends with the file's name"
        )
    if "sha256" not in items:
        return sources.store.take(bare, filename, package=name)
    file = Artifact(filename=filename, url=bare, sha256=items["sha256"], by_url=True)
    return replace(file, size=sources.store.get(file, package=name).stat().st_size)


def _commit(name: str, url: str, subdirectory: str, git: Git, previous: Lock | None) -> GitCommit:
    parts = urlsplit(url.removeprefix("git+"))
    path, ref = split_ref(parts.path)
    repository = parts._replace(path=path).geturl()
    for package in previous.packages if previous is not None else ():
        before = package.artifact.origin
        if (
            package.name == name
            and isinstance(before, GitCommit)
            and (before.url, before.requested, before.subdirectory) == (repository, ref, subdirectory)
        ):
            return before
    commit = git.commit(repository, ref)
    return GitCommit(url=repository, commit=commit, requested=None if ref == commit else ref, subdirectory=subdirectory)


def _refuse_two_places(named: Sequence[tuple[Requirement, RequirementLine]]) -> None:
    places: dict[str, RequirementLine] = {}
    urls: dict[str, str] = {}
    for requirement, line in named:
        name, url = canonicalize_name(requirement.name), requirement.url or ""
        if urls.setdefault(name, url) != url:
            raise Unsatisfiable(
                f"{name} is asked for from two places: {places[name].origin} and {line.origin}",
                hint="keep one of them",
                details=redacted(f"{places[name].text}\n{line.text}"),
            )
        places[name] = line


def _refuse_hidden_urls(
    found: Mapping[str, Direct], named: Sequence[tuple[Requirement, RequirementLine]], target: Target
) -> None:
    """A place that only a package's metadata names is not the project's own word: nothing is fetched from there."""
    for requirement, line in named:
        direct = found[canonicalize_name(requirement.name)]
        for needed in _requires(direct):
            extras = {"", *requirement.extras}
            markers = needed.marker
            applies = markers is None or any(markers.evaluate({**target.environment, "extra": e}) for e in extras)
            if needed.url is not None and applies and canonicalize_name(needed.name) not in found:
                raise ResolveError(
                    f"{line.origin}: {direct.name} {direct.version} needs {needed.name} from {redacted(needed.url)}",
                    hint=f"name {needed.name} by a version in {direct.name}'s own requirements, "
                    f"and its place among the project's: {needed.name} @ …",
                )


def _requires(direct: Direct) -> list[Requirement]:
    """The requirements in the wheel's own metadata; what is none is passed over, as pip does."""
    path = unquote(urlsplit(direct.wheel.url).path)
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA"))
            if archive.getinfo(member).file_size > _METADATA_LIMIT:
                raise WheelRefused(f"{direct.wheel.filename}: its METADATA is too large")
            text = archive.read(member).decode("utf-8", "replace")
    except (OSError, StopIteration, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        raise WheelRefused(f"{direct.wheel.filename} is damaged: it has no readable METADATA") from None
    found = []
    for value in email.parser.HeaderParser().parsestr(text).get_all("Requires-Dist", []):
        try:
            found.append(Requirement(str(value)))
        except NotARequirement:
            continue
    return found
