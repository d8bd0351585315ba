"""Keys of configuration, declared once: what validates them, the schema and the documentation come from here.

A table is a dataclass; each field is ``Annotated[TYPE, Key("what it means")] = None``. Its type gives the
kind of value (``spec.kinds``), its name with dashes the key. A field without a default is one that must be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from imagekit.errors import InputError, InvalidConfig
from imagekit.nearest import nearest_hint
from imagekit.spec.kinds import Fault, Kind, Mistaken, Tables, Texts, TextTable, kind_of
from imagekit.spec.variable import variable_of

_Table = TypeVar("_Table")


@dataclass(frozen=True, slots=True)
class Key:
    """What is declared of a key besides its name and type."""

    meaning: str  # half a sentence
    default: Any = field(default=None, kw_only=True)  # as TOML has it
    otherwise: str = field(default="", kw_only=True)  # what holds by default, where that is no plain value
    choices: tuple[str, ...] = field(default=(), kw_only=True)
    example: Any = field(default=None, kw_only=True)
    # (value, where) → the value that is meant; an InputError that begins with ``where`` for what cannot be.
    check: Callable[[Any, str], Any] | None = field(default=None, kw_only=True)
    by_user: bool = field(default=False, kw_only=True)  # a project's, and the user's configuration may hold it, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A key of a table."""

    name: str  # "base-image"
    attribute: str  # "base_image"
    kind: Kind
    key: Key
    is_required: bool

    @property
    def variable(self) -> str:
        """The environment variable that stands for it: ``IMAGEKIT_BASE_IMAGE``."""
        return variable_of(self.name)

    def of_text(self, text: str, where: str) -> Any:
        """What a variable or an argument means; ``InputError`` where it means nothing."""
        return self.checked(self.kind.of_text(text, where), where)

    def checked(self, value: Any, where: str) -> Any:
        """``value``, of the right kind, as it is meant; ``InputError`` where it cannot be."""
        if self.key.choices and value not in self.key.choices:
            raise InvalidConfig(f"{where}: unknown {self.name} {value!r}", hint=nearest_hint(value, self.key.choices))
        return self.key.check(value, where) if self.key.check is not None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a table's keys stand, for those who have to say so."""

    path: Path
    shown: str  # how errors call the file
    table: tuple[str, ...] = ()  # ("tool", "imagekit")
    text: str | None = None  # of the file; None: it is read when an error needs it

    def where(self, path: Sequence[str | int]) -> str:
        """``pyproject.toml:3: [tool.imagekit] python``"""
        header = f"[{'.'.join(self.table)}] " if self.table else ""
        return f"{self.at(path)}: {header}{dotted(path)}"

    def at(self, path: Sequence[str | int]) -> str:
        """``pyproject.toml:3``"""
        line = self.line(path)
        return f"{self.shown}:{line}" if line else self.shown

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of a key; ``None`` where the file does not say it."""
        return self._place(path)[0]

    def written(self, path: Sequence[str | int]) -> str:
        """A value as it stands in the file."""
        return self._place(path)[1]

    def _place(self, path: Sequence[str | int]) -> tuple[int | None, str]:
        from imagekit.spec.toml_places import place_in, places_of

        text = self.text
        if text is None:
            try:
                text = self.path.read_bytes().decode()
            except (OSError, ValueError):
                text = ""
        found = place_in(places_of(text), (*self.table, *path))
        return (found.line, found.written) if found is not None else (None, "")


def dotted(path: Sequence[str | int]) -> str:
    """``indexes[0].url``; a name with other signs than TOML's bare keys have is quoted."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in path).removeprefix(".")


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else repr(name)


_known: dict[type, Mapping[str, Declared]] = {}


def keys_of(table: type[Any]) -> Mapping[str, Declared]:
    """The keys that a table declares, by name, in its order."""
    if table in _known:
        return _known[table]
    found = {}
    hints = get_type_hints(table, include_extras=True)
    for each in fields(table):
        hint = hints[each.name]
        if get_origin(hint) is not Annotated:
            continue
        kind, key = get_args(hint)[:2]
        name = each.name.replace("_", "-")
        required = each.default is MISSING and each.default_factory is MISSING
        found[name] = Declared(name=name, attribute=each.name, kind=kind_of(kind), key=key, is_required=required)
    _known[table] = found
    return found


def read_table(
    table: type[_Table], values: Mapping[str, Any], source: Source, gathered: list[InputError] | None = None
) -> _Table:
    """``values`` as ``table``; what is wrong with any of them is raised at once, with file and line.

    Where a list is ``gathered``, it is added to that, and the table holds the rest.
    """
    problems: list[InputError] = [] if gathered is None else gathered
    found: dict[str, Any] = {}
    known = keys_of(table)
    for name, value in values.items():
        if name not in known:
            where = source.where([name])
            hint = nearest_hint(name, known)
            if name == "tool" and not source.table:
                hint = f"leave [tool.imagekit] out: in {source.shown} its keys stand at the top"
            problems.append(InvalidConfig(f"{where} is not a known key", hint=hint))
            continue
        try:
            found[known[name].attribute] = read_value(known[name], value, source)
        except InputError as problem:
            problems.append(problem)
    problems += [
        InvalidConfig(f"{source.at(())} has no {name}", hint=f"add {name}: {declared.key.meaning}")
        for name, declared in known.items()
        if declared.is_required and name not in values
    ]
    if problems and gathered is None:
        raise InputError.join(problems)
    return table(**found)


def read_value(declared: Declared, value: Any, source: Source, *above: str) -> Any:
    """``value`` as ``declared`` has it; ``above`` are the tables between the source's and it."""
    path = (*above, declared.name)
    try:
        read = declared.kind.read(value)
    except Mistaken as mistaken:
        problems: list[InputError] = []
        for fault in mistaken.faults:
            at = (*path, *fault.below)
            hint = fault.hint or _hint(fault, at, source)
            space = "" if fault.words.startswith(":") else " "
            problems.append(InvalidConfig(f"{source.where(at)}{space}{fault.words}", hint=hint))
        raise InputError.join(problems) from None
    if not declared.key.choices and declared.key.check is None:
        return read
    # The place is looked for when there is something to say of it.
    try:
        return declared.checked(read, declared.name)
    except InputError:
        if isinstance(read, Mapping):
            _refuse_pairs(declared, read, source, path)
        return declared.checked(read, source.where(path))


def _refuse_pairs(declared: Declared, pairs: Mapping[str, Any], source: Source, path: Sequence[str]) -> None:
    """Raise what is wrong with any of ``pairs`` alone, each with its own line."""
    problems: list[InputError] = []
    for name, value in pairs.items():
        try:
            declared.checked({name: value}, source.where((*path, name)))
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)


def table_of(table: type[_Table], values: Any) -> _Table:
    """A table inside another one; ``Mistaken`` has all that is wrong with it."""
    if not isinstance(values, Mapping):
        raise Mistaken.kind("a table", values)
    known = keys_of(table)
    faults = [
        Fault("is not a known key", None, (name,), nearest_hint(name, known)) for name in values if name not in known
    ]
    found = {}
    for name, declared in known.items():
        if name in values:
            try:
                found[declared.attribute] = declared.checked(declared.kind.read(values[name]), name)
            except Mistaken as mistaken:
                faults += [Fault(f.words, f.value, (name, *f.below), f.hint) for f in mistaken.faults]
            except InputError as problem:
                faults += [_told(name, each) for each in problem.problems or (problem,)]
        elif declared.is_required:
            faults.append(Fault(f"has no {name}", None, (), f"add {name}: {declared.key.meaning}"))
    if faults:
        raise Mistaken(faults)
    return table(**found)


def _told(name: str, problem: InputError) -> Fault:
    """What a check said of the key ``name`` of a table, to be told where that stands."""
    if problem.message.startswith(f"{name} "):
        words = problem.message.removeprefix(f"{name} ")  # "is empty"
    else:
        words = f": {problem.message.removeprefix(f'{name}: ')}"
    return Fault(words, None, (name,), problem.hint)


def schema_of(table: type, *, keep: Callable[[Declared], bool] = lambda _: True) -> dict[str, Any]:
    """JSON Schema (draft 7) of a table's keys."""
    chosen = {name: declared for name, declared in keys_of(table).items() if keep(declared)}
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _schema(declared) for name, declared in chosen.items()},
    }
    required = [name for name, declared in chosen.items() if declared.is_required]
    return {**schema, **({"required": required} if required else {})}


def _schema(declared: Declared) -> dict[str, Any]:
    key = declared.key
    meaning = f"{key.meaning[:1].upper()}{key.meaning[1:]}."
    found = {"description": meaning, **declared.kind.schema()}
    if key.choices:
        found["enum"] = list(key.choices)
    if key.default is not None:
        found["default"] = key.default
    if key.example is not None:
        found["examples"] = [key.example]
    return found


def _hint(fault: Fault, path: Sequence[str | int], source: Source) -> str:
    """How to write what was most likely meant, in the file's own words: TOML's 3.10 is the number 3.1 once read."""
    name, value, written = path[-1], fault.value, source.written(path)
    before = "" if isinstance(name, int) else f"{_shown(name)} = "
    if fault.words == "is not a string" and isinstance(value, Mapping) and len(path) > 1:
        from imagekit.spec.toml import toml_value

        # TOML's bare 3.11 = … is the key 11 in the table 3.
        whole = [toml_value(f"{name}.{inner}") for inner in value if not isinstance(value[inner], Mapping)]
        if whole:
            return f"put a name with a dot in it in quotes: {', '.join(whole)} = …"
    if "true or false" in fault.words and str(value).lower() in ("true", "false"):
        return f"write {before}{str(value).lower()}, without quotes"
    if fault.words == "is not a number":
        is_quoted = isinstance(value, str) and value.replace(".", "", 1).isdigit()
        return f"write {before}{value}, without quotes" if is_quoted else f"write {before}120"
    if isinstance(value, (bool, int, float)) and fault.words.endswith((" a string", " a list of strings")):
        quoted = f'"{written or str(value).lower()}"'
        return f"put it in quotes: {before}{quoted if 'list' not in fault.words or not before else f'[{quoted}]'}"
    if isinstance(value, str) and fault.words.endswith(Texts.words):
        return f"write a list: {before}[{written}]"
    if isinstance(value, Mapping) and fault.words.endswith(Tables.words):
        return f"write [[{dotted((*source.table, *path))}]], with two brackets, above each"
    if fault.words.endswith(TextTable.words):
        return f'write a table: {before}{{NAME = "VALUE"}}'
    return f"make it {fault.words.removeprefix('is not ')}"
