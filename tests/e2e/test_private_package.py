"""The guide's private package: a URL with a login, from a stored secret, in a build argument; and as a secret mount."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from imagekit import DockerImage, Secret
from imagekit.deploying.pool import new_pool
from imagekit.engine.client import Engine
from imagekit.settings import Settings
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from tests.lock.faulty_index import FaultyIndex

from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject
from .guide_examples import PRIVATE_PACKAGE, SAMPLE_DOCKERFILE, anew

REQUIREMENTS = "private-thing\n"


@pytest.fixture
def index(engine: Engine) -> Iterator[FaultyIndex]:
    """Where the steps of a build reach it."""
    gateway = engine.api.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    login = ("me", "s3cretpw-" + secrets.token_hex(8))
    with closing(FaultyIndex(login=login, host=gateway, address=gateway)) as served:
        served.add("private_thing", "1.0")
        served.pages["/simple/private-thing/"] = served.pages["/simple/private_thing/"]
        yield served


@pytest.fixture
def base(python_image: str, index: FaultyIndex, tmp_path: Path, engine: Engine) -> Iterator[str]:
    """A base with pip, as the guide's has it, which asks no other index."""
    import pip

    context, tag = tmp_path / "pip", f"imagekit-test/{secrets.token_hex(6)}:1"
    shutil.copytree(Path(pip.__file__).parent, context / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    variables = {
        "PIP_INDEX_URL": "file:///nowhere",
        "PIP_TRUSTED_HOST": index.host,
        "PIP_BREAK_SYSTEM_PACKAGES": 1,
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    (context / "Dockerfile").write_text(
        f"FROM {python_image}\nCOPY pip /usr/local/lib/python3.11/dist-packages/pip\n"
        "RUN printf '#!/bin/sh\\nexec python3 -m pip \"$@\"\\n' > /usr/bin/pip && chmod 755 /usr/bin/pip\n"
        f"ENV {' '.join(f'{name}={value}' for name, value in variables.items())}\n"
    )
    argv = ["docker", "--host", engine.address, "buildx", "build", "-q", "--load", "-t", tag, str(context)]
    subprocess.run(argv, check=True)
    yield tag
    engine.remove_image(tag, force=True)


def test_the_guides_example(
    library: Imagekit,
    project: WriteProject,
    base: str,
    index: FaultyIndex,
    shared_registry: OwnRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its credential is refused, with what to write instead; with leave to show it, it does what it says."""
    for name, value in {
        "XDG_DATA_HOME": str(library.cwd / "data"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }.items():
        monkeypatch.setenv(name, value)
        library.env[name] = value
    assert index.login is not None
    Secret(index.url_as(*index.login)).save("artifact-reg-url")
    image = f"{shared_registry.name}/{library.name()}"
    script = anew(PRIVATE_PACKAGE, image=image)
    root = project(
        {
            "deploy_using_private_package.py": script,
            "myproject/cool.py": "def do_something_cool():\n    print('cool')\n",
            "sample.Dockerfile": anew(SAMPLE_DOCKERFILE, base=base),
            "requirements.txt": REQUIREMENTS,
        }
    )
    with Store.open(Settings.load().state_dir) as store:
        Pools(store.file).put(new_pool("my-docker-pool"))
        argv = [sys.executable, "deploy_using_private_package.py"]
        refused = subprocess.run(argv, cwd=root, env=library.env, capture_output=True, text=True)
        assert "CredentialExposed: the build argument AUTHED_ARTIFACT_REG_URL holds a URL with" in refused.stderr
        assert index.login[1] not in refused.stderr
        assert (refused.returncode, index.asked, Deployments(store.file).all()) == (1, [], [])
        leave = 'dockerfile="sample.Dockerfile", allow_secret_build_args=True'
        (root / argv[1]).write_text(script.replace('dockerfile="sample.Dockerfile"', leave))
        done = subprocess.run(argv, cwd=root, env=library.env, capture_output=True, text=True)
        assert f"built and pushed {image}:test" in done.stdout, done.stderr
        # The guide's Dockerfile copies no source.
        assert "there is no /deploy_using_private_package.py; runs of it will fail" in done.stdout
        assert str(Deployments(store.file).get("my-flow/my-deployment").pinned).startswith(f"{image}@sha256:")
    assert any(path.endswith(".whl") for path in index.asked)


def test_the_line_that_does_it_right_does_it(
    library: Imagekit,
    project: WriteProject,
    base: str,
    index: FaultyIndex,
    inside: Inside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert index.login is not None
    monkeypatch.setenv("AUTHED_ARTIFACT_REG_URL", index.url_as(*index.login))
    text = (
        anew(SAMPLE_DOCKERFILE, base=base)
        .replace("ARG AUTHED_ARTIFACT_REG_URL\n", "")
        .replace(
            "RUN ",
            "RUN --mount=type=secret,id=authed_artifact_reg_url "
            'AUTHED_ARTIFACT_REG_URL="$(cat /run/secrets/authed_artifact_reg_url)"; ',
        )
    )
    root, name = project({"sample.Dockerfile": text, "requirements.txt": REQUIREMENTS}), library.name()
    DockerImage(
        name,
        "test",
        "sample.Dockerfile",
        secrets=["id=authed_artifact_reg_url,env=AUTHED_ARTIFACT_REG_URL"],
        context=root,
        stream_progress_to=None,
    ).build()
    assert "private_thing" in inside(f"{name}:test", "python3", "-m", "pip", "list")
