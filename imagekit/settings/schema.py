"""JSON Schemas of what people write, for editors: draft 7, as SchemaStore has them."""

from __future__ import annotations

from typing import Any

from imagekit.settings.config_file import DEFAULT_PROFILE
from imagekit.settings.keys import MachineTable
from imagekit.spec.keys import schema_of
from imagekit.spec.table import Table

_DRAFT = "http://json-schema.org/draft-07/schema#"
# The names that they would have in SchemaStore.
_IDS = "https://json.schemastore.org/"


def project_schema() -> dict[str, Any]:
    """Of ``imagekit.toml``, and of ``[tool.imagekit]`` in a pyproject.toml."""
    return {
        "$schema": _DRAFT,
        "$id": f"{_IDS}imagekit.json",
        "title": "imagekit.toml, or [tool.imagekit] of pyproject.toml",
        **schema_of(Table),
    }


def user_schema() -> dict[str, Any]:
    """Of the user's own configuration."""
    keys = {
        **schema_of(MachineTable)["properties"],
        **schema_of(Table, keep=lambda declared: declared.key.by_user)["properties"],
    }
    return {
        "$schema": _DRAFT,
        "$id": f"{_IDS}imagekit-config.json",
        "title": "imagekit's user configuration (config.toml)",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "profile": {"description": "The profile that holds where none is named.", "type": "string"},
            "profiles": {
                "description": "Profiles: [profiles.NAME] and the keys that hold in it.",
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "not": {"const": DEFAULT_PROFILE}},
                "additionalProperties": {"$ref": "#/definitions/keys"},
            },
            **keys,
        },
        "definitions": {"keys": {"type": "object", "additionalProperties": False, "properties": keys}},
    }
