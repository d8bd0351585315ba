"""A matrix of base images as its TOML file declares it: validated, nothing filled in, nothing expanded.

The axes are Python, the framework's version and the flavor; the categories say what an image of a cell holds. One
line declares a key, as in ``spec.table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from imagekit.matrix import checks
from imagekit.matrix.values import DEBIAN, FLAVORS, LOCAL, REGISTRY, STANDARD
from imagekit.spec import table_checks
from imagekit.spec.keys import Key
from imagekit.stages.declared import SLIM, VARIANTS

NEWEST = ("minor", "major", "all")
DEFAULT = "default"  # in place of a Python: the default one

_Texts = tuple[str, ...] | None
_Pairs = Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkTable:
    """``[framework]``: the package that the images are made for."""

    package: Annotated[str, Key("the distribution's name", example="prefect", check=checks.package)]
    versions: Annotated[
        tuple[str, ...],
        Key("its versions: X.Y.Z, or a URL of git at a commit", example=["3.8.8"], check=checks.versions),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryTable:
    """One ``[[category]]``: what images of it hold."""

    name: Annotated[str, Key("what it is called", example="core", check=checks.word)]
    requirements: Annotated[
        tuple[str, ...],
        Key("requirements (PEP 508); {framework} is the framework at the cell's version", check=checks.requirements),
    ]
    source_builds: Annotated[
        _Texts,
        Key("packages that may be built from source", default=[], example=["pycairo"], check=table_checks.buildable),
    ] = None
    check: Annotated[
        str | None,
        Key(
            "a Python program that must end well in each image; {version} and {python} are the cell's",
            otherwise="none besides the health check",
            example="import prefect",
            check=checks.program,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludeTable:
    """One ``[[exclude]]``: cells that there are not; a key that is not given fits any."""

    python: Annotated[_Texts, Key("of these Pythons", example=["3.9"], check=checks.pythons)] = None
    versions: Annotated[
        _Texts,
        Key("of framework versions that one of these specifiers takes", example=[">=3"], check=checks.specifiers),
    ] = None
    flavor: Annotated[_Texts, Key("of these flavors", check=checks.flavors)] = None
    category: Annotated[_Texts, Key("of these categories", check=checks.words)] = None
    reason: Annotated[str | None, Key("why there are none")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagTable:
    """One ``[[tag]]``: a name that the cells which fit it get."""

    name: Annotated[
        str,
        Key(
            "the tag; {version}, {minor}, {major}, {python}, {-flavor}, {category}, {sha} are the cell's",
            example="{version}-python{python}{-flavor}",
            check=checks.template,
        ),
    ]
    category: Annotated[str | None, Key("for cells of this category", otherwise="any")] = None
    flavor: Annotated[str | None, Key("for cells of this flavor", otherwise="any", choices=FLAVORS)] = None
    python: Annotated[
        str | None, Key("for cells of this Python; default is the default one", otherwise="any", example="default")
    ] = None
    newest: Annotated[
        str | None,
        Key(
            "for the newest version of those with the same minor or major version, or of all: the tag moves",
            otherwise="any version",
            choices=NEWEST,
        ),
    ] = None
    commit: Annotated[bool | None, Key("for builds of a commit, and not of a release", default=False)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTable:
    """``[base]``: where the bare Python that images are built on comes from."""

    source: Annotated[
        str,
        Key(
            "debian: made here of Debian's packages; registry: an image pinned by its digest; "
            "local: one of the engine, or of a layout",
            choices=(DEBIAN, REGISTRY, LOCAL),
        ),
    ]
    image: Annotated[
        str | None,
        Key(
            "the image in the registry, the engine or a layout (oci:DIRECTORY[:NAME]); {python} is X.Y",
            example="python:{python}-slim",
            check=checks.base_image,
        ),
    ] = None
    digest: Annotated[
        _Pairs,
        Key("the digest of the registry's image, for each Python; imagekit matrix pin writes it", check=checks.digests),
    ] = None
    variant: Annotated[
        str | None, Key("of Debian's packages: with build there is a compiler", default=SLIM, choices=VARIANTS)
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaTable:
    """``[conda]``: where the conda flavor's Python and packages come from."""

    channels: Annotated[
        tuple[str, ...],
        Key("channels, the first wins: names, URLs, or file://", example=["conda-forge"], check=checks.channels),
    ]
    packages: Annotated[_Texts, Key("match specs beside Python itself", default=[], check=checks.conda_packages)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixTable:
    """A matrix, as its file says it."""

    name: Annotated[str, Key("the images' name, without a tag", example="imagekit/prefect", check=checks.name)]
    python: Annotated[tuple[str, ...], Key("Python versions", example=["3.11", "3.13"], check=checks.pythons)]
    default_python: Annotated[
        str | None, Key("the one of them that tags without a Python mean", otherwise="the last", example="3.13")
    ] = None
    flavor: Annotated[_Texts, Key("flavors", default=[STANDARD], check=checks.flavors)] = None
    platform: Annotated[_Texts, Key("platforms", otherwise="this machine's", check=checks.platforms)] = None
    base: Annotated[BaseTable | None, Key("where the bare Python comes from", otherwise="Debian's packages, slim")] = (
        None
    )
    framework: Annotated[FrameworkTable | None, Key("the package that the images are made for", otherwise="none")] = (
        None
    )
    category: Annotated[tuple[CategoryTable, ...], Key("what images hold")] = ()
    exclude: Annotated[tuple[ExcludeTable, ...], Key("cells that there are not")] = ()
    tag: Annotated[tuple[TagTable, ...], Key("names of the cells")] = ()
    conda: Annotated[CondaTable | None, Key("where the conda flavor comes from", otherwise="there is none")] = None
