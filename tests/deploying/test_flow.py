"""A decorated function stays what it was, and says what it is to be deployed as."""

from __future__ import annotations

import ast
import asyncio
import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import imagekit.runs.stand_in as stand_in
from imagekit import Cron, DeploymentSpec, Flow, Interval, deploy, flow
from imagekit.deploying.spec import collecting
from imagekit.errors import InputError, InvalidParameters, UnknownKeyword


@flow
def add_up(a: int, b: int = 1) -> int:
    """Adds."""
    return a + b


@flow(name="told off", log_prints=True, version="2", timeout_seconds=5)
def named() -> None: ...


def failing(times: int) -> tuple[list[int], Any]:
    """The calls, and a function that fails in the first so many."""
    calls: list[int] = []

    def fails(n: int) -> int:
        calls.append(n)
        if len(calls) <= times:
            raise ValueError(f"failure {len(calls)}")
        return len(calls)

    return calls, fails


@pytest.mark.parametrize("make", [Flow, stand_in.Flow], ids=["imagekit", "stand-in"])
def test_a_flow_that_raises_is_called_again(make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    calls, fails = failing(2)
    assert make(fails, retries=2)(7) == 3
    assert calls == [7, 7, 7]
    told = capsys.readouterr().err
    assert "ValueError: failure 1" in told
    assert "the flow is called again; retries left after that: 0\n" in told
    _, fails = failing(3)
    with pytest.raises(ValueError, match="failure 3"):
        make(fails, retries=2, retry_delay_seconds=0.001)(7)
    assert "the flow is called again in 0.001 s; retries left after that: 1" in capsys.readouterr().err
    calls, fails = failing(1)
    with pytest.raises(ValueError, match="failure 1"):
        make(fails)(7)
    assert make(fails, retries=1).with_options(name="x").retries == 1


@pytest.mark.parametrize("make", [Flow, stand_in.Flow], ids=["imagekit", "stand-in"])
def test_what_is_awaited_is_awaited_again(make: Any) -> None:
    calls, fails = failing(2)

    async def later(n: int) -> int:
        await asyncio.sleep(0)
        return int(fails(n))

    assert asyncio.run(make(later, retries=2, retry_delay_seconds=0.001)(7)) == 3
    assert len(calls) == 3
    _, fails = failing(2)
    with pytest.raises(ValueError, match="failure 2"):
        asyncio.run(make(later, retries=1)(7))


def test_what_stops_a_flow_is_no_reason_to_call_it_again() -> None:
    calls: list[int] = []

    @flow(retries=3)
    def stopped() -> None:
        calls.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert calls == [1]


@pytest.mark.parametrize("options", [{"retries": -1}, {"retries": "3"}, {"retries": True}, {"retry_delay_seconds": -1}])
def test_retries_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        flow(**options)(print)


def test_a_flow_is_called_like_its_function() -> None:
    assert add_up(1, b=2) == add_up.fn(1, 2) == 3
    assert (add_up.name, add_up.__name__, add_up.__doc__) == ("add-up", "add_up", "Adds.")
    assert list(inspect.signature(add_up).parameters) == ["a", "b"]
    assert (named.name, named.version, named.log_prints) == ("told off", "2", True)
    assert add_up.with_options(name="other").name == "other"
    assert add_up.with_options(name="other")(1) == 2
    changed = named.with_options(retries=2).with_options(retry_delay_seconds=0.5, version=None)
    assert (changed.name, changed.version, changed.retries) == ("told off", "2", 2)
    assert (changed.changed, named.changed) == ({"retries": 2, "retry_delay_seconds": 0.5}, {})

    @flow
    async def later() -> int:
        return 4

    assert asyncio.run(later()) == 4
    assert repr(add_up) == "Flow('add-up')"


def test_what_a_flow_does_not_take_is_refused() -> None:
    with pytest.raises(UnknownKeyword, match="takes no 'persist_result'") as caught:
        flow(persist_result=True)(print)  # type: ignore[call-overload]
    assert "from prefect import flow" in str(caught.value.hint)
    with pytest.raises(UnknownKeyword) as caught:
        Flow(print, log_print=True)
    assert caught.value.hint == "did you mean 'log_prints'?"
    with pytest.raises(InputError, match="must be a function, not 3"):
        flow(3)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="must be a function, not None"):
        DeploymentSpec(name="x", flow=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="flow_runner must be a DockerFlowRunner, not a string"):
        DeploymentSpec(name="x", flow=print, flow_runner="docker")  # type: ignore[arg-type]


def test_a_specification() -> None:
    spec = add_up.to_deployment(
        "nightly",
        cron="0 9 * * MON-FRI",
        parameters={"a": 1},
        job_variables={"env": {"STAGE": "test"}},
        tags=["x"],
        work_pool_name="docker",
    )
    assert (spec.full_name, spec.schedules, spec.tags) == ("add-up/nightly", (Cron("0 9 * * MON-FRI"),), ("x",))
    assert (spec.description, spec.version) == ("Adds.", None)
    # The flow's time limit is that of its runs, unless these have another.
    assert named.to_deployment("x").job_variables == {"timeout": 5}
    assert named.to_deployment("x", job_variables={"timeout": 9}).job_variables == {"timeout": 9}
    assert add_up.to_deployment("x", interval=timedelta(minutes=5)).schedules == (Interval(300),)
    assert add_up.to_deployment("x", schedules=[Cron("@daily"), Interval(60)]).schedules[1] == Interval(60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cron": "0 9 * *"}, "it has 4 fields"),
        ({"cron": "0 25 * * *"}, "Bad hour"),
        ({"cron": "0 9 * * *", "interval": 60}, "interval and cron are given"),
        ({"interval": 0}, "less than one"),
        ({"interval": True}, "interval must be a number of seconds"),
        ({"rrule": "FREQ=DAILY"}, "recurrence rules are not supported"),
        ({"schedule": "0 9 * * *"}, "schedule must be a Cron or an Interval, not a string"),
        ({"concurrency_limit": 0}, "0 runs at a time"),
        ({"parameters": {"a": object()}}, "JSON cannot hold"),
        ({"job_variables": {"env": {"A": object()}}}, "JSON cannot hold"),
        ({"parameter": {"a": 1}}, "a deployment takes no 'parameter'"),
        ({"work_queue_name": "high"}, "without a Prefect server"),
        ({"tags": [3]}, "tags must be a list of strings, not a list with other things in it"),
        ({"tags": "nightly"}, "tags must be a list of strings, not a string"),
        ({"tags": 3}, "tags must be a list of strings, not 3"),
        ({"parameters": [("a", 1)]}, "parameters must be a dict, not a list"),
        ({"job_variables": "mem_limit=1g"}, "job_variables must be a dict, not a string"),
        ({"paused": "no"}, "paused must be True or False, not a string"),
        ({"enforce_parameter_schema": None}, "enforce_parameter_schema must be True or False, not None"),
        ({"description": 3}, "description must be a string, not 3"),
        ({"version": 2}, "version must be a string, not 2"),
        ({"work_pool_name": 3}, "work_pool_name must be a string, not 3"),
        ({"cron": "0 0 31 2 *"}, "Bad day-of-month"),
        ({"cron": "* * */20 * 1L"}, "'* * */20 * 1L' never comes"),
        ({"cron": 5}, "cron must be a string, not 5"),
        ({"cron": ["0 9 * * *", "0 9 * * *"]}, "is there twice"),
        ({"cron": "@never"}, "it has 1 fields"),
        ({"schedules": Cron("@daily")}, "schedules must be a list of Cron and Interval, not a Cron"),
        ({"interval": timedelta(days=-1)}, "less than one"),
        ({"interval": float("nan")}, "not NaN"),
    ],
)
def test_a_specification_that_cannot_be_meant(options: dict[str, Any], words: str) -> None:
    with pytest.raises((InputError, InvalidParameters)) as caught:
        add_up.to_deployment("nightly", **options)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["", "a/b", " x", "x\n", "-x", "%", 3])
def test_names(name: Any) -> None:
    with pytest.raises(InputError, match=r"name (cannot|must) be"):
        add_up.to_deployment(name)


def test_specifications_of_a_file_are_collected() -> None:
    with collecting() as found:
        spec = DeploymentSpec(name="example", flow=add_up)
        add_up.to_deployment("other")
    add_up.to_deployment("later")
    assert [each.full_name for each in found] == ["add-up/example", "add-up/other"]
    assert found[0] is spec


def test_a_flow_that_is_elsewhere(tmp_path: Path) -> None:
    remote = flow.from_source("https://example.com/org/repo.git", entrypoint="flows/no_image.py:hello_world")
    assert (remote.name, remote.source) == ("hello-world", "git+https://example.com/org/repo.git")
    assert Flow.from_source("git@example.com:org/repo", "f.py:f").source == "git+ssh://git@example.com/org/repo"
    assert flow.from_source("git+https://example.com/r@v1#subdirectory=x", "f.py:f").source == (
        "git+https://example.com/r@v1#subdirectory=x"
    )
    assert flow.from_source(tmp_path, "f.py:f").source == str(tmp_path)
    with pytest.raises(InputError, match=r"is in git\+https") as caught:
        remote()
    assert "imagekit run flows/no_image.py:hello_world --source git+https" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("source", "entrypoint"),
    [
        ("https://user:hunter22@example.com/r.git", "f.py:f"),
        ("ext::sh", "f.py:f"),
        ("--upload-pack=x", "f.py:f"),
        ("nowhere", "f.py:f"),
        ("https://example.com/r.git", "f.py"),
        ("https://example.com/r.git", "../f.py:f"),
        (3, "f.py:f"),
    ],
)
def test_sources_that_are_none(source: Any, entrypoint: str) -> None:
    with pytest.raises(InputError) as caught:
        flow.from_source(source, entrypoint)
    assert "hunter22" not in str(caught.value)


def test_deploy_without_anything() -> None:
    with pytest.raises(InputError, match="no deployment is given"):
        deploy()


FILE = """
from imagekit import Cron, DeploymentSpec, DockerFlowRunner, DockerImage, Secret, deploy, flow, run

token = Secret.load("token")
image = DockerImage("x", tag="y")
DeploymentSpec(name="example", flow=None, flow_runner=DockerFlowRunner(env={"A": "b"}))

@flow(log_prints=True, name="told")
def f(a, b=1):
    return a + b

@flow
def g(): ...

spec = f.to_deployment("x", cron="0 9 * * *")
flow.from_source("https://example.com/r.git", entrypoint="f.py:f").to_deployment(name="y")
print(f(1), f.fn(2), f.name, g.name, f.__name__)
for attempt in (lambda: deploy(spec), lambda: f.deploy("x"), lambda: image.build(), lambda: run("f.py:f")):
    try:
        attempt()
    except RuntimeError as error:
        print(error)
"""


def test_the_stand_in_is_enough_for_a_flows_file(tmp_path: Path) -> None:
    (tmp_path / "imagekit.py").write_text(Path(stand_in.__file__).read_text())
    (tmp_path / "file.py").write_text(FILE)
    done = subprocess.run([sys.executable, "file.py"], cwd=tmp_path, capture_output=True, text=True)
    words = "imagekit is not in this image: images are built, and flows deployed and run, where it is installed"
    assert (done.stderr, done.stdout.splitlines()) == ("", ["2 3 told g f", *[words] * 4])


def test_the_stand_in_keeps_to_older_syntax_and_the_standard_library() -> None:
    tree = ast.parse(Path(stand_in.__file__).read_text(), feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "asyncio", "functools", "sys", "time", "traceback", "collections.abc", "typing"}
