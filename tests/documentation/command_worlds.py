"""What the examples of each command take for granted: files, images, deployments, runs of the names that they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from .blocks import ROOT
from .worlds import MATRIX, OUR_DRIVER, RUNS, VALID_JOB, WITH_PREFECT


@dataclass(frozen=True, kw_only=True)
class CommandWorld:
    """``needs`` are names of ``machine.NEEDS``; ``polls``: a worker of the pool ``etl`` goes on beside.

    ``before`` and ``after`` are typed; the latter sees to it that the examples did what they are for. Without
    ``images`` nothing has been built.
    """

    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    polls: bool = False
    images: bool = True


SPECIFIED = """\
from imagekit import DeploymentSpec, DockerFlowRunner, flow


@flow
def etl(n: int = 1):
    print("n is", n)


DeploymentSpec(name="nightly", flow=etl, flow_runner=DockerFlowRunner(image="orders:v1"))
"""
BAKED = """\
from imagekit import flow


@flow
def etl(n: int = 1):
    print("n is", n)


if __name__ == "__main__":
    etl.deploy("nightly", work_pool_name="etl", image={image})
"""
POLLS = "imagekit worker start --pool etl\n"
# What a reader copies from a terminal: the names in the examples, and the commands that show it.
LOOKED_UP = {
    "3f2a": RUNS.format(0),
    "9c01": RUNS.format(1),
    "imagekit/extras:3eb25d5f7cc97e3d914ed3f49338bca8": (
        "docker image ls --format '{{.Repository}}:{{.Tag}}' imagekit/extras | head -n 1"
    ),
}

_POOL = ("imagekit work-pool create --type docker my-docker-pool",)
_ETL = ("imagekit work-pool create etl",)
_DEPLOYMENT = (*_ETL, "imagekit deployment create example-deployment.py --pool etl")
_SPECIFIED = {"example-deployment.py": SPECIFIED}
_BAKED = {"deploy.py": BAKED.format(image='"registry.example.com/team/orders:v1"')}
_BAKED_WITH_PREFECT = {
    "deploy.py": "from imagekit.prefect import DockerImage\n"
    + BAKED.format(image='DockerImage("registry.example.com/team/orders", tag="v1")')
}
_ANY_PYTHON = ("export IMAGEKIT_PYTHON=",)
_RUN = ("imagekit run flow.py:etl --image orders:v1 --name nightly -q",)
_TWO_RUNS = (*_RUN, "imagekit run flow.py:etl --image orders:v2 -p n=4 -q")
_EXTRA = (
    "imagekit run flow.py:etl --image orders:v1 --name imagekit-run-etl-1a2b3c -q"
    " --env EXTRA_PIP_PACKAGES=humanize==4.10.0",
)
_PUSHED = ("imagekit build -q -t registry.example.com/team/orders:v1 --push --attest",)
_OWN_MATRIX = {"my-matrix.toml": MATRIX.format(name="registry.example.com/flows", base="")}
_REGISTRY_BASE = '\n[base]\nsource = "registry"\nimage = "registry.example.com/python:{{python}}"\n'
_STORED = ("printf 'q8Jd2Lq9sPz0XwVbN4' > password.txt", "imagekit secret set index-password < password.txt")


# Where this machine trusts certificates of its site, a build is given them as its secret.
_TRUSTED_BY_BAKE = ('export MATRIX_CA="${SSL_CERT_FILE:-}"',)
TRUSTED_BY_BUILDS = {"docker build ../": "docker build --secret id=imagekit-ca,src=$SSL_CERT_FILE ../"}


def _base_in_the_registry(version: str) -> tuple[str, ...]:
    name = f"registry.example.com/python:{version}"
    return (f"docker tag imagekit/python:{version} {name}", f"docker push -q {name}")


def _no_images(**more: object) -> CommandWorld:
    return CommandWorld(images=False, **more)  # type: ignore[arg-type]


WORLDS: dict[str, CommandWorld] = defaultdict(
    CommandWorld,
    {
        "build": CommandWorld(
            needs=("layout",), after=("docker image inspect orders:v2 registry.example.com/team/orders:v1",)
        ),
        "init": _no_images(
            files={"orders/pyproject.toml": '[project]\nname = "orders"\nversion = "1"\n'},
            after=("grep -q tool.imagekit orders/pyproject.toml", "test -s imagekit.toml"),
        ),
        "run": CommandWorld(needs=("git",), before=("mkdir data",)),
        "work-pool create": _no_images(),
        "work-pool ls": _no_images(before=_POOL),
        "work-pool inspect": _no_images(before=_POOL),
        "work-pool update": _no_images(before=_ETL),
        "work-pool pause": _no_images(before=_POOL),
        "work-pool resume": _no_images(before=_POOL),
        "work-pool delete": _no_images(before=_POOL),
        "work-pool get-default-base-job-template": _no_images(after=("grep -q mem_limit template.json",)),
        "worker start": _no_images(before=_POOL),
        "worker ls": _no_images(before=_ETL),
        "worker unit": _no_images(
            before=_ETL, after=("grep -q ExecStart ~/.config/systemd/user/imagekit-worker-etl.service",)
        ),
        "deployment create": CommandWorld(before=_ETL, files=_SPECIFIED),
        "deployment ls": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED),
        "deployment inspect": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED),
        "deployment run": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED, polls=True),
        "deployment pause": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED),
        "deployment resume": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED),
        "deployment delete": CommandWorld(before=_DEPLOYMENT, files=_SPECIFIED),
        "flow-run ls": CommandWorld(before=_RUN),
        "flow-run inspect": CommandWorld(before=_RUN),
        "flow-run logs": CommandWorld(before=_RUN),
        "flow-run delete": CommandWorld(before=_RUN),
        "flow-run cancel": CommandWorld(before=(*_DEPLOYMENT, "imagekit deployment run etl/nightly"), files=_SPECIFIED),
        "flow-run retry": CommandWorld(
            before=(*_DEPLOYMENT, "imagekit deployment run etl/nightly", "imagekit worker start --pool etl --run-once"),
            files=_SPECIFIED,
            polls=True,
        ),
        "promote": CommandWorld(before=_EXTRA, after=("grep -q humanize requirements.txt",)),
        "diff": CommandWorld(before=_TWO_RUNS),
        "push": CommandWorld(
            before=(
                "imagekit build -q -t registry.example.com/team/orders:v1",
                "imagekit build -q -t localhost:5000/orders:v1",
            )
        ),
        "lock": CommandWorld(files={"requirements.in": "tabulate\n"}, after=("test -s pylock.prod.toml",)),
        "plan": CommandWorld(needs=("newer base",)),
        "preflight": CommandWorld(needs=("newer base",), before=_ANY_PYTHON),
        # Within the project, and once more: what lies there is no part of the source.
        "dockerfile": CommandWorld(
            after=("imagekit dockerfile -o in -q && imagekit dockerfile -o in", 'test -z "$(ls -A in/source/in)"')
        ),
        "check": CommandWorld(before=("imagekit build -q -t example.com/team/image:3 --package 'prefect==3.*'",)),
        "lint": CommandWorld(
            files={"docker/Dockerfile": "FROM imagekit/python:3.11\nUSER 1000\n"}, before=("imagekit lock -q", *_PUSHED)
        ),
        "sbom": CommandWorld(before=(*_PUSHED, "imagekit build -q -t orders:v1 -o oci:images")),
        "provenance": CommandWorld(before=_PUSHED, after=("test -s orders.intoto.json",)),
        "base sizes": CommandWorld(needs=("newer base",), images=False),
        "base pin": CommandWorld(
            needs=("newer base",),
            files={"imagekit.toml": 'base-image = "registry.example.com/python:3.11"\n'},
            before=(*_ANY_PYTHON, *_base_in_the_registry("3.11"), *_base_in_the_registry("3.13")),
            after=("grep -q 'python:3.13@sha256:' imagekit.toml",),
            images=False,
        ),
        "matrix plan": CommandWorld(files=_OWN_MATRIX),
        "matrix ls": _no_images(files=_OWN_MATRIX),
        "matrix tags": _no_images(),
        "matrix build": CommandWorld(needs=("newer base",), files=_OWN_MATRIX, images=False),
        "matrix bake": CommandWorld(files=_OWN_MATRIX, before=_TRUSTED_BY_BAKE, images=False),
        "matrix pin": CommandWorld(
            files={"my-matrix.toml": MATRIX.format(name="registry.example.com/flows", base=_REGISTRY_BASE.format())},
            before=_base_in_the_registry("3.11"),
            after=("grep -q sha256: my-matrix.toml",),
            images=False,
        ),
        "recipe show": CommandWorld(
            needs=("newer base",), files={"my.toml": OUR_DRIVER}, before=_ANY_PYTHON, images=False
        ),
        "recipe check": CommandWorld(
            needs=("newer base",),
            files={"my.toml": f"{OUR_DRIVER}\n[check]\nprogram = \"assert open('/etc/our-driver.ini').read()\"\n"},
            before=_ANY_PYTHON,
            images=False,
        ),
        "secret set": CommandWorld(before=_STORED[:1]),
        "secret delete": CommandWorld(before=_STORED),
        "secret scan": CommandWorld(before=_STORED),
        "config unset": _no_images(before=("imagekit config set default-namespace=registry.example.com/team",)),
        "config get": _no_images(before=("imagekit config set default-namespace=registry.example.com/team",)),
        "config use-profile": _no_images(before=("imagekit config set --profile prod engine-timeout=300",)),
        "bench report": _no_images(before=(f"mkdir benchmarks && cp -r {ROOT}/benchmarks/results benchmarks",)),
        **{
            words: _no_images()
            for words in (
                *("config set", "config view", "config path", "config profiles", "config schema"),
                *("recipe ls", "secret ls", "base build", "base ensure", "base ls", "doctor"),
            )
        },
        "deployment kubernetes": CommandWorld(
            files=_BAKED, before=(*_ETL, "python deploy.py"), after=("grep -q ConfigMap job.yml", VALID_JOB)
        ),
        "deployment to-prefect": CommandWorld(
            needs=("environment", "clone", "prefect"),
            files=_BAKED_WITH_PREFECT,
            before=(
                f"pip install -q {WITH_PREFECT}",
                "export PREFECT_API_URL=http://prefect.example.com:4200/api",
                *_ETL,
                "python deploy.py",
            ),
            after=("prefect deployment inspect etl/nightly",),
            images=False,
        ),
    },
)
