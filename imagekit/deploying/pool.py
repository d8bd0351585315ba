"""Work pools as they are asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagekit.deploying.spec import check_name
from imagekit.deploying.template import check_template
from imagekit.deploying.variables import docker_template
from imagekit.errors import InputError, UnknownKeyword
from imagekit.nearest import nearest_hint
from imagekit.store.values import now
from imagekit.store.work_values import WorkPool

_TYPES = {"docker": docker_template}


def default_template(kind: str) -> dict[str, Any]:
    """The base job template of a new pool of that type. ``InputError`` for one that is not known."""
    if kind not in _TYPES:
        raise InputError(f"there is no type {kind!r} of work pools", hint=nearest_hint(kind, _TYPES))
    return _TYPES[kind]()


def new_pool(
    name: str,
    kind: str = "docker",
    *,
    template: Mapping[str, Any] | None = None,
    description: str | None = None,
    is_paused: bool = False,
) -> WorkPool:
    """A pool of that name. Raises ``InputError``'s kinds."""
    own = default_template(kind)
    return WorkPool(
        name=check_name(name, "a work pool's name"),
        type=kind,
        description=description,
        is_paused=is_paused,
        template=own if template is None else check_template(template),
    )


def changed(
    pool: WorkPool,
    *,
    template: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    concurrency_limit: int | None = None,
    description: str | None = None,
) -> WorkPool:
    """``pool`` with what is given. ``defaults`` are values of its variables, ``None`` takes one away; a limit of 0 is
    none. Raises ``InputError``'s kinds."""
    whole = dict(template or pool.template)
    if defaults:
        variables = dict(whole["variables"])
        properties = dict(variables.get("properties") or {})
        unknown = [
            UnknownKeyword(f"there is no job variable {name!r}", hint=nearest_hint(name, properties))
            for name in defaults
            if name not in properties
        ]
        if unknown:
            raise InputError.join(unknown)
        for name, value in defaults.items():
            schema = {key: kept for key, kept in properties[name].items() if key != "default"}
            properties[name] = schema if value is None else {**schema, "default": value}
        whole["variables"] = {**variables, "properties": properties}
    if template is not None or defaults:
        whole = check_template(whole)
    return replace(
        pool,
        template=whole,
        description=pool.description if description is None else description,
        concurrency_limit=pool.concurrency_limit if concurrency_limit is None else concurrency_limit or None,
        updated=now(),
    )
