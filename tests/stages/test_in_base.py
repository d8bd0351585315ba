"""Resolving and building in a base, on the real engine and the real index."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import BaseNotFound, EngineNotFound, SourceBuildFailed
from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore
from imagekit.lock.logins import Login, Logins
from imagekit.lock.resolve import resolve
from imagekit.lock.target import Target
from imagekit.lock.values import Artifact, LockedPackage
from imagekit.oci.digest import digest_of
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine
from imagekit.stages.in_base import InBase, dockerfile
from imagekit.stages.probe import read_base
from imagekit.stages.source_build import build_project_wheel, build_wheels

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("in_base")

QUIET = SilentReporter()


@pytest.fixture(scope="session")
def base(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> BaseImage:
    image = engine.image(python_image)
    assert image is not None
    return read_base(engine, python_image, image.id, tmp_path_factory.mktemp("bases"), QUIET)


@pytest.fixture
def stage(base: BaseImage) -> InBase:
    bundle = os.environ.get("SSL_CERT_FILE")
    return InBase(base=base, access=IndexAccess(ca_bundle=Path(bundle) if bundle else None))


def run(stage: InBase, *argv: str, inputs=None, directories=None, outputs=()):
    return stage(argv, inputs=inputs or {}, programs={}, directories=directories or {}, outputs=outputs)


def spec(tmp_path: Path, *requirements: str, **others) -> ImageSpec:
    lines = tuple(RequirementLine(text=text, origin="packages") for text in requirements)
    return ImageSpec(context=tmp_path, requirements=lines, **others)


def test_the_dockerfile_says_nothing_of_the_outside(base):
    assert dockerfile(base, programs=True, directories=["links0"]) == (
        f"FROM {base.reference} AS work\n"
        "USER 0:0\n"
        "RUN --mount=type=bind,source=in,target=/run/imagekit/in \\\n"
        "    --mount=type=cache,id=imagekit-tools,target=/run/imagekit/cache \\\n"
        "    --mount=type=secret,id=imagekit-ca,target=/run/imagekit/ca.pem \\\n"
        "    --mount=type=secret,id=imagekit-client-cert,target=/run/imagekit/client.pem \\\n"
        "    --mount=type=secret,id=imagekit-netrc,target=/run/imagekit/netrc \\\n"
        "    --mount=type=secret,id=imagekit-environment,target=/run/imagekit/environment.json \\\n"
        "    --mount=type=bind,from=imagekit-programs,target=/run/imagekit/programs \\\n"
        "    --mount=type=bind,from=imagekit-links0,target=/run/imagekit/directories/links0 \\\n"
        f'    ["{base.python.executable}", "-I", "-B", "/run/imagekit/in/inside_base.py"]\n'
        "FROM scratch\n"
        "COPY --from=work /imagekit-out/ /\n"
    )


def test_arguments_inputs_and_outputs_pass_byte_for_byte(stage, tmp_path):
    awkward = ["$HOME", "a b", "`id`", '"', "\\", "<<EOF", "two\nlines", "-x"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(b"\x00\xff")
    code = (
        "import pathlib, sys, json\n"
        "pathlib.Path('args.json').write_text(json.dumps(sys.argv[1:]))\n"
        "pathlib.Path('copy').write_bytes(pathlib.Path('in put').read_bytes()"
        " + pathlib.Path('/run/imagekit/directories/data/file').read_bytes())\n"
        "print('said'); print('complained', file=sys.stderr); sys.exit(3)\n"
    )
    done = run(
        stage, "python3", "-c", code, *awkward,
        inputs={"in put": b"\r\n\x01"}, directories={"data": tmp_path / "data"},
        outputs=["args.json", "copy", "never-written"],
    )  # fmt: skip
    import json

    assert done.exit_code == 3
    assert (done.stdout, done.stderr) == ("said\n", "complained\n")
    assert json.loads(done.outputs["args.json"]) == awkward
    assert done.outputs["copy"] == b"\r\n\x01\x00\xff"
    assert "never-written" not in done.outputs


def test_the_python_is_the_bases_and_secrets_reach_the_program_alone(stage):
    token = f"canary-{secrets.token_hex(8)}"
    url = "https://index.example.com/simple"
    access = replace(
        stage.access,
        indexes=Indexes(default=url),
        logins=Logins(by_url=(Login(url=url, user="user", password=token, origin="a test"),)),
    )
    code = (
        "import os, sys; print(sys.version_info[:2], os.environ['UV_INDEX_IMAGEKIT_0_PASSWORD'][::-1],"
        " os.environ['UV_PYTHON'], open(os.environ['NETRC']).read().split()[-1][::-1])"
    )
    done = run(replace(stage, access=access), "python", "-c", code)
    assert done.stdout == f"(3, 11) {token[::-1]} {stage.base.python.executable} {token[::-1]}\n"
    history = subprocess.run(["docker", "buildx", "du", "--verbose"], check=True, capture_output=True, text=True).stdout
    assert token not in history


def test_a_program_that_is_not_there_ends_with_127(stage):
    done = run(stage, "no-such-program")
    assert done.exit_code == 127
    assert "no-such-program" in done.stderr


def test_a_base_that_is_not_there_is_said(stage):
    gone = replace(stage, base=replace(stage.base, reference="imagekit.invalid/nobody/has-this:1"))
    with pytest.raises(BaseNotFound, match="has-this"):
        run(gone, "python3")


def test_no_engine_is_said(stage, tmp_path):
    with pytest.raises(EngineNotFound):
        run(replace(stage, engine=f"unix://{tmp_path}/none.sock"), "python3")


def test_a_source_only_package_is_resolved_and_built_in_the_base(stage, tmp_path):
    lock = resolve(
        spec(tmp_path, "docopt==0.6.2", source_builds=("docopt",)),
        Target.of(stage.base),
        reporter=QUIET,
        run_in_base=stage,
    )
    (package,) = lock.packages
    assert package.artifact.filename == "docopt-0.6.2.tar.gz"
    store = WheelStore(tmp_path / "wheels")
    wheel = build_wheels([package], stage, store=store, cache_dir=tmp_path)["docopt"]
    assert wheel.filename == "docopt-0.6.2-py2.py3-none-any.whl"
    assert wheel.sha256 == hashlib.sha256(wheel.path.read_bytes()).hexdigest()
    assert "docopt.py" in zipfile.ZipFile(wheel.path).namelist()
    # From now on no engine is needed for it.
    without = replace(stage, engine=f"unix://{tmp_path}/none.sock")
    assert build_wheels([package], without, store=store, cache_dir=tmp_path)["docopt"] == wheel


def test_pip_tools_resolves_in_the_base(stage, tmp_path):
    done = resolve(
        spec(tmp_path, "docopt==0.6.2", "markdown-it-py", resolver="pip-tools", source_builds=("docopt",)),
        Target.of(stage.base),
        reporter=QUIET,
        run_in_base=stage,
    )
    assert [(p.name, p.artifact.is_wheel) for p in done.packages] == [
        ("docopt", False),
        ("markdown-it-py", True),
        ("mdurl", True),
    ]


def test_wheels_of_the_hosts_directory_are_found_from_the_base(stage, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    sdist(links, "alpha", "1.0")
    lock = resolve(
        spec(tmp_path, "alpha", source_builds=("alpha",), indexes=Indexes(find_links=(str(links),))),
        Target.of(stage.base),
        reporter=QUIET,
        run_in_base=stage,
    )
    assert lock.packages[0].artifact.url == (links / "alpha-1.0.tar.gz").as_uri()


def sdist(
    directory: Path, name: str, version: str, setup: str = "from setuptools import setup; setup()"
) -> LockedPackage:
    tree = directory / "tree" / f"{name}-{version}"
    tree.mkdir(parents=True)
    (tree / "setup.py").write_text(setup)
    (tree / "setup.cfg").write_text(f"[metadata]\nname = {name}\nversion = {version}\n[options]\npy_modules = {name}\n")
    (tree / f"{name}.py").write_text("")
    (tree / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    path = directory / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, tree.name)
    artifact = Artifact(filename=path.name, url=path.as_uri(), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    return LockedPackage(name=name, version=version, artifact=artifact)


def test_a_build_that_fails_is_named_with_its_own_words_and_not_kept(stage, tmp_path):
    broken = sdist(tmp_path, "alpha", "1.0", "raise SystemExit('this build is broken on purpose')")
    store = WheelStore(tmp_path / "wheels")
    with pytest.raises(SourceBuildFailed, match=r"^alpha:") as caught:
        build_wheels([broken], stage, store=store, cache_dir=tmp_path)
    assert "broken on purpose" in (caught.value.details or "")
    assert not list(tmp_path.glob("built/**/*.whl"))


def test_a_missing_compiler_is_told_with_its_package(stage, tmp_path):
    setup = "from setuptools import setup, Extension; setup(ext_modules=[Extension('x', ['x.c'])])"
    with pytest.raises(SourceBuildFailed) as caught:
        build_wheels(
            [sdist(tmp_path, "alpha", "1.0", setup)],
            stage,
            store=WheelStore(tmp_path / "wheels"),
            cache_dir=tmp_path,
        )
    assert "gcc" in (caught.value.hint or ""), caught.value.details


def test_a_project_is_built_from_the_files_given(stage, tmp_path):
    project = tmp_path / "project"
    (project / "src" / "orders").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "orders"\ndynamic = ["version"]\nreadme = "README.md"\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "orders.VERSION"}\n'
    )
    (project / "README.md").write_text("Orders\n")
    (project / ".dockerignore").write_text("*.md\n")
    (project / "src" / "orders" / "__init__.py").write_text("VERSION = '3.1'\n")
    files = {p.relative_to(project).as_posix(): p for p in project.rglob("*") if p.is_file()}
    content = digest_of(b"the content of the project")
    store = WheelStore(tmp_path / "wheels")
    wheel = build_project_wheel("orders", files, content, stage, store=store, cache_dir=tmp_path / "cache")
    assert wheel.filename == "orders-3.1-py3-none-any.whl"
    assert sorted(p.name for p in project.iterdir()) == [".dockerignore", "README.md", "pyproject.toml", "src"]
    with pytest.raises(SourceBuildFailed, match="other"):
        build_project_wheel("other", files, digest_of(b"other"), stage, store=store, cache_dir=tmp_path / "cache")


def test_a_proxy_that_is_dead_is_no_success(stage, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = Indexes(default=f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
        with pytest.raises(SourceBuildFailed, match="alpha"):
            build_wheels(
                [sdist(tmp_path, "alpha", "1.0")],
                replace(stage, access=IndexAccess(indexes=dead, variables={"UV_HTTP_RETRIES": "0"})),
                store=WheelStore(tmp_path / "wheels"),
                cache_dir=tmp_path,
            )
