"""What is refused before a build, and what is kept of a deployment: none of it asks an engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit import Flow, deploy, flow
from imagekit.deploying.deploy import deploy_all
from imagekit.deploying.pool import changed, new_pool
from imagekit.errors import EngineError, InputError
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.work_values import Deployment

NAME = "etl/nightly"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """Of somebody whose engine is away, in a directory with a flow."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("IMAGEKIT_CONFIG_FILE", str(tmp_path / "config.toml"))
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/docker.sock")
    (tmp_path / "flow.py").write_text("def etl(n: int = 1): ...\n")
    monkeypatch.chdir(tmp_path)
    with Store.open(tmp_path / "state" / "imagekit") as found:
        Pools(found.file).put(changed(new_pool("docker"), defaults={"image": "base:1"}))
        yield found


def etl(store: Store) -> Flow[Any, Any]:
    return flow.from_source(Path.cwd(), "flow.py:etl")


def kept(store: Store) -> Deployment:
    return Deployments(store.file).get(NAME)


def test_the_same_again_changes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    def deployed(**more: Any) -> str:
        etl(store).deploy("nightly", work_pool_name="docker", cron="0 9 * * *", print_next_steps=False, **more)
        return capsys.readouterr().out.split()[0]

    assert deployed() == "created"
    before, times = kept(store), Deployments(store.file).next_times(kept(store))
    assert deployed() == "unchanged"
    assert (kept(store), Deployments(store.file).next_times(kept(store))) == (before, times)
    # Somebody pauses it: that is not the file's to say, unless it says so.
    Deployments(store.file).put(replace(kept(store), is_paused=True), [None])
    assert (deployed(), kept(store).is_paused) == ("unchanged", True)
    assert (deployed(tags=["a"]), kept(store).is_paused) == ("updated", True)
    assert Deployments(store.file).next_times(kept(store)) == [None]
    assert (deployed(paused=False), kept(store).is_paused) == ("updated", False)
    assert Deployments(store.file).next_times(kept(store)) == times


def test_without_an_image_it_is_that_of_the_versions_in_use(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed" / "prefect-3.1.4.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: prefect\nVersion: 3.1.4\n")
    monkeypatch.syspath_prepend(str(installed.parent))
    Pools(store.file).put(new_pool("docker"))
    etl(store).deploy("nightly", work_pool_name="docker")
    expected = f"prefecthq/prefect:3.1.4-python3.{sys.version_info.minor}"
    assert (kept(store).image, kept(store).pinned) == (expected, expected)


def test_an_engine_that_is_away_keeps_an_old_image_and_no_deployment_back(store: Store) -> None:
    # Before, it had an image of its own that was not pushed.
    image = f"sha256:{'1' * 64}"
    Deployments(store.file).put(
        Deployment(name=NAME, pool="docker", entrypoint="flow.py:etl", image="own:1", pinned=image)
    )
    (done,), _ = deploy_all([etl(store).to_deployment("nightly", work_pool_name="docker")])
    assert (done.outcome, kept(store).pinned) == ("updated", None)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_kept(store: Store) -> None:
    specs = [
        etl(store).to_deployment("right"),
        etl(store).to_deployment("pool", work_pool_name="dokcer"),
        etl(store).to_deployment("parameter", parameters={"m": 1}),
        etl(store).to_deployment("variable", job_variables={"mem_limt": "1g"}),
        flow.from_source(Path.cwd(), "flow.py:elt").to_deployment("function"),
        *[etl(store).to_deployment("twice")] * 2,
    ]
    with pytest.raises(InputError) as caught:
        deploy(*specs, work_pool_name="docker")
    told = "\n".join(f"{problem.message}; {problem.hint}" for problem in caught.value.problems)
    for words in (
        "there is no work pool 'dokcer'; did you mean 'docker'?",
        "etl/parameter: etl takes no parameter 'm'",
        "there is no job variable 'mem_limt'; did you mean 'mem_limit'?",
        "flow.py has no function 'elt'; did you mean 'etl'?",
        "two deployments are called etl/twice",
    ):
        assert words in told
    assert (len(caught.value.problems), Deployments(store.file).all()) == (5, [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"image": 3}, "image must be an image's name or a DockerImage, not 3"),
        ({"image": "Upper:1"}, "Upper"),
        ({"image": ""}, ""),
        ({"image": "x:1", "build": "no"}, "build must be True or False, not a string"),
        ({"image": "x:1", "push": 0}, "push must be True or False, not 0"),
    ],
)
def test_arguments_that_cannot_be_meant(store: Store, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        deploy(etl(store).to_deployment("nightly"), work_pool_name="docker", **given)
    assert words in caught.value.message
    assert not isinstance(caught.value, EngineError)
    assert Deployments(store.file).all() == []


def test_what_is_no_deployment(store: Store) -> None:
    for given in ([etl(store).to_deployment("x")], etl(store), "etl/x", None):
        with pytest.raises(InputError, match="must be a deployment"):
            deploy(given, work_pool_name="docker")  # type: ignore[arg-type]


def test_a_flow_elsewhere_is_called_as_its_decorator_says(store: Store, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from prefect import flow\n@flow(name='nightly etl', version='7', timeout_seconds=90)\n"
        "def etl(n: int = 1):\n    'Loads it.'\n"
    )
    done, _ = deploy_all(
        [
            etl(store).to_deployment("a"),
            etl(store).with_options(name="own", timeout_seconds=5).to_deployment("b", version="8"),
            etl(store).to_deployment("c", job_variables={"timeout": 3}, description="said"),
        ],
        work_pool_name="docker",
    )
    found = [each.deployment for each in done]
    assert [each.name for each in found] == ["nightly etl/a", "own/b", "nightly etl/c"]
    assert [each.job_variables["timeout"] for each in found] == [90, 5, 3]
    assert [each.version for each in found] == ["7", "8", "7"]
    assert [each.description for each in found] == ["Loads it.", "Loads it.", "said"]
    with pytest.raises(InputError, match="two deployments are called nightly etl/a"):
        deploy(etl(store).to_deployment("a"), etl(store).to_deployment("a"), work_pool_name="docker")


def test_what_with_options_changed_goes_with_the_runs(store: Store) -> None:
    from imagekit.deploying.submit import submission_of
    from imagekit.runs.request import Request

    patient = etl(store).with_options(retries=2, retry_delay_seconds=0.1)
    (done,), _ = deploy_all([patient.to_deployment("nightly")], work_pool_name="docker")
    deployment, pool = done.deployment, Pools(store.file).get("docker")
    wanted = submission_of(deployment, pool).wanted["flow_options"]
    assert wanted == {"retries": 2, "retry_delay_seconds": 0.1}
    document = Request.of("flow.py:etl", None, options=wanted).files()["request.json"]
    assert b'"options": {"retries": 2, "retry_delay_seconds": 0.1}' in document
    (again,), _ = deploy_all([patient.to_deployment("nightly")], work_pool_name="docker")
    assert again.outcome == "unchanged"
    (plain,), _ = deploy_all([etl(store).to_deployment("nightly")], work_pool_name="docker")
    assert (plain.outcome, plain.deployment.flow_options) == ("updated", {})
    assert "flow_options" not in submission_of(plain.deployment, pool).wanted
