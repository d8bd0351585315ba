"""pip's requirements files, read whole: what they ask for, and nothing that could surprise.

The format is pip's ("Requirements File Format"). Every file must lie in the project, and every
problem is told with file and line, all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidRequirement
from imagekit.spec.image import Indexes, RequirementLine
from imagekit.spec.local_requirement import parse_line, project_extras
from imagekit.spec.local_source import Places, path_of_url, path_within
from imagekit.spec.portable import portable
from imagekit.spec.requirements_options import check_hash, read_options, split_line
from imagekit.spec.requirements_text import LogicalLine, decode, logical_lines
from imagekit.spec.url import check_index_url, redacted, refuse_credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsFile:
    """A requirements file with all that it includes."""

    requirements: tuple[RequirementLine, ...] = ()
    constraints: tuple[RequirementLine, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)
    only_binary: tuple[str, ...] = ()  # normalized names, or (":all:",)
    no_binary: tuple[str, ...] = ()  # the same
    prereleases: bool = False
    requires_hashes: bool = False
    project_origin: str = ""  # where "." or "-e .", the project itself, stands: "requirements.txt:3"
    project_extras: tuple[str, ...] = ()  # of ".[a,b]"
    files_read: tuple[Path, ...] = ()

    @property
    def installs_project(self) -> bool:
        return bool(self.project_origin)


@dataclass
class _Gathered:
    """What has been read so far."""

    root: Path
    variables: Mapping[str, str]
    items: Sequence[tuple[int, str]] | None = None  # of the first file, if that is of another format
    requirements: list[RequirementLine] = field(default_factory=list)
    constraints: list[RequirementLine] = field(default_factory=list)
    default_index: str | None = None
    extra_indexes: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    no_index: bool = False
    formats: dict[str, list[str]] = field(default_factory=lambda: {"--no-binary": [], "--only-binary": []})
    prereleases: bool = False
    require_hashes: bool = False
    project_extras: list[str] | None = None
    project_origin: str = ""
    files: dict[tuple[Path, bool], None] = field(default_factory=dict)
    problems: list[InvalidRequirement] = field(default_factory=list)


def read_requirements(
    path: Path,
    root: Path,
    variables: Mapping[str, str] | None = None,
    *,
    items: Sequence[tuple[int, str]] | None = None,
) -> RequirementsFile:
    """The requirements of ``path`` and of all that it includes by ``-r`` and ``-c``.

    ``root`` is the project's directory, which no file may leave; ``variables`` is what ``${NAME}``
    stands for. ``items`` are lines (number, text) that ``path``, a file of another format, holds.
    ``InvalidRequirement`` names every problem by ``file:line``.
    """
    got = _Gathered(root=root.resolve(), variables=variables or {}, items=items)
    try:
        _read_file(got, _inside(got, path, path.name), is_constraint=False, chain=())
    except InvalidRequirement as problem:
        got.problems.append(problem)
    _check_hashes(got)
    if got.problems:
        raise InputError.join(got.problems)
    return RequirementsFile(
        requirements=tuple(got.requirements),
        constraints=tuple(got.constraints),
        indexes=Indexes(
            default=got.default_index,
            extra=tuple(dict.fromkeys(got.extra_indexes)),
            find_links=tuple(dict.fromkeys(got.find_links)),
            no_index=got.no_index,
        ),
        only_binary=tuple(got.formats["--only-binary"]),
        no_binary=tuple(got.formats["--no-binary"]),
        prereleases=got.prereleases,
        requires_hashes=got.require_hashes or any(line.hashes for line in got.requirements),
        project_origin=got.project_origin,
        project_extras=tuple(dict.fromkeys(got.project_extras or ())),
        files_read=tuple(dict.fromkeys(path for path, _ in got.files)),
    )


def _inside(got: _Gathered, path: Path, origin: str) -> Path:
    """``path`` with its links followed, which must be a file of the project."""
    try:
        real = path.resolve()
        is_file = real.is_file()
    except (OSError, ValueError, RuntimeError):
        raise InvalidRequirement(f"{origin}: {str(path)!r} is not a path", hint="name a file") from None
    if not real.is_relative_to(got.root):
        raise InvalidRequirement(
            f"{origin}: {path.name!r} is outside the project directory", hint="copy it into the project"
        )
    if not is_file:
        if real.is_dir():
            raise InvalidRequirement(f"{origin}: {path.name!r} is a directory", hint="name a file in it, or rename it")
        what = "no plain file" if real.exists() else "not there"
        raise InvalidRequirement(f"{origin}: {path.name!r} is {what}", hint=f"looked for {path}")
    return real


def _read_file(got: _Gathered, path: Path, *, is_constraint: bool, chain: tuple[Path, ...]) -> None:
    if (path, is_constraint) in got.files:
        return
    got.files[path, is_constraint] = None
    name = path.relative_to(got.root).as_posix()
    for line in _lines(got, path, name, is_first=not chain):
        try:
            _read_line(got, line, f"{name}:{line.number}", path, is_constraint=is_constraint, chain=(*chain, path))
        except InvalidRequirement as problem:
            got.problems.append(InvalidRequirement(line.hide(problem.message), hint=line.hide(problem.hint or "")))


def _lines(got: _Gathered, path: Path, name: str, *, is_first: bool) -> Iterator[LogicalLine]:
    if is_first and got.items is not None:
        for number, text in got.items:
            for line in logical_lines(text, name, got.variables, got.problems):
                yield replace(line, number=number)
        return
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise InvalidRequirement(f"{name}: cannot be read: {problem.strerror}", hint=f"see: ls -l {path}") from None
    yield from logical_lines(decode(data, name), name, got.variables, got.problems)


def _read_line(
    got: _Gathered, line: LogicalLine, origin: str, path: Path, *, is_constraint: bool, chain: tuple[Path, ...]
) -> None:
    text, options = split_line(line.text)
    # A marker has quotes of its own, which are not the shell's.
    is_edit = options.startswith(("-e", "--edit"))
    options, semicolon, marker = options.partition(" ;") if is_edit else (options, "", "")
    pairs = list(read_options(options, origin)) if options else []
    if text:
        hashes = []
        for name, value in pairs:
            if name != "--hash":
                raise InvalidRequirement(
                    f"{origin}: {name} does not go with a requirement", hint="give it its own line"
                )
            hashes.append(check_hash(value, origin))
        _add_requirement(got, text, tuple(dict.fromkeys(hashes)), origin, is_constraint=is_constraint)
        return
    for name, value in pairs:
        if name in ("--requirement", "--constraint"):
            _include(got, value, origin, path, is_constraint=name == "--constraint", chain=chain)
        elif name == "--editable":
            _add_requirement(got, value + semicolon + marker, (), origin, is_constraint=is_constraint, is_editable=True)
        elif name == "--hash":
            raise InvalidRequirement(f"{origin}: --hash without a requirement", hint="put it behind its requirement")
        else:
            _apply_option(got, name, value, origin, path)


def _include(
    got: _Gathered, value: str, origin: str, path: Path, *, is_constraint: bool, chain: tuple[Path, ...]
) -> None:
    if "://" in value or value.startswith("file:"):
        raise InvalidRequirement(
            f"{origin}: {redacted(value)!r} is a URL, and only files of the project are read",
            hint="download it into the project, and name that file",
        )
    real = _inside(got, path.parent / value, origin)
    if real in chain:
        names = " → ".join(p.relative_to(got.root).as_posix() for p in (*chain[chain.index(real) :], real))
        raise InvalidRequirement(f"{origin}: files include each other: {names}", hint="take one of the includes out")
    _read_file(got, real, is_constraint=is_constraint, chain=chain)


def _add_requirement(
    got: _Gathered,
    text: str,
    hashes: tuple[str, ...],
    origin: str,
    *,
    is_constraint: bool,
    is_editable: bool = False,
) -> None:
    # Paths begin at the project directory, as pip has it when it is run there.
    places = Places(base=got.root, root=got.root)
    extras = project_extras(text, places, origin)
    if extras is not None:
        if is_constraint or hashes:
            raise InvalidRequirement(
                f"{origin}: the project itself takes neither constraint nor hash", hint="remove it"
            )
        got.project_extras = [*(got.project_extras or ()), *extras]
        got.project_origin = got.project_origin or origin
        return
    line = parse_line(text, origin, places, hashes)
    if is_editable and not (line.local and line.local.path.is_dir()) and " @ git+" not in line.text:
        raise InvalidRequirement(
            f"{origin}: {redacted(text)!r} is no directory and no repository, and only those can be edited",
            hint="take the -e out",
        )
    parsed = Requirement(line.text)
    if hashes and ((parsed.url or "").startswith("git+") or (line.local and line.local.path.is_dir())):
        raise InvalidRequirement(
            f"{origin}: {redacted(text)!r} has a hash, and is no file",
            hint="take the hash out; a repository is held by its commit, a directory is read as it is",
        )
    if hashes and parsed.url is None and not _is_pinned(parsed):
        raise InvalidRequirement(f"{origin}: {text!r} has a hash and no version", hint="pin it: NAME==VERSION --hash=…")
    if is_constraint and (parsed.extras or parsed.url):
        raise InvalidRequirement(
            f"{origin}: a constraint takes neither extras nor URL", hint="write NAME and its versions only"
        )
    (got.constraints if is_constraint else got.requirements).append(line)


def _is_pinned(requirement: Requirement) -> bool:
    specifiers = list(requirement.specifier)
    return len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and "*" not in specifiers[0].version


def _apply_option(got: _Gathered, name: str, value: str, origin: str, path: Path) -> None:
    if name in ("--no-binary", "--only-binary"):
        other = "--only-binary" if name == "--no-binary" else "--no-binary"
        _set_formats(value, got.formats[name], got.formats[other])
    elif name == "--find-links":
        got.find_links.append(_find_links(value, origin, path))
    elif name in ("--index-url", "--extra-index-url"):
        check_index_url(value, origin)
        if name == "--index-url":
            got.default_index = value
        else:
            got.extra_indexes.append(value)
    elif name == "--no-index":
        got.no_index = True
    elif name == "--pre":
        got.prereleases = True
    elif name == "--require-hashes":
        got.require_hashes = True


def _find_links(value: str, origin: str, path: Path) -> str:
    if "://" in value and not value.startswith("file:"):
        refuse_credentials(value, origin)
        return value
    place = path_of_url(value, origin) if value.startswith("file:") else value
    # A directory of wheels is an index, and may lie where indexes lie: what it gives is locked by its hash.
    return str(path_within(place, Places(base=path.parent, root=None), origin))


def _set_formats(value: str, these: list[str], others: list[str]) -> None:
    """pip's rules: ``:all:`` and ``:none:`` overrule what stood before, a name moves to where it was named last."""
    for name in value.split(","):
        if name == ":all:":
            these[:] = [":all:"]
            others.clear()
        elif name == ":none:":
            these.clear()
        elif name.strip():
            normalized = canonicalize_name(name.strip())
            if normalized in others:
                others.remove(normalized)
            if normalized not in these:
                these.append(normalized)


def _check_hashes(got: _Gathered) -> None:
    if not got.require_hashes and not any(line.hashes for line in got.requirements):
        return
    for line in got.requirements:
        if line.hashes or "#sha256=" in line.text:
            continue
        words, hint = "has no hash, and others have one", "hash all of them: uv pip compile --generate-hashes, or none"
        if " @ git+" in line.text or (line.local and line.local.path.is_dir()):
            words, hint = "can have no hash, and others have one", "build its wheel, and name that with its hash"
        got.problems.append(
            InvalidRequirement(f"{line.origin}: {redacted(portable(line.text, got.root))!r} {words}", hint=hint)
        )
