"""What becomes of each of the public projects whose dependency declarations lie beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.errors import ImagekitError, InputError, InvalidProject, InvalidRequirement, StaleLock


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One project, read with ``arguments`` for an image with ``python``.

    Either it is read: ``count`` requirements, among them those of ``has`` (each with the place that it comes from).
    Or it is ``refused``: the message begins with the first of ``says``, the others stand somewhere in the error.
    """

    project: str  # a directory here
    arguments: Mapping[str, Any] = field(default_factory=dict)  # of read_spec
    python: str = "3.11"
    why: str  # what the row is here for; of a refusal, why it is right
    count: int = 0
    has: Mapping[str, str] = field(default_factory=dict)  # by requirement how its origin begins; ROOT: the file: URL
    hasnt: tuple[str, ...] = ()  # the beginnings of requirements that must not be there
    constraints: int = 0
    lock: str | None = None
    built: bool = False  # the project itself must be built in the base
    refused: type[InputError] | None = None
    problems: int = 1
    says: tuple[str, ...] = ()
    # What the lock has for Linux on x86-64 and the row's Python, told without an index: versions that are among it.
    locked: int | None = None
    versions: tuple[str, ...] = ()
    # The second level (make corpus): how many packages it resolves to, or what is raised. Only what has been seen.
    resolves: int | type[ImagekitError] | None = None


def asks(*files: str, **others: Any) -> dict[str, Any]:
    return {"requirements": list(files), **others}


PINNED = [
    Row(
        project="repo2docker",
        why="the output of pip-compile, its comments about who wants what with it",
        count=17,
        has={"docker==7.1.0": "requirements.txt:13", "urllib3==2.6.3": "requirements.txt:43"},
    ),
    Row(
        project="cibuildwheel",
        arguments=asks("constraints-python311.txt"),
        why="the output of uv pip compile",
        count=35,
        has={"abi3audit==0.0.26": "constraints-python311.txt:3"},
    ),
    Row(
        project="ansible-test",
        why="pins, and an archive by its URL and hash",
        count=9,
        has={
            "dill @ https://github.com/uqfoundation/dill/archive/2308ffb0d0c605b9c050fa4c9fd5793d65c67022.zip"
            "#sha256=090190c7a7f6d6c3bd22f0be94e571e2c70c679d66ccf5be08baa51303607331": "requirements.txt:2"
        },
    ),
    Row(
        project="home-assistant",
        python="3.14",
        why="-c with 139 limits, and requires-python with a patch release",
        count=50,
        has={"zeroconf==0.152.0": "pyproject.toml:72"},
        constraints=139,
        built=True,
    ),
    Row(
        project="home-assistant",
        why="it needs Python 3.14.2",
        refused=InvalidProject,
        says=("Python 3.11 is asked for, and the project requires >=3.14.2", "ask for another Python"),
    ),
    Row(
        project="scikit-learn/binder",
        why="a requirements file of comments alone",
        resolves=0,
    ),
    Row(
        project="repo2docker/binder",
        why="Binder's simplest example",
        count=1,
        has={"numpy": "requirements.txt:1"},
    ),
]

INCLUDES = [
    Row(
        project="celery",
        arguments=asks("requirements/default.txt"),
        why="a project of setup.py, by one of its files",
        count=10,
        has={'exceptiongroup>=1.3.1; python_version < "3.11"': "requirements/default.txt:9"},
    ),
    Row(
        project="celery",
        arguments=asks("requirements/docs.txt"),
        why="-r of files which -r others, relative to each",
        count=29,
        has={
            'mypy==2.4.0; platform_python_implementation == "CPython"': "requirements/test.txt:12",
            "kombu[sqlalchemy]": "requirements/extras/sqlalchemy.txt:1",
        },
    ),
    Row(
        project="celery",
        arguments=asks("requirements/dev.txt"),
        why="pip clones a repository to learn its name; here nothing is fetched before all is read",
        refused=InvalidRequirement,
        problems=3,
        says=(
            "3 problems: requirements/dev.txt:1: 'git+https://github.com/celery/py-amqp.git' does not say which",
            "requirements/dev.txt:3: 'git+https://github.com/celery/billiard.git'",
            "write NAME @ git+https://github.com/celery/py-amqp.git",
        ),
    ),
    Row(
        project="dask",
        arguments=asks("docs/requirements-docs.txt"),
        why="the same among names and a line that ends in a blank",
        refused=InvalidRequirement,
        says=("docs/requirements-docs.txt:18: 'git+https://github.com/dask/distributed' does not say which package",),
    ),
    Row(
        project="great-expectations",
        why="a package on several lines, each for other Pythons",
        count=25,
        has={
            'numpy>=1.22.4; python_version >= "3.10"': "requirements.txt:7",
            'pydantic>=2.13.0; python_version >= "3.14"': "requirements.txt:16",
            "typing-extensions>=4.1.0": "requirements.txt:25",
        },
    ),
    Row(
        project="great-expectations",
        arguments=asks("requirements-dev.txt"),
        why="--requirement three files deep, one of them by many",
        count=96,
        has={'pyarrow>=14; python_version >= "3.12"': "reqs/requirements-dev-arrow.txt:2"},
    ),
    Row(
        project="keystone",
        arguments=asks("test-requirements.txt", "doc/requirements.txt"),
        why="two files at once, beside a project whose dependencies pbr tells",
        count=20,
        has={"oslo.db[fixtures,mysql,postgresql]>=6.0.0": "test-requirements.txt:6", "ldappool>=2.0.0": "doc"},
    ),
    Row(
        project="jupyterhub",
        arguments=asks("ci/oldest-dependencies/requirements.in"),
        why="it names a file that their CI makes first",
        refused=InvalidRequirement,
        says=("ci/oldest-dependencies/requirements.in:4: 'oldest-dependencies.txt' is not there",),
    ),
    Row(
        project="django",
        python="3.12",
        arguments=asks("tests/requirements/py3.txt"),
        why="markers in the words of PEP 345: sys.platform",
        count=23,
        has={
            'numpy>=1.26.0; sys_platform != "win32" or python_version < "3.15"': "tests/requirements/py3.txt:9",
            'pywatchman; sys_platform != "win32"': "tests/requirements/py3.txt:14",
        },
        built=True,
    ),
    Row(
        project="pdm",
        arguments=asks("fixtures/requirements-include.txt"),
        why="one line has a hash, so pip wants one of every line, too",
        refused=InvalidRequirement,
        problems=5,
        says=(
            "5 problems: fixtures/requirements.txt:3: 'webassets==2.0' has no hash, and others have one",
            "fixtures/requirements.txt:7: 'pip @ git+https://github.com/pypa/pip.git@main#egg=pip' can have no hash",
        ),
    ),
    Row(
        project="requests",
        arguments=asks("requirements-dev.txt"),
        why="-e .[socks] is the project with that extra",
        count=11,
        has={"PySocks!=1.5.7,>=1.5.6": "pyproject.toml", "httpbin~=0.10.0": "requirements-dev.txt:5"},
        built=True,
    ),
]

PROJECTS = [
    Row(
        project="fastapi",
        arguments={"extras": ["standard"]},
        why="PEP 621 with extras of packages that have extras",
        count=19,
        has={"uvicorn[standard]>=0.12.0": "pyproject.toml"},
        built=True,
    ),
    Row(
        project="bentoml",
        arguments={"extras": ["all"]},
        why="extras that are made of the project's other extras, two deep",
        count=58,
        has={'tomli>=1.1.0; python_version < "3.11"': "pyproject.toml", "s3fs": "pyproject.toml"},
        hasnt=("bentoml",),
        built=True,
    ),
    Row(
        project="pandas",
        arguments={"extras": ["all"]},
        why="a package on two lines by Python, one on two by platform; an extra of 22 others; a build by meson",
        count=45,
        has={'tzdata; sys_platform == "emscripten"': "pyproject.toml:31", "scipy>=1.16.1": "pyproject.toml"},
        hasnt=("pandas[",),
        built=True,
    ),
    Row(project="mlflow", arguments={"extras": ["gateway"]}, why="many extras", count=26, built=True),
    Row(
        project="dask",
        arguments={"extras": ["complete"]},
        why="extras of extras",
        count=15,
        has={"lz4>=4.3.2": "pyproject.toml"},
        hasnt=("dask",),
        built=True,
    ),
    Row(
        project="scikit-learn",
        why="a compiled project whose version is dynamic, and its dependencies are not",
        count=5,
        has={"narwhals>=2.0.1": "pyproject.toml"},
        built=True,
    ),
    Row(project="dbt-core", why="a build backend of the project's own", count=1, built=True),
    Row(
        project="django",
        python="3.12",
        arguments={"extras": ["argon2"]},
        why="a requirement for Windows alone",
        count=4,
        has={'tzdata; sys_platform == "win32"': "pyproject.toml", "argon2-cffi>=23.1.0": "pyproject.toml"},
        built=True,
    ),
    Row(
        project="jupyterhub",
        arguments={"extras": ["test"]},
        why="dynamic dependencies: the project is built in the base, and its wheel says them",
        count=19,
        has={
            "jupyterhub[test] @ ROOT": "the project",
            'pamela>=1.1.0; sys_platform != "win32"': "requirements.txt:10",
        },
    ),
    Row(
        project="keystone",
        why="dependencies that pbr reads of requirements.txt",
        count=32,
        has={"pbr!=2.1.0,>=2.0.0": "requirements.txt:5", "keystone @ ROOT": "the project"},
    ),
]

GROUPS = [
    Row(
        project="cookiecutter",
        arguments={"groups": ["dev"]},
        why="PEP 735, a group in a group",
        count=14,
        has={"rust-just>=1.42.3": "pyproject.toml", "freezegun": "pyproject.toml"},
        hasnt=("ruff",),
    ),
    Row(
        project="cryptography",
        arguments={"groups": ["dev"], "extras": ["ssh"]},
        why="groups of groups, and requires-python with exceptions",
        count=23,
        has={"nox[uv]>=2024.04.15": "pyproject.toml", "bcrypt>=3.1.5": "pyproject.toml"},
        built=True,
    ),
    Row(
        project="requests",
        arguments={"groups": ["test"]},
        why="a group that asks for the project itself with an extra: requests[socks]",
        count=12,
        has={"PySocks!=1.5.7,>=1.5.6": "pyproject.toml"},
        hasnt=("requests",),
        built=True,
    ),
    Row(
        project="xarray",
        arguments={"groups": ["dev"]},
        why="the same with extras of extras",
        count=58,
        has={"h5netcdf[h5py]>=1.8.0": "pyproject.toml"},
        hasnt=("xarray",),
        built=True,
    ),
    Row(
        project="pip",
        arguments={"groups": ["test"]},
        why="no dependencies but those of groups",
        count=15,
        has={"tomli-w": "pyproject.toml"},
        built=True,
    ),
    Row(
        project="prefect",
        arguments={"groups": ["cli-bench"], "extras": ["bundles"]},
        why="a repository in a group; [tool.uv] with nothing that decides an image",
        count=59,
        has={
            "python-cli-bench @ git+https://github.com/zzstoatzz/python-cli-bench.git": "pyproject.toml",
            'pendulum<4,>=3.1.0; python_version < "3.13"': "pyproject.toml",
        },
        built=True,
    ),
    Row(
        project="pdm",
        arguments={"groups": ["test"], "extras": ["all"]},
        why="extras of extras, and a group that asks for pdm[pytest]",
        count=32,
        has={"pytest-httpserver>=1.0.6": "pyproject.toml"},
        hasnt=("pdm[",),
        built=True,
    ),
    Row(
        project="poetry",
        arguments={"groups": ["test", "github-actions"]},
        why="[project] with groups of [tool.poetry], one of them optional; only classifiers are dynamic",
        count=32,
        has={
            "pytest-xdist[psutil]>=3.1": "pyproject.toml",
            "pytest-github-actions-annotate-failures<0.2.0,>=0.1.7": "pyproject.toml",
        },
        built=True,
    ),
    Row(
        project="uvicorn",
        why="without its lock, what the last seven days had is another thing tomorrow",
        refused=InvalidProject,
        problems=2,
        says=(
            "2 problems: pyproject.toml:60: [tool.uv] exclude-newer-package is not honoured",
            "pyproject.toml:58: [tool.uv] exclude-newer = '7 days' is no date",
            "lock it with uv: uv lock",
        ),
    ),
    Row(
        project="dagster",
        why="the same; and one package of a repository of many has its sources outside of itself",
        refused=InvalidProject,
        says=("pyproject.toml:169: [tool.uv] exclude-newer = '48h' is no date", "lock it with uv: uv lock"),
    ),
]

CONDA = [
    Row(project="repo2docker/conda-python", why="an environment of a Python alone", python="3.12", resolves=0),
    Row(
        project="repo2docker/conda-pip",
        why="numpy is asked of conda, whose packages no Python index has under the same names",
        refused=InvalidProject,
        says=("environment.yml:3: 'numpy' is a package of conda's", 'conda-packages = {numpy = "numpy"}'),
    ),
    Row(
        project="repo2docker/conda-r",
        why="R is no Python package",
        refused=InvalidProject,
        problems=2,
        says=("2 problems: environment.yml:2: 'r-base=3.6' is a package of conda's", "environment.yml:3: 'r-digest'"),
    ),
    Row(
        project="xarray/ci",
        why="56 packages of conda's and three of pip's: all are told at once",
        refused=InvalidProject,
        problems=56,
        says=("56 problems: environment.yml:6: 'aiobotocore' is a package of conda's",),
    ),
]

LOCKS = [
    Row(
        project="flask",
        arguments={"groups": ["tests"], "extras": ["async"]},
        why="a uv.lock with groups, extras and packages of two versions",
        count=12,
        has={'importlib-metadata>=3.6.0; python_version < "3.10"': "pyproject.toml:8"},
        lock="uv.lock",
        locked=14,
        versions=("asgiref", "greenlet", "pytest"),
    ),
    Row(
        project="poetry-locked",
        why="a poetry.lock, up to date",
        count=1,
        has={"docker>=4.3.1": "pyproject.toml:6"},
        lock="poetry.lock",
        locked=8,
        versions=("docker==4.3.1", "websocket-client==0.58.0"),
    ),
    Row(
        project="poetry-outdated",
        why="a poetry.lock that its own project has as out of date; reading alone does not open it",
        count=1,
        lock="poetry.lock",
        resolves=StaleLock,
    ),
    Row(
        project="pdm-demo",
        arguments={"extras": ["tests", "security"]},
        why="a pdm.lock with extras, chardet for Windows alone",
        count=4,
        has={'chardet; os_name == "nt"': "pyproject.toml:9"},
        lock="pdm.lock",
        locked=8,
        versions=("idna==2.7", "requests==2.27.1"),
    ),
    Row(
        project="repo2docker/pipfile",
        arguments={"groups": ["dev"]},
        why="a Pipfile.lock with its development packages",
        lock="Pipfile.lock",
        locked=2,
        versions=("pypi-pkg-test==0.0.4", "there==0.0.9"),
    ),
    Row(
        project="pip-build",
        arguments={"groups": ["build"]},
        why="a pylock.toml that pip wrote",
        count=2,
        has={"flit-core<5,>=3.11": "pyproject.toml:2"},
        lock="pylock.toml",
        locked=4,
        versions=("build==1.6.1", "flit-core==4.2.0"),
        resolves=4,
    ),
]

ROWS = [*PINNED, *INCLUDES, *PROJECTS, *GROUPS, *CONDA, *LOCKS]
