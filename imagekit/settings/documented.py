"""The tables of ``docs/configuration.md``, from the declarations; a test holds the page to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from imagekit.settings.keys import machine_keys
from imagekit.settings.schema import project_schema, user_schema
from imagekit.settings.variables import OTHERS, OWN
from imagekit.spec.keys import Declared, keys_of
from imagekit.spec.kinds import Tables
from imagekit.spec.table import Table
from imagekit.spec.toml import toml_value

_BLOCK = "<!-- generated: {name} -->\n{text}\n<!-- end -->"


def with_tables(page: str) -> str:
    """``page`` with what stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` made anew."""
    for name, text in tables().items():
        pattern = re.compile(re.escape(_BLOCK).replace(r"\{name\}", name).replace(r"\{text\}", ".*?"), re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no place for the table {name!r}")
        page = pattern.sub(lambda _, name=name, text=text: _BLOCK.format(name=name, text=text), page)  # type: ignore[misc]
    return page


def tables() -> dict[str, str]:
    """Each table in Markdown, by the name of its place."""
    project = keys_of(Table)
    below = {f"{name}[].{key}": each for name, table in project.items() for key, each in _inner(table).items()}
    return {
        "project": _keys({**project, **below}),
        "machine": _keys(machine_keys()),
        "both": ", ".join(f"`{name}`" for name, each in project.items() if each.key.by_user),
        "own variables": _pairs(OWN),
        "other variables": _pairs(OTHERS),
    }


def schemas() -> dict[str, str]:
    """The published schemas' files, by name."""
    return {
        "imagekit.schema.json": json.dumps(project_schema(), indent=2) + "\n",
        "imagekit-config.schema.json": json.dumps(user_schema(), indent=2) + "\n",
    }


def _keys(keys: Mapping[str, Declared]) -> str:
    rows = [("key", "is", "default", "meaning")]
    for name, each in keys.items():
        key = each.key
        kind = ", ".join(f'"{choice}"' for choice in key.choices) or each.kind.words
        meaning = key.meaning + (f"; `{toml_value(key.example)}`" if key.example is not None else "")
        default = f"`{toml_value(key.default)}`" if key.default is not None else key.otherwise
        rows.append((f"`{name}`", kind, "must be given" if each.is_required else default, meaning))
    return _markdown(rows)


def _inner(declared: Declared) -> Mapping[str, Declared]:
    return keys_of(declared.kind.of) if isinstance(declared.kind, Tables) else {}


def _pairs(pairs: Mapping[str, str]) -> str:
    names = ((", ".join(f"`{name}`" for name in names.split(", ")), meaning) for names, meaning in pairs.items())
    return _markdown([("variable", "meaning"), *names])


def _markdown(rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * lines[0].replace("\\|", "").count(" |"), *lines[1:]])
