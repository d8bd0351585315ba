"""A deployment as a Job, and the command that prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from imagekit.deploying.template import check_template
from imagekit.deploying.variables import docker_template
from imagekit.errors import CredentialExposed, InputError
from imagekit.kubernetes.deployment import deployment_manifest
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.work_values import Deployment, WorkPool

from ..e2e.conftest import Imagekit

PINNED = f"registry.example.com/orders@sha256:{'1' * 64}"


def pool_of(**defaults: Any) -> WorkPool:
    template = docker_template()
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    return WorkPool(name="docker", template=check_template(template))


def deployment_of(**fields: Any) -> Deployment:
    given = {"name": "etl/nightly", "pool": "docker", "entrypoint": "flow.py:etl", "pinned": PINNED, **fields}
    return Deployment(**given)


def container(deployment: Deployment, pool: WorkPool | None = None, **more: Any) -> dict[str, Any]:
    document = deployment_manifest(deployment, pool or pool_of(), name="run", **more)
    for each in document["items"]:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    found: dict[str, Any] = document["items"][1]["spec"]["template"]["spec"]["containers"][0]
    request = json.loads(document["items"][0]["data"]["request.json"])
    return {**found, "parameters": request["parameters"]}


def test_pool_deployment_and_run_go_one_before_the_other() -> None:
    pool = pool_of(mem_limit="1g", cpus=1, env={"A": "pool", "B": "pool"})
    deployment = deployment_of(
        parameters={"n": 1, "m": 1}, job_variables={"env": {"B": "deployment"}, "mem_limit": "2g"}
    )
    found = container(deployment, pool, parameters={"n": 2}, job_variables={"env": {"C": "run"}})
    assert found["image"] == PINNED
    assert found["parameters"] == {"n": 2, "m": 1}
    assert found["resources"]["limits"] == {"cpu": "1000m", "memory": str(2 << 30)}
    assert {each["name"]: each["value"] for each in found["env"]} == {"A": "pool", "B": "deployment", "C": "run"}


def test_a_stored_secret_is_one_of_the_clusters() -> None:
    deployment = deployment_of(job_variables={"env": {"TOKEN": {"secret": "here"}}})
    with pytest.raises(CredentialExposed, match="TOKEN"):
        container(deployment)
    assert container(deployment, secret_env={"TOKEN": "orders/token"})["env"][0]["valueFrom"] == {
        "secretKeyRef": {"name": "orders", "key": "token"}
    }


def test_an_image_that_no_cluster_can_pull() -> None:
    deployment = deployment_of(pinned=f"sha256:{'2' * 64}", image="orders:1")
    with pytest.raises(InputError, match="was not pushed"):
        container(deployment)
    assert container(deployment, image=PINNED)["image"] == PINNED
    assert container(deployment_of(pinned=None), pool_of(image="orders:2"))["image"] == "orders:2"


def test_a_source_that_is_not_in_the_image() -> None:
    with pytest.raises(InputError, match="source is not in its image"):
        container(deployment_of(source="git+https://example.com/orders"))


def test_the_command(imagekit: Imagekit, tmp_path: Path) -> None:
    state = Path(imagekit.env["XDG_STATE_HOME"]) / "imagekit"
    state.mkdir(parents=True, mode=0o700)
    with Store.open(state) as store:
        Pools(store.file).make(pool_of())
        Deployments(store.file).put(deployment_of(parameters={"n": 1}))
    template = tmp_path / "job.yml"
    template.write_text("kind: Job\nspec: {template: {spec: {nodeSelector: {disk: ssd}}}}\n")
    words = ("deployment", "kubernetes", "etl/nightly")
    done = imagekit(*words, "-p", "n=2", "-j", "mem_limit=2g", "--namespace", "data", "--job-template", template)
    assert done.returncode == 0, done.stderr
    config, job = yaml.safe_load(done.stdout)["items"]
    assert json.loads(config["data"]["request.json"])["parameters"] == {"n": 2}
    assert job["metadata"]["name"].startswith("imagekit-run-etl-")
    assert job["metadata"]["namespace"] == "data"
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}
    # Each time it is another run.
    again = imagekit.json(*words)["items"][1]
    assert again["metadata"]["name"] != job["metadata"]["name"]
    for wrong, told in (
        (("--secret-env", "TOKEN"), "no variable and key"),
        (("-j", 'volumes=["/a:/b"]'), "volumes has no equivalent in Kubernetes"),
        (("--job-template", tmp_path / "none.yml"), "cannot be read"),
        (("-j", "mem=2g"), "no job variable 'mem'"),
    ):
        assert told in imagekit.refused(*words, *wrong)["message"]


def test_prefect_is_not_needed_until_it_is_asked_for(imagekit: Imagekit) -> None:
    state = Path(imagekit.env["XDG_STATE_HOME"]) / "imagekit"
    state.mkdir(parents=True, mode=0o700)
    with Store.open(state) as store:
        Pools(store.file).make(pool_of())
        Deployments(store.file).put(deployment_of())
    refused = imagekit.refused("deployment", "to-prefect", "etl/nightly")
    assert (refused["message"], refused["hint"]) == (
        "Prefect 3 is not installed here",
        "pip install 'prefect>=3,<4'",
    )
    # As the extra has it.
    assert '\nprefect = ["prefect>=3,<4"]\n' in (Path(__file__).parents[2] / "pyproject.toml").read_text()


def test_what_with_options_changed_goes_along() -> None:
    document = deployment_manifest(deployment_of(flow_options={"retries": 2}), pool_of(), name="run")
    assert json.loads(document["items"][0]["data"]["request.json"])["options"] == {"retries": 2}
