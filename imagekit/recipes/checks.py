"""What a recipe's values may be, each problem with file, line and key; and what they may not be together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from imagekit.errors import InputError, InvalidConfig
from imagekit.nearest import nearest_hint
from imagekit.recipes.conditions import Condition
from imagekit.recipes.fields import FIELDS, fields_in, unknown_fields
from imagekit.recipes.openpgp import ARMOR, NotAKey, fingerprints, is_armored
from imagekit.spec.requirement import parse_requirement

if TYPE_CHECKING:
    from imagekit.recipes.declared import (
        CheckTable,
        CommandTable,
        EditTable,
        FileTable,
        RecipeTable,
        RepositoryTable,
        WhenCheckTable,
    )
    from imagekit.spec.keys import Source

Path = tuple[str | int, ...]
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Debian Policy 5.6.1 and 5.6.12; what apt takes for more than a name ('*', '/', a '-' at the end) is not among it.
_APT = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]+)?(=[A-Za-z0-9][A-Za-z0-9.+:~-]*)?")
_ARCHITECTURE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SUITE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9._+/-]*")
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUESTION = re.compile(r"([a-z0-9][a-z0-9+.-]* )?[A-Za-z0-9][A-Za-z0-9+._-]*(/[A-Za-z0-9+._-]+)+")
_TYPES = ("string", "boolean", "select", "multiselect", "note", "text", "title", "error")
_PATH = re.compile(r"/[^\x00-\x1f\x7f\\:]*")
_MODE = re.compile(r"[0-7]{3,4}")
# A file system of its own stands there while a step runs.
_NO_PLACE = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp")  # noqa: S108
# The engine lays files of its own over these, in a step and in every container.
_ENGINES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_LONGEST = 1 << 20  # characters of a text


def problems_of(name: str, table: RecipeTable, source: Source) -> list[InputError]:
    """All that is wrong with the values of ``table``, the recipe ``name``."""
    found = _Problems(source)
    if not NAME.fullmatch(name):
        found.wrong(
            (), f"{name!r} is no name for a recipe", "name the file with small letters, digits and '-': my-driver.toml"
        )
    if not table.summary.strip() or "\n" in table.summary.strip():
        found.wrong(("summary",), "is no line of text", 'write one line: summary = "what it brings"')
    found.each(("serves",), table.serves, _package)
    for key, names in (("requires", table.requires), ("conflicts", table.conflicts)):
        found.each((key,), names, _recipe)
        if name in names:
            found.wrong((key, names.index(name)), f"{name!r} is this recipe itself", "name another one")
    for both in sorted(set(table.requires) & set(table.conflicts)):
        found.wrong(("conflicts", table.conflicts.index(both)), f"{both!r} is required, too", "take it out of one")
    found.each(("distributions",), table.distributions, _condition)
    found.each(("architectures",), table.architectures, _architecture)
    if table.apt is not None:
        found.packages(("apt", "packages"), table.apt.packages)
        found.packages(("apt", "build"), table.apt.build)
        found.repositories(("apt", "repository"), table.apt.repository)
    _part(found, (), table)
    _unique(found, (), table)
    if table.check is not None:
        _check(found, ("check",), table.check)
    for number, when in enumerate(table.when):
        at: Path = ("when", number)
        if when.distribution is None and when.architecture is None:
            found.wrong(at, "says not when", 'add distribution = "debian>=13", or architecture = "arm64"')
        if when.distribution is not None:
            found.tried(partial(_condition, when.distribution), (*at, "distribution"))
        if when.architecture is not None:
            found.tried(partial(_architecture, when.architecture), (*at, "architecture"))
        if when.apt is not None:
            for key in ("packages", "build", "without"):
                found.packages((*at, "apt", key), getattr(when.apt, key))
            found.repositories((*at, "apt", "repository"), when.apt.repository)
            known = {*(table.apt.packages if table.apt else ()), *(table.apt.build if table.apt else ())}
            for index, each in enumerate(when.apt.without):
                if each not in known:
                    found.wrong(
                        (*at, "apt", "without", index),
                        f"{each!r} is in neither packages nor build of [apt]",
                        nearest_hint(each, known),
                    )
        if when.check is not None:
            _check(found, (*at, "check"), when.check)
        _part(found, at, when)
        _unique(found, at, when)
    return found.problems


class _Problems:
    """What was found wrong, told by the file's own lines."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.problems: list[InputError] = []

    def wrong(self, path: Path, words: str, hint: str | None) -> None:
        where = self._source.where(path) if path else self._source.shown
        space = " " if words.startswith(("is ", "has ", "says ")) else ": "
        self.problems.append(InvalidConfig(f"{where}{space}{words}", hint=hint))

    def tried(self, check: Callable[[str], object], path: Path) -> None:
        try:
            check(self._source.where(path))
        except InputError as problem:
            self.problems += problem.problems or (problem,)

    def each(self, path: Path, values: Sequence[str], check: Callable[[str, str], object]) -> None:
        """``check`` on each of ``values``, none of which may stand there twice."""
        for number, value in enumerate(values):
            self.tried(partial(check, value), (*path, number))
            if value in values[:number]:
                self.wrong((*path, number), f"{value!r} stands there twice", "name it once")

    def packages(self, path: Path, values: Sequence[str]) -> None:
        self.each(path, values, _apt_package)

    def repositories(self, path: Path, repositories: Sequence[RepositoryTable]) -> None:
        for number, repository in enumerate(repositories):
            _repository(self, (*path, number), repository)


def _part(found: _Problems, at: Path, table: Any) -> None:
    """What a recipe and a ``[[when]]`` have in common."""
    found.each((*at, "path"), table.path, _absolute)
    for question, answer in (table.debconf or {}).items():
        found.tried(partial(_debconf, question, answer), (*at, "debconf", question))
    for key, variables in (("env", table.env), ("build-env", table.build_env)):
        for name, value in (variables or {}).items():
            found.tried(partial(_variable, name, value), (*at, key, name))
    for number, file in enumerate(table.file):
        _file(found, (*at, "file", number), file)
    for number, edit in enumerate(table.edit):
        _edit(found, (*at, "edit", number), edit)
    for number, command in enumerate(table.command):
        _command(found, (*at, "command", number), command)
    if table.provides is not None:
        for key in ("sonames", "headers", "pkg-config", "programs"):
            found.each((*at, "provides", key), getattr(table.provides, key.replace("-", "_")), _plain_word)


def _unique(found: _Problems, at: Path, table: Any) -> None:
    paths = [file.path for file in table.file]
    for number, path in enumerate(paths):
        if path in paths[:number]:
            found.wrong((*at, "file", number, "path"), f"{path!r} is written already", "keep one of the two")


def does_anything(table: RecipeTable) -> bool:
    """Whether an image, or a build, is another one with it."""
    parts = (table.apt, table.path, table.debconf, table.env, table.file, table.edit, table.command, table.when)
    return any(parts) or bool(table.requires)


def _package(value: str, where: str) -> None:
    from packaging.utils import canonicalize_name

    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value) or canonicalize_name(value) != value:
        raise InvalidConfig(f"{where}: {value!r} is no normalized name of a package", hint='as PEP 503 has it: "my-db"')


def _recipe(value: str, where: str) -> None:
    if not NAME.fullmatch(value):
        raise InvalidConfig(f"{where}: {value!r} is no name of a recipe", hint="small letters, digits and '-'")


def _condition(value: str, where: str) -> None:
    Condition.parse(value, where)


def _architecture(value: str, where: str) -> None:
    if not _ARCHITECTURE.fullmatch(value):
        raise InvalidConfig(f"{where}: {value!r} is no processor", hint='Debian calls them "amd64", "arm64"')


def _apt_package(value: str, where: str) -> None:
    if not _APT.fullmatch(value):
        raise InvalidConfig(
            f"{where}: {value!r} is no name of a package",
            hint='write NAME or NAME=VERSION: "unixodbc", "g++=4:12.2"',
        )


def _repository(found: _Problems, at: Path, repository: RepositoryTable) -> None:
    unknown = unknown_fields(repository.url) + unknown_fields(repository.suite or "")
    if unknown:
        key = "url" if unknown_fields(repository.url) else "suite"
        found.wrong((*at, key), f"unknown field {{{unknown[0]}}}", nearest_hint(unknown[0], FIELDS))
    elif not _URL.fullmatch(_plain(repository.url)):
        found.wrong(
            (*at, "url"), f"{_shown(repository.url)!r} is no http or https URL", 'write "https://example.com/debian"'
        )
    elif "@" in repository.url.split("/")[2]:
        found.wrong((*at, "url"), "has a login in it", "give apt its login as a secret; see docs/recipes.md")
    if repository.suite is not None and not unknown and not _SUITE.fullmatch(_plain(repository.suite)):
        found.wrong((*at, "suite"), f"{repository.suite!r} is no suite", 'write "{codename}", "stable" or "./"')
    for key, words in (("components", repository.components), ("architectures", repository.architectures)):
        for number, each in enumerate(words):
            if not _WORD.fullmatch(_plain(each)):
                found.wrong((*at, key, number), f"{each!r} is no word", "letters, digits, '.', '-' and '_'")
    if (repository.suite or "").endswith("/") and repository.components:
        found.wrong((*at, "components"), "a suite that ends with '/' has none", "take them, or the '/', away")
    if repository.keyring is not None:
        found.tried(partial(_absolute, repository.keyring), (*at, "keyring"))
        if repository.key is not None or repository.fingerprint is not None:
            found.wrong((*at, "keyring"), "stands beside a key", "keep one of the two")
        return
    if repository.key is None or repository.fingerprint is None:
        missing = "key" if repository.key is None else "fingerprint"
        found.wrong(at, f"has no {missing}", "packages are taken only of a repository whose key is known: name both")
    pinned = spelled(repository.fingerprint or "")
    if repository.fingerprint is not None and not _FINGERPRINT.fullmatch(pinned):
        found.wrong(
            (*at, "fingerprint"), "is no whole fingerprint", "write its 40 hexadecimal digits; a short ID can be forged"
        )
    elif repository.key is not None:
        _key(found, (*at, "key"), repository.key, pinned)


def _key(found: _Problems, at: Path, key: str, pinned: str) -> None:
    if not is_armored(key):
        if not _URL.fullmatch(key) or "@" in key.split("/")[2]:
            found.wrong(at, f"{_shown(key)!r} is neither a URL nor an armored key", f"write a URL, or {ARMOR} …")
        return
    try:
        known = fingerprints(key.encode())
    except NotAKey as problem:
        found.wrong(at, f"is no OpenPGP key: {problem}", "export it anew: gpg --armor --export FINGERPRINT")
        return
    if pinned and pinned not in known:
        found.wrong(at, f"is the key {', '.join(known)}, and not {pinned}", "one of the two is wrong: ask who signs")


def spelled(fingerprint: str) -> str:
    """A fingerprint as it is compared: without the spaces that people read it by."""
    return "".join(fingerprint.split()).upper()


def _absolute(value: str, where: str) -> None:
    parts = value.split("/")[1:]
    if not _PATH.fullmatch(value) or any(part in ("", ".", "..") for part in parts):
        raise InvalidConfig(f"{where}: {value!r} is no plain absolute path", hint="write /DIRECTORY/NAME, without '..'")


def _place(value: str, where: str) -> None:
    _absolute(value, where)
    if taken := next((place for place in _NO_PLACE if value == place or value.startswith(f"{place}/")), None):
        raise InvalidConfig(f"{where}: {value!r}: nothing that lies in {taken} stays", hint="choose another directory")
    if value in _ENGINES:
        raise InvalidConfig(
            f"{where}: {value!r} is the engine's own in every container", hint="say it where containers are started"
        )


def _debconf(question: str, answer: str, where: str) -> None:
    kind, _, value = answer.partition(" ")
    if not _QUESTION.fullmatch(question):
        raise InvalidConfig(
            f"{where}: {question!r} is no question", hint='write "PACKAGE/QUESTION", or its owner before it'
        )
    if kind not in _TYPES:
        raise InvalidConfig(f"{where}: unknown type {kind!r}", hint='write a type and a value: "boolean true"')
    if "\n" in value or "\0" in value:
        raise InvalidConfig(f"{where}: a line break is in it", hint="debconf takes one line")


def _variable(name: str, value: str, where: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise InvalidConfig(f"{where}: {name!r} is no name of a variable", hint="letters, digits and '_'")
    if name == "PATH":
        raise InvalidConfig(f"{where}: PATH is not set as a whole", hint='write path = ["/DIRECTORY"] above all tables')
    if any(c in value for c in "\n\r\0"):
        raise InvalidConfig(f"{where}: a line break or a NUL is in it", hint="put it into a [[file]] instead")


def _file(found: _Problems, at: Path, file: FileTable) -> None:
    found.tried(partial(_place, file.path), (*at, "path"))
    if file.mode is not None and not _MODE.fullmatch(file.mode):
        found.wrong((*at, "mode"), f"{file.mode!r} is no mode", 'write it in octal digits: "0644"')
    if "\0" in file.content or len(file.content) > _LONGEST:
        found.wrong((*at, "content"), "is no text, or a very long one", "1 MiB at most, without a NUL")


def _edit(found: _Problems, at: Path, edit: EditTable) -> None:
    found.tried(partial(_place, edit.path), (*at, "path"))
    if (edit.replace is None) == (edit.append is None):
        found.wrong(at, "has both replace and append, or neither", "say one of the two")
        return
    if edit.match is None:
        if edit.replace is not None:
            found.wrong(at, "has no match", "say what is replaced: a regular expression")
        return
    try:
        pattern = re.compile(edit.match, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as problem:
        found.wrong((*at, "match"), f"is no regular expression: {problem}", "Python's re module says what one is")
        return
    if pattern.fullmatch("") and edit.replace is not None:
        found.wrong((*at, "match"), "matches nothing at all, anywhere", "say what is to be there")
    elif edit.replace is not None:
        _template(found, (*at, "replace"), pattern, edit.replace)


def _template(found: _Problems, at: Path, pattern: re.Pattern[str], replace: str) -> None:
    # What a template may say depends on the groups; `re` parses it where there is a match, so one is made up.
    groups = "".join(f"(?P<{name}>)" for name in pattern.groupindex)
    likeness = re.compile(groups + "()" * (pattern.groups - len(pattern.groupindex)))
    try:
        likeness.sub(replace, "", count=1)
    except (re.error, IndexError) as problem:
        found.wrong(at, f"is no replacement: {problem}", "\\1 is the first group; a backslash itself is \\\\")


def _command(found: _Problems, at: Path, command: CommandTable) -> None:
    if bool(command.argv) == (command.shell is not None):
        found.wrong(at, "has both argv and shell, or neither", 'say one of the two: argv = ["ldconfig"]')
    for number, word in enumerate(command.argv):
        if "\0" in word or (not number and not word):
            found.wrong((*at, "argv", number), "is no word of a command", "take it out")
    if command.shell is not None and ("\0" in command.shell or not command.shell.strip()):
        found.wrong((*at, "shell"), "is no script", "write commands of sh")


def _check(found: _Problems, at: Path, check: CheckTable | WhenCheckTable) -> None:
    found.each((*at, "requirements"), check.requirements, parse_requirement)
    found.packages((*at, "packages"), check.packages)
    found.each((*at, "from-source"), check.from_source, _package)
    if check.program is None:
        return
    if not check.program.strip():
        found.wrong((*at, "program"), "is empty", "write what is to work, in Python")
        return
    try:
        compile(check.program, "program", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as problem:
        found.wrong((*at, "program"), f"is no Python: {problem}", "it is run by the image's Python")


def _plain_word(value: str, where: str) -> None:
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f]+", value):
        raise InvalidConfig(f"{where}: {value!r} is no plain word", hint="name one thing: 'libGL.so.1'")


def _plain(text: str) -> str:
    """``text`` as it may be with its fields filled in."""
    return re.sub(r"\{(" + "|".join(FIELDS) + r")\}", "0", text) if fields_in(text) else text


def _shown(url: str) -> str:
    """A URL, or what stands for one, without what may be a login."""
    return re.sub(r"//[^/@]*@", "//***@", url)[:80]
