"""One ``ImageSpec`` from a project directory: arguments win over ``[tool.imagekit]``, which wins over its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidConfig, InvalidProject, InvalidRequirement
from imagekit.nearest import nearest_hint
from imagekit.oci.platform import Platform
from imagekit.spec.base import check_base_image
from imagekit.spec.commands import check_commands
from imagekit.spec.conda import CondaLine, CondaWanted, check_channels, check_specs, conda_wanted
from imagekit.spec.declared import check_tools_tables, read_declared
from imagekit.spec.entrypoint import Entrypoint
from imagekit.spec.environment_yml import Environment
from imagekit.spec.files import check_absolute, check_env, check_files, check_labels, path_in
from imagekit.spec.given import GIVEN, check_given
from imagekit.spec.image import PREFLIGHTS, FileMapping, ImageSpec, Indexes, RequirementLine
from imagekit.spec.indexes import named_indexes
from imagekit.spec.keys import Source
from imagekit.spec.local_requirement import parse_line
from imagekit.spec.local_source import Places, declared_name
from imagekit.spec.pyproject import PyProject, read_pyproject
from imagekit.spec.python_version import check_python, default_python
from imagekit.spec.requirement import parse_each
from imagekit.spec.requirements_file import RequirementsFile
from imagekit.spec.runtime_extras import with_runtime_extras
from imagekit.spec.table import Table, layered, project_table
from imagekit.spec.table_checks import buildable
from imagekit.spec.told import Told, in_order
from imagekit.spec.toml import read_toml
from imagekit.spec.url import check_index_url, refuse_credentials
from imagekit.spec.uv_table import UvTable, joined
from imagekit.spec.wanted import read_wanted, unlocked_error

_RESOLVERS = ("uv", "pip-tools")
_FileNames = str | Path | Sequence[str | Path]


def read_spec(
    context: Path,
    *,
    name: str | None = None,
    requirements: _FileNames | None = None,
    packages: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    base_image: str | None = None,
    python: str | None = None,
    platform: str | Platform | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    resolver: str | None = None,
    source_builds: bool | Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    include_source: bool | None = None,
    health_check: bool | None = None,
    preflight: str | None = None,
    runtime_extras: bool | None = None,
    entrypoints: Sequence[str] = (),
    workdir: str | None = None,
    dockerignore: str | Path | None = None,
    extra_dockerfile_commands: Sequence[str] = (),
    conda: Sequence[str] = (),
    conda_channels: Sequence[str] = (),
    recipes: Sequence[str] = (),
    indexes: Indexes | None = None,
    variables: Mapping[str, str] | None = None,
    layers: tuple[Table, Table] | None = None,
) -> ImageSpec:
    """What image the project in ``context`` wants.

    Where neither ``requirements`` nor the table names files, the project's own are found: see
    ``wanted.read_wanted``. The project of ``pyproject.toml`` and its dependencies come along either way.
    ``requirements`` are relative to ``context``; one outside is taken when an argument names it, never when a
    file does. ``env``, ``files`` and ``labels`` are merged with the table's, sequences follow the table's, but for
    ``conda_channels``, which take the place of others.
    ``variables`` is what ``${NAME}`` in requirements files stands for. ``layers`` are tables that go before the
    project's own (the environment's) and behind it (the user's).

    Without ``python`` and ``base_image`` the image gets the running interpreter's Python, or the
    highest known one where ``requires-python`` excludes that.

    Raises ``InvalidProject``, ``InvalidRequirement``, ``InvalidConfig`` or ``InvalidEntrypoint``.
    """
    told_by = locals()
    check_given({each: told_by[each] for each in GIVEN})
    packages, extras, groups = _several(packages), _several(extras), _several(groups)
    entrypoints, conda, conda_channels = _several(entrypoints), _several(conda), _several(conda_channels)
    context = _directory(context)
    pyproject, own, source, problems = _project_files(context)
    stronger, weaker = layers or (Table(), Table())
    table = layered(stronger, own, weaker)
    with Told(stronger=stronger, own=own, source=source, problems=problems) as told:
        wanted = read_wanted(
            context,
            given=None if requirements is None else _paths(requirements),
            named=_named(table, told, context) if requirements is None else None,
            has_project=pyproject is not None and pyproject.name is not None,
            variables=variables or {},
            conda_packages=table.conda_packages,
        )
        read = wanted.files
        requires_python = _both(pyproject.requires_python if pyproject else "", wanted.environment.requires_python)
        table_extras = (*(table.extras or ()), *extras, *(e for file in read for e in file.project_extras))
        table_groups = (*(table.groups or ()), *groups)
        inline = (*wanted.environment.packages, *_packages(told, table.packages or (), packages, context))
        from_files = tuple(line for file in read for line in file.requirements)
        may_build = _source_builds(table.source_builds if source_builds is None else source_builds, read)
        if pyproject is None and not (context / "setup.py").is_file():
            _refuse_missing_project(read, "there is neither a pyproject.toml nor a setup.py")
        declared = read_declared(
            context,
            pyproject,
            wanted.lock_file,
            extras=table_extras,
            groups=table_groups,
            asks_project=any(file.installs_project for file in read),
            is_all=wanted.lock_file is None and not (inline or from_files),
            may_build=bool(may_build),
            unknown=told.wrong,
        )
        if wanted.unlocked is not None and not (inline or declared.requirements or declared.installs_project):
            raise unlocked_error(wanted.unlocked)
        uv = declared.uv
        no_binary = tuple(dict.fromkeys((*(n for file in read for n in file.no_binary), *uv.no_binary)))
        only_binary = tuple(dict.fromkeys((*(n for file in read for n in file.only_binary), *uv.only_binary)))
        if not declared.installs_project:
            _refuse_missing_project(read, "pyproject.toml has no [project] table")
        workdir = check_absolute(workdir or table.workdir or "/app", "workdir")
        base_image = base_image or table.base_image
        if base_image is not None:
            check_base_image(base_image)
        python = python or table.python or wanted.environment.python
        spec = ImageSpec(
            context=context,
            name=name or table.name or _project_name(context, pyproject) or wanted.environment.name,
            requirements=tuple(dict.fromkeys((*from_files, *declared.requirements, *inline))),
            constraints=tuple(dict.fromkeys((*(c for file in read for c in file.constraints), *uv.constraints))),
            overrides=uv.overrides,
            requires_hashes=any(file.requires_hashes for file in read),
            requires_python=requires_python,
            project=declared.project,
            lock_file=wanted.lock_file,
            extras=_normalized(table_extras),
            groups=_normalized(table_groups),
            python=_python(told, python, base_image, requires_python),
            platform=_platform(platform or table.platform),
            base_image=base_image,
            indexes=joined(_indexes(context, table, read, indexes), declared.indexes),
            prereleases=_first(table.prereleases, *(file.prereleases or None for file in read), uv.prereleases),
            only_binary=only_binary,
            no_binary=no_binary,
            exclude_newer=table.exclude_newer or uv.exclude_newer,
            any_index=uv.any_index if table.index_strategy is None else table.index_strategy != "first-index",
            resolver=_resolver(resolver or table.resolver or "uv", uv),
            source_builds=_with_asked(may_build, no_binary, only_binary),
            env=check_env({**wanted.environment.variables, **(table.env or {}), **(env or {})}),
            env_origins=_without(wanted.environment.origins, table.env, env),
            labels=check_labels({**(table.labels or {}), **(labels or {})}),
            files=_files(
                told, {**(table.files or {}), **{str(k): v for k, v in (files or {}).items()}}, context, workdir
            ),
            include_source=_first(include_source, table.include_source, True),
            dockerignore=_dockerignore(told, dockerignore or table.dockerignore, context),
            workdir=workdir,
            extra_dockerfile_commands=check_commands(
                (*(table.extra_dockerfile_commands or ()), *_several(extra_dockerfile_commands)),
                with_context=_first(include_source, table.include_source, True),
            ),
            entrypoints=_entrypoints(told, (*(table.entrypoints or ()), *entrypoints), context),
            health_check=_first(health_check, table.health_check, True),
            preflight=_preflight(preflight or table.preflight or "warn"),
            recipes=tuple(dict.fromkeys((*(table.recipes or ()), *_several(recipes)))),
            conda=_conda(table, wanted.environment, conda, conda_channels, python),
        )
        return with_runtime_extras(spec) if _first(runtime_extras, table.runtime_extras, False) else spec


def _preflight(mode: str) -> str:
    if mode not in PREFLIGHTS:
        raise InvalidConfig(f"unknown preflight {mode!r}", hint=nearest_hint(mode, PREFLIGHTS))
    return mode


def _conda(
    table: Table, environment: Environment, given: Sequence[str], channels: Sequence[str], python: str | None
) -> CondaWanted | None:
    """The conda environment that is asked for; its Python is the image's, as an argument or the table has it."""
    line = environment.python_line
    if python is not None and python != environment.python:
        line = CondaLine(text=f"python={python}", origin="python")
    asked = check_specs((*(table.conda or ()), *given), "conda")
    return conda_wanted(
        (*environment.conda, *(CondaLine(text=text.strip(), origin="conda") for text in asked)),
        check_channels(tuple(channels), "conda_channels") or table.conda_channels or environment.channels,
        python=line,
        priority=table.conda_channel_priority,
        secrets=tuple(sorted((table.conda_secrets or {}).items())),
    )


def _several(texts: str | Sequence[str] | None) -> Sequence[str]:
    """One text stands for a sequence of it alone, and never for its letters."""
    return (texts,) if isinstance(texts, str) else texts or ()


def _paths(given: _FileNames) -> list[str | Path]:
    return [given] if isinstance(given, (str, Path)) else list(given)


def _without(pairs: Mapping[str, str], *stronger: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Those of ``pairs`` that none of the ``stronger`` takes the place of."""
    return tuple((name, value) for name, value in pairs.items() if not any(name in (each or ()) for each in stronger))


def _normalized(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonicalize_name(name) for name in names))


def _both(*specifiers: str) -> str:
    return ",".join(text for text in specifiers if text)


def _directory(context: Path) -> Path:
    path = Path(context).resolve()
    if not path.is_dir():
        what = "is a file, not a project directory" if path.exists() else "is not there"
        raise InvalidProject(f"{str(context)!r} {what}", hint="name the directory of the project")
    return path


def _project_files(context: Path) -> tuple[PyProject | None, Table, Source | None, list[InputError]]:
    """The project's own two files, and what is wrong with the values of its table."""
    path = context / "pyproject.toml"
    found: list[InputError] = []
    if not path.exists():
        return None, *project_table(context, None, found), found
    try:
        pyproject = read_pyproject(path)
    except InputError as problem:
        raise InputError.join(in_order([problem, *_further(context, path)])) from None
    return pyproject, *project_table(context, pyproject.imagekit, found), found


def _project_name(context: Path, pyproject: PyProject | None) -> str | None:
    """What the project calls itself, an old one in its ``setup.cfg`` or ``setup.py``."""
    if pyproject is not None and pyproject.name is not None:
        return pyproject.name
    is_old = any((context / file).is_file() for file in ("setup.py", "setup.cfg"))
    return declared_name(context) if is_old else None


def _further(context: Path, path: Path) -> list[InputError]:
    """What else is wrong with the tables of a ``pyproject.toml`` that is refused, where it can be read at all."""
    found: list[InputError] = []
    with suppress(InputError, AttributeError, TypeError):
        project_table(context, read_toml(path, InvalidProject).get("tool", {}).get("imagekit"), found)
    try:
        check_tools_tables(context, path)
    except InputError as problem:
        found.append(problem)
    return found


def _named(table: Table, told: Told, context: Path) -> tuple[Path, ...] | None:
    """The requirements files that the table names."""
    if table.requirements is None:
        return None
    return told.each("requirements", table.requirements, lambda name: path_in(context, name, "requirements"))


def _packages(told: Told, table: Sequence[str], given: Sequence[str], context: Path) -> tuple[RequirementLine, ...]:
    """Packages of the table, whose paths stay in the project, and those given by hand, whose paths need not."""
    anywhere, inside = Places(base=context, root=None), Places(base=context, root=context)
    return (
        *told.each("packages", table, lambda text: parse_line(text, "packages", inside)),
        *parse_each(given, lambda text: parse_line(text, "packages", anywhere)),
    )


def _refuse_missing_project(files: Sequence[RequirementsFile], why: str) -> None:
    for file in files:
        if file.installs_project:
            raise InvalidRequirement(
                f"{file.project_origin}: '.' asks for the project, and {why}",
                hint="add a [project] table or a setup.py, or take the '.' out",
            )


def _python(told: Told, python: str | None, base_image: str | None, requires_python: str) -> str | None:
    if python is not None:
        return next(iter(told.each("python", (python,), lambda text: check_python(text, requires_python))), None)
    return None if base_image is not None else default_python(requires_python)


def _platform(platform: str | Platform | None) -> Platform:
    if platform is None:
        return Platform.host()
    return platform if isinstance(platform, Platform) else Platform.parse(platform)


def _indexes(context: Path, table: Table, files: Sequence[RequirementsFile], given: Indexes | None) -> Indexes:
    given = given or Indexes()
    own = named_indexes(table.index or ())
    default = [table.index_url, own.default, *(file.indexes.default for file in reversed(files))]
    for url in (given.default, table.index_url, *given.extra, *(table.extra_index_urls or ())):
        if url is not None:
            check_index_url(url, "index-url")
    links = [*given.find_links, *(table.find_links or ())]
    for link in links:
        refuse_credentials(link, "find-links")
    here = [link if "://" in link else str((context / link).resolve()) for link in links]
    of_files = (url for file in files for url in file.indexes.extra)
    extra = [*given.extra, *(table.extra_index_urls or ()), *own.extra, *of_files]
    return Indexes(
        default=next((url for url in (given.default, *default) if url is not None), None),
        extra=tuple(dict.fromkeys(extra)),
        find_links=tuple(dict.fromkeys([*here, *(u for file in files for u in file.indexes.find_links)])),
        no_index=given.no_index or bool(table.no_index) or any(file.indexes.no_index for file in files),
        named=(*given.named, *own.named),
        pins=(*given.pins, *own.pins),
    )


def _resolver(name: str, uv: UvTable) -> str:
    if name not in _RESOLVERS:
        raise InvalidConfig(f"unknown resolver {name!r}", hint=nearest_hint(name, _RESOLVERS))
    if uv.overrides and name != "uv":
        raise InvalidConfig(
            f"{uv.overrides[0].origin}: [tool.uv] override-dependencies need the uv resolver", hint='resolver = "uv"'
        )
    return name


def _source_builds(given: bool | Sequence[str] | None, files: Sequence[RequirementsFile]) -> tuple[str, ...]:
    """Names that may be built from source; ``--no-binary`` in a file asks for that, too."""
    if given is True:
        return ("*",)
    if isinstance(given, str):
        given = [given]
    if given:
        buildable(tuple(given), "source-builds")
    asked = [*(given or ()), *(name for file in files for name in file.no_binary)]
    if ":all:" in asked or "*" in asked:
        return ("*",)
    return tuple(sorted({canonicalize_name(name) for name in asked}))


def _with_asked(allowed: tuple[str, ...], no_binary: Sequence[str], only_binary: Sequence[str]) -> tuple[str, ...]:
    """Those that may be built, with those that are asked for as source, without those that are wanted as wheels."""
    if "*" in allowed or ":all:" in no_binary:
        # As pip has it: what is said of one package goes before what is said of all.
        allowed = ("*",) if ":all:" not in only_binary else ()
    named = {*allowed, *no_binary} - {":all:"}
    return ("*",) if "*" in named else tuple(sorted(named - set(only_binary)))


def _entrypoints(told: Told, texts: Sequence[str], context: Path) -> tuple[str, ...]:
    def read(text: str) -> str:
        entrypoint = Entrypoint.parse(text)
        entrypoint.signature(context)
        return str(entrypoint)

    return tuple(dict.fromkeys(told.each("entrypoints", texts, read)))


def _files(told: Told, files: Mapping[str, str], context: Path, workdir: str) -> tuple[FileMapping, ...]:
    try:
        return check_files(files, context, workdir)
    except InputError:
        # Which of them it is, and whether others are wrong as well.
        alone = told.each("files", files, lambda source: check_files({source: files[source]}, context, workdir))
        if len(alone) < len(files):
            return ()
        raise


def _dockerignore(told: Told, given: str | Path | None, context: Path) -> Path | None:
    texts = (str(given),) if given else ()
    return next(iter(told.each("dockerignore", texts, lambda text: path_in(context, text, "dockerignore"))), None)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
