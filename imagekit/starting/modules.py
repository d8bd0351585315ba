"""What a project's modules tell without being run: its flows, and what they import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeGuard

from imagekit.errors import InputError
from imagekit.spec.source_tree import scan

_MOST_FILES = 1000
_MOST_BYTES = 1_000_000
_IGNORED = {"tests", "test", "docs", "node_modules", "site-packages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of Python."""

    path: str  # posix, relative to the project
    flows: tuple[str, ...]  # functions that ``@flow`` decorates, at the top level
    starts: (
        str | None
    )  # the function that ``if __name__ == "__main__":`` calls, or of a ``flow.py`` one that no other calls
    needs: frozenset[str]  # top-level modules that an import of it imports
    beside: frozenset[str]  # the project's files that it imports by relative imports, or may: "app/models.py"
    names: frozenset[str]  # those, and what is imported later or where it can be had


def read_modules(context: Path) -> Mapping[str, Module]:
    """The project's modules by path, tests aside; one that cannot be read or is no Python is passed over."""
    try:
        tree = scan(context)
    except InputError:
        return {}
    chosen = [
        file.path
        for file in tree.files
        if file.kind == "file" and file.path.endswith(".py") and file.size <= _MOST_BYTES and not _is_test(file.path)
    ]
    found = {}
    for path in sorted(chosen, key=_order)[:_MOST_FILES]:
        try:
            parsed = ast.parse((context / path).read_bytes(), path)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found[path] = Module(
            path=path,
            flows=tuple(_flows(parsed)),
            starts=_started(parsed) or _unused(parsed, path),
            needs=frozenset(_imports(parsed.body)),
            beside=frozenset(_relative(parsed.body, PurePosixPath(path))),
            names=frozenset(_imports(ast.walk(parsed))),
        )
    return found


# The standard library, and what a run puts beside it (``runs.stand_in``).
_THERE = sys.stdlib_module_names | {"imagekit"}


def needed(module: Module, modules: Mapping[str, Module]) -> set[str]:
    """What must be installed so that ``module`` can be imported: what its own modules import counts, too."""
    own: dict[str, list[Module]] = {}
    for each in modules.values():
        for name in _importable_as(each.path):
            own.setdefault(name, []).append(each)
    seen: set[str] = set()
    pending = [module]
    found: set[str] = set()
    while pending:
        each = pending.pop()
        if each.path in seen:
            continue
        seen.add(each.path)
        # Modules of a large project import each other: each name is followed once, and not by each that has it.
        new = each.needs - found
        found |= new
        pending += (modules[path] for path in each.beside if path in modules)
        pending += (other for name in new for other in own.get(name, ()))
    return found - own.keys() - _THERE


def imported(modules: Iterable[Module]) -> set[str]:
    """Everything from elsewhere that any of ``modules`` imports, at any time."""
    modules = list(modules)
    own = {name for module in modules for name in _importable_as(module.path)}
    return {name for module in modules for name in module.names} - own - _THERE


def _importable_as(path: str) -> frozenset[str]:
    """The top-level names under which a file can be imported, from the root, from ``src`` and from beside it."""
    parts = PurePosixPath(path).with_suffix("").parts
    below_src = parts[1:] if parts[0] == "src" else parts
    return frozenset(part for part in (parts[0], *below_src[:1], parts[-1]) if part != "__init__")


def _order(path: str) -> tuple[bool, int, str]:
    """Flows by their file's name first, then from the top down."""
    return not PurePosixPath(path).stem.startswith(("flow", "main")), path.count("/"), path


def _is_test(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(_IGNORED & set(parts[:-1])) or parts[-1].startswith("test_") or parts[-1] in ("conftest.py", "setup.py")


def _flows(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
            map(_is_flow, statement.decorator_list)
        ):
            yield statement.name


def _is_flow(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", None)
    return name == "flow"


def _started(module: ast.Module) -> str | None:
    functions = {s.name for s in module.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for statement in module.body:
        if isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test):
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
                    return node.func.id
    return None


def _unused(module: ast.Module, path: str) -> str | None:
    if PurePosixPath(path).stem not in ("flow", "flows"):
        return None
    names = [s.name for s in module.body if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))]
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    return next((name for name in names if not name.startswith("_") and name not in used), None)


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The top-level names that import statements among ``nodes`` name; of an ``if`` at the top level, its branches'."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module.split(".")[0]
        elif _is_branch(node):
            yield from _imports((*node.body, *getattr(node, "orelse", ())))


def _relative(nodes: Iterable[ast.AST], path: PurePosixPath) -> Iterator[str]:
    """The files that relative imports among ``nodes``, in the module at ``path``, may mean; none above the project."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level and node.level <= len(path.parts):
            package = path.parents[node.level - 1]
            base = package.joinpath(*(node.module.split(".") if node.module else ()))
            # "from . import models" means a file beside, or a name of the package itself.
            for target in (base, *(base / alias.name for alias in node.names)):
                # The packages on the way are imported, too.
                yield from (str(each / "__init__.py") for each in (target, *target.parents))
                if target != package:
                    yield f"{target}.py"
        elif _is_branch(node):
            yield from _relative((*node.body, *getattr(node, "orelse", ())), path)


def _is_branch(node: ast.AST) -> TypeGuard[ast.If | ast.With]:
    """A statement at the top level whose inner ones run at import; what is for type checkers alone does not."""
    return isinstance(node, (ast.If, ast.With)) and "TYPE_CHECKING" not in ast.unparse(getattr(node, "test", node))
