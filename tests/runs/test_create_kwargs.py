"""What ``container_create_kwargs`` may hold. Nothing is asked of an engine here."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from docker.models.containers import RUN_CREATE_KWARGS, RUN_HOST_CONFIG_KWARGS
from hypothesis import strategies as st

from imagekit.errors import InputError
from imagekit.runs.body import ImageFacts, container_spec
from imagekit.runs.settings import RunSettings


def bound(device: str, *, o: str = "bind", type: str = "none") -> dict[str, Any]:
    options = {"type": type, "o": o, "device": device}
    return {"Type": "volume", "Target": "/h", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": options}}}


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ([{"Type": "bind", "Source": "/", "Target": "/host"}], "all of the host's files"),
        ([{"type": "bind", "source": "/", "target": "/host"}], "all of the host's files"),
        ([{"Type": "bind", "Source": "/run/docker.sock", "Target": "/s"}], "the engine's socket"),
        (["/:/host"], "not a list of mounts"),
        ("/:/host", "not a list of mounts"),
        ({"Type": "bind", "Source": "/", "Target": "/host"}, "not a list of mounts"),
        ([{"Type": "bind", "Source": ".", "Target": "/host"}], "no absolute path"),
        ([{"Type": "bind", "ſource": "/", "Target": "/host"}], "has no 'ſource'"),
        ([{"Type": "bind", "Source": "/srv", "source": "/", "Target": "/host"}], "has it twice"),
        ([{"Type": "Bind", "Source": "/", "Target": "/host"}], "no type of a mount"),
        ([bound("/")], "all of the host's files"),
        ([bound("/", o="ro,rbind", type="nfs")], "all of the host's files"),
        ([bound("/var/run")], "the engine's socket"),
        ([bound("var/run")], "no absolute path"),
        ([bound("/dev/sda1", o="ro", type="ext4")], "the file system 'ext4'"),
        ([bound("overlay", o="lowerdir=/,upperdir=/a,workdir=/b", type="overlay")], "the file system 'overlay'"),
        ([{**bound("/"), "VolumeOptions": {"driverconfig": {"options": {"o": "bind", "device": "/"}}}}], "all of"),
        ([{**bound("/"), "VolumeOptions": {"DriverConfig": {"Name": "x", "Options": {"at": "/"}}}}], "all of"),
        ([{**bound("/"), "VolumeOptions": {"DriverConfig": {"Options": {"o": ["bind"]}}}}], "no texts"),
    ],
)
def test_a_mount_by_docker_pys_arguments_is_looked_at_too(mounts: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        RunSettings(container_create_kwargs={"mounts": mounts})


def test_a_mount_by_docker_pys_arguments_that_shows_nothing_of_the_host_is_taken() -> None:
    mounts = [
        {**bound("/srv/data"), "Target": "/data"},
        bound(":/export", o="addr=192.0.2.1,ro", type="nfs"),
        {"Type": "volume", "Source": "cache", "Target": "/c", "VolumeOptions": {"NoCopy": True, "Subpath": "a"}},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20}},
    ]
    RunSettings(container_create_kwargs={"mounts": mounts})
    RunSettings(container_create_kwargs={"mounts": [bound("/dev/sda1", type="ext4", o="")]}, allow_host_root=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tmpfs": {"/.imagekit/out": ""}}, "nothing can be mounted at /.imagekit/out"),
        ({"tmpfs": ["/x/../.imagekit:size=1m"]}, "nothing can be mounted at"),
        ({"tmpfs": {"": ""}}, "no absolute path"),
        ({"mounts": [{"Type": "tmpfs", "Target": "///.imagekit/out"}]}, "nothing can be mounted at"),
        ({"mounts": [{"Type": "tmpfs"}]}, "no absolute path"),
        ({"mounts": [{"Type": "tmpfs", "Target": "/t"}], "tmpfs": {"/t/": ""}}, "two are mounted at /t"),
    ],
)
def test_nothing_is_mounted_where_a_flows_outcome_goes(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RunSettings(container_create_kwargs=given)


@pytest.mark.parametrize(
    ("given", "allowed_by"),
    [
        ({"security_opt": ["no-new-privileges:false"]}, "allow_new_privileges"),
        ({"security_opt": ["no-new-privileges=0"]}, "allow_new_privileges"),
        ({"pid_mode": "host"}, "privileged"),
        ({"pid_mode": "container:x"}, "privileged"),
        ({"ipc_mode": "host"}, "privileged"),
        ({"userns_mode": "host"}, "privileged"),
        ({"uts_mode": "host"}, "privileged"),
        ({"cgroupns": "host"}, "privileged"),
        ({"devices": ["/dev/sda"]}, "privileged"),
        ({"device_cgroup_rules": ["b *:* rwm"]}, "privileged"),
        ({"volumes_from": ["x"]}, "privileged"),
    ],
)
def test_what_docker_pys_arguments_hand_of_the_host_is_allowed_by_name_alone(
    given: dict[str, Any], allowed_by: str
) -> None:
    with pytest.raises(InputError) as caught:
        RunSettings(container_create_kwargs=given)
    assert f"{allowed_by}=True" in str(caught.value.hint)
    RunSettings.of({"container_create_kwargs": given, allowed_by: True})


def test_what_docker_pys_arguments_take_away_stays_taken_away() -> None:
    given = {"cap_drop": ["MKNOD"], "security_opt": ["no-new-privileges:true"], "tmpfs": {"/t": ""}}
    spec = container_spec(
        RunSettings(container_create_kwargs=given, read_only=True), ImageFacts(), reference="sha256:1", called="x:1",
        command=["python"], name="n", labels={}, cwd="/",
    )  # fmt: skip
    host = spec.host_config
    assert host["CapDrop"] == ["ALL", "MKNOD"]
    assert host["SecurityOpt"][0] == "no-new-privileges"
    assert host["Tmpfs"].keys() == {"/tmp", "/t"}


@pytest.mark.parametrize(
    "given",
    [
        {"cap_drop": 5},
        {"cap_drop": "ALL"},
        {"dns": ["notip"]},
        {"dns": "192.0.2.1"},
        {"ports": {"80": "x"}},
        {"ports": {"80/xyz": 80}},
        {"ports": {"65536": 80}},
        {"ports": [80]},
        {"extra_hosts": 5},
        {"extra_hosts": ["x"]},
        {"hostname": 5},
        {"hostname": "a\0b"},
        {"cpuset_cpus": 0},
        {"init": "yes"},
        {"oom_score_adj": 1.5},
        {"tmpfs": 5},
        {"sysctls": {"a": [1]}},
        {"healthcheck": {"test": object()}},
    ],
)
def test_values_that_the_engine_would_not_take_are_known_before(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        RunSettings(container_create_kwargs=given)
    assert caught.value.message.startswith(f"container_create_kwargs: {next(iter(given))}")
    assert str(caught.value.hint).startswith("write ")


def test_values_as_docker_py_takes_them() -> None:
    given = {
        "cap_drop": ["ALL"], "dns": ["192.0.2.1", "2001:db8::1"], "extra_hosts": {"db": "192.0.2.1"}, "init": True,
        "ports": {"80": 8080, "443/tcp": ("127.0.0.1", 8443), "53/udp": None, 9000: ["9000-9010", 9100]},
        "ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}], "group_add": [1000, "audio"], "cpu_shares": 512,
        "entrypoint": "tini --", "sysctls": {"net.core.somaxconn": 1024}, "tmpfs": ["/t:size=1m"], "hostname": None,
        "healthcheck": {"test": ["NONE"], "interval": 10**9}, "mem_reservation": "64m",
    }  # fmt: skip
    json.dumps(RunSettings(container_create_kwargs=given).to_json())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@hypothesis.given(st.sampled_from([*RUN_CREATE_KWARGS, *RUN_HOST_CONFIG_KWARGS, "ports"]), _JSON)
def test_any_value_is_refused_in_one_line_or_told_to_the_engine(name: str, value: object) -> None:
    problem: InputError | None = None
    try:
        settings = RunSettings(container_create_kwargs={name: value})
    except InputError as error:
        problem = error
    if problem is not None:
        assert "\n" not in problem.message
        assert problem.hint
        return
    spec = container_spec(
        settings, ImageFacts(), reference="sha256:1", called="x:1", command=["python"], name="n", labels={}, cwd="/"
    )
    json.dumps([spec.host_config, spec.more], allow_nan=False)


def test_a_name_that_docker_py_does_not_have_is_told_with_those_that_can_be_given() -> None:
    with pytest.raises(InputError, match="no argument 'nothing_like_it'") as caught:
        RunSettings(container_create_kwargs={"nothing_like_it": 1})
    known = str(caught.value.hint).removeprefix("known are ").split(", ")
    assert known == sorted(set(known))
    assert "tty" not in known
    assert "hostname" in known
    with pytest.raises(InputError, match="no argument 'hostnam'") as caught:
        RunSettings(container_create_kwargs={"hostnam": "x"})
    assert caught.value.hint == "did you mean 'hostname'?"
