"""A run as a Kubernetes Job: valid by the published schema, and its container does what it should."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from imagekit.errors import CredentialExposed, InputError
from imagekit.kubernetes import container
from imagekit.kubernetes.manifest import FLOW, job_manifest, manifest_text
from imagekit.runs.settings import RunSettings
from imagekit.secret import Secret

from ..e2e.conftest import Imagekit, WriteProject

IMAGE = f"registry.example.com/team/orders@sha256:{'0' * 64}"


def job(**more: Any) -> dict[str, Any]:
    given = {"image": IMAGE, "name": "nightly", **more}
    config, found = job_manifest("flow.py:etl", **given)["items"]
    for document in (config, found):
        kubernetes_validate.validate(document, VERSION, strict=True)
    assert found["spec"]["template"]["spec"]["volumes"][-1]["name"] != ""
    return dict(found)


VERSION = kubernetes_validate.latest_version()


def pod(**more: Any) -> dict[str, Any]:
    return dict(job(**more)["spec"]["template"]["spec"])


def flow_of(**more: Any) -> dict[str, Any]:
    return dict(next(each for each in pod(**more)["containers"] if each["name"] == FLOW))


def test_one_attempt_of_one_run() -> None:
    found = job(parameters={"n": 3})
    assert found["metadata"]["name"] == "nightly"
    assert (found["spec"]["backoffLimit"], found["spec"]["template"]["spec"]["restartPolicy"]) == (0, "Never")
    container = flow_of()
    assert container["image"] == IMAGE
    # Arguments, and no command: an entrypoint of the image's is called.
    assert (container["args"][:2], "command" in container) == (
        ["python3", "/.imagekit/program/bootstrap.py"],
        False,
    )
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_same_is_the_same_and_another_run_has_another_program() -> None:
    assert job_manifest("flow.py:etl", image=IMAGE, name="a") == job_manifest("flow.py:etl", image=IMAGE, name="a")
    names = {
        job_manifest("flow.py:etl", image=IMAGE, name="a", parameters={"n": n})["items"][0]["metadata"]["name"]
        for n in range(3)
    }
    assert len(names) == 3


def test_what_the_earlier_kubernetes_run_took() -> None:
    """``prefect.run_configs.KubernetesRun`` of Prefect 1, keyword by keyword."""
    template = {
        "metadata": {"annotations": {"team": "data / orders"}},
        "spec": {
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "spec": {
                    "nodeSelector": {"disk": "ssd"},
                    "containers": [
                        {"name": "sidecar", "image": "registry.example.com/proxy:1"},
                        {"name": "flow", "ports": [{"containerPort": 8080}], "env": [{"name": "A", "value": "1"}]},
                    ],
                    "volumes": [{"name": "data", "emptyDir": {}}],
                }
            },
        },
    }
    found = job(
        job_template=template,
        namespace="data",
        job_variables={
            "env": {"EXTRA_PIP_PACKAGES": "scikit-learn matplotlib"},
            "labels": {"team": "orders"},
            "image_pull_policy": "Always",
            "cpus": 1.5,
            "mem_limit": "2g",
        },
        cpu_request="500m",
        memory_request="1Gi",
        service_account_name="flows",
        image_pull_secrets=["registry-login"],
        secret_env={"TOKEN": "orders/token"},
    )
    assert found["metadata"]["annotations"] == {"team": "data / orders"}
    assert (found["metadata"]["namespace"], found["metadata"]["labels"]["team"]) == ("data", "orders")
    assert found["spec"]["ttlSecondsAfterFinished"] == 3600
    spec = found["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("flows", [{"name": "registry-login"}])
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "program", "out"]
    ours, other = spec["containers"]
    assert (ours["name"], other["name"]) == ("flow", "sidecar")
    assert ours["ports"] == [{"containerPort": 8080}]
    assert ours["imagePullPolicy"] == "Always"
    assert ours["resources"] == {
        "limits": {"cpu": "1500m", "memory": str(2 << 30)},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }
    assert ours["env"] == [
        {"name": "A", "value": "1"},
        {"name": "EXTRA_PIP_PACKAGES", "value": "scikit-learn matplotlib"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "token"}}},
    ]


@pytest.mark.parametrize(
    ("variables", "where", "expected"),
    [
        ({"timeout": 1.5}, "spec", {"activeDeadlineSeconds": 2}),
        ({"stop_grace": 30}, "pod", {"terminationGracePeriodSeconds": 30}),
        ({"network_mode": "host"}, "pod", {"hostNetwork": True}),
        ({"workdir": "/srv"}, "container", {"workingDir": "/srv"}),
        ({"command": "prefect flow-run execute"}, "container", {"args": ["prefect", "flow-run", "execute"]}),
        ({"gpus": 1}, "limits", {"nvidia.com/gpu": "1"}),
        ({"user": "1000:2000"}, "security", {"runAsUser": 1000, "runAsGroup": 2000}),
        ({"user": "1000"}, "container", {"env": [{"name": "HOME", "value": "/.imagekit/home"}]}),
        ({"read_only": True}, "security", {"readOnlyRootFilesystem": True}),
        ({"cap_add": ["NET_ADMIN"]}, "security", {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}),
        ({"allow_new_privileges": True}, "security", {"allowPrivilegeEscalation": True}),
        ({"privileged": True}, "security", {"privileged": True}),
    ],
)
def test_settings_are_carried_over(variables: dict[str, Any], where: str, expected: dict[str, Any]) -> None:
    found = job(job_variables=variables)
    spec = found["spec"]["template"]["spec"]
    ours = spec["containers"][0]
    places = {
        "spec": found["spec"],
        "pod": spec,
        "container": ours,
        "limits": ours.get("resources", {}).get("limits", {}),
        "security": ours["securityContext"],
    }
    assert {name: places[where].get(name) for name in expected} == expected


def test_shared_memory_is_memory() -> None:
    found = pod(job_variables={"shm_size": "64m", "read_only": True})
    volumes = {volume["name"]: volume for volume in found["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": str(64 << 20)}
    paths = {mount["name"]: mount["mountPath"] for mount in found["containers"][0]["volumeMounts"]}
    assert (paths["shm"], paths["tmp"]) == ("/dev/shm", "/tmp")


def test_every_setting_of_a_run_is_thought_of() -> None:
    known = {each.name for each in fields(RunSettings)}
    assert known == container.CARRIED | container.WITHOUT_MEANING | {*container.REFUSED}


@pytest.mark.parametrize(
    "variables",
    [
        {"volumes": ["/data:/data"]},
        {"networks": ["a"]},
        {"network_mode": "none"},
        {"mem_limit": "1g", "memswap_limit": "2g"},
        {"container_create_kwargs": {"hostname": "a"}},
        {"registry_credentials": {"username": "a", "password": "b", "registry_url": "registry.example.com"}},
        {"pids": 5},
        {"image_pull_policy": "IfPossible"},
        {"user": "app"},
        {"gpus": "all"},
        {"labels": {"a b": "c"}},
        {"labels": {"a": "two words"}},
        {"env": {"PATH": None}},
    ],
)
def test_what_has_no_equal_is_refused(variables: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        job(job_variables=variables)
    assert caught.value.hint


def test_all_of_it_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"3 problems"):
        job(job_variables={"volumes": ["/data:/data"], "gpus": "all", "labels": {"a b": "c"}})


@pytest.mark.parametrize("value", [f"ghp_{secrets.token_hex(18)}", Secret("hunter2")], ids=["text", "Secret"])
def test_no_credential_stands_in_a_manifest(value: Any) -> None:
    with pytest.raises(CredentialExposed) as caught:
        job(job_variables={"env": {"TOKEN": value}})
    assert "secret_env={'TOKEN': 'SECRET/KEY'}" in str(caught.value.hint)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"namespace": "Data"},
        {"service_account_name": "a_b"},
        {"image_pull_secrets": ["a/b"]},
        {"secret_env": {"A": "orders"}},
        {"secret_env": {"A": "orders/a b"}},
        {"namespace": 3},
        {"image_pull_secrets": [3]},
        {"secret_env": {"A": 3}},
        {"cpu_request": "half"},
        {"cpu_request": 0.5},
        {"memory_request": "-1Gi"},
        {"memory_request": "1 GB"},
        {"job_template": "job.yml"},
        {"job_template": {"kind": "CronJob"}},
        {"job_template": {"apiVersion": "batch/v1beta1"}},
        {"job_template": {"spec": {"template": []}}},
        {"job_template": {"spec": {"template": {"spec": {"containers": {"flow": {}}}}}}},
        {"job_template": {"spec": {"template": {"spec": {"containers": [3]}}}}},
        {"job_template": {"spec": {"template": {"spec": {"volumes": {"data": {}}}}}}},
        {"job_template": {"metadata": 3}},
        {"job_template": {"spec": {"backoffLimit": [1]}}},
        {"parameters": {"text": "x" * (1 << 20)}},
        {"parameters": [1]},
        {"job_variables": [1]},
        {"secret_env": ["A=b/c"]},
        {"secret_env": {"A=B": "orders/token"}},
        {"image_pull_secrets": "login"},
        {"image": 3},
        {"name": 3},
        {"image": "Uppercase"},
        {"parameters": {"n": float("nan")}},
    ],
)
def test_names_that_no_cluster_takes(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        job(**given)
    assert caught.value.hint


@pytest.mark.parametrize("amount", ["1", "0.5", "500m", "1Gi", "2e3", "128M"])
def test_amounts_that_a_cluster_takes(amount: str) -> None:
    assert job(memory_request=amount)["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] == {
        "memory": amount
    }


def test_the_text_is_the_document() -> None:
    document = job_manifest("flow.py:etl", image=IMAGE, name="a", parameters={"text": "a: [b\n- c: 'd\"\u20ac "})
    text = manifest_text(document)
    assert yaml.safe_load(text) == document
    # Programs can be read.
    assert "\n      def main(request_path: str, outcome_path: str) -> None:\n" in text


def test_the_container_carries_the_flow_out(
    library: Imagekit, project: WriteProject, python_image: str, tmp_path: Path
) -> None:
    """What a kubelet makes of the manifest, made by hand: no cluster is here."""
    from imagekit import DockerImage

    mark = secrets.token_hex(8)
    source = f"import os\ndef etl(n):\n    print({mark!r}, n, os.environ['STAGE'], os.getuid())\n    return n / n\n"
    root = project({"flow.py": source})
    name = f"{library.name()}:v1"
    DockerImage(name, context=root, base_image=python_image, stream_progress_to=None).build()
    for n, code in ((2, 0), (0, 1)):
        variables = {"env": {"STAGE": "test"}, "user": "4711", "read_only": True}
        document = job_manifest("flow.py:etl", image=name, name="a", parameters={"n": n}, job_variables=variables)
        done = _started(document, library.env["IMAGEKIT_ENGINE"], tmp_path / str(n))
        assert done.returncode == code, done.stdout + done.stderr
        assert f"{mark} {n} test 4711" in done.stdout


def _started(document: dict[str, Any], address: str, directory: Path) -> subprocess.CompletedProcess[str]:
    config, found = document["items"]
    spec = found["spec"]["template"]["spec"]
    ours = spec["containers"][0]
    words = ["docker", "--host", address, "run", "--rm", "--network", "none", "--cap-drop", "ALL"]
    words += ["--security-opt", "no-new-privileges", "--user", str(ours["securityContext"]["runAsUser"])]
    words += ["--read-only"] if ours["securityContext"].get("readOnlyRootFilesystem") else []
    for variable in ours["env"]:
        words += ["--env", f"{variable['name']}={variable['value']}"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in ours["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "configMap" in volume:
            # As a kubelet has it: files are links into a directory that is exchanged as a whole.
            place = directory / mount["name"]
            data = place / "..2026"
            for item in volume["configMap"]["items"]:
                (data / item["path"]).parent.mkdir(parents=True, exist_ok=True)
                (data / item["path"]).write_text(config["data"][item["key"]])
                top = item["path"].partition("/")[0]
                if not (place / top).is_symlink():
                    (place / top).symlink_to(f"..2026/{top}")
            for path in (directory, directory.parent, *directory.rglob("*")):
                path.chmod(0o755) if not path.is_symlink() else None
            words += ["--volume", f"{place}:{mount['mountPath']}:ro"]
        else:
            words += ["--tmpfs", f"{mount['mountPath']}:mode=1777"]
    words += ["--", ours["image"], *ours["args"]]
    return subprocess.run(words, capture_output=True, text=True)
