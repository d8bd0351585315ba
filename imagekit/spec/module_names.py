"""The names that a module binds at its top level, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

_VALUES = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def module_names(module: ast.Module) -> Mapping[str, ast.stmt | ast.expr | None]:
    """Each name with what bound it last.

    A definition is its statement, a value that cannot be called is its expression, and any other
    binding ``ast.Pass``; ``"*"`` stands for a star import, which may bind any name.
    """
    names: dict[str, ast.stmt | ast.expr | None] = {}
    _gather(module.body, names)
    return names


def _gather(body: Iterable[ast.stmt], names: dict[str, ast.stmt | ast.expr | None]) -> None:
    for statement in body:
        if isinstance(statement, _SCOPES):
            names[statement.name] = statement
            continue
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                names[alias.asname or alias.name.split(".")[0]] = statement
            continue
        value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        for name in _stored(statement):
            names[name] = value if isinstance(value, _VALUES) else ast.Pass()
        for field in ("body", "orelse", "finalbody"):
            _gather(getattr(statement, field, ()), names)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            _gather(part.body, names)


def _stored(statement: ast.stmt) -> Iterable[str]:
    """The names that the statement's own expressions bind, those in its nested statements aside."""
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return
    pending: list[ast.AST] = [
        child for child in ast.iter_child_nodes(statement) if not isinstance(child, (ast.stmt, ast.excepthandler))
    ]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, (ast.Lambda, ast.stmt)):
            pending += ast.iter_child_nodes(node)
