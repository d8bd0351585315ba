"""Base job templates: what a work pool's jobs inherit, and how a deployment's and a run's own values go before it.

A template has ``variables``, a JSON Schema of what may be given, whose defaults are the pool's, and a
``job_configuration``, run settings in which ``{{ NAME }}`` stands for a variable's value: alone it is the value as it
is, within a text it is put in as text. A setting whose variable has no value is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from imagekit.deploying.variables import VARIABLES
from imagekit.errors import CredentialExposed, InputError, InvalidConfig, UnknownKeyword
from imagekit.nearest import nearest_hint
from imagekit.runs.settings import NAMES, RunSettings
from imagekit.spec.extra_pieces import VARIABLE

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")
_UNSET = object()
# What is never shown in a message.
_HIDDEN = ("env", "registry_credentials", "container_create_kwargs", "command", "labels")


def check_template(found: object) -> dict[str, Any]:
    """``found`` as a template. ``InvalidConfig`` for all that is wrong with it at once."""
    if not isinstance(found, Mapping) or not isinstance(found.get("variables"), Mapping):
        raise InvalidConfig("a base job template is an object with variables and a job_configuration", hint=_HINT)
    problems: list[InputError] = []
    job, variables = found.get("job_configuration"), found["variables"]
    problems += [
        InvalidConfig(
            f"base job template: unknown key {key!r}", hint=nearest_hint(key, ("variables", "job_configuration"))
        )
        for key in found
        if key not in ("variables", "job_configuration")
    ]
    if not isinstance(job, Mapping):
        raise InvalidConfig("the base job template has no job_configuration", hint=_HINT)
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(dict(variables))
    except SchemaError as error:
        at = ".".join(map(str, ("variables", *error.absolute_path)))
        problems.append(InvalidConfig(f"base job template: {at}: {error.message}", hint="variables is a JSON Schema"))
    properties = variables.get("properties") or {}
    known = set(properties) if isinstance(properties, Mapping) else set()
    problems += [
        InvalidConfig(f"base job template: variables.properties.{name} is no object", hint="write {} for any value")
        for name in sorted(known)
        if not isinstance(properties[name], Mapping)
    ]
    problems += [
        InvalidConfig(
            f"base job template: {reference!r} refers to nothing in variables", hint="write it as '#/$defs/NAME'"
        )
        for reference in _references(variables)
        if not _is_there(reference, variables)
    ]
    for name, value in job.items():
        if name not in NAMES:
            problems.append(
                InvalidConfig(
                    f"base job template: no setting {name!r} in job_configuration", hint=nearest_hint(name, NAMES)
                )
            )
        for place in _places(value):
            if place not in known:
                problems.append(
                    InvalidConfig(
                        f"base job template: {name} asks for the variable {place!r}, which variables does not have",
                        hint=nearest_hint(place, known),
                    )
                )
    if problems:
        raise InputError.join(problems)
    template = {"job_configuration": dict(job), "variables": dict(variables)}
    # Its defaults are values like any other.
    check_variables(template, defaults(template))
    return template


_HINT = "imagekit work-pool get-default-base-job-template prints one to start from"


def defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    """The pool's own values."""
    properties = template["variables"].get("properties") or {}
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Job variables of a pool, a deployment, a run: the later goes before, and variables of ``env`` are joined.

    An ``env`` that is no mapping is for ``check_variables`` to refuse."""
    found: dict[str, Any] = {}
    for layer in layers:
        below, above = found.get("env"), layer.get("env")
        found.update(layer)
        if isinstance(below, Mapping) and isinstance(above, (Mapping, type(None))):
            found["env"] = {**below, **(above or {})}
    return found


def check_variables(template: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """``InputError``'s kinds for all of ``given``, job variables, that the pool does not take, or no run would.

    ``UnknownKeyword`` with the nearest name; ``CredentialExposed`` for a credential: the store has none.
    """
    known = list(template["variables"].get("properties") or {})
    problems: list[InputError] = [
        UnknownKeyword(f"there is no job variable {name!r}", hint=nearest_hint(str(name), known))
        for name in given
        if name not in known
    ]
    problems += _exposed(given)
    if not problems:
        from jsonschema import Draft202012Validator

        values = merged(defaults(template), given)
        errors = sorted(
            Draft202012Validator(template["variables"]).iter_errors(values), key=lambda e: list(map(str, e.path))
        )
        problems += [_problem(error) for error in errors]
    if not problems:
        try:
            settings = run_settings(template, given, secret=lambda _: "secret")
            if text := settings.variables.get(VARIABLE):
                from imagekit.spec.extra_packages import read_extras

                read_extras(text)
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)


def run_settings(
    template: Mapping[str, Any], given: Mapping[str, Any], *, secret: Callable[[str], str] | None = None
) -> RunSettings:
    """What a job with the variables ``given`` is run with. ``secret`` gives a stored secret's value by its name."""
    values = merged(defaults(template), given)
    settings = {}
    for name, value in template["job_configuration"].items():
        filled = _filled(value, values)
        if filled is not _UNSET and filled is not None:
            settings[name] = filled
    if isinstance(settings.get("env"), Mapping):
        settings["env"] = {name: _secret_or(value, secret) for name, value in settings["env"].items()}
    credentials = settings.get("registry_credentials")
    if isinstance(credentials, Mapping):
        settings["registry_credentials"] = {name: _secret_or(value, secret) for name, value in credentials.items()}
    return RunSettings.from_job_variables(settings)


def _secret_or(value: Any, secret: Callable[[str], str] | None) -> Any:
    if not isinstance(value, Mapping):
        return value
    from imagekit.secret import Secret

    name = value.get("secret")
    return Secret(secret(name)) if secret is not None and isinstance(name, str) else Secret.load(str(name))


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value.strip())
        if whole:
            return values.get(whole[1], _UNSET)
        return _PLACE.sub(lambda place: str(values.get(place[1], "")), value)
    if isinstance(value, Mapping):
        found = {name: _filled(each, values) for name, each in value.items()}
        return {name: each for name, each in found.items() if each is not _UNSET}
    if isinstance(value, (list, tuple)):
        return [each for each in (_filled(item, values) for item in value) if each is not _UNSET]
    return value


def _references(value: Any) -> list[str]:
    """What a schema refers to, in any part of it."""
    if isinstance(value, Mapping):
        own = [value[key] for key in ("$ref", "$dynamicRef") if isinstance(value.get(key), str)]
        return own + [each for item in value.values() for each in _references(item)]
    return [each for item in value for each in _references(item)] if isinstance(value, (list, tuple)) else []


def _is_there(reference: str, schema: Any) -> bool:
    """Whether ``reference`` is a part of ``schema``, by its path: nothing is fetched from anywhere."""
    if reference != "#" and not reference.startswith("#/"):
        return False
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(schema, Mapping) or key not in schema:
            return False
        schema = schema[key]
    return isinstance(schema, (Mapping, bool))


def _places(value: Any) -> list[str]:
    if isinstance(value, str):
        return _PLACE.findall(value)
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [place for item in items for place in _places(item)]


def _problem(error: Any) -> InputError:
    path = [str(part) for part in error.absolute_path]
    name = path[0] if path else ""
    if not path:
        return InputError(
            f"job variables: {error.message}", hint="give what is missing, or let the pool have a default"
        )
    # A value may be a secret, and of several alternatives none may be meant.
    shown = name not in _HIDDEN and error.validator != "anyOf"
    kinds = VARIABLES.get(name, {}).get("description", "see the pool's base job template")
    said = error.message if shown else "its value is of the wrong kind"
    return InputError(f"job variable {'.'.join(path)}: {said}", hint=f"{name}: {kinds}")


def _exposed(given: Mapping[str, Any]) -> list[InputError]:
    """What is kept would be read by everyone who has the store, or a copy of it."""
    from imagekit.runs.concealing import CONCEALED, without_credentials
    from imagekit.secrets.telling import credential

    found: list[InputError] = []
    for name in ("command", "labels", "container_create_kwargs"):
        value = given.get(name)
        if str(without_credentials(value, name)).count(CONCEALED) > str(value).count(CONCEALED):
            hint = "imagekit secret set NAME; a variable of env is it: {'env': {'TOKEN': {'secret': 'NAME'}}}"
            found.append(CredentialExposed(f"job variable {name}: it shows a credential, and would be kept", hint=hint))
    env = given.get("env")
    for name, value in env.items() if isinstance(env, Mapping) else ():
        if isinstance(value, str) and credential(str(name), value) is not None:
            found.append(
                CredentialExposed(
                    f"job variable env.{name}: its value looks like a credential, and would be kept",
                    hint=f"imagekit secret set NAME; then {{'env': {{{name!r}: {{'secret': 'NAME'}}}}}}",
                )
            )
    login = given.get("registry_credentials")
    if isinstance(login, Mapping) and isinstance(login.get("password"), str):
        found.append(
            CredentialExposed(
                "job variable registry_credentials.password: it would be kept with the deployment",
                hint="imagekit secret set NAME; then {'password': {'secret': 'NAME'}, …}; or docker login",
            )
        )
    return found
