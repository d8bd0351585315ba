"""Sets of options that commands take whole: declared once, as a dataclass, and parameters of each command to typer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, ClassVar, Protocol, get_args, get_origin, get_type_hints

import typer


class _Set(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class Reads:
    """How an option's texts become the value that is meant: ``read(texts, "--option")``."""

    read: Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Means:
    """What a switch stands for where it is given: ``--no-source`` means ``False``."""

    value: bool


def option(*names: str, panel: str, metavar: str | None = None, help: str) -> Any:
    """One option of a set; ``names`` are its spellings, the longest first."""
    return typer.Option(*names, metavar=metavar, rich_help_panel=panel, help=help)


def given(options: _Set) -> dict[str, Any]:
    """The options that were given, by their fields' names, each as the value that it means.

    Raises ``InputError`` for a text that cannot be meant.
    """
    found = {}
    for name, (declared, *markers) in _declared(type(options)).items():
        value: Any = getattr(options, name)
        if value is None or value is False or (isinstance(value, (list, tuple)) and not value):
            continue
        for marker in markers:
            if isinstance(marker, Reads):
                value = marker.read(value, declared)
            elif isinstance(marker, Means):
                value = marker.value
        found[name] = value
    return found


def spelling(options: type[_Set], name: str) -> str:
    """How people write the option whose field is ``name``: ``--package``."""
    written: str = _declared(options)[name][0]
    return written


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` as typer is to see it: each parameter that is a set of options, as those options."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[Parameter] = []
    sets: dict[str, tuple[Any, list[str]]] = {}
    for name, parameter in signature(command).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))
            continue
        of_set = get_type_hints(kind, include_extras=True)
        sets[name] = (kind, [field.name for field in fields(kind)])
        parameters += (
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=of_set[field.name])
            for field in fields(kind)
        )

    @wraps(command)
    def taken(**values: Any) -> None:
        for name, (kind, names) in sets.items():
            values[name] = kind(**{each: values.pop(each) for each in names})
        command(**values)

    taken.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    taken.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return taken


def _declared(kind: type[_Set]) -> Mapping[str, tuple[Any, ...]]:
    """Each field's first spelling, and what else stands in its ``Annotated``."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated:
            _, info, *markers = get_args(hint)
            # In an annotation, Typer keeps the first spelling where a default would stand.
            found[name] = (info.default, *markers)
    return found
