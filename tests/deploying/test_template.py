"""Base job templates: what a pool's jobs inherit, and what goes before it."""

from __future__ import annotations

from typing import Any

import pytest

from imagekit.deploying.pool import changed, default_template, new_pool
from imagekit.deploying.template import check_template, check_variables, defaults, merged, run_settings
from imagekit.deploying.variables import VARIABLES
from imagekit.errors import CredentialExposed, InputError, InvalidConfig, UnknownKeyword
from imagekit.runs.settings import NAMES, RunSettings

TEMPLATE = default_template("docker")


def test_every_run_setting_is_a_variable_and_no_more() -> None:
    assert sorted(VARIABLES) == sorted(NAMES)
    assert set(TEMPLATE["job_configuration"]) == set(NAMES)
    assert check_template(TEMPLATE) == TEMPLATE
    assert run_settings(TEMPLATE, {}) == RunSettings()
    with pytest.raises(InputError) as caught:
        default_template("dokcer")
    assert caught.value.hint == "did you mean 'docker'?"


VALUES: dict[str, Any] = {
    "command": ["python", "-c", "pass"],
    "name": "etl",
    "env": {"STAGE": "test", "HOME": None, "TOKEN": {"secret": "token"}},
    "labels": {"team": "data"},
    "image": "orders:v1",
    "registry_credentials": {"username": "u", "password": {"secret": "pw"}, "registry_url": "example.com"},
    "image_pull_policy": "Never",
    "networks": ["a", "b"],
    "auto_remove": False,
    "volumes": ["./data:/data:ro"],
    "stream_output": False,
    "mem_limit": "1g",
    "memswap_limit": -1,
    "container_create_kwargs": {"hostname": "etl"},
    "cpus": 1.5,
    "pids": 100,
    "gpus": "all",
    "shm_size": "64m",
    "timeout": 60,
    "stop_grace": 5,
    "user": "1000:1000",
    "workdir": "/work",
    "read_only": True,
    "serializer": "pickle",
    "cap_add": ["NET_ADMIN"],
    "allow_new_privileges": True,
    "allow_engine_socket": True,
    "allow_host_root": True,
}


def test_each_variable_reaches_its_setting() -> None:
    others = {"network_mode": "none", "privileged": True}
    assert {*VALUES, *others} == set(NAMES)
    check_variables(TEMPLATE, VALUES)
    settings = run_settings(TEMPLATE, VALUES, secret=lambda name: f"<{name}>")
    assert settings.variables == {"STAGE": "test", "HOME": None, "TOKEN": "<token>"}
    assert "<token>" not in repr(settings)
    assert settings.login is not None
    assert settings.login.password == "<pw>"
    for name in set(VALUES) - {"env", "registry_credentials"}:
        found = getattr(settings, name)
        assert (list(found) if isinstance(found, tuple) else found) == VALUES[name], name
    assert run_settings(TEMPLATE, others).privileged


def test_pool_deployment_run() -> None:
    pool = changed(new_pool("etl"), defaults={"mem_limit": "1g", "env": {"A": "pool", "B": "pool"}, "cpus": 2})
    assert defaults(pool.template) == {"mem_limit": "1g", "env": {"A": "pool", "B": "pool"}, "cpus": 2}
    variables = merged({"mem_limit": "2g", "env": {"B": "deployment"}}, {"env": {"C": "run"}})
    settings = run_settings(pool.template, variables)
    assert (settings.mem_limit, settings.cpus) == ("2g", 2)
    assert settings.env == {"A": "pool", "B": "deployment", "C": "run"}
    again = changed(pool, defaults={"cpus": None}, concurrency_limit=4)
    assert "cpus" not in defaults(again.template)
    assert (again.concurrency_limit, changed(again, concurrency_limit=0).concurrency_limit) == (4, None)


def test_a_template_of_ones_own() -> None:
    template: dict[str, Any] = {
        "variables": {
            "type": "object",
            "properties": {"stage": {"enum": ["test", "live"], "default": "test"}, "size": {"type": "string"}},
        },
        "job_configuration": {
            "image": "orders:{{ stage }}",
            "mem_limit": "{{ size }}",
            "env": {"STAGE": "{{ stage }}", "FIXED": "x"},
            "read_only": True,
        },
    }
    assert check_template(template) == template
    settings = run_settings(template, {"stage": "live", "size": "1g"})
    assert (settings.image, settings.mem_limit, settings.read_only) == ("orders:live", "1g", True)
    assert settings.env == {"STAGE": "live", "FIXED": "x"}
    assert run_settings(template, {}).mem_limit is None
    with pytest.raises(InputError, match="'prod' is not one of"):
        check_variables(template, {"stage": "prod"})


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ({"mem_limt": "1g"}, "no job variable 'mem_limt'", "did you mean 'mem_limit'?"),
        ({"image_pull_policy": "never"}, "job variable image_pull_policy: 'never' is not one of", "image_pull_policy:"),
        ({"pids": "many"}, "job variable pids: 'many' is not of type 'integer'", "pids:"),
        ({"mem_limit": "512x"}, "mem_limit", ""),
        ({"networks": ["a"], "network_mode": "host"}, "contradict", ""),
        ({"volumes": ["/:/host"]}, "/", ""),
        ({"auto_remove": "yes"}, "'yes' is not of type 'boolean'", ""),
        ({"env": {"A": 3}}, "job variable env.A: its value is of the wrong kind", "env:"),
        ({"env": ["A=3"]}, "job variable env: its value is of the wrong kind", "env:"),
        ({"env": 5}, "job variable env: its value is of the wrong kind", "env:"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        check_variables(TEMPLATE, given)
    assert words in caught.value.message
    assert hint in str(caught.value.hint)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UnknownKeyword, match="2 problems") as caught:
        check_variables(TEMPLATE, {"mem": "1g", "imag": "x"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"env": {"API_TOKEN": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}},
        {"env": {"INDEX": "https://me:hunter22@example.com/simple"}},
        {"registry_credentials": {"username": "u", "password": "hunter22", "registry_url": "example.com"}},
        {"command": "curl https://me:hunter22@example.com"},
        {"command": ["mysql", "--password", "hunter22"]},
        {"labels": {"token": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}},
        {"container_create_kwargs": {"extra_hosts": {"a": "https://me:hunter22@example.com"}}},
    ],
)
def test_a_credential_is_kept_nowhere(given: dict[str, Any]) -> None:
    with pytest.raises(CredentialExposed, match="would be kept") as caught:
        check_variables(TEMPLATE, given)
    assert "hunter22" not in f"{caught.value}{caught.value.hint}{caught.value.details}"
    assert "ghp_" not in f"{caught.value}{caught.value.hint}{caught.value.details}"
    with pytest.raises(CredentialExposed):
        changed(new_pool("etl"), defaults=given)


def test_what_is_no_credential_may_be_kept() -> None:
    check_variables(TEMPLATE, {"command": ["sh", "-c", "ls /***"], "labels": {"token": "***"}})


REFERENCE: dict[str, Any] = {"image": {"$ref": "#/$defs/name"}}


def test_a_template_may_refer_to_parts_of_itself() -> None:
    variables = {"properties": REFERENCE, "$defs": {"name": {"type": "string"}}}
    template = {"variables": variables, "job_configuration": {"image": "{{ image }}"}}
    assert check_template(template) == template
    with pytest.raises(InputError, match="job variable image"):
        check_variables(template, {"image": 3})


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({}, "an object with variables"),
        ({"variables": {"properties": {"image": True}}, "job_configuration": {}}, "properties.image is no object"),
        ({"variables": {"properties": [{}]}, "job_configuration": {}}, "variables.properties"),
        ({"variables": {"properties": REFERENCE}, "job_configuration": {}}, "'#/$defs/name' refers to nothing"),
        (
            {"variables": {"properties": {"image": {"$ref": "http://127.0.0.1:1/x"}}}, "job_configuration": {}},
            "'http://127.0.0.1:1/x' refers to nothing",
        ),
        ({"variables": {}, "job_configuration": {"env": "A=1"}}, "env must be"),
        ({"variables": {}, "job_configuration": 3}, "no job_configuration"),
        ({"variables": {"type": "objct"}, "job_configuration": {}}, "variables.type"),
        ({"variables": {}, "job_configuration": {"imag": "x"}}, "no setting 'imag'"),
        ({"variables": {}, "job_configuration": {"image": "{{ img }}"}}, "asks for the variable 'img'"),
        ({"variables": {}, "job_configuration": {}, "more": 1}, "unknown key 'more'"),
        (
            {
                "variables": {"type": "object", "properties": {"pids": {"type": "integer", "default": "x"}}},
                "job_configuration": {},
            },
            "'x' is not of type 'integer'",
        ),
    ],
)
def test_templates_that_are_none(template: Any, words: str) -> None:
    with pytest.raises((InvalidConfig, InputError)) as caught:
        check_template(template)
    assert words in caught.value.message
