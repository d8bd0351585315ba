"""What is there already when somebody opens a page: by default a small project and two images of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .blocks import Block
from .conftest import StartReading
from .reader import Reader

FLOW = """\
import tabulate


def etl(n: int = 3, day: str = "today"):
    print(tabulate.tabulate([(number, number * number) for number in range(n)]))
    return {"orders": n, "day": day}
"""
PROJECT = {
    "pyproject.toml": '[project]\nname = "orders"\nversion = "1.0"\nrequires-python = ">=3.10"\n',
    "requirements.txt": "tabulate==0.9.0\n",
    "flow.py": FLOW,
    "settings.yml": "currency: EUR\n",
    "Dockerfile": "FROM imagekit/python:3.11\nCOPY flow.py /app/\nWORKDIR /app\n",
}
IMAGES = ("imagekit build -q -t orders:v1", "imagekit build -q -t orders:v2 --package humanize==4.9.0")
MATRIX = """\
name = "{name}"
python = ["3.11"]
{base}
[framework]
package = "humanize"
versions = ["4.9.0", "4.10.0"]

[[category]]
name = "core"
requirements = ["{{framework}}"]
check = "import humanize"

[[tag]]
name = "{{version}}-python{{python}}"
"""
DEPLOYED = """\
from imagekit import flow
from imagekit.prefect import DockerImage


@flow
def orders(day: str = "today"):
    print(f"orders of {day}")


if __name__ == "__main__":
    image = DockerImage("registry.example.com/team/orders", tag="embedded")
    orders.deploy(name="nightly", work_pool_name="my-docker-pool", image=image)
"""
CRASHES = "import os\n\n\ndef etl(n: int = 3):\n    os._exit(3)\n"
RAISES = "def etl(n: int = 3):\n    raise ValueError(n)\n"
LATER = """\
def etl(n: int = 3):
    import boto3

    return boto3, n
"""
OUR_DRIVER = """\
summary = "the driver of our warehouse"

[[file]]
path = "/etc/our-driver.ini"
content = "[default]\\n"
"""
VALID_JOB = (
    f"{sys.executable} -c 'import yaml, kubernetes_validate as k; [k.validate(each, k.latest_version(), strict=True)"
    ' for each in yaml.safe_load(open("job.yml"))["items"]]\''
)
CLEANED = "make clean"
WITH_PREFECT = "'PATH_OF_A_CLONE_OF_THIS_REPOSITORY[prefect]'"
# The run of that number, the last one first.
RUNS = 'imagekit flow-run ls --json | python -c \'import json, sys; print(json.load(sys.stdin)["runs"][{}]["id"][:8])\''


@dataclass(frozen=True, kw_only=True)
class World:
    """``needs`` are names of ``machine.NEEDS``. ``files`` lie in the directory, ``before`` is typed there, and
    ``after`` at the end, to see that the page did what it is for.

    ``looked_up``: what a reader copies from a terminal: the page's own words for it, and the command that shows it.
    ``images``: the project's. ``nothing``: neither a project nor images, and no layer has ever been made.
    """

    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    looked_up: Mapping[str, str] = field(default_factory=dict)
    images: bool = True
    nothing: bool = False


_DEFAULT = World()
# A login that is no matter of the page's.
_OTHER_LOGIN = "machine other.example.com login me password q8Jd2Lq9sPz0XwVbN4"
# Dates on which the project changed, as `imagekit advise` counts them.
_HISTORY = (
    "git init -q",
    "git config user.email me@example.com",
    "git config user.name me",
    'dated() { date --iso-8601=seconds -d "$1 days ago"; }',
    "git add -A",
    'GIT_COMMITTER_DATE="$(dated 85)" git commit -q -m begun',
    'for day in 80 70 60 50 40 30; do echo "# $day" >> flow.py; [ $day != 50 ] || echo "# $day" >> pylock.toml',
    'GIT_COMMITTER_DATE="$(dated $day)" git commit -q -a -m "$day"; done',
)
WORLDS = {
    "README.md": World(
        needs=("environment", "clone"),
        images=False,
        before=('ln -s "$PWD" ~/orders',),
        after=("cd ~/imagekit", CLEANED, "test ! -e .venv && test ! -e build"),
    ),
    "docs/benchmarks.md": World(
        needs=("environment", "clone"),
        images=False,
        before=("git clone -q https://example.com/imagekit.git ~/imagekit",),
        after=("test -s benchmarks.html", "test -s kept.html"),
    ),
    "docs/tutorial.md": World(needs=("environment", "clone"), nothing=True),
    "docs/how-to/private-index.md": World(
        nothing=True,
        before=(f"echo {_OTHER_LOGIN} > ~/.netrc", "chmod 600 ~/.netrc"),
        after=(f"grep -qx '{_OTHER_LOGIN}' ~/.netrc", "test $(wc -l < ~/.netrc) = 1"),
    ),
    "docs/how-to/base-matrix.md": World(needs=("hub",), nothing=True),
    "docs/how-to/corporate-ca.md": World(needs=("site",), images=False),
    "docs/how-to/conda.md": World(needs=("environment", "clone", "conda"), images=False),
    "docs/how-to/prefect.md": World(needs=("environment", "clone", "prefect"), images=False),
    "docs/how-to/ci.md": World(needs=("hub", "clone"), images=False),
    "docs/how-to/sql-server.md": World(images=False),
    "docs/advise.md": World(
        files={"requirements.txt": "tabulate==0.9.0\nrich==14.2.0\nhttpx==0.28.1\nsqlalchemy==2.0.44\n"},
        before=("imagekit lock -q", *_HISTORY),
        images=False,
    ),
    "docs/conda.md": World(needs=("environment", "clone", "conda"), images=False),
    "docs/flow-sources.md": World(needs=("git",)),
    "docs/indexes.md": World(
        before=(
            "echo machine packages.example.com login reader password TOKEN > ~/.netrc",
            'cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" /etc/ssl/site.pem',
        ),
    ),
    "docs/matrix.md": World(
        before=('export MATRIX_CA="${SSL_CERT_FILE:-}"',),
        files={"my-matrix.toml": MATRIX.format(name="registry.example.com/flows", base="")},
    ),
    "docs/platforms.md": World(before=("export IMAGEKIT_PYTHON=",)),
    "docs/prefect.md": World(
        needs=("environment", "clone", "prefect"),
        files={"embedded.py": DEPLOYED},
        images=False,
        before=(
            f"pip install -q {WITH_PREFECT}",
            "imagekit work-pool create --type docker my-docker-pool",
            "python embedded.py",
        ),
        after=(VALID_JOB,),
    ),
    "docs/recipes.md": World(files={"recipes/our-driver.toml": OUR_DRIVER}),
    "docs/runs.md": World(
        files={"crashes.py": CRASHES, "raises.py": RAISES, "later.py": LATER},
        before=(
            "mkdir other && cp pyproject.toml requirements.txt other && cp crashes.py other/flow.py",
            "imagekit build -q -t etl:1 other",
            "imagekit run flow.py:etl -q --image etl:1 || true",
            "cp raises.py other/flow.py",
            "imagekit build -q -t etl:2 --package humanize==4.9.0 other",
            "imagekit run flow.py:etl -q --image etl:2 -p n=30 || true",
            "cp later.py other/flow.py",
            "imagekit build -q -t example.com/team/image:3 --package 'prefect==3.*' other",
        ),
        looked_up={"7aafe6f1": RUNS.format(0), "497de7a2": RUNS.format(1)},
    ),
    "docs/secrets.md": World(before=("printf token > FILE",)),
    "docs/supply-chain.md": World(
        before=(
            "imagekit build -q -t registry.example.com/team/orders:v1 --push",
            "docker tag imagekit/python:3.11 registry.example.com/team/python:3.11",
            "docker push -q registry.example.com/team/python:3.11",
        )
    ),
}


def before(page: str, reader: StartReading, cache: Path, *, connected: bool = True) -> Reader:
    """Somebody who is about to read ``page``."""
    world = WORLDS.get(page, _DEFAULT)
    # Where a page says that a layer is new, no other page has made it before.
    fresh = {"IMAGEKIT_CACHE_DIR": str(cache)} if world.nothing else {}
    needs = world.needs if connected else ()
    somebody = reader(*needs, connected=connected, **fresh)
    writes(somebody, page, {**({} if world.nothing else PROJECT), **world.files})
    somebody.types(page, *(IMAGES if world.images and not world.nothing else ()), *world.before)
    somebody.stand_ins |= {name: somebody.looks_up(command) for name, command in world.looked_up.items()}
    return somebody


def writes(somebody: Reader, page: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        somebody.does(Block(page=page, line=0, language="text", text=text, file=name))
