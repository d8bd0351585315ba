"""What a flow's decorator says of it, read from its syntax: ``@flow(name="nightly", timeout_seconds=60)``.

As Prefect reads the flows of files that it does not import (``prefect.flows.load_flow_arguments_from_entrypoint``);
but nothing is evaluated: what is neither a literal nor the module's name for one is as if it were not there.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

# By their names, what their values are of. The rest is for the flow's file to do where it runs.
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "version": str,
    "description": str,
    "timeout_seconds": (int, float),
    "validate_parameters": bool,
}


def flow_options(module: ast.Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Any]:
    """The options of ``node``, a function at the top level of ``module``; its docstring describes it."""
    found: dict[str, Any] = {}
    if description := ast.get_docstring(node, clean=False):
        found["description"] = description
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call) or _called(decorator.func) != "flow":
            continue
        for keyword in decorator.keywords:
            kinds = _KINDS.get(keyword.arg or "")
            value = _literal(keyword.value, module)
            is_other = isinstance(value, bool) and kinds is not bool
            if kinds is not None and isinstance(value, kinds) and not is_other:
                found[str(keyword.arg)] = value
    return found


def _called(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def _literal(node: ast.expr, module: ast.Module) -> Any:
    if isinstance(node, ast.Name):
        for statement in reversed(module.body):
            targets = statement.targets if isinstance(statement, ast.Assign) else ()
            if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                node = statement.value  # type: ignore[attr-defined]
                break
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
