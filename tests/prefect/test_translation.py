"""An embedded deployment in Prefect's words."""

from __future__ import annotations

from typing import Any

import pytest

from imagekit.deploying.schedules import Cron, Interval
from imagekit.deploying.template import check_template
from imagekit.deploying.variables import VARIABLES, docker_template
from imagekit.errors import InputError
from imagekit.prefect import translation
from imagekit.prefect.translation import Translated, translated
from imagekit.store.work_values import Deployment, WorkPool

PINNED = f"registry.example.com/orders@sha256:{'1' * 64}"
SAFE = {"cap_drop": ["ALL"], "pids_limit": 4096, "security_opt": ["no-new-privileges"]}


def pool_of(**defaults: Any) -> WorkPool:
    template = docker_template()
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    return WorkPool(name="docker", template=check_template(template), concurrency_limit=4)


def moved(pool: WorkPool | None = None, **fields: Any) -> Translated:
    given = {"name": "etl/nightly", "pool": "docker", "entrypoint": "flow.py:etl", "pinned": PINNED, **fields}
    return translated(Deployment(**given), pool or pool_of())


def variables(pool: WorkPool | None = None, **given: Any) -> dict[str, Any]:
    return dict(moved(pool, job_variables=given).deployment["job_variables"])


@pytest.mark.parametrize(
    ("cron", "there", "day_or"),
    [
        ("0 9 * * 5L", "0 9 * * L5", True),
        ("0 9 L * *", "0 9 L * *", True),
        ("0 9 1,15 * MON", "0 9 1,15 * MON", True),
        # Debian's cron: of a field that begins with a star, both must hold.
        ("0 9 */2 * MON", "0 9 */2 * MON", False),
        ("0 9 13 * */5", "0 9 13 * */5", False),
        ("@midnight", "@midnight", True),
    ],
)
def test_times_are_the_same_there(cron: str, there: str, day_or: bool) -> None:
    (found,) = moved(schedules=(Cron(cron).to_json(),)).deployment["schedules"]
    assert found["schedule"] == {"cron": there, "day_or": day_or}


def test_a_time_that_prefect_does_not_know() -> None:
    with pytest.raises(InputError, match="no last weekday of a month"):
        moved(schedules=(Cron("0 9 LW * *").to_json(),))


@pytest.mark.parametrize("image", ["Upper:1", "", 3])
def test_an_image_that_is_none(image: Any) -> None:
    with pytest.raises(InputError):
        translated(Deployment(name="etl/x", pool="docker", entrypoint="flow.py:etl"), pool_of(), image=image)


def test_a_deployment_with_all_that_it_has() -> None:
    found = moved(
        parameters={"n": 3},
        schedules=(Cron("0 9 * * MON", "Europe/Berlin").to_json(), Interval(600).to_json()),
        tags=("daily",),
        description="orders",
        version="2",
        concurrency_limit=1,
        is_paused=True,
        signature={
            "function": "etl",
            "names": ["n", "m"],
            "required": ["n"],
            "positional_only": [],
            "takes_any": False,
        },
    )
    assert found.flow == "etl"
    deployment = dict(found.deployment)
    assert deployment.pop("parameter_openapi_schema") == {
        "title": "Parameters",
        "type": "object",
        "properties": {"n": {"title": "n", "position": 0}, "m": {"title": "m", "position": 1}},
        "required": ["n"],
    }
    assert deployment == {
        "name": "nightly",
        "work_pool_name": "docker",
        "entrypoint": "flow.py:etl",
        "path": ".",
        "pull_steps": [],
        "parameters": {"n": 3},
        "job_variables": {"image": PINNED},
        "schedules": [
            {"schedule": {"cron": "0 9 * * MON", "timezone": "Europe/Berlin", "day_or": True}, "active": True},
            {"schedule": {"interval": 600.0, "anchor_date": "2020-01-01T00:00:00+00:00"}, "active": True},
        ],
        "paused": True,
        "concurrency_limit": 1,
        "tags": ["daily"],
        "description": "orders",
        "version": "2",
        "enforce_parameter_schema": True,
    }
    assert found.told == ()


def test_a_pool_keeps_what_it_gives_to_all() -> None:
    pool = moved(pool_of(image="orders:1", mem_limit=1 << 30, cpus=1.5, env={"A": "1"})).pool
    template = pool["base_job_template"]
    properties = template["variables"]["properties"]
    assert (pool["name"], pool["type"], pool["concurrency_limit"]) == ("docker", "docker", 4)
    assert {name: each["default"] for name, each in properties.items() if "default" in each} == {
        "image": "orders:1",
        "mem_limit": str(1 << 30),
        "env": {"A": "1"},
        "auto_remove": True,
        "container_create_kwargs": {**SAFE, "nano_cpus": 1_500_000_000},
    }
    assert set(properties) == translation.PREFECTS
    assert set(template["job_configuration"]) == translation.PREFECTS


def test_a_template_with_a_variable_of_its_own() -> None:
    template = docker_template()
    template["variables"]["properties"]["stage"] = {"type": "string", "default": "test"}
    template["job_configuration"]["labels"] = {"stage": "{{ stage }}"}
    found = moved(WorkPool(name="docker", template=check_template(template)), job_variables={"stage": "live"})
    there = found.pool["base_job_template"]
    assert there["job_configuration"]["labels"] == {"stage": "{{ stage }}"}
    assert there["variables"]["properties"]["stage"] == {"type": "string", "default": "test"}
    assert found.deployment["job_variables"] == {"stage": "live", "image": PINNED}


def test_a_template_that_says_a_limit_of_ours_in_its_own_way() -> None:
    template = docker_template()
    template["job_configuration"]["cpus"] = 2
    with pytest.raises(InputError, match="says cpus in its own way"):
        moved(WorkPool(name="docker", template=check_template(template)))


def test_variables_by_their_own_name_and_as_arguments() -> None:
    assert variables(mem_limit=512, env={"A": "2"}, volumes=["/data:/data:ro"]) == {
        "mem_limit": "512",
        "env": {"A": "2"},
        "volumes": ["/data:/data:ro"],
        "image": PINNED,
    }
    found = variables(
        pool_of(cpus=1, env={"A": "1", "B": "1"}),
        pids=100,
        gpus="all",
        shm_size="64m",
        user=1000,
        workdir="/srv",
        read_only=True,
        cap_add=["NET_ADMIN"],
        serializer="pickle",
        container_create_kwargs={"hostname": "a"},
        env={"A": "2"},
    )
    assert found == {
        "env": {"A": "2", "B": "1"},
        "image": PINNED,
        "container_create_kwargs": {
            **SAFE,
            "nano_cpus": 1_000_000_000,
            "pids_limit": 100,
            "device_requests": [{"Capabilities": [["gpu"]], "Count": -1}],
            "shm_size": 64 << 20,
            "user": "1000",
            "working_dir": "/srv",
            "read_only": True,
            "tmpfs": {"/tmp": "mode=1777"},
            "cap_add": ["NET_ADMIN"],
            "hostname": "a",
        },
    }
    assert variables(privileged=True)["container_create_kwargs"] == {}
    assert "security_opt" not in variables(allow_new_privileges=True)["container_create_kwargs"]


def test_every_variable_of_ours_is_thought_of() -> None:
    known = translation.PREFECTS | {*translation._ARGUMENTS} | translation._HERE | {"timeout", "allow_new_privileges"}
    assert known == VARIABLES.keys()


def test_secrets_are_blocks_there() -> None:
    found = moved(job_variables={"env": {"TOKEN": {"secret": "orders-token"}}})
    assert found.deployment["job_variables"]["env"] == {"TOKEN": "{{ prefect.blocks.secret.orders-token }}"}
    assert "'orders-token'" in found.told[0]


def test_a_source_is_cloned() -> None:
    commit = "0" * 40
    found = moved(
        pinned=None,
        image="orders:1",
        source=f"git+https://example.com/team/orders.git@{commit}#subdirectory=flows",
        source_secret="token",
    )
    assert found.deployment["pull_steps"] == [
        {
            "prefect.deployments.steps.git_clone": {
                "repository": "https://example.com/team/orders.git",
                "commit_sha": commit,
                "access_token": "{{ prefect.blocks.secret.token }}",
            }
        }
    ]
    assert (found.deployment["entrypoint"], found.deployment["path"]) == ("flows/flow.py:etl", None)
    step = moved(source="git+https://example.com/team/orders@v1").deployment["pull_steps"][0]
    assert step["prefect.deployments.steps.git_clone"]["branch"] == "v1"


def test_an_image_that_was_not_pushed_is_told_of() -> None:
    found = moved(pinned=f"sha256:{'2' * 64}", image="orders:1")
    assert found.deployment["job_variables"]["image"] == "orders:1"
    assert "was not pushed" in found.told[0]
    # Without one of its own it is the pool's.
    assert moved(pinned=None).deployment["job_variables"] == {}


def test_all_that_cannot_be_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        moved(
            source="/srv/orders",
            job_variables={
                "command": "true",
                "registry_credentials": {"username": "a", "password": {"secret": "b"}, "registry_url": "example.com"},
            },
        )
    assert len(caught.value.problems) == 3
    assert all(problem.hint for problem in caught.value.problems)


def test_a_time_limit_is_the_flows() -> None:
    assert moved(job_variables={"timeout": 60}).told == (
        "a run's time limit is the flow's there: @flow(timeout_seconds=60)",
    )


def test_what_with_options_changed_is_told() -> None:
    (line,) = moved(flow_options={"retries": 2, "retry_delay_seconds": 1.5}).told
    assert line.endswith("@flow(retries=2, retry_delay_seconds=1.5)")
