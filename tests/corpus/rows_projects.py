"""Projects by their pyproject.toml, with extras and with groups."""

from __future__ import annotations

from imagekit.errors import InputError, InvalidProject, NoWheel, RepositoryError, SourceBuildFailed, Unsatisfiable
from tests.corpus.row import End, Row, Unless

# An index may have what was published in the last weeks later than others, or never.
NEW_CERTIFI = (
    Unless(
        requirement="certifi>=2026.10.19",
        ends=End(error=Unsatisfiable, says=("no set of versions fits:", "you require certifi>=2026.10.19")),
    ),
)

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
        unless=NEW_CERTIFI,
    ),
    Row(
        project="pandas",
        arguments={"extras": ["all"]},
        why="a package on two lines by Python, one on two by platform; an extra of 22 others; a build by meson",
        count=45,
        has={'tzdata; sys_platform == "emscripten"': "pyproject.toml:31", "scipy>=1.16.1": "pyproject.toml"},
        hasnt=("pandas[",),
        built=True,
        ends=End(error=NoWheel, says=("no wheel of odfpy", "--allow-source-build odfpy")),
    ),
    Row(
        project="pandas",
        arguments={"extras": ["all"], "source_builds": True},
        why="the same: psycopg2 is built where PostgreSQL's headers are",
        count=45,
        built=True,
        ends=End(
            error=SourceBuildFailed,
            says=("psycopg2: building its wheel from source failed", "the base has no pg_config", "postgresql"),
        ),
    ),
    Row(
        project="pandas",
        arguments={"extras": ["excel", "parquet", "plot"], "source_builds": ["odfpy"]},
        why="some of its extras, one package of them from source",
        count=13,
        built=True,
    ),
    Row(
        project="mlflow",
        arguments={"extras": ["gateway"]},
        why="many extras",
        count=26,
        built=True,
        unless=(
            Unless(
                requirement="mlflow-skinny==3.18.0",
                ends=End(error=Unsatisfiable, says=("no set of versions fits:", "mlflow-skinny==3.18.0")),
            ),
        ),
    ),
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
    Row(
        project="whisper",
        why="torch: three gigabytes with CUDA, so it is resolved and its image is not built",
        count=14,
        has={"torch": "requirements.txt:3", "tiktoken": "requirements.txt:6"},
        built=True,
        weighs=True,
    ),
    Row(project="dbt-core", why="a build backend of the project's own", count=1, built=True),
    Row(
        project="django",
        python="3.13",
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
        unless=(
            Unless(
                host="github.com",
                ends=End(
                    error=RepositoryError,
                    says=("https://github.com/zzstoatzz/python-cli-bench.git could not be read", "git ls-remote"),
                ),
            ),
            *NEW_CERTIFI,
        ),
    ),
    Row(
        project="pdm",
        arguments={"groups": ["test"], "extras": ["all"]},
        why="extras of extras, and a group that asks for pdm[pytest]",
        count=32,
        has={"pytest-httpserver>=1.0.6": "pyproject.toml"},
        hasnt=("pdm[",),
        built=True,
        unless=NEW_CERTIFI,
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
        refused=InputError,
        problems=3,
        says=(
            "3 problems: pyproject.toml:169: [tool.uv] exclude-newer = '48h' is no date",
            "lock it with uv: uv lock",
            "dagster-pipes' is outside the project directory",
        ),
    ),
]
