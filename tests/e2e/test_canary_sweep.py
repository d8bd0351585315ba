"""No credential is left anywhere: canaries of every kind, in builds that go well and in each way of failing.

On an engine of the tests' own, whose whole data directory is looked through, too.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from imagekit.engine.client import Engine
from tests.lock.faulty_index import FaultyIndex

from ..certificates import Authority
from ..own_engine import OwnEngine
from ..own_registry import PASSWORD, USER, OwnRegistry, free_port, with_password
from ..own_repositories import Repository, git_server
from .conftest import PROGRAM, Imagekit, clean_environment
from .sweep import Canaries, Sweep, saw_itself
from .wheels import write_wheel

# A build backend in the tree, which needs nothing, uses the secret, and has it nowhere in what it makes.
BACKEND = """
import os, pathlib, sys
sys.path.insert(0, os.path.dirname(__file__))
def build_wheel(directory, config_settings=None, metadata_directory=None):
    import zipfile
    print("secret of", len(pathlib.Path("/run/secrets/token").read_bytes()))
    print(pathlib.Path("/run/secrets/token").read_text(), file=sys.stderr)
    name = "swept-1.0-py3-none-any.whl"
    info = "swept-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as out:
        out.writestr("swept.py", "MARK = '{mark}'")
        out.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: swept\\nVersion: 1.0\\n")
        tags = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        out.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\n" + tags)
        out.writestr(info + "/RECORD", "")
    return name
"""
PYPROJECT = """
[project]
name = "swept"
dynamic = ["version"]
dependencies = ["by-netrc", "by-env", "by-url"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[tool.imagekit]
source-builds = ["swept"]
"""
FLOW = """
import os, sys, time
def etl(how="quiet"):
    token, url = os.environ.get("API_TOKEN") or os.environ.get("OPAQUE", ""), os.environ.get("DATABASE_URL", "")
    if how == "shown":
        import by_netrc, by_env, by_url
        print("by_netrc by_env by_url")
    if how != "quiet":
        print(how, token, flush=True)
        for letter in url + "\\n":
            print(letter, end="", file=sys.stderr, flush=True)
    if how == "raised":
        raise ValueError(token)
    if how == "exit":
        sys.exit(url)
    if how in ("slow", "left"):
        try:
            time.sleep(3600)
        finally:
            raise RuntimeError(f"ended with {token}")
    return {token: [url]} if how == "returned" else len(token)
"""
# The same by the library.
LIBRARY = "'flow.py:etl', image='{image}', env={{'OPAQUE': value}}, parameters={{'how': 'raised'}}, name='held'"


@dataclass
class Surroundings:
    """A machine's: its own home, credentials of every kind in their usual places, and directories to look through."""

    canaries: Canaries
    imagekit: Imagekit
    engine: OwnEngine
    root: Path
    indexes: dict[str, FaultyIndex] = field(default_factory=dict)

    @property
    def sweep(self) -> Sweep:
        return self._sweep

    def __post_init__(self) -> None:
        self._sweep = Sweep(self.canaries, self.root / "tmp")

    def run(self, *words: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """A command, watched; what it says is looked at, and its traceback where it fails."""
        with self.sweep:
            done = self.imagekit(*words, env=env)
        self.sweep.look(f"stdout of {words[0]}", done.stdout)
        self.sweep.look(f"stderr of {words[0]}", done.stderr)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def store(self, name: str, value: str) -> None:
        """``imagekit secret set``, from standard input."""
        words = [PROGRAM, "secret", "set", name]
        done = subprocess.run(words, input=value, text=True, capture_output=True, env=self.imagekit.env)
        self.sweep.look("secret set", done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr

    def end(self, *references: str, engine_data: bool = True, containers: bool = False) -> None:
        """Look through all that was left, and fail for what is found; ``containers`` had credentials as variables."""
        sweep = self.sweep
        sweep.look_into_engine(self.engine.address, references)
        own = [self.root / "home/.netrc", self.root / "home/.docker/config.json", self.root / "key"]
        own += [self.root / "data/imagekit/secrets.json", self.root / "registry.json"]
        assert sweep.look_below(self.root, but=own) > 5
        if engine_data:
            # A container's variables are in its specification, which containerd deletes from its database with
            # the container, and bbolt leaves freed pages as they are until it wants them for something else.
            freed = [*self.engine.directory.rglob("io.containerd.metadata.v1.bolt/meta.db")] if containers else []
            assert sweep.look_below(self.engine.directory, but=freed) > 5
        assert sweep.samples > 3
        assert not sweep.found, "\n".join(sweep.found)
        assert [*(self.root / "tmp").iterdir()] == []


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.soak)], ids=["classic", "containerd"])
def surroundings(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    own_engine: Callable[..., OwnEngine],
    engine: Engine,
    python_image: str,
    session_prefix: str,
) -> Iterator[Surroundings]:
    ours = own_engine(containerd_store=request.param)
    with ours.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    canaries, root = Canaries(), tmp_path / "machine"
    for name in ("home/.docker", "tmp", "data"):
        (root / name).mkdir(parents=True)
    indexes: dict[str, FaultyIndex] = {}
    for name in ("by-netrc", "by-env", "by-url"):
        indexes[name] = FaultyIndex(login=(f"user-{name}", canaries.new(f"index-{name}")))
    # netrc is by host and not by port: one of them is localhost.
    netrc = indexes["by-netrc"]
    (root / "home/.netrc").write_text(f"machine localhost login {netrc.login[0]} password {netrc.login[1]}\n")
    (root / "home/.netrc").chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", root / "key"], check=True)
    # The line with the private part: the last whole one.
    canaries.watch([line for line in (root / "key").read_text().splitlines()[1:-1] if len(line) > 60][-1])
    canaries.watch(PASSWORD)
    by_env, by_url = indexes["by-env"], indexes["by-url"]
    env = {
        **clean_environment(),
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "XDG_DATA_HOME": str(root / "data"),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "XDG_CONFIG_HOME": str(root / "config"),
        "IMAGEKIT_CACHE_DIR": str(root / "cache/imagekit"),
        "IMAGEKIT_ENGINE": ours.address,
        "IMAGEKIT_DEBUG": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "UV_CACHE_DIR": str(root / "cache/uv"),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_DEFAULT_INDEX": by_url.url_as(by_url.login[0], quote(by_url.login[1], safe="")),
        "UV_INDEX": f"corp={by_env.url} http://localhost:{netrc.port}/simple",
        "UV_INDEX_CORP_USERNAME": by_env.login[0],
        "UV_INDEX_CORP_PASSWORD": by_env.login[1],
        "TOKEN": canaries.new("build-secret"),
        "no_proxy": "*",
    }
    found = Surroundings(canaries, Imagekit(env, session_prefix, root), ours, root, indexes)
    yield found
    for index in indexes.values():
        index.close()


@pytest.fixture
def root(surroundings: Surroundings) -> Path:
    """A project that takes a package of each index, and is built into a wheel with a secret."""
    place, mark = surroundings.root / "project", secrets.token_hex(6)
    place.mkdir()
    for name, index in surroundings.indexes.items():
        wheels = surroundings.root / "wheels"
        write_wheel(wheels, name.replace("-", "_"), "1.0", {f"{name.replace('-', '_')}.py": f"MARK = {mark!r}\n"})
        file = wheels / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        index.pages[f"/simple/{name}/"] = f'<a href="/files/{file.name}">{file.name}</a>'.encode()
        index.pages[f"/files/{file.name}"] = file.read_bytes()
    (place / "pyproject.toml").write_text(PYPROJECT)
    (place / "backend.py").write_text(BACKEND.replace("{mark}", mark))
    (place / "requirements.txt").write_text("by-netrc\nby-env\nby-url\n")
    return place


def docker_login(surroundings: Surroundings, registry: str, user: str, password: str) -> None:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    text = json.dumps({"auths": {registry: {"auth": auth}}})
    (surroundings.root / "home/.docker/config.json").write_text(text)


def test_the_sweep_sees() -> None:
    saw_itself()


@pytest.mark.xdist_group("own_engine")
class TestSweep:
    def test_builds_that_go_well(
        self, surroundings: Surroundings, root: Path, start_registry: Callable[..., OwnRegistry], tmp_path: Path
    ) -> None:
        there = surroundings
        there.store("stored", there.canaries.new("stored"))
        there.run("secret", "ls", "--json")
        registry = start_registry(auth=with_password(tmp_path / "auth"))
        docker_login(there, registry.name, USER, PASSWORD)
        tag = f"{registry.name}/{there.imagekit.name()}:v1"
        in_secret = ["--secret", "id=token,env=TOKEN", "--secret", "id=stored,name=stored"]
        in_secret += ["--ssh", f"default={there.root / 'key'}"]
        built = there.run("build", root, "-t", tag, "--push", "-v", *in_secret)
        assert "swept" in built.stdout
        assert all(any(path.startswith("/files/") for path in index.asked) for index in there.indexes.values())
        there.run("build", root, "-t", tag, "--json", *in_secret)
        for words in (["lock", root], ["plan", root, "--json"], ["why", root, "-t", tag], ["dockerfile", root]):
            there.run(*words)
        there.run("inspect", tag, "--json")
        there.run("sbom", tag)
        there.run("provenance", tag)
        there.run("doctor", code=there.imagekit("doctor").returncode)
        there.run("config", "view", "--origin")
        text = f"FROM {tag}\nUSER 0:0\nRUN --mount=type=secret,id=token --mount=type=secret,id=stored "
        text += "--mount=type=ssh --network=none test -S $SSH_AUTH_SOCK && wc -c /run/secrets/* > /n\n"
        (root / "Dockerfile").write_text(text)
        mine = f"{there.imagekit.name()}:v1"
        there.run("build", root, "-t", mine, "-f", "Dockerfile", "-v", *in_secret)
        there.end(tag, mine)

    @pytest.mark.soak
    def test_each_way_of_failing(
        self,
        surroundings: Surroundings,
        root: Path,
        python_image: str,
        start_registry: Callable[..., OwnRegistry],
        tmp_path: Path,
    ) -> None:
        there, token = surroundings, ("--secret", "id=token,env=TOKEN")
        words = ("build", root, "-t", "x:1", "-v", *token)
        # No versions that fit.
        requirements = root / "requirements.txt"
        requirements.write_text(requirements.read_text() + "by-env>=2\n")
        there.run(*words, code=4)
        requirements.write_text(requirements.read_text().replace("by-env>=2\n", ""))
        # A proxy that does not answer.
        proxy = f"http://me:{quote(there.canaries.new('proxy'), safe='')}@127.0.0.1:{free_port()}"
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), proxy)
        there.run(*words, code=4, **proxies, no_proxy="", NO_PROXY="")
        # A registry that refuses.
        registry = start_registry(auth=with_password(tmp_path / "auth"))
        docker_login(there, registry.name, "floor", there.canaries.new("registry"))
        tag = f"{registry.name}/{there.imagekit.name()}:v1"
        there.run("build", root, "-t", tag, "--push", "-v", *token, code=7)
        there.run("push", tag, "--json", code=7)
        # A build by BuildKit, which reaches no index from there.
        there.run(*words, "--builder", "buildkit", code=5)
        # An engine that goes away.
        step = "--network=none echo asleep-$((40+2)) && sleep 3600"
        (root / "Dockerfile").write_text(f"FROM {python_image}\nRUN --mount=type=secret,id=token {step}\n")
        with there.sweep:
            process, said = there.imagekit.start(*words, "-f", "Dockerfile"), ""
            assert process.stderr is not None
            for line in process.stderr:
                said += line
                if "asleep-42" in line:
                    break
            there.engine.kill()
            out, err = process.communicate()
        there.sweep.look("the output", out + said + err)
        assert process.returncode == 3, err
        there.engine.start()
        # An index that refuses, and one that does not answer.
        (root / "pyproject.toml").write_text(PYPROJECT.replace("by-netrc", "by-netrc>=1"))
        for index in there.indexes.values():
            index.login = ("someone", "else")
        there.run(*words, code=4)
        there.run("lock", root, "--json", code=4)
        there.run(*words, "--resolver", "pip-tools", code=4)
        for index in there.indexes.values():
            index.close()
        there.run(*words, code=4)
        there.end(tag)

    def test_runs(self, surroundings: Surroundings, root: Path, tmp_path: Path) -> None:
        there = surroundings
        (root / "pyproject.toml").unlink()
        (root / "requirements.txt").write_text("")
        (root / "flow.py").write_text(FLOW)
        # Nothing answers there: the login goes to the engine, and the image that is here is taken.
        registry, password = f"127.0.0.1:{free_port()}", there.canaries.new("pulling")
        login = there.root / "registry.json"
        login.write_text(json.dumps({"username": "me", "password": password, "registry_url": registry}))
        tag = f"{registry}/{there.imagekit.name()}:v1"
        there.run("build", root, "-t", tag, "--no-health-check")
        database = f"postgresql://me:{quote(there.canaries.new('database'), safe='')}@db/x"
        env = {"API_TOKEN": (token := there.canaries.new("run")), "DATABASE_URL": database}
        by_login = ("--image", tag, "--registry-credentials", login, "--pull")
        asked = ("--image", tag, "--env", "API_TOKEN", "--env", "DATABASE_URL")
        # Extra packages come from indexes with logins.
        extra = ("--env", "EXTRA_PIP_PACKAGES=by-netrc by-env by-url")
        done = there.run(
            *("run", "flow.py:etl", *asked, *extra, *by_login, "IfPossible", "-v"),
            *("--name", "shown", "--param", "how=shown"),
            **env,
        )
        assert "by_netrc by_env by_url\nshown ***\n" in done.stdout
        assert "\n***\n" in done.stderr
        there.run("run", "flow.py:etl", *by_login, "Always", "--json", code=3)
        # Each way of ending that says something of what it had.
        for how, code in {"raised": 1, "returned": 0, "exit": 1, "slow": 124}.items():
            limit = ("--timeout", "2") if how == "slow" else ()
            there.run("run", "flow.py:etl", *asked, "--param", f"how={how}", "--name", how, *limit, code=code, **env)
        # In Python, under a name that says nothing.
        program = f"import imagekit, os\nvalue = imagekit.Secret(os.environ.pop('API_TOKEN'))\nimagekit.run({LIBRARY})"
        with there.sweep:
            words = [sys.executable, "-c", program.format(image=tag)]
            done = subprocess.run(words, env={**there.imagekit.env, **env}, capture_output=True, text=True)
        there.sweep.look("the output of a program", done.stdout + done.stderr)
        assert "ValueError: ***" in done.stderr
        # Extra packages that are not to be had.
        for index in there.indexes.values():
            index.login = ("someone", "else")
        address = f"x @ https://me:{quote(token, safe='')}@example.com/x-1.0-py3-none-any.whl"
        for text, code in (("by-netrc>=0.1 by-env by-url", 4), (address, 2)):
            more = {**env, "EXTRA_PIP_PACKAGES": text}
            there.run("run", "flow.py:etl", *asked, "--env", "EXTRA_PIP_PACKAGES", code=code, **more)
        # The flow's source is fetched with a stored secret, and with one that its server refuses.
        repository, authority = Repository(tmp_path / "served/flows.git"), Authority(tmp_path / "authority")
        repository.commit({"flow.py": FLOW})
        for name in ("right", "wrong"):
            there.store(name, there.canaries.new(name))
        right = base64.b64encode(f"oauth2:{there.canaries['right']}".encode()).decode()
        with git_server(repository.path.parent, login=f"Basic {right}", tls=authority.server()) as server:
            source = ("--image", tag, "--source", f"git+{server}/flows.git/.git@main", "--source-secret")
            trusted = {"SSL_CERT_FILE": str(authority.bundle), "GIT_TRACE": "1", "GIT_CURL_VERBOSE": "1"}
            there.run("run", "flow.py:etl", *source, "right", "--name", "fetched", "-v", **trusted)
            there.run("run", "flow.py:etl", *source, "wrong", code=4, **trusted)
        # Killed, and ended by the next.
        with there.sweep:
            left = there.imagekit.start("run", "flow.py:etl", *asked, "--param", "how=left", "--name", "left", env=env)
            assert left.stdout is not None
            assert left.stdout.readline() == "left ***\n"
            left.kill()
            out, err = left.communicate()
        there.sweep.look("the output", out + err)
        there.run("run", "flow.py:etl", "--image", tag)
        there.run("flow-run", "logs", "shown")
        there.run("flow-run", "inspect", "returned")
        there.run("flow-run", "ls", "--json")
        there.run("diff", "shown", "raised", "--json")
        there.run("promote", "shown", "-t", f"{there.imagekit.name()}:v2")
        there.end(tag, there.imagekit.json("flow-run", "inspect", "shown")["extras"]["image"], containers=True)

    def test_a_step_that_fails_and_shows_all_it_has(
        self, surroundings: Surroundings, root: Path, python_image: str
    ) -> None:
        there = surroundings
        step = "--network=none cat /run/secrets/token; base64 -w0 /run/secrets/token; env; exit 7"
        (root / "Dockerfile").write_text(f"FROM {python_image}\nRUN --mount=type=secret,id=token {step}\n")
        words = ("build", root, "-t", "x:1", "--secret", "id=token,env=TOKEN")
        done = there.run(*words, "-f", "Dockerfile", "--json", code=5)
        assert "***" in json.loads(done.stdout)["details"]
        raising = "    raise ValueError(open('/run/secrets/token').read())"
        backend = (root / "backend.py").read_text().replace("    import zipfile", raising)
        (root / "backend.py").write_text(backend)
        failed = there.run(*words, "-v", code=5)
        assert "ValueError" in failed.stderr
        # What a user's own step writes to its output is in BuildKit's log as well, and not ours to mend.
        there.end(engine_data=False)
