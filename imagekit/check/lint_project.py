"""What lint says of a project: of what it asks for, and of the files that would go into its image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from packaging.specifiers import SpecifierSet

from imagekit.check.lint import ERROR, Finding, finding
from imagekit.errors import CredentialExposed, InputError
from imagekit.oci.reference import Reference
from imagekit.secrets.file_names import telling_file
from imagekit.secrets.refusal import exposed_values
from imagekit.spec.image import OCI_LAYOUT, ImageSpec
from imagekit.spec.source_tree import SourceTree
from imagekit.spec.toml_places import places_of
from imagekit.spec.url import redacted

LARGE = 20_000_000  # bytes
_MOST_FILES = 10
_PLACED = re.compile(r"(?P<file>[^\s:]+?):(?P<line>[0-9]+): (?P<rest>.*)", re.DOTALL)
_PYTHON_TAG = re.compile(r"(?:.*/)?python:(?P<version>3\.[0-9]+)(?:[.-].*)?")


def refused(error: InputError, context: Path) -> list[Finding]:
    """What a build refuses, each problem on its own, its file as ``context`` has it."""
    found = []
    for problem in error.problems or (error,):
        rule = "secret-value" if isinstance(problem, CredentialExposed) else "refused"
        placed = _PLACED.fullmatch(problem.message)
        file, line, rest = (
            (placed["file"], int(placed["line"]), placed["rest"]) if placed else ("", None, problem.message)
        )
        file = file.removeprefix(f"{context}/")
        found.append(finding(rule, rest, problem.hint or "mend it, and look again", file=file, line=line))
    return found


def lint_spec(spec: ImageSpec, *, notes_base: bool) -> Iterator[Finding]:
    """What is said of the specification; ``notes_base``: its lock knows the digest of the base."""
    where = Written(spec.context)
    yield from _base(spec, where, notes_base=notes_base)
    yield from _secrets(spec, where)
    yield from _indexes(spec, where)
    if "*" in spec.source_builds:
        file, line = where.key("source-builds")
        hint = 'name the packages that may be built: source-builds = ["NAME"]'
        yield finding(
            "source-builds-any", "any package may be built from source, which runs its code", hint, file=file, line=line
        )
    if spec.lock_file is None and spec.requirements:
        count = len(spec.requirements)
        yield finding(
            "no-lock",
            f"{count} requirement{'s' * (count != 1)} and no lock: another day may bring other versions",
            "make one, and keep it with the project: imagekit lock",
        )
    if not spec.health_check:
        file, line = where.key("health-check")
        hint = "leave it on: it starts the image once, and sees that what is imported is there"
        yield finding("no-health-check", "the health check is switched off", hint, file=file, line=line)
    yield from _python(spec, where)


def _base(spec: ImageSpec, where: Written, *, notes_base: bool) -> Iterator[Finding]:
    asked = spec.base_image
    if asked is not None and asked.startswith(OCI_LAYOUT):
        return
    file, line = where.key("base-image")
    reference = Reference.parse(asked) if asked is not None else None
    is_pinned = reference is not None and reference.digest is not None
    if reference is not None and not is_pinned and reference.tag in (None, "latest"):
        yield finding(
            "latest-tag",
            f"the base image {asked} is another one whenever its maker says so",
            "name a version: python:3.13-slim",
            file=file,
            line=line,
        )
    if not is_pinned and not notes_base:
        shown = f"the base image {asked} has" if asked is not None else "the default base image has"
        hint = "imagekit lock notes it, so that a change is told; imagekit base pin holds it"
        yield finding("base-unpinned", f"{shown} no digest, and no lock notes one", hint, file=file, line=line)


def _secrets(spec: ImageSpec, where: Written) -> Iterator[Finding]:
    origins = dict(spec.env_origins)
    for key, pairs, what in (("env", spec.env, "environment variable"), ("labels", spec.labels, "label")):
        for name, value in pairs:
            for error in exposed_values({name: value}, what):
                file, line = where.key(key, name)
                if key == "env" and name in origins:
                    file, _, number = origins[name].rpartition(":")
                    line = int(number)
                yield finding("secret-value", error.message, error.hint or "", file=file, line=line)


def _indexes(spec: ImageSpec, where: Written) -> Iterator[Finding]:
    indexes = spec.indexes
    by_pip = spec.resolver == "pip-tools"
    for url in (*indexes.extra, *indexes.supplemental):
        shown = redacted(url)
        file, line = where.text(url)
        if by_pip:
            how = "pip takes the highest version that any index has: whoever publishes one elsewhere is installed"
        else:
            how = "what it lacks is looked for on the next one, where anyone may publish it"
        yield finding(
            "extra-index",
            f"{shown} may answer for any package, and {how}",
            "make it explicit, and name its packages: [[tool.uv.index]] explicit = true with [tool.uv.sources]",
            file=file,
            line=line,
            severity=ERROR if by_pip else "",
        )
    named = (each.url for each in indexes.named)
    for url in filter(None, (indexes.default, *indexes.extra, *indexes.supplemental, *named)):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            file, line = where.text(url)
            hint = "use https: a lock's hashes hold what was locked, and not what a lock is made of"
            yield finding("index-http", f"{redacted(url)} is read over plain HTTP", hint, file=file, line=line)


def _python(spec: ImageSpec, where: Written) -> Iterator[Finding]:
    named = _PYTHON_TAG.fullmatch(spec.base_image or "")
    if named is None or not spec.requires_python:
        return
    wanted = SpecifierSet(spec.requires_python)
    # A patch release may be left out, and another one not.
    if not any(wanted.contains(f"{named['version']}.{patch}", prereleases=True) for patch in range(40)):
        file, line = where.key("base-image")
        message = f"{spec.base_image} has Python {named['version']}, and requires-python is {spec.requires_python}"
        hint = "choose another base image, or another requires-python"
        yield finding("requires-python", message, hint, file=file, line=line)


def lint_source(tree: SourceTree, spec: ImageSpec) -> Iterator[Finding]:
    """What is said of the files that go in."""
    rules = spec.dockerignore or spec.context / ".dockerignore"
    telling = [file.path for file in tree.files if file.kind != "dir" and telling_file(file.path)]
    for path in telling[:_MOST_FILES]:
        hint = f"leave it out by a line in {rules.name}: {path}"
        yield finding("secret-file", "files of that name hold credentials, and it goes into the image", hint, file=path)
    if telling and not rules.is_file():
        more = f" and {len(telling) - 1} more" if len(telling) > 1 else ""
        hint = "write .dockerignore; imagekit init makes one to begin with"
        yield finding("no-dockerignore", f"there is no .dockerignore, and {telling[0]}{more} would go in", hint)
    sizes: dict[str, int] = {}
    for file in tree.files:
        top = file.path.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + file.size
    for path, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size > LARGE:
            message = f"{size / 1e6:.0f} MB of it go into the image, and again with each change of the source"
            yield finding("large-source", message, f"leave it out by a line in {rules.name}: {path}", file=path)


class Written:
    """Where a project's files say something."""

    def __init__(self, context: Path) -> None:
        own, pyproject = context / "imagekit.toml", context / "pyproject.toml"
        self._context = context
        path = own if own.is_file() else pyproject
        self._table: tuple[str, ...] = () if path == own else ("tool", "imagekit")
        self._name = path.name
        try:
            self._places = places_of(path.read_text("utf-8", errors="replace"))
        except OSError:
            self._places = {}

    def key(self, *path: str) -> tuple[str, int | None]:
        """File and line of a key of imagekit's own table; no file where it is not said there."""
        for length in range(len(path), 0, -1):
            place = self._places.get((*self._table, *path[:length]))
            if place is not None:
                return self._name, place.line
        return "", None

    def text(self, words: str) -> tuple[str, int | None]:
        """File and line that ``words`` stand in."""
        files = [self._context / "pyproject.toml", self._context / "imagekit.toml"]
        for path in (*files, *sorted(self._context.glob("*requirements*.*"))):
            try:
                lines = path.read_text("utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for number, line in enumerate(lines, 1):
                if words.rstrip("/") in line:
                    return path.name, number
        return "", None
