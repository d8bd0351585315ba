"""Run settings: what they may be, and what the engine is told of them. Nothing is asked of an engine here."""

from __future__ import annotations

import json
import string
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.engine.client import Engine
from imagekit.errors import EngineNotFound, InputError, UnknownKeyword
from imagekit.runs.body import NON_ROOT, ImageFacts, container_spec, container_user, environment, host_config
from imagekit.runs.credentials import RegistryCredentials
from imagekit.runs.settings import NAMES, RunSettings
from imagekit.runs.sizes import LEAST_MEMORY, size_in_bytes

# prefect_docker.worker.DockerWorkerJobConfiguration, with the base's own.
WORKER_VARIABLES = """command name env labels image registry_credentials image_pull_policy networks network_mode
auto_remove volumes stream_output mem_limit memswap_limit privileged container_create_kwargs""".split()


def test_every_variable_of_the_worker_is_a_setting() -> None:
    assert set(WORKER_VARIABLES) <= set(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5g", 3 << 29),
        ("512m", 512 << 20),
        ("1GiB", 1 << 30),
        ("7MB", 7 << 20),
        ("8192 kib", 8 << 20),
        (str(10 << 20), 10 << 20),
        (10 << 20, 10 << 20),
        ("100000000b", 100000000),
        ("1t", 1 << 40),
    ],
)
def test_sizes(text: object, expected: int) -> None:
    assert size_in_bytes(text, "mem_limit", least=LEAST_MEMORY) == expected


@pytest.mark.parametrize(
    "text",
    ["-1", "NaN", "512x", "", "5m", "0", -1, 0, True, 1.5, None, "1e9", "1,5g", " 1g", "1g\n", "inf", "１g", "9" * 30],
)
def test_sizes_that_are_none(text: object) -> None:
    with pytest.raises(InputError, match="mem_limit"):
        size_in_bytes(text, "mem_limit", least=LEAST_MEMORY)


@given(st.integers(LEAST_MEMORY, 1 << 50))
def test_any_number_of_bytes_is_itself(number: int) -> None:
    assert size_in_bytes(number, "x", least=LEAST_MEMORY) == size_in_bytes(f"{number}b", "x") == number


@given(st.decimals(6, 4000, places=3), st.sampled_from(["m", "M", "mb", "MiB"]))
def test_a_size_with_a_fraction_is_the_whole_bytes_in_it(number: Any, unit: str) -> None:
    assert size_in_bytes(f"{number}{unit}", "x") == int(number * (1 << 20))


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_is_refused(text: str) -> None:
    try:
        found = size_in_bytes(text, "x", least=LEAST_MEMORY)
    except InputError:
        return
    assert found >= LEAST_MEMORY


@given(
    st.sampled_from(NAMES),
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=4)),
)
def test_any_value_is_taken_or_refused_in_one_line(name: str, value: object) -> None:
    problem: InputError | None = None
    try:
        settings = RunSettings.from_job_variables({name: value})
    except InputError as error:
        problem = error
    if problem is not None:
        assert "\n" not in problem.message
        assert problem.hint
    else:
        host_config(settings, cwd="/home/me")
        json.dumps(settings.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"mem_limit": "512x"},
        {"mem_limit": "5m"},
        {"memswap_limit": "1g"},
        {"mem_limit": "1g", "memswap_limit": "512m"},
        {"shm_size": ""},
        {"cpus": "nan"},
        {"cpus": 0},
        {"cpus": True},
        {"pids": 0},
        {"pids": 1},
        {"pids": "many"},
        {"gpus": 0},
        {"gpus": "device="},
        {"gpus": "some"},
        {"timeout": "soon"},
        {"stop_grace": 0.5},
        {"user": "-u"},
        {"user": "a b"},
        {"user": "99999999999"},
        {"user": f"1000:{1 << 31}"},
        {"user": ""},
        {"workdir": "app"},
        {"env": {"A B": "1"}},
        {"env": {"A=B": "1"}},
        {"env": {"": "1"}},
        {"env": {"N": 1}},
        {"env": ["A=1"]},
        {"labels": {"imagekit.run": "x"}},
        {"labels": {"n": 1}},
        {"name": "a b"},
        {"name": ""},
        {"image": "Upper/Case"},
        {"image_pull_policy": "Sometimes"},
        {"networks": "mine"},
        {"networks": ["a b"]},
        {"networks": ["mine"], "network_mode": "host"},
        {"auto_remove": "true"},
        {"privileged": 1},
        {"command": ""},
        {"command": "it's"},
        {"command": [1]},
        {"cap_add": ["no way"]},
        {"serializer": "pickel"},
        {"serializer": "os.system('x')"},
        {"volumes": ["data"]},
        {"volumes": ["/data:data"]},
        {"volumes": ["/data:/data:rx"]},
        {"volumes": ["a/b:/data"]},
        {"volumes": ["/data:/"]},
        {"volumes": ["/data:/.imagekit/out"]},
        {"volumes": ["/a:/data", "/b:/data"]},
        {"volumes": ["/:/host"]},
        {"volumes": ["//:/host:ro"]},
        {"volumes": ["/tmp/..:/host"]},
        {"volumes": ["/proc/self/root:/host"]},
        {"volumes": ["/var/run/docker.sock:/s"]},
        {"volumes": ["/run/docker.sock:/s:ro"]},
        {"volumes": ["/run:/s"]},
        {"volumes": ["/run/../run/./docker.sock:/s"]},
        {"registry_credentials": {"username": "u"}},
        {"registry_credentials": {"username": "u", "password": "p", "registry_url": "r", "token": "t"}},
        {"container_create_kwargs": {"mem_limit": "1g"}},
        {"container_create_kwargs": {"environment": {}}},
        {"container_create_kwargs": {"tty": True}},
        {"container_create_kwargs": {"restart_policy": {"Name": "always"}}},
        {"container_create_kwargs": {"version": "1.41"}},
        {"container_create_kwargs": {"hostnaem": "x"}},
        {"container_create_kwargs": {"ulimits": 1}},
        {"container_create_kwargs": []},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        RunSettings.of(settings)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        RunSettings(mem_limit="x", cpus="x", timeout=0)
    assert len(caught.value.problems) == 3


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownKeyword) as caught:
        RunSettings.from_job_variables({"mem_limits": "1g"})
    assert caught.value.hint == "did you mean 'mem_limit'?"


def test_what_is_refused_can_be_allowed_by_name() -> None:
    RunSettings(volumes=["/:/host:ro"], allow_host_root=True)
    RunSettings(volumes=["/var/run/docker.sock:/s"], allow_engine_socket=True)


def test_the_socket_of_the_engine_in_use_is_one_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import imagekit

    monkeypatch.setenv("IMAGEKIT_ENGINE", f"unix://{tmp_path}/engine.sock")
    for source in (tmp_path, tmp_path / "engine.sock"):
        with pytest.raises(InputError, match="hands the engine's socket"):
            imagekit.run("flow.py:f", image="x:1", volumes=[f"{source}:/x"])
    with pytest.raises(EngineNotFound):
        imagekit.run("flow.py:f", image="x:1", volumes=[f"{tmp_path}:/x"], allow_engine_socket=True)


def test_a_job_variable_that_is_null_leaves_the_default() -> None:
    assert RunSettings.from_job_variables(dict.fromkeys(NAMES)) == RunSettings()


def spec_of(settings: RunSettings, **image: Any) -> Any:
    return container_spec(
        settings, ImageFacts(**image), reference="sha256:1", called="x:1", command=["python"], name="n",
        labels={"imagekit.run": "1"}, cwd="/home/me",
    )  # fmt: skip


def test_what_the_engine_is_told() -> None:
    settings = RunSettings(
        mem_limit="1g", memswap_limit=-1, cpus="1.5", pids=100, gpus="device=0,1", shm_size="64m", read_only=True,
        volumes=["./data:/data:ro", "cache:/cache", "/anonymous"], networks=["one", "two"], cap_add=["cap_net_admin"],
        labels={"example.com/team": "data"}, env={"A": "1", "GONE": None}, workdir="/app", command="python -m x 'a b'",
        container_create_kwargs={"hostname": "h", "dns": ["192.0.2.1"], "security_opt": ["seccomp=unconfined"]},
    )  # fmt: skip
    spec = spec_of(settings)
    host = spec.host_config
    assert spec.command == ("python", "-m", "x", "a b")
    assert spec.networks == ("one", "two")
    assert spec.labels == {"com.example.team": "data", "imagekit.run": "1"}
    assert spec.env["GONE"] is None
    assert spec.more == {"Hostname": "h"}
    assert host["Memory"] == 1 << 30
    assert host["MemorySwap"] == -1
    assert host["NanoCpus"] == 1_500_000_000
    assert host["PidsLimit"] == 100
    assert host["ShmSize"] == 64 << 20
    assert host["DeviceRequests"] == [{"Capabilities": [["gpu"]], "DeviceIDs": ["0", "1"]}]
    assert host["NetworkMode"] == "one"
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["NET_ADMIN"]
    assert host["SecurityOpt"] == ["no-new-privileges", "seccomp=unconfined"]
    assert host["Dns"] == ["192.0.2.1"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "mode=1777"}
    mounts = [(each["Type"], each.get("Source"), each["Target"]) for each in host["Mounts"]]
    assert mounts[:3] == [
        ("bind", "/home/me/data", "/data"),
        ("volume", "cache", "/cache"),
        ("volume", None, "/anonymous"),
    ]
    assert host["Mounts"][0]["ReadOnly"] is True


def test_the_defaults_are_safe() -> None:
    host = host_config(RunSettings(), cwd="/", memory=1 << 30)
    assert host == {
        "PidsLimit": 4096, "Memory": 1 << 30, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
        "ExtraHosts": ["host.docker.internal:host-gateway"],
    }  # fmt: skip
    assert "SecurityOpt" not in host_config(RunSettings(allow_new_privileges=True), cwd="/")
    privileged = host_config(RunSettings(privileged=True), cwd="/")
    assert privileged["Privileged"] is True
    assert not {"CapDrop", "SecurityOpt"} & privileged.keys()


@pytest.mark.parametrize(
    ("image", "settings", "expected"),
    [
        ("", {}, NON_ROOT),
        ("root", {}, NON_ROOT),
        ("0:0", {}, NON_ROOT),
        ("app", {}, None),
        ("1000:1000", {}, None),
        ("", {"user": "root"}, "root"),
        ("", {"user": 1000}, "1000"),
        ("app", {"user": "0:0"}, "0:0"),
        ("", {"privileged": True}, None),
    ],
)
def test_who_runs(image: str, settings: dict[str, Any], expected: str | None) -> None:
    assert container_user(RunSettings(**settings), ImageFacts(user=image)) == expected


def test_somebody_who_is_not_in_the_image_has_a_home() -> None:
    assert environment(RunSettings(), ImageFacts()) == {"HOME": "/.imagekit/home", "USER": "imagekit"}
    assert environment(RunSettings(), ImageFacts(user="app")) == {}
    assert environment(RunSettings(env={"HOME": "/x"}), ImageFacts(env=("USER=u",))) == {"HOME": "/x"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://localhost:4200/api", "http://host.docker.internal:4200/api"),
        ("http://127.0.0.1:4200/api", "http://host.docker.internal:4200/api"),
        ("http://[::1]:4200/api", "http://host.docker.internal:4200/api"),
        ("http://u:p@localhost/api", "http://u:p@host.docker.internal/api"),
        ("http://localhost.example.com/api", "http://localhost.example.com/api"),
        ("http://example.com/?at=localhost", "http://example.com/?at=localhost"),
    ],
)
def test_localhost_is_the_host(value: str, expected: str) -> None:
    facts = ImageFacts(user="app")
    assert environment(RunSettings(env={"PREFECT_API_URL": value}), facts)["PREFECT_API_URL"] == expected
    assert environment(RunSettings(env={"MINE": value}), facts)["MINE"] == value
    for mode in ("host", "none", "container:x"):
        settings = RunSettings(env={"PREFECT_API_URL": value}, network_mode=mode)
        assert environment(settings, facts)["PREFECT_API_URL"] == value


def test_credentials_and_values_of_variables_are_never_shown() -> None:
    login = {"username": "u", "password": "s3cret-canary", "registry_url": "https://registry.example.com/v2/"}
    settings = RunSettings(registry_credentials=login, env={"TOKEN": "s3cret-canary"}, image="registry.example.com/x:1")
    assert settings.login is not None
    assert settings.login.host == "registry.example.com"
    assert "s3cret-canary" not in repr(settings) + str(settings.to_json())
    assert settings.to_json()["env"] == ["TOKEN"]
    with pytest.raises(InputError) as caught:
        RunSettings(registry_credentials={**login, "username": 3})
    assert "s3cret-canary" not in caught.value.message


def test_a_block_of_prefects_is_taken() -> None:
    class SecretStr:
        def get_secret_value(self) -> str:
            return "p"

    class Block:
        username, password, registry_url, reauth = "u", SecretStr(), "registry.example.com:5000", True

    assert RegistryCredentials.of(Block()).password == "p"


@given(st.lists(st.text(string.ascii_letters + "./:_-", min_size=1, max_size=12), max_size=3))
def test_volumes_never_reach_the_hosts_root_or_its_engine(volumes: list[str]) -> None:
    try:
        settings = RunSettings(volumes=volumes)
    except InputError:
        return
    for mount in settings.mounts("/home/me"):
        assert mount.target.startswith("/")
        if mount.is_bind:
            assert str(Path(str(mount.source)).resolve()) not in ("/", "/run", "/run/docker.sock", "/var/run")


def test_every_setting_has_a_check() -> None:
    from imagekit.runs.settings import _CHECKS

    assert set(_CHECKS) == {each.name for each in fields(RunSettings)}


def test_nothing_is_asked_of_an_engine_for_what_is_refused() -> None:
    import imagekit

    assert Engine("unix:///nowhere").address == "unix:///nowhere"
    with pytest.raises(InputError, match="512x"):
        imagekit.run("flow.py:f", image="x:1", mem_limit="512x")
    with pytest.raises(UnknownKeyword, match="memory_limit"):
        imagekit.DockerFlowRunner(image="x:1", memory_limit="1g")
