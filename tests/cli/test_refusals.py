"""Bad input is refused before the engine is looked for: its address here is a dead socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Imagekit


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text("def etl(n: int = 1):\n    return n\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["build", "-t", "x:"], "InvalidReference"),
        (["build", "-t", "Upper:v1"], "InvalidReference"),
        (["build", "-t", ":-a"], "InvalidReference"),
        (["build", "-t", "scratch"], "InvalidReference"),
        (["build", "-t", "x:v1", "--name", "y"], "InputError"),
        (["build", "--env", "A"], "InputError"),
        (["build", "--env", "=x"], "InputError"),
        (["build", "--env", "A=1", "--env", "A=2"], "InputError"),
        (["build", "--target", "x"], "InputError"),
        (["build", "--dockerfile", "Dockerfile", "--package", "six"], "InputError"),
        (["build", "--package", "x=2"], "InvalidRequirement"),
        (["build", "--dockerfile-command", "FROM scratch"], "InvalidConfig"),
        (["build", "--dockerfile-command", "apt-get update"], "InvalidConfig"),
        (["build", "--dockerfile-command", "RUN true", "-o", "registry", "-t", "x/y:v1"], "InputError"),
        (["build", "--dockerfile", "Dockerfile", "--dockerfile-command", "RUN true"], "InputError"),
        (["build", "--build-arg", "A=1"], "InputError"),
        (["build", "--resolver", "vu"], "InvalidConfig"),
        (["build", "nowhere"], "InvalidProject"),
        (["plan", "nowhere"], "InvalidProject"),
        (["lock", "nowhere"], "InvalidProject"),
        (["push", "x@sha256:abc"], "InvalidReference"),
        (["inspect", "a b"], "InvalidReference"),
        (["check", "a b"], "InvalidReference"),
        (["check", "x:1", "flow.py"], "InvalidEntrypoint"),
        (["check", "x:1", "--framework", "prefect[x]"], "InvalidRequirement"),
        (["check", "x:1", "--python", "three"], "InputError"),
        (["check", "x:1", "--env", "NOT_SET_HERE"], "InputError"),
        (["run", "../flow.py:etl"], "InvalidEntrypoint"),
        (["run", "flow.py:elt"], "InvalidEntrypoint"),
        (["run", "flow.py:etl", "-p", "m=1"], "InvalidParameters"),
        (["run", "flow.py:etl", "-p", "n"], "InvalidParameters"),
        (["run", "flow.py:etl", "--env", "NOT_SET_HERE"], "InputError"),
        (["run", "flow.py:etl", "--image", "x:1", "--env", "A B=1"], "InputError"),
        (["run", "flow.py:etl", "--image", "x:"], "InvalidReference"),
        (["build", "--env", "EXTRA_PIP_PACKAGES=a;id"], "InvalidRequirement"),
        (["build", "--dockerfile", "."], "InvalidProject"),
        (["base", "ensure", "--python", "three"], "InvalidProject"),
        (["base", "build", "--python", "2.7"], "InputError"),
        (["base", "build", "--platform", "linux/amd64,linux/arm64"], "InputError"),
        (["base", "build", "--platform", "windows/amd64"], "InputError"),
        (["base", "build", "--output", "docker-archive:base.tar"], "InputError"),
        (["base", "build", "--output", "oci:"], "InputError"),
    ],
)
def test_refused_with_one_object_and_a_hint(here: Imagekit, arguments: list[str], kind: str) -> None:
    done = here(*arguments, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["error"], found["exit_code"]) == (2, kind, 2)
    assert found["hint"]
    assert done.stderr.startswith(f"error: {found['message']}\n")


@pytest.mark.parametrize("arguments", [["build", "-t", "x:"], ["run", "flow.py:elt"], ["plan"], ["config", "view"]])
def test_a_process_of_its_own_says_the_same(imagekit: Imagekit, here: Imagekit, arguments: list[str]) -> None:
    done, seen = imagekit(*arguments, "--json"), here(*arguments, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (seen.returncode, seen.stdout, seen.stderr)


@pytest.mark.parametrize(
    "arguments",
    [["build"], ["plan"], ["lock"], ["push", "x:v1"], ["inspect", "x"], ["run", "flow.py:etl"], ["base", "ls"]],
)
def test_what_is_well_said_fails_for_want_of_an_engine(here: Imagekit, arguments: list[str]) -> None:
    done = here(*arguments, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (3, "EngineNotFound")
    assert "Traceback" not in done.stderr


def test_doctor_goes_on_after_a_failure_and_names_what_mends_it(imagekit: Imagekit) -> None:
    done = imagekit("doctor", "--offline", "--json")
    found = json.loads(done.stdout)
    checks = {check["name"]: check for check in found["checks"]}
    assert (done.returncode, found["ok"]) == (1, False)
    assert checks["engine"]["status"] == "fail"
    assert checks["engine"]["message"].startswith("EngineNotFound: ")
    assert checks["engine"]["mend"]
    assert checks["cache"]["status"] in ("ok", "warn")


def test_doctor_says_what_is_wrong_with_the_configuration(imagekit: Imagekit) -> None:
    done = imagekit("doctor", "--offline", env={"IMAGEKIT_ENGINE_TIMEOUT": "soon"})
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL  configuration")


def test_doctor_names_misspelt_variables_the_profile_and_a_bad_project(imagekit: Imagekit, tmp_path: Path) -> None:
    imagekit("config", "set", "--profile", "prod", "engine-timeout=3")
    (tmp_path / "imagekit.toml").write_text("python = 3.10\nnmae = 'x'\n")
    env = {"IMAGEKIT_CACHEDIR": "x", "IMAGEKIT_PROFILE": "prod"}
    checks = {c["name"]: c for c in json.loads(imagekit("doctor", "--offline", "--json", env=env).stdout)["checks"]}
    assert checks["configuration"]["message"].endswith("config.toml, profile prod (--profile or IMAGEKIT_PROFILE)")
    assert checks["variables"]["mend"] == "unset IMAGEKIT_CACHEDIR, or set IMAGEKIT_CACHE_DIR"
    assert checks["project"]["status"] == "fail"
    assert "imagekit.toml:1: python" in checks["project"]["message"]
    assert "imagekit.toml:2: nmae" in checks["project"]["message"]


def test_doctor_names_a_missing_credential_helper_and_certificates(imagekit: Imagekit, tmp_path: Path) -> None:
    docker = tmp_path / "home" / ".docker"
    docker.mkdir()
    (docker / "config.json").write_text('{"credsStore": "not-there-at-all"}')
    done = imagekit("doctor", "--offline", "--json", env={"SSL_CERT_FILE": str(tmp_path / "gone.pem")})
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (checks["registry logins"]["status"], checks["CA bundle"]["status"]) == ("warn", "fail")
    assert "docker-credential-not-there-at-all" in checks["registry logins"]["message"]


@pytest.mark.parametrize("command", ["build", "plan", "lock"])
@pytest.mark.parametrize("env", [{"IMAGEKIT_CACHE_DIR": "/proc/nope"}, {"HOME": "/proc/x"}])
def test_a_cache_that_cannot_be_written_is_the_users_to_mend(here: Imagekit, command: str, env: dict[str, str]) -> None:
    done = here(command, "--json", env=env)
    found = json.loads(done.stdout)
    assert (done.returncode, found["error"]) == (2, "InvalidConfig")
    assert "IMAGEKIT_CACHE_DIR" in found["hint"]


def test_a_relative_home_leaves_the_project_alone(imagekit: Imagekit, tmp_path: Path) -> None:
    imagekit("plan", env={"HOME": "made-here", "IMAGEKIT_CACHE_DIR": str(tmp_path / "cache")})
    assert not (tmp_path / "made-here").exists()
