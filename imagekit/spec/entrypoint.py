"""``PATH.py:FUNCTION``: which function a run calls. User code is read, never imported."""

from __future__ import annotations

import ast
import json
import keyword
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from imagekit.errors import InvalidEntrypoint, InvalidParameters
from imagekit.nearest import nearest_hint
from imagekit.spec.flow_options import flow_options
from imagekit.spec.module_names import module_names

_HINT = "write PATH.py:FUNCTION, such as flow.py:etl"
# Up to Python 3.12 threads that parse at once confuse each other's depth: "AST constructor recursion depth mismatch"
# (CPython issue 106905).
_PARSING = Lock()
# Bits of a number of 4300 digits, beyond which Python converts none (sys.int_info.default_max_str_digits).
_LARGEST = 14_280
# Decorators that leave a function's parameters as they are.
_TRANSPARENT = {"flow", "task"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSignature:
    """The parameters of a function, or that they are not known (``is_known``)."""

    function: str
    is_known: bool = True
    positional_only: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    required: tuple[str, ...] = ()  # of names and positional_only, those without a default
    takes_any: bool = False  # **kwargs

    def check(self, parameters: Mapping[str, object]) -> None:
        """``InvalidParameters`` unless the function can be called with ``parameters`` and JSON can hold them."""
        check_json(parameters)
        if not self.is_known:
            return
        for name in self.positional_only:
            if name in parameters or name in self.required:
                raise InvalidParameters(
                    f"parameter {name!r} of {self.function} is positional-only, and parameters go by name",
                    hint=f"take the '/' out of the parameters of {self.function}",
                )
        for name in parameters:
            if name not in self.names and not self.takes_any:
                raise InvalidParameters(
                    f"{self.function} takes no parameter {name!r}", hint=nearest_hint(name, self.names)
                )
        missing = [name for name in self.required if name not in parameters]
        if missing:
            raise InvalidParameters(
                f"{self.function} needs the parameter{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
                hint="pass " + " ".join(f"-p {name}=…" for name in missing),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint:
    """A function in a file of the project."""

    path: str  # posix, relative to the project directory
    function: str

    @classmethod
    def parse(cls, text: str) -> Entrypoint:
        """``dir/flow.py:etl``; anything else is an ``InvalidEntrypoint``."""
        if not isinstance(text, str) or not text:
            raise InvalidEntrypoint("an entrypoint is empty", hint=_HINT)
        if not text.isprintable():
            raise InvalidEntrypoint(f"{text!r} has control or unseen characters in it", hint=_HINT)
        path, colon, function = text.partition(":")
        if not colon or ":" in function:
            raise InvalidEntrypoint(f"{text!r} is not an entrypoint: it needs exactly one ':'", hint=_HINT)
        if not path.endswith(".py") or path.endswith("/.py") or path == ".py":
            raise InvalidEntrypoint(f"{text!r} is not an entrypoint: {path!r} is no .py file", hint=_HINT)
        if path.startswith(("/", "-", "~")) or "\\" in path or ".." in path.split("/"):
            raise InvalidEntrypoint(
                f"{text!r} is not an entrypoint: {path!r} is not a path inside the project",
                hint="name a file below the project directory, without '..'",
            )
        if not function.isidentifier() or keyword.iskeyword(function):
            raise InvalidEntrypoint(f"{text!r} is not an entrypoint: {function!r} is no function's name", hint=_HINT)
        return cls(path=str(PurePosixPath(path)), function=function)

    def signature(self, root: Path) -> FlowSignature:
        """The function's parameters, read from the file below ``root``; ``InvalidEntrypoint`` where it is not there."""
        return self._signature(self._parsed(root))

    def read(self, root: Path) -> tuple[FlowSignature, dict[str, Any]]:
        """``signature``, and what the flow's decorator says of it (``flow_options``)."""
        tree = self._parsed(root)
        node = module_names(tree).get(self.function)
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return self._signature(tree), flow_options(tree, node) if is_function else {}  # type: ignore[arg-type]

    def signature_in(self, source: bytes) -> FlowSignature:
        """The same, read from the content of the file."""
        return self._signature(self._tree(source))

    def _signature(self, tree: ast.Module) -> FlowSignature:
        names = module_names(tree)
        binding = names.get(self.function)
        if binding is None and "*" in names:
            return FlowSignature(function=self.function, is_known=False)
        if binding is None:
            raise InvalidEntrypoint(
                f"{self.path} has no function {self.function!r}",
                hint=nearest_hint(self.function, (n for n, b in names.items() if isinstance(b, ast.AST))),
            )
        if isinstance(binding, ast.expr):
            raise InvalidEntrypoint(
                f"{self.function!r} in {self.path} is a value, not a function", hint="name a function: def NAME(…):"
            )
        if isinstance(binding, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return _signature(binding)
        return FlowSignature(function=self.function, is_known=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"

    def _parsed(self, root: Path) -> ast.Module:
        try:
            file = (root / self.path).resolve()
            is_inside = file.is_relative_to(root.resolve())
            source = file.read_bytes() if is_inside else b""
        except FileNotFoundError:
            # Where projects keep their packages, and no deeper.
            found = [file for below in ("*", "src/*") for file in root.glob(f"{below}/{escape(self.path)}")]
            meant = (
                f"write {found[0].relative_to(root)}:{self.function}"
                if len(found) == 1
                else f"looked in {root.absolute()}"
            )
            raise InvalidEntrypoint(f"{self.path} is not there", hint=meant) from None
        except (OSError, RuntimeError) as problem:
            # Up to Python 3.12 a loop of links is a RuntimeError.
            why = getattr(problem, "strerror", None) or "it is a link to itself"
            raise InvalidEntrypoint(f"{self.path} cannot be read: {why}", hint="name a readable .py file") from None
        if not is_inside:
            raise InvalidEntrypoint(f"{self.path} leads out of the project", hint="copy the file into the project")
        return self._tree(source)

    def _tree(self, source: bytes) -> ast.Module:
        try:
            with _PARSING:
                return ast.parse(source, self.path)
        except SyntaxError as problem:
            raise InvalidEntrypoint(
                f"{self.path}:{problem.lineno or 1}: {problem.msg}", hint="mend the file's syntax"
            ) from None
        except (ValueError, RecursionError, MemoryError):
            raise InvalidEntrypoint(f"{self.path} is not Python source", hint="name a .py file") from None


def check_json(value: object, path: str = "parameters") -> None:
    """``InvalidParameters`` unless JSON can hold ``value``; ``path`` is how it is named."""
    try:
        _check_json(value, path)
    except RecursionError:
        raise InvalidParameters(f"{path} is nested without end", hint="pass plain values") from None


def parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """``["n=3", "name=x"]`` as ``{"n": 3, "name": "x"}``: a value that is JSON is that, any other is a string."""
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidParameters(f"{pair!r} is not a parameter", hint="write NAME=VALUE, such as -p n=3")
        if name in parameters:
            raise InvalidParameters(f"parameter {name!r} is there twice", hint="pass it once")
        try:
            parameters[name] = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            parameters[name] = text
    check_json(parameters)
    return parameters


def _refuse_constant(text: str) -> None:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(text)


def _check_json(value: object, path: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidParameters(f"{path} has the key {key!r}, and JSON's are strings", hint="make it a string")
            _check_json(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for n, item in enumerate(value):
            _check_json(item, f"{path}[{n}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidParameters(f"{path} is {value}, which JSON cannot hold", hint="pass a finite number or null")
    elif isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidParameters(f"{path} is no valid text (lone surrogates)", hint="decode it properly")
    elif isinstance(value, int):
        if value.bit_length() > _LARGEST:
            raise InvalidParameters(f"{path} has more digits than are read", hint="pass it as a string")
    elif value is not None:
        raise InvalidParameters(
            f"{path} is of the type {type(value).__name__}, which JSON cannot hold",
            hint="pass strings, numbers, booleans, null, lists and dictionaries",
        )


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> FlowSignature:
    if not all(_is_transparent(decorator) for decorator in node.decorator_list):
        return FlowSignature(function=node.name, is_known=False)
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [a for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return FlowSignature(
        function=node.name,
        positional_only=tuple(a.arg for a in arguments.posonlyargs),
        names=tuple(a.arg for a in (*arguments.args, *arguments.kwonlyargs)),
        required=tuple(a.arg for a in required),
        takes_any=arguments.kwarg is not None,
    )


def _is_transparent(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", None)
    return name in _TRANSPARENT
