"""Values of other types than are taken, given to everything that ``import imagekit`` offers: each is told by its name.

The engine's address is a dead socket: nothing is asked of one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit import (
    Cron,
    DeploymentSpec,
    DockerFlowRunner,
    DockerImage,
    Flow,
    Interval,
    RunSettings,
    Secret,
    advise,
    deploy,
    flow,
    run,
)
from imagekit.errors import InputError, WrongType
from imagekit.kubernetes.manifest import job_manifest
from imagekit.matrix.base_image_matrix import BaseImageMatrix
from imagekit.matrix.default_image import default_image
from imagekit.spec.read import read_spec
from imagekit.wrong_type import wrong_type


def etl(n: int = 1) -> int:
    return n


ETL: Any = flow(etl)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/dead.sock")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


CALLS: list[tuple[Callable[[Any], object], str]] = [
    (lambda v: DockerImage(v), "name"),
    (lambda v: DockerImage("x", requirements=v), "requirements"),
    (lambda v: DockerImage("x", packages=v), "packages"),
    (lambda v: DockerImage("x", env=v), "env"),
    (lambda v: DockerImage("x", push=v), "push"),
    (lambda v: DockerImage("x", secrets={"ID": v}), "secrets['ID']"),
    (lambda v: RunSettings(name=v), "name"),
    (lambda v: RunSettings(command=v), "command"),
    (lambda v: RunSettings(env=v), "env"),
    (lambda v: RunSettings(env={"A": v}), "the environment variable A"),
    (lambda v: RunSettings(volumes=v), "volumes"),
    (lambda v: RunSettings(volumes=[v]), "volumes[0]"),
    (lambda v: RunSettings(mem_limit=v), "mem_limit"),
    (lambda v: RunSettings(timeout=v), "timeout"),
    (lambda v: RunSettings(pids=v), "pids"),
    (lambda v: RunSettings(gpus=v), "gpus"),
    (lambda v: RunSettings(user=v), "user"),
    (lambda v: RunSettings(privileged=v), "privileged"),
    (lambda v: RunSettings(image_pull_policy=v), "image_pull_policy"),
    (lambda v: RunSettings(serializer=v), "serializer"),
    (lambda v: run("flow.py:f", image="x:1", parameters=v), "parameters"),
    (lambda v: run("flow.py:f", image=v), "image"),
    (lambda v: run("flow.py:f", image="x:1", settings=v), "settings"),
    (lambda v: run("flow.py:f", image="x:1", source=v), "source"),
    (lambda v: run(v, image="x:1"), "the flow"),
    (lambda v: DockerFlowRunner(env=v), "env"),
    (lambda v: Flow(v), "what @flow stands above"),
    (lambda v: flow(name=v)(etl), "name"),
    (lambda v: flow(retries=v)(etl), "retries"),
    (lambda v: flow(retry_delay_seconds=v)(etl), "retry_delay_seconds"),
    (lambda v: flow(timeout_seconds=v)(etl), "timeout_seconds"),
    (lambda v: flow(log_prints=v)(etl), "log_prints"),
    (lambda v: ETL.to_deployment(v), "a deployment's name"),
    (lambda v: ETL.to_deployment("n", tags=v), "tags"),
    (lambda v: ETL.to_deployment("n", parameters=v), "parameters"),
    (lambda v: ETL.to_deployment("n", job_variables=v), "job_variables"),
    (lambda v: ETL.to_deployment("n", concurrency_limit=v), "concurrency_limit"),
    (lambda v: ETL.to_deployment("n", schedule=v), "schedule"),
    (lambda v: DeploymentSpec(name="n", flow=etl, flow_runner=v), "flow_runner"),
    (lambda v: deploy(ETL.to_deployment("n"), work_pool_name=v), "work_pool_name"),
    (lambda v: deploy(ETL.to_deployment("n"), build=v), "build"),
    (lambda v: deploy(v), "what is deployed"),
    (lambda v: Cron(v), "cron"),
    (lambda v: Cron("@daily", v), "timezone"),
    (lambda v: Interval(v), "interval"),
    (lambda v: Interval(60, anchor_date=v), "anchor_date"),
    (lambda v: Secret(v), "a Secret's value"),
    (lambda v: advise(v), "target"),
    (lambda v: advise("flow.py:f", runs_per_day=v), "runs_per_day"),
    (lambda v: BaseImageMatrix.load(v), "path"),
    (lambda v: default_image(v, "3.11"), "framework_version"),
    (lambda v: default_image("3.8.8", v), "python_version"),
    (lambda v: default_image("3.8.8", "3.11", v), "flavor"),
    (lambda v: default_image("3.8.8", "3.11", name=v), "name"),
    (lambda v: read_spec(v), "context"),
    (lambda v: read_spec(Path(), requirements=v), "requirements"),
    (lambda v: read_spec(Path(), packages=v), "packages"),
    (lambda v: read_spec(Path(), env=v), "env"),
    (lambda v: read_spec(Path(), platform=v), "platform"),
    (lambda v: job_manifest("flow.py:f", image="x", name=v), "name"),
    (lambda v: job_manifest("flow.py:f", image="x", name="n", parameters=v), "parameters"),
]


class Own:
    """What nobody takes."""


@pytest.mark.parametrize(("call", "name"), CALLS, ids=lambda each: each if isinstance(each, str) else "")
def test_it_is_told_by_its_name(call: Callable[[Any], object], name: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("def f(n=1):\n    return n\n")
    with pytest.raises(InputError) as caught:
        call(Own())
    error = caught.value
    assert isinstance(error, WrongType)
    assert error.message.startswith(f"{name} must be ")
    assert error.message.endswith(", not an Own")
    assert error.hint
    assert "object at 0x" not in error.message + error.hint


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "not None"),
        (3, "not 3"),
        (True, "not True"),
        (float("nan"), "not NaN"),
        ("s3cret", "not a string"),
        ("", "not an empty string"),
        (["s3cret"], "not a list with other things in it"),
        ((), "not an empty tuple"),
        ({"s3cret": 1}, "not a dict"),
        (b"s3cret", "not bytes"),
        (Secret("s3cret"), "not a Secret"),
        (object(), "not an object"),
    ],
)
def test_what_it_is_and_nothing_of_its_value(value: object, words: str) -> None:
    error = wrong_type(value, "env", "a whole", "write env={'A': 'B'}")
    assert error.message == f"env must be a whole, {words}"
    assert isinstance(error, TypeError)
    assert isinstance(error, ValueError)


def test_extra_packages_cannot_be_a_secret() -> None:
    with pytest.raises(InputError, match="EXTRA_PIP_PACKAGES is a Secret") as caught:
        RunSettings(env={"EXTRA_PIP_PACKAGES": Secret("boto3")})
    assert "netrc" in (caught.value.hint or "")
    assert RunSettings(env={"EXTRA_PIP_PACKAGES": "boto3", "A": Secret("x")}).env["EXTRA_PIP_PACKAGES"] == "boto3"


def test_several_are_told_at_once() -> None:
    with pytest.raises(WrongType) as caught:
        read_spec(Path(), requirements=3, env="x", extras=[1])  # type: ignore[arg-type, list-item]
    assert [each.message.split()[0] for each in caught.value.problems] == ["requirements", "extras", "env"]
