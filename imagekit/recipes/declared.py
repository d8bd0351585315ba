"""A recipe as its TOML file declares it: validated, nothing filled in. A line declares a key, as in ``spec.table``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from imagekit.errors import InputError, InvalidConfig
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.recipes.checks import does_anything, problems_of
from imagekit.spec.keys import Key, Source, read_table
from imagekit.spec.toml import parse_toml, toml_text

_Text = str | None
_Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryTable:
    """One ``[[apt.repository]]``: where packages come from that the distribution has not."""

    url: Annotated[str, Key("its address, with fields in braces", example="https://example.com/debian/{version_id}")]
    suite: Annotated[_Text, Key("its suite; one that ends with a '/' has no components", default="{codename}")] = None
    components: Annotated[_Texts, Key("its components", default=["main"])] = ()
    key: Annotated[_Text, Key("the key that signs it: a URL, or armored text")] = None
    fingerprint: Annotated[_Text, Key("the whole fingerprint of that key, 40 hexadecimal digits")] = None
    keyring: Annotated[
        _Text,
        Key("instead of a key: a file of the base", example="/usr/share/keyrings/debian-archive-keyring.gpg"),
    ] = None
    architectures: Annotated[_Texts, Key("Debian's names of those that it has", otherwise="the base's")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AptTable:
    """``[apt]``: packages of the distribution, and of repositories besides."""

    packages: Annotated[_Texts, Key("packages that the image has", default=[], example=["unixodbc"])] = ()
    build: Annotated[
        _Texts,
        Key("packages that are there while sources are built, and not in the image", default=[], example=["g++"]),
    ] = ()
    repository: Annotated[tuple[RepositoryTable, ...], Key("where packages come from besides", default=[])] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenAptTable:
    """``[when.apt]``: what is different of ``[apt]``."""

    packages: Annotated[_Texts, Key("further packages", default=[])] = ()
    build: Annotated[_Texts, Key("further packages for builds", default=[])] = ()
    without: Annotated[_Texts, Key("packages of the lists above that are left out", default=[])] = ()
    repository: Annotated[tuple[RepositoryTable, ...], Key("further repositories", default=[])] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """One ``[[file]]``: a file that is written after the packages are there."""

    path: Annotated[str, Key("where it is in the image", example="/etc/odbcinst.ini")]
    content: Annotated[str, Key("its text")]
    mode: Annotated[_Text, Key("its permissions, octal", default="0644")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditTable:
    """One ``[[edit]]``: a text file that is changed."""

    path: Annotated[str, Key("the file", example="/etc/ssl/openssl.cnf")]
    match: Annotated[
        _Text, Key("a regular expression of Python's, ^ and $ at each line; it is an error where it is nowhere")
    ] = None
    replace: Annotated[_Text, Key("what takes the place of each match; \\1 is its first group")] = None
    append: Annotated[_Text, Key("a line after each that has a match, or at the end of the file without one")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTable:
    """One ``[[command]]``: a program that is run, as root, after the files are there."""

    argv: Annotated[_Texts, Key("the program and its arguments", example=["ldconfig"])] = ()
    shell: Annotated[_Text, Key("a script of sh, which ends with the first command that fails")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidesTable:
    """``[provides]``: what is there with it, by the names under which packages miss it."""

    sonames: Annotated[_Texts, Key("shared libraries", default=[], example=["libodbc.so.2"])] = ()
    headers: Annotated[_Texts, Key("C headers, where sources are built", default=[], example=["sql.h"])] = ()
    pkg_config: Annotated[_Texts, Key("modules of pkg-config, where sources are built", default=[])] = ()
    programs: Annotated[_Texts, Key("programs", default=[], example=["pg_config"])] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTable:
    """``[check]``: how it is seen to work."""

    requirements: Annotated[_Texts, Key("requirements (PEP 508) of the program", default=[], example=["pyodbc"])] = ()
    from_source: Annotated[_Texts, Key("those of them that are built, though there is a wheel", default=[])] = ()
    packages: Annotated[_Texts, Key("packages of apt that the check alone needs: a server", default=[])] = ()
    program: Annotated[str, Key("a program for the image's Python, which ends with 0 where all is well")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenCheckTable:
    """``[when.check]``: what is different of ``[check]``."""

    requirements: Annotated[_Texts, Key("further requirements", default=[])] = ()
    from_source: Annotated[_Texts, Key("further ones that are built", default=[])] = ()
    packages: Annotated[_Texts, Key("further packages", default=[])] = ()
    program: Annotated[_Text, Key("another program", otherwise="that of [check]")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenTable:
    """One ``[[when]]``: what is different on some distributions or processors."""

    distribution: Annotated[_Text, Key("the distribution", otherwise="any", example="debian>=13")] = None
    architecture: Annotated[_Text, Key("the processor, by Debian's name", otherwise="any", example="arm64")] = None
    path: Annotated[_Texts, Key("further directories before PATH", default=[])] = ()
    apt: Annotated[WhenAptTable | None, Key("packages")] = None
    debconf: Annotated[Mapping[str, str] | None, Key("further answers")] = None
    env: Annotated[Mapping[str, str] | None, Key("further variables")] = None
    build_env: Annotated[Mapping[str, str] | None, Key("further variables while it runs")] = None
    file: Annotated[tuple[FileTable, ...], Key("further files", default=[])] = ()
    edit: Annotated[tuple[EditTable, ...], Key("further edits", default=[])] = ()
    command: Annotated[tuple[CommandTable, ...], Key("further commands", default=[])] = ()
    provides: Annotated[ProvidesTable | None, Key("further names of what is there")] = None
    check: Annotated[WhenCheckTable | None, Key("what is different of the check")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTable:
    """A recipe, as its file says it."""

    summary: Annotated[str, Key("what it brings, on one line")]
    serves: Annotated[_Texts, Key("distributions (PEP 503 names) that want it", default=[], example=["pyodbc"])] = ()
    requires: Annotated[_Texts, Key("recipes that go before it", default=[], example=["unixodbc"])] = ()
    conflicts: Annotated[_Texts, Key("recipes that it cannot be with", default=[])] = ()
    distributions: Annotated[
        _Texts, Key("those that it is for", otherwise="any with apt", example=["debian>=11", "ubuntu>=22.04"])
    ] = ()
    architectures: Annotated[
        _Texts, Key("processors that it is for, by Debian's names", otherwise="any", example=["amd64", "arm64"])
    ] = ()
    accepts: Annotated[_Text, Key("a licence that whoever uses it accepts, told when it is built")] = None
    path: Annotated[_Texts, Key("directories before PATH", default=[], example=["/opt/mssql-tools18/bin"])] = ()
    apt: Annotated[AptTable | None, Key("packages")] = None
    debconf: Annotated[
        Mapping[str, str] | None,
        Key("answers to packages' questions: type and value", example={"PACKAGE/QUESTION": "boolean true"}),
    ] = None
    env: Annotated[Mapping[str, str] | None, Key("variables of the image", example={"ACCEPT_EULA": "Y"})] = None
    build_env: Annotated[Mapping[str, str] | None, Key("variables while it runs, and not in the image")] = None
    file: Annotated[tuple[FileTable, ...], Key("files", default=[])] = ()
    edit: Annotated[tuple[EditTable, ...], Key("changes of text files, in this order", default=[])] = ()
    command: Annotated[tuple[CommandTable, ...], Key("programs that are run, in this order", default=[])] = ()
    provides: Annotated[ProvidesTable | None, Key("what is there with it, by name")] = None
    check: Annotated[CheckTable | None, Key("how it is seen to work", otherwise="it is only built")] = None
    when: Annotated[tuple[WhenTable, ...], Key("what is different on some distributions", default=[])] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One recipe, and where it stands."""

    name: str
    table: RecipeTable
    source: Source
    is_provided: bool = False  # it came with imagekit

    @property
    def digest(self) -> Digest:
        """Of what it does anywhere: neither of its words for people nor of its check."""
        table = {**asdict(self.table), "summary": "", "accepts": "", "serves": (), "provides": None, "check": None}
        return digest_of_json({**table, "when": [{**when, "check": None} for when in table["when"]]})


def read_recipe(path: Path, *, shown: str | None = None, is_provided: bool = False) -> Recipe:
    """The recipe in the file at ``path``, whose stem is its name; errors call it ``shown``.

    Raises ``InvalidConfig``, or several of them at once (``InputError.join``), with file, line and key.
    """
    gathered: list[InputError] = []
    recipe = recipe_of(path, gathered, shown=shown, is_provided=is_provided)
    if gathered or recipe is None:
        raise InputError.join(gathered)
    return recipe


def recipe_of(
    path: Path, gathered: list[InputError], *, shown: str | None = None, is_provided: bool = False
) -> Recipe | None:
    """As ``read_recipe``, with what is wrong ``gathered``: then it is what the rest says, or ``None`` for no table."""
    shown = shown or path.name
    problems: list[InputError] = []
    table = None
    try:
        text = toml_text(path, InvalidConfig)
        source = Source(path=path, shown=shown, text=text)
        table = _read(parse_toml(text, shown, InvalidConfig), source, problems)
    except InputError as problem:
        problems.append(problem)
    if table is not None:
        problems += problems_of(path.stem, table, source)
        if not problems and not does_anything(table):
            hint = "add [apt] packages, [env], [[file]] or [[command]]"
            problems.append(InvalidConfig(f"{shown}: it does nothing", hint=hint))
    gathered += problems
    return None if table is None else Recipe(name=path.stem, table=table, source=source, is_provided=is_provided)


def _read(values: Mapping[str, object], source: Source, gathered: list[InputError]) -> RecipeTable | None:
    """The table, with what is wrong with some of its keys in ``gathered``; ``None`` where one must be there."""
    try:
        return read_table(RecipeTable, values, source, gathered)
    except TypeError:
        return None  # without its summary
