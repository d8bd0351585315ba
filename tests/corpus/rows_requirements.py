"""Requirements files: pinned ones, and those that name others."""

from __future__ import annotations

from imagekit.errors import (
    IndexUnreachable,
    InvalidProject,
    InvalidRequirement,
    NoWheel,
    SourceBuildFailed,
    Unsatisfiable,
)
from tests.corpus.row import End, Row, Unless, asks

PINNED = [
    Row(
        project="repo2docker",
        why="the output of pip-compile, its comments about who wants what with it",
        quick=True,
        count=17,
        has={"docker==7.1.0": "requirements.txt:13", "urllib3==2.6.3": "requirements.txt:43"},
    ),
    Row(
        project="cibuildwheel",
        arguments=asks("constraints-python311.txt"),
        why="the output of uv pip compile",
        count=35,
        has={"abi3audit==0.0.26": "constraints-python311.txt:3"},
        unless=(
            Unless(
                requirement="certifi==2026.10.23",
                ends=End(error=Unsatisfiable, says=("no set of versions fits:", "certifi==2026.10.23")),
            ),
        ),
    ),
    Row(
        project="ansible-test",
        why="pins, and an archive by its URL and hash",
        count=9,
        has={
            "dill @ https://github.com/uqfoundation/dill/archive/2308ffb0d0c605b9c050fa4c9fd5793d65c67022.zip"
            "#sha256=090190c7a7f6d6c3bd22f0be94e571e2c70c679d66ccf5be08baa51303607331": "requirements.txt:2"
        },
        unless=(
            Unless(
                host="github.com",
                ends=End(
                    error=IndexUnreachable, says=("dill: could not be fetched from https://github.com/uqfoundation/",)
                ),
            ),
        ),
    ),
    Row(
        project="home-assistant",
        python="3.14",
        why="-c with 139 limits, and requires-python with a patch release",
        count=50,
        has={"zeroconf==0.152.0": "pyproject.toml:72"},
        constraints=139,
        built=True,
        ends=End(error=NoWheel, says=("no wheel of pyric fits Python 3.14", "--allow-source-build pyric")),
    ),
    Row(
        project="home-assistant",
        arguments={"source_builds": True},
        python="3.14",
        why="the same, where what has no wheel may be built",
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
        project="warehouse",
        arguments=asks("requirements/main.txt", "requirements/deploy.txt"),
        python="3.14",
        why="pip-compile --generate-hashes: 184 packages, each with all its hashes, in two files",
        count=192,
        has={"alembic==1.18.5": "requirements/main.txt:7"},
    ),
    Row(
        project="supervisor",
        python="3.14",
        why="dependencies that setuptools reads of requirements.txt",
        count=29,
        has={"aiohttp==3.14.3": "requirements.txt:3"},
        ends=End(error=NoWheel, says=("no wheel of cpe fits Python 3.14", "--allow-source-build cpe")),
    ),
    Row(
        project="supervisor",
        arguments={"source_builds": True},
        python="3.14",
        why="the same, where what has no wheel may be built",
        count=29,
        has={"aiohttp==3.14.3": "requirements.txt:3", "cpe==1.3.1": "requirements.txt:11"},
    ),
    Row(
        project="python-tutorial",
        why="UTF-16 with CRLF, as PowerShell writes it; half of it is too old to have a wheel for this Python",
        count=19,
        has={"astroid==2.0.4": "requirements.txt:1", "wrapt==1.10.11": "requirements.txt:19"},
        ends=End(error=NoWheel, says=("no wheel of lazy-object-proxy", "--allow-source-build")),
    ),
    Row(
        project="python-tutorial",
        arguments={"source_builds": True},
        why="the same, where what has no wheel may be built: sources of 2018 with a Python of 2022",
        count=19,
        has={"PyYAML==3.13": "requirements.txt:14", "wrapt==1.10.11": "requirements.txt:19"},
    ),
    Row(
        project="healthchecks",
        why="a service whose pins want a later Python, which no file of it says",
        count=15,
        has={"Django[argon2]==6.1": "requirements.txt:3"},
        ends=End(error=Unsatisfiable, says=("no set of versions fits:", "django[argon2]==6.1", "a Python >=3.12")),
    ),
    Row(
        project="healthchecks",
        arguments={"source_builds": ["oncalendar"]},
        python="3.14",
        why="the same with such a Python, one package built from source; what was a build in C is a wheel (pycurl)",
        count=15,
        has={"pycurl==7.47.0": "requirements.txt:9"},
    ),
    Row(
        project="scikit-learn/binder",
        why="a requirements file of comments alone",
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
        ends=End(error=NoWheel, says=("no wheel of sqlalchemy-dremio", "--allow-source-build sqlalchemy-dremio")),
    ),
    Row(
        project="great-expectations",
        arguments=asks("requirements-dev.txt", source_builds=True),
        why="the same, where what has no wheel may be built: some two hundred packages",
        count=96,
    ),
    Row(
        project="keystone",
        arguments=asks("test-requirements.txt", "doc/requirements.txt"),
        why="two files at once, beside a project whose dependencies pbr tells",
        count=20,
        has={"oslo.db[fixtures,mysql,postgresql]>=6.0.0": "test-requirements.txt:6", "ldappool>=2.0.0": "doc"},
        ends=End(error=NoWheel, says=("no wheel of python-ldap", "--allow-source-build python-ldap")),
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
        python="3.13",
        arguments=asks("tests/requirements/py3.txt"),
        why="markers in the words of PEP 345: sys.platform",
        count=23,
        has={
            'numpy>=1.26.0; sys_platform != "win32" or python_version < "3.15"': "tests/requirements/py3.txt:9",
            'pywatchman; sys_platform != "win32"': "tests/requirements/py3.txt:14",
        },
        built=True,
        ends=End(error=NoWheel, says=("no wheel of pylibmc fits Python 3.13", "--allow-source-build pylibmc")),
    ),
    Row(
        project="django",
        python="3.13",
        arguments=asks("tests/requirements/py3.txt", source_builds=True),
        why="the same: a package in C is built where the base has a compiler, and this one has none",
        count=23,
        built=True,
        ends=End(
            error=SourceBuildFailed,
            says=("pylibmc: building its wheel from source failed", "the base has no", "compiler"),
        ),
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
