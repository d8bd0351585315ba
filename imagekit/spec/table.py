"""``[tool.imagekit]`` of a pyproject.toml, or an ``imagekit.toml`` with the same keys: validated, nothing filled in.

One line declares a key: its name and type, what it means, what holds without it. What reads it, the JSON Schema
and the documentation's table (``scripts/configuration-docs`` writes both) come from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from imagekit.errors import InputError, InvalidConfig
from imagekit.spec import conda as conda_checks
from imagekit.spec import table_checks as checks
from imagekit.spec.image import PREFLIGHTS
from imagekit.spec.indexes import IndexTable, check_indexes
from imagekit.spec.keys import Key, Source, read_table
from imagekit.spec.toml import read_toml

# What mypy and the reader of a key have in one: ``None`` where a key is not there.
_Text = str | None
_Texts = tuple[str, ...] | None
_Pairs = Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table's values as they were written; ``None`` where a key is not there."""

    name: Annotated[
        _Text,
        Key(
            "the image's name, with or without registry and namespace; no tag",
            otherwise="the project's, or the directory's",
            example="registry.example.com/team/orders",
            check=checks.name,
        ),
    ] = None
    python: Annotated[
        _Text,
        Key(
            "the image's Python version",
            otherwise="the running interpreter's, or the highest that requires-python allows",
            example="3.12",
            check=checks.python,
            by_user=True,
        ),
    ] = None
    base_image: Annotated[
        _Text,
        Key(
            "the image to build on: a reference, or oci:DIRECTORY",
            otherwise="the first that is there of imagekit/python:X.Y and python:X.Y-slim",
            example="python:3.12-slim",
            check=checks.base_image,
            by_user=True,
        ),
    ] = None
    requirements: Annotated[
        _Texts,
        Key(
            "requirements files in the project, or its pylock.toml",
            otherwise="requirements.txt, where it is there",
            example=["requirements.txt"],
        ),
    ] = None
    packages: Annotated[_Texts, Key("further requirements (PEP 508)", default=[], example=["rich>=13"])] = None
    conda_packages: Annotated[
        _Pairs,
        Key(
            "what takes the place of conda's packages in an environment.yml: a requirement, or nothing",
            default={},
            example={"pytorch": "torch", "cudatoolkit": ""},
            check=checks.replacements,
        ),
    ] = None
    conda: Annotated[
        _Texts,
        Key(
            "conda's packages, as match specs, beside those of an environment.yml",
            default=[],
            example=["python=3.12", "gdal>=3.8"],
            check=conda_checks.check_specs,
        ),
    ] = None
    conda_channels: Annotated[
        _Texts,
        Key(
            "conda's channels, the first goes first: names, URLs, file:///DIRECTORY",
            otherwise="those of the environment.yml, or defaults",
            example=["conda-forge"],
            check=conda_checks.check_channels,
        ),
    ] = None
    conda_channel_priority: Annotated[
        _Text,
        Key(
            "whether a package of several channels comes from the first alone, from the first that fits, or from any",
            default="flexible",
            choices=conda_checks.PRIORITIES,
            by_user=True,
        ),
    ] = None
    conda_secrets: Annotated[
        _Pairs,
        Key(
            "channels that ask for a login, and the name of the secret that it is: USER:PASSWORD, or a token",
            default={},
            example={"https://conda.example.com/team": "conda-login"},
            check=checks.secret_names,
            by_user=True,
        ),
    ] = None
    extras: Annotated[_Texts, Key("extras of the project", default=[], example=["s3"])] = None
    groups: Annotated[_Texts, Key("dependency groups of the project (PEP 735)", default=[], example=["prod"])] = None
    env: Annotated[_Pairs, Key("variables of the image", default={}, example={"TZ": "UTC"}, check=checks.variables)] = (
        None
    )
    files: Annotated[
        _Pairs,
        Key("files of the project, and their paths in the image", default={}, example={"app.yml": "/etc/app.yml"}),
    ] = None
    labels: Annotated[
        _Pairs,
        Key("labels of the image", default={}, example={"team": "data"}, check=checks.labels, by_user=True),
    ] = None
    resolver: Annotated[
        _Text, Key("what resolves the dependencies", default="uv", choices=("uv", "pip-tools"), by_user=True)
    ] = None
    source_builds: Annotated[
        bool | tuple[str, ...] | None,
        Key(
            "packages that may be built from source; true for any",
            default=False,
            example=["pycairo"],
            check=checks.buildable,
            by_user=True,
        ),
    ] = None
    extra_dockerfile_commands: Annotated[
        _Texts,
        Key(
            "instructions that BuildKit runs on the assembled image, one each",
            default=[],
            example=["RUN apt-get update"],
            check=checks.commands,
        ),
    ] = None
    entrypoints: Annotated[
        _Texts,
        Key(
            "flows, as FILE.py:FUNCTION, that the health check imports",
            default=[],
            example=["flow.py:etl"],
            check=checks.entrypoints,
        ),
    ] = None
    index_url: Annotated[
        _Text,
        Key(
            "the package index",
            otherwise="the resolver's own configuration",
            example="https://packages.example.com/simple",
            check=checks.url,
        ),
    ] = None
    extra_index_urls: Annotated[_Texts, Key("further package indexes", default=[], check=checks.urls)] = None
    find_links: Annotated[
        _Texts,
        Key(
            "directories, or pages, with wheels and source distributions",
            default=[],
            example=["wheels"],
            check=checks.links,
        ),
    ] = None
    no_index: Annotated[bool | None, Key("take packages from find-links alone", default=False)] = None
    index: Annotated[
        tuple[IndexTable, ...] | None,
        Key("package indexes with a name each, asked in this order", default=[], check=check_indexes),
    ] = None
    index_strategy: Annotated[
        _Text,
        Key(
            "whether a package comes from the first index that knows it alone, or from any",
            default="first-index",
            choices=("first-index", "unsafe-best-match"),
        ),
    ] = None
    prereleases: Annotated[bool | None, Key("take pre-releases like any other version", default=False)] = None
    exclude_newer: Annotated[
        _Text,
        Key(
            "a date or time (RFC 3339, UTC): packages as they were then",
            otherwise="no limit",
            example="2026-01-31",
            check=checks.moment,
        ),
    ] = None
    recipes: Annotated[
        _Texts,
        Key(
            "recipes that the base is given: names (imagekit recipe ls), or paths of their files",
            default=[],
            example=["mssql-odbc"],
            check=checks.recipes,
        ),
    ] = None
    include_source: Annotated[bool | None, Key("put the project's own files into the image", default=True)] = None
    health_check: Annotated[bool | None, Key("try the image out when it is built", default=True, by_user=True)] = None
    preflight: Annotated[
        _Text,
        Key(
            "what becomes of a package whose compiled files ask for libraries that the base does not have",
            default="warn",
            choices=PREFLIGHTS,
            by_user=True,
        ),
    ] = None
    runtime_extras: Annotated[
        bool | None,
        Key("carry an entrypoint that installs EXTRA_PIP_PACKAGES, for engines that are not imagekit", default=False),
    ] = None
    workdir: Annotated[
        _Text, Key("the image's working directory, where the source is", default="/app", check=checks.directory)
    ] = None
    platform: Annotated[
        _Text,
        Key(
            "the image's platform",
            otherwise="linux, on this machine's processor",
            example="linux/amd64",
            check=checks.platform,
            by_user=True,
        ),
    ] = None
    dockerignore: Annotated[
        _Text,
        Key(
            "a file that says what of the source stays out",
            otherwise=".dockerignore, where it is there",
            example="docker/ignore",
        ),
    ] = None


def project_table(
    context: Path, in_pyproject: Mapping[str, Any] | None, gathered: list[InputError] | None = None
) -> tuple[Table, Source | None]:
    """The project's table, and where it stands: ``[tool.imagekit]`` as it was read, or ``imagekit.toml``.

    All that is wrong with its values is raised at once, or added to what is ``gathered``.
    """
    pyproject, own = context / "pyproject.toml", context / "imagekit.toml"
    if in_pyproject is None:
        if not own.exists():
            return Table(), None
        source = Source(path=own, shown=own.name)
        return read_table(Table, read_toml(own, InvalidConfig), source, gathered), source
    if own.exists():
        raise InvalidConfig(
            "imagekit.toml and [tool.imagekit] of pyproject.toml are both there", hint="keep one of them"
        )
    source = Source(path=pyproject, shown=pyproject.name, table=("tool", "imagekit"))
    return read_table(Table, in_pyproject, source, gathered), source


def layered(*tables: Table) -> Table:
    """One table of several: for each key the first's value, and for a table of pairs all of them."""
    found: dict[str, Any] = {}
    for each in fields(Table):
        values = [value for table in tables if (value := getattr(table, each.name)) is not None]
        if values and all(isinstance(value, Mapping) for value in values):
            found[each.name] = {name: item for value in reversed(values) for name, item in value.items()}
        elif values:
            found[each.name] = values[0]
    return Table(**found)
