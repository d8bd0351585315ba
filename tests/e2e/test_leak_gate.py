"""The leak gate on a real engine: refused before anything runs, or found before the tag moves; secrets reach steps."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit import DockerImage, Secret
from imagekit.building.image_leaks import base_of, bases_named
from imagekit.engine.client import Engine
from imagekit.errors import CheckFailed, CredentialExposed, InvalidSecret
from tests.lock.faulty_index import FaultyIndex
from tests.secrets.examples import PEM, TOKENS

from .conftest import PROGRAM, Imagekit, Inside, WriteProject

GITHUB = TOKENS[0][1]
DEAD = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock", "DOCKER_HOST": "unix:///nowhere/docker.sock"}
_REPORT = "wc -c < /run/secrets/token > /length"


def canary() -> str:
    return f"canary-{secrets.token_hex(12)}"


@pytest.fixture
def index() -> Iterator[FaultyIndex]:
    served = FaultyIndex(login=("me", "s3cretpw-" + secrets.token_hex(8)))
    served.add("private_thing", "1.0")
    yield served
    served.close()


# Refused, with the engine's address dead.


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        (["--env", f"X={GITHUB}"], "the environment variable X holds a GitHub token"),
        (["--env", "DB_PASSWORD=hunter22"], "the environment variable DB_PASSWORD holds a password"),
        (["--label", f"team={GITHUB}"], "the label team holds a GitHub token"),
        (["-f", "Dockerfile", "--build-arg", f"T={GITHUB}"], "the build argument T holds a GitHub token"),
        (["-f", "Dockerfile", "--build-arg", "U=https://a:b1c2d3@h/simple"], "the build argument U holds a URL with"),
        (["-f", "Dockerfile", "--label", f"team={GITHUB}"], "the label team holds a GitHub token"),
        (["-f", "Bad"], "Bad:2: ENV DB_PASSWORD holds a password"),
        (["--secret", "id=a,env=NOT_SET"], "--secret id=a: the variable NOT_SET is not set"),
        (["--secret", "id=a,name=not-stored"], "there is no secret 'not-stored'"),
        (["--ssh", "default"], "--ssh default: there is no ssh agent here"),
    ],
)
def test_refused_on_the_command_line(imagekit: Imagekit, project: WriteProject, words: list[str], subject: str) -> None:
    root = project({"Dockerfile": "FROM x\n", "Bad": "FROM x\nENV DB_PASSWORD=hunter22\n", "requirements.txt": ""})
    env = {**DEAD, "SSH_AUTH_SOCK": "", "XDG_DATA_HOME": str(root / "data")}
    found = imagekit.refused("build", root, "-t", "refused:1", *words, env=env)
    assert subject in found["message"]
    assert found["exit_code"] == 2
    assert not any(value in json.dumps(found) for value in (GITHUB, "hunter22", "b1c2d3"))


def test_refused_with_the_line_of_the_configuration(imagekit: Imagekit, project: WriteProject) -> None:
    text = f'[tool.imagekit]\nname = "x"\n\n[tool.imagekit.env]\nTZ = "UTC"\nAPI = "{GITHUB}"\n'
    found = imagekit.refused("plan", project({"pyproject.toml": text}), env=DEAD)
    assert found["message"].startswith("pyproject.toml:6: the environment variable API holds a GitHub token")
    assert "imagekit run --env API" in found["hint"]


def test_refused_with_the_line_of_an_environment_yml(imagekit: Imagekit, project: WriteProject) -> None:
    text = f"dependencies: [{{pip: []}}]\nvariables:\n  TZ: UTC\n  API: {GITHUB}\n"
    path = project({"environment.yml": text})
    found = imagekit.refused("plan", path, env=DEAD)
    assert found["message"].startswith("environment.yml:4: the environment variable API holds a GitHub token")
    found = imagekit.refused("build", path, "--env", f"API={GITHUB}", env=DEAD)
    assert found["message"].startswith("the environment variable API holds a GitHub token")


def test_refused_by_the_library(library: Imagekit, project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project({"Dockerfile": "FROM x\nARG T\n"})
    for name, value in DEAD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("T", GITHUB)
    image = DockerImage("refused", "1", "Dockerfile", context=root, buildargs={"T": None}, stream_progress_to=None)
    with pytest.raises(CredentialExposed, match="the build argument T holds a GitHub token") as caught:
        image.build()
    assert 'secrets=["id=t,env=T"]' in str(caught.value.hint)
    with pytest.raises(CredentialExposed, match="extra_dockerfile_commands: the RUN line holds a URL with a login"):
        DockerImage("refused", "1", context=root, extra_dockerfile_commands=["RUN curl https://a:b1c2d3@h/x"]).build()
    with pytest.raises(InvalidSecret, match="the variable NOT_SET is not set"):
        DockerImage("refused", "1", "Dockerfile", context=root, secrets=["id=a,env=NOT_SET"]).build()


# What reaches steps.


def test_secrets_of_every_kind_reach_a_dockerfile(
    imagekit: Imagekit, project: WriteProject, inside: Inside, python_image: str
) -> None:
    value = canary()
    same = 'test "$(cat /run/secrets/a)" = "$(cat /run/secrets/{0})"'
    mounts = "".join(f"--mount=type=secret,id={name} " for name in "abc")
    check = " && ".join(same.format(name) for name in "bc")
    root = project({"Dockerfile": f"FROM {python_image}\nRUN {mounts}{check} && wc -c < /run/secrets/a > /length\n"})
    file = root.parent / "a, secret.txt"
    file.write_text(value)
    env = {"XDG_DATA_HOME": str(root.parent / "data"), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    stored = subprocess.run(
        [PROGRAM, "secret", "set", "stored"], input=value, text=True, env={**imagekit.env, **env}, capture_output=True
    )
    assert stored.returncode == 0
    assert value not in stored.stdout + stored.stderr
    words = ["--secret", "id=a,env=VALUE", "--secret", f'id=b,"src={file}"', "--secret", "id=c,name=stored"]
    tag = f"{imagekit.name()}:1"
    done = imagekit("build", root, "-t", tag, "-f", "Dockerfile", *words, env={**env, "VALUE": value})
    assert done.returncode == 0, done.stderr
    assert value not in done.stdout + done.stderr
    assert inside(tag, "cat", "/length") == f"{len(value)}\n"


def test_an_ssh_key_reaches_a_step_as_an_agent(
    imagekit: Imagekit, project: WriteProject, python_image: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    # The agent's protocol (draft-miller-ssh-agent): 11 asks for the keys, 12 answers with their number.
    ask = "import os,socket; s=socket.socket(socket.AF_UNIX); s.connect(os.environ['SSH_AUTH_SOCK']); "
    ask += "s.send(b'\\\\0\\\\0\\\\0\\\\1\\\\x0b'); a=s.recv(9, socket.MSG_WAITALL); assert a[4]==12 and a[8]==1, a"
    root = project({"Dockerfile": f'FROM {python_image}\nRUN --mount=type=ssh,id=deploy ["python3", "-c", "{ask}"]\n'})
    name = imagekit.name()
    done = imagekit("build", root, "-t", f"{name}:1", "-f", "Dockerfile", "--ssh", f"deploy={key}", "--no-cache")
    assert done.returncode == 0, done.stderr
    missing = imagekit("build", root, "-t", f"{name}:2", "-f", "Dockerfile", "--no-cache")
    assert missing.returncode == 5


def test_secrets_reach_source_builds(imagekit: Imagekit, project: WriteProject, inside: Inside, engine: Engine) -> None:
    value = canary()
    setup = """
import hashlib, pathlib
from setuptools import setup
secret = pathlib.Path("/run/secrets/token").read_text()
pathlib.Path("told.py").write_text("LENGTH = %d\\n" % len(secret))
setup(name="told", version="1.0", py_modules=["told", "flow"])
"""
    files = {
        "setup.py": setup,
        "flow.py": "def f(): return 1\n",
        "pyproject.toml": '[project]\nname = "told"\ndynamic = ["version"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    }
    name = imagekit.name()
    done = imagekit(
        *("build", project(files), "-t", f"{name}:1", "--secret", "id=token,env=VALUE", "--no-health-check"),
        env={"VALUE": value},
    )
    assert done.returncode == 0, done.stderr
    assert inside(f"{name}:1", "python", "-c", "import told; print(told.LENGTH)") == f"{len(value)}\n"
    leaking = setup.replace('"LENGTH = %d\\n" % len(secret)', '"LENGTH = %r\\n" % secret')
    found = imagekit.refused(
        *("build", project({**files, "setup.py": leaking}), "-t", f"{name}:1", "--secret", "id=token,env=VALUE"),
        env={"VALUE": value},
    )
    assert found["message"] == "the wheel of told holds a secret of this build: told.py"
    assert value not in json.dumps(found)


# What is found before the tag moves.


def test_a_secret_that_a_step_writes_down_is_found(
    imagekit: Imagekit, project: WriteProject, engine: Engine, python_image: str
) -> None:
    value, name = canary(), imagekit.name()
    unlike = f"RUN echo {name} > /unlike\n"
    clean = f"FROM {python_image}\n{unlike}RUN --mount=type=secret,id=token {_REPORT}\n"
    root = project({"Dockerfile": clean})
    words = ("build", root, "-t", f"{name}:1", "-f", "Dockerfile", "--secret", "id=token,env=VALUE")
    good = imagekit.json(*words, env={"VALUE": value})
    steps = """
cp /run/secrets/token /kept
base64 -w0 < /run/secrets/token > /usr/lib/kept-b64
printf 'u:%s' "$(cat /run/secrets/token)" | base64 -w0 > /kept-basic
touch "/kept-$(cat /run/secrets/token)"
"""
    lines = [f"RUN --mount=type=secret,id=token {step}" for step in steps.strip().splitlines()]
    (root / "Dockerfile").write_text(clean + "\n".join(lines) + "\n")
    found = imagekit.refused(*words, env={"VALUE": value})
    assert (found["error"], found["exit_code"]) == ("CheckFailed", 6)
    assert found["message"] == "the image holds a secret of this build: /kept, and 3 more"
    places = ("/kept", "/usr/lib/kept-b64", "/kept-basic", "the name of a file or a link")
    assert found["details"].splitlines() == [f"{place}: a secret of this build" for place in places]
    assert value not in json.dumps(found)
    image = engine.image(f"{name}:1")
    assert image is not None
    assert image.id == good["image_id"]
    allowed = imagekit(*words, "--allow-secret-build-args", env={"VALUE": value})
    assert allowed.returncode == 0, allowed.stderr
    assert "allowed: the image holds a secret of this build: /kept" in allowed.stderr
    # The secret is another by now; BuildKit's cache is as it was, and has the old one.
    later = imagekit.refused(*words, env={"VALUE": canary()})
    assert later["message"].startswith("the image holds a secret of an earlier build: layer ")
    assert "--no-cache" in later["hint"]


def test_a_token_of_the_context_is_found_where_it_is_copied_and_not_where_it_is_left(
    imagekit: Imagekit, project: WriteProject, python_image: str
) -> None:
    files = {"Dockerfile": f"FROM {python_image}\nCOPY a.txt /a.txt\n", "a.txt": "a", "tests/server.key": PEM}
    root, name = project(files), imagekit.name()
    words = ("build", root, "-t", f"{name}:1", "-f", "Dockerfile")
    assert imagekit(*words).returncode == 0
    (root / "Dockerfile").write_text(f"FROM {python_image}\nCOPY . /app/\n")
    found = imagekit.refused(*words)
    assert found["message"] == "the image holds a private key: /app/tests/server.key:1"


def test_a_token_of_the_source_is_found_until_it_is_gone(
    imagekit: Imagekit, project: WriteProject, engine: Engine
) -> None:
    root, name = project({"flow.py": "x = 1\n", ".env.local": "A=1\n", "requirements.txt": ""}), imagekit.name()
    words = ("build", root, "-t", f"{name}:1", "--no-health-check")
    first = imagekit(*words)
    assert first.returncode == 0, first.stderr
    assert "to leave it out, add to .dockerignore: .env.local" in first.stderr
    before = engine.image(f"{name}:1")
    (root / "more.py").write_text(f"# a comment\nTOKEN = '{GITHUB}'\n")
    for _ in range(2):
        found = imagekit.refused(*words)
        assert found["message"] == "the source holds a GitHub token: more.py:2"
        assert ".dockerignore" in found["hint"]
        assert GITHUB not in json.dumps(found)
    assert engine.image(f"{name}:1") == before
    # Allowed once, it is not allowed for good, though its layer is there.
    assert imagekit(*words, "--allow-secret-build-args").returncode == 0
    assert imagekit.refused(*words)["error"] == "CheckFailed"
    (root / "more.py").write_text(f"# a comment\nTOKEN = '{GITHUB}'  # gitleaks:allow\n")
    assert imagekit(*words).returncode == 0
    (root / "more.py").write_text(f"TOKEN = '{GITHUB}'\n")
    (root / ".dockerignore").write_text("more.py\n")
    assert imagekit(*words).returncode == 0


def test_a_file_that_is_handed_in_secret_is_not_also_source(imagekit: Imagekit, project: WriteProject) -> None:
    root = project({"flow.py": "x = 1\n", "password.txt": "ordinary\n", "requirements.txt": ""})
    words = ("build", root, "-t", f"{imagekit.name()}:1", "--no-health-check")
    found = imagekit.refused(*words, "--secret", f"id=a,src={root / 'password.txt'}")
    assert found["message"] == "the source holds a secret of this build: password.txt"
    (root / "flow.py").write_text(f"x = '{(value := canary())}'\n")
    found = imagekit.refused(*words, "--secret", "id=a,env=VALUE", env={"VALUE": value})
    assert found["message"] == "the source holds a secret of this build: flow.py"


def test_files_are_looked_at_too(library: Imagekit, project: WriteProject) -> None:
    root = project({"keys/server.pem": PEM, "requirements.txt": ""})
    image = DockerImage(
        library.name(),
        "1",
        context=root,
        files={"keys/server.pem": "/etc/server.pem"},
        include_source=False,
        stream_progress_to=None,
    )
    with pytest.raises(CheckFailed, match=r"the source holds a private key: /etc/server.pem:1"):
        image.build()


def test_commands_get_secrets_and_are_looked_at(library: Imagekit, project: WriteProject, inside: Inside) -> None:
    value = canary()
    root, name = project({"requirements.txt": ""}), library.name()
    (root / "unlike.txt").write_text(name)

    def build(step: str) -> None:
        DockerImage(
            name,
            "1",
            context=root,
            secrets={"token": Secret(value)},
            extra_dockerfile_commands=[f"RUN --mount=type=secret,id=token {step}"],
            stream_progress_to=None,
        ).build()

    build(_REPORT)
    assert inside(f"{name}:1", "cat", "/length") == f"{len(value)}\n"
    with pytest.raises(CheckFailed, match="the image holds a secret of this build: /kept"):
        build("cp /run/secrets/token /kept")
    assert inside(f"{name}:1", "cat", "/length") == f"{len(value)}\n"


def test_the_base_is_known_by_its_layers(engine: Engine, python_image: str, build_image: object) -> None:
    tag = build_image(f"FROM {python_image}\nRUN echo {secrets.token_hex(4)} > /x\n", {})  # type: ignore[operator]
    image = engine.image(tag)
    assert image is not None
    named = bases_named(f"FROM --platform=$BUILDPLATFORM alpine AS a\nFROM $X\nfrom {python_image}\nFROM scratch\n")
    assert named == ["alpine", python_image]
    found = base_of(engine, image, [*named, tag, "No/Reference"])
    assert found is not None
    assert found.diff_ids == image.diff_ids[:-1]
