"""The health check on a real engine, on an image with a virtual environment laid out as ours are."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import imagekit.check.probe_program
from imagekit.check.distribution_names import distribution_of
from imagekit.check.health import check_image, examine
from imagekit.check.judgement import findings
from imagekit.check.values import CheckReport
from imagekit.engine.client import Engine
from imagekit.errors import BaseUnusable, CheckFailed, InvalidEntrypoint

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("health")

DOCKERFILE = """
FROM {base}
RUN p="$(command -v python3)" && v="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \\
 && mkdir -p /opt/venv/bin "/opt/venv/lib/python$v" \\
 && ln -s "$p" /opt/venv/bin/python && ln -s python /opt/venv/bin/python3 \\
 && printf 'home = %s\\ninclude-system-site-packages = false\\n' "$(dirname "$p")" > /opt/venv/pyvenv.cfg \\
 && ln -s /site "/opt/venv/lib/python$v/site-packages"
COPY site /site
COPY bin /scripts
RUN cp /scripts/* /opt/venv/bin/ && chmod 755 /opt/venv/bin/*
ENV PATH=/opt/venv/bin:$PATH
COPY app /app
WORKDIR /app
USER 1234
"""


def metadata(name: str, version: str, *requires: str) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires)]) + "\n"


FILES = {
    "site/alpha-1.0.dist-info/METADATA": metadata(
        "Alpha", "1.0", "beta_two>=2", "gone; python_version < '3'", "extra-only; extra == 'more'"
    ),
    "site/alpha.py": "import beta_two\n",
    "site/beta_two-2.5.dist-info/METADATA": metadata("beta_two", "2.5"),
    "site/beta_two.py": "VALUE = 2\n",
    "bin/good": "#!/opt/venv/bin/python\nprint('good')\n",
    "bin/enveloped": "#!/bin/sh\n'''exec' /opt/venv/bin/python \"$0\" \"$@\"\n' '''\n",
    "app/flow.py": "import alpha\n\n\ndef etl():\n    return alpha\n",
}
LOCKED = {"alpha": "1.0", "beta-two": "2.5"}
BROKEN = {
    **FILES,
    "site/alpha-1.0.dist-info/METADATA": metadata("Alpha", "1.0", "beta_two>=3", "absent", "b@d !"),
    "site/gamma-1.dist-info/METADATA": metadata("gamma", "1"),
    "site/zeta-6.dist-info/METADATA": metadata("zeta", "6", "beta_two<2", "absent"),
    "bin/bad": "#!/usr/bin/no-such-python\n",
    "app/sub/__init__.py": "",
    "app/sub/deep.py": "import os\nimport cv2\n",
    "app/missing.py": "from sub import deep\n\ndef etl(): pass\n",
    "app/library.py": "raise ImportError('libodbc.so.2: cannot open shared object file: No such file or directory')\n",
    "app/submodule.py": "import beta_two.more\n",
    "app/hanging.py": "import time\nprint('waiting', flush=True)\ntime.sleep(3600)\n",
    "app/asking.py": "input('your name? ')\n",
    "app/crashing.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "app/leaving.py": "import sys\nsys.exit(3)\n",
    "app/syntax.py": "def etl(:\n",
    "app/calling.py": "import socket\nsocket.create_connection(('192.0.2.77', 80), timeout=600)\n",
    "app/threads.py": "import threading as t, time\nt.Thread(target=time.sleep, args=(3600,)).start()\netl = print\n",
}


@pytest.fixture(scope="session")
def good(build_image: Callable[[str, Mapping[str, str]], str], python_image: str) -> str:
    return build_image(DOCKERFILE.format(base=python_image), FILES)


@pytest.fixture(scope="session")
def bad(build_image: Callable[[str, Mapping[str, str]], str], python_image: str) -> str:
    return build_image(DOCKERFILE.format(base=python_image), BROKEN)


@pytest.fixture
def nothing_left(engine: Engine) -> Any:
    mine = {"label": ["imagekit.kind=check", f"imagekit.owner={_owner()}"]}
    yield
    assert engine.api.containers(all=True, filters=mine) == []


def _owner() -> str:
    from imagekit.engine.containers import owner

    return owner()


@pytest.mark.usefixtures("nothing_left")
def test_an_image_in_good_health(engine: Engine, good: str) -> None:
    report = check_image(engine, good, expected_python="3", entrypoints=["flow.py:etl"], distributions=LOCKED)
    assert report.ok
    assert dict(report.distributions) == LOCKED
    assert [name for name, _ in report.entrypoints] == ["flow.py:etl"]
    document = report.to_json()
    assert document["ok"] is True
    assert document["findings"] == []
    assert document["entrypoints"][0]["entrypoint"] == "flow.py:etl"


@pytest.fixture(scope="session")
def report(engine: Engine, bad: str) -> CheckReport:
    """Everything wrong at once, in one container start."""
    names = ("missing", "library", "submodule", "hanging", "asking", "crashing", "leaving", "syntax", "calling")
    return examine(
        engine,
        bad,
        expected_python="2.7",
        entrypoints=[*(f"{name}.py:etl" for name in names), "flow.py:etl", "flow.py:other", "threads.py:etl"],
        distributions={"alpha": "1.0", "beta-two": "2.6", "delta": "4"},
        base={"epsilon": "5", "zeta": "6"},
        deadline=10,
    )


@pytest.mark.parametrize(
    ("kind", "subject", "message", "hint"),
    [
        ("python", None, "and not 2.7", "base image"),
        ("entrypoint", "cv2", "missing.py:etl cannot be imported: No module named 'cv2' (/app/sub/deep.py:2)",
         "add opencv-python-headless to your requirements"),
        ("entrypoint", "library.py", "libodbc.so.2", "the image lacks the system library libodbc.so.2"),
        ("entrypoint", "beta_two.more", "submodule.py:etl", "the beta_two in the image has no beta_two.more"),
        ("entrypoint", "hanging.py", "had not ended after 10 s", "import"),
        ("entrypoint", "asking.py", "EOFError", "no-health-check"),
        ("entrypoint", "crashing.py", "signal 11", "no-health-check"),
        ("entrypoint", "leaving.py", "sys.exit(3)", "no-health-check"),
        ("entrypoint", "syntax.py", "SyntaxError", "no-health-check"),
        ("entrypoint", "calling.py", "Network is unreachable", "no-health-check"),
        ("entrypoint", "flow.py", "/app/flow.py has no function other", "entrypoint"),
        ("missing", "delta", "delta 4 is locked and not installed", "build"),
        ("missing", "epsilon", "epsilon 5 of the base is gone", "build"),
        ("version", "beta-two", "installed as 2.5", "lock"),
        ("extra", "gamma", "gamma 1 is installed", "requirements"),
        ("requirement", "alpha", "alpha requires beta_two>=3; 2.5 is there", "lock"),
        ("requirement", "zeta", "zeta requires beta_two<2; 2.5 is there", "lock"),
        ("requirement", "alpha", "alpha requires absent, which is not installed", "add absent"),
        ("script", "/opt/venv/bin/bad", "/usr/bin/no-such-python is not in the image", "build"),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_is_found(
    report: CheckReport, kind: str, subject: str | None, message: str, hint: str
) -> None:
    fitting = [
        f
        for f in report.findings
        if f.kind == kind and subject in (None, f.subject) and message in f.message and hint in (f.hint or "")
    ]
    assert len(fitting) == 1, [f.to_json() for f in report.findings]


def test_nothing_is_found_that_is_not_wrong(report: CheckReport) -> None:
    assert len(report.findings) == 19
    assert [name for name, _ in report.entrypoints] == ["flow.py:etl", "threads.py:etl"]


def test_what_was_printed_and_raised_is_kept(report: CheckReport) -> None:
    details = {f.subject: f.details or "" for f in report.findings}
    assert details["hanging.py"] == "waiting\n"
    assert "import cv2" in details["cv2"]
    assert ".imagekit" not in details["cv2"]


def test_what_the_base_holds_can_be_allowed(engine: Engine, good: str) -> None:
    settings: dict[str, Any] = {"expected_python": "3", "distributions": {"Beta.Two": "2.5.0"}}
    assert [f.subject for f in examine(engine, good, **settings).findings] == ["alpha"]
    assert check_image(engine, good, base={"ALPHA": "1.0"}, **settings).ok


def test_two_of_a_name_are_found() -> None:
    """Of ours: what the base had twice before is left to it."""

    def entry(name: str, version: str) -> dict[str, Any]:
        return {"name": name, "version": version, "location": "/site", "requires": [], "scripts": []}

    report = {
        "python": "3.11.2",
        "markers": {},
        "distributions": [entry("Alpha", "1.0"), entry("pip", "24"), entry("alpha", "0.9"), entry("pip", "23")],
        "scripts": [],
        "entrypoints": [],
    }
    (found,) = findings(report, expected_python="3.11", distributions={"alpha": "1.0"}, base={"pip": "24"})
    assert (found.kind, found.message) == ("duplicate", "alpha is installed more than once: 0.9 in /site, 1.0 in /site")


@pytest.mark.usefixtures("nothing_left")
def test_a_failed_check_says_what_is_wrong_in_one_line(engine: Engine, bad: str) -> None:
    with pytest.raises(CheckFailed) as raised:
        check_image(
            engine,
            bad,
            expected_python="3",
            entrypoints=["missing.py:etl"],
            distributions={"alpha": "1.0", "beta-two": "2.5"},
            base={"gamma": "1", "zeta": "6"},
        )
    error = raised.value
    assert error.message.startswith("the image fails its health check: missing.py:etl cannot be imported: No module")
    assert error.message.endswith("(and 4 more)")
    assert "\n" not in error.message
    assert error.hint is not None
    assert "opencv-python-headless" in error.hint
    assert error.details is not None
    assert "absent" in error.details


def test_a_python_that_cannot_start(engine: Engine, build_image: Callable[..., str], python_image: str) -> None:
    broken = build_image(f"FROM {python_image}\nENV PYTHONHOME=/nowhere\n", {})
    with pytest.raises(CheckFailed, match="without a report") as raised:
        check_image(engine, broken, expected_python="3", distributions={})
    assert raised.value.details is not None
    empty = build_image("FROM scratch\nCOPY x /x\n", {"x": ""})
    with pytest.raises(BaseUnusable):
        check_image(engine, empty, expected_python="3", distributions={})


def test_a_bad_entrypoint_is_refused_before_the_engine_is_called() -> None:
    with pytest.raises(InvalidEntrypoint):
        check_image(
            Engine("unix:///nowhere"),
            "x",
            expected_python="3",
            entrypoints=["/etc/passwd"],
            distributions={},
        )


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("cv2", "opencv-python-headless"),
        ("sklearn.linear_model", "scikit-learn"),
        ("yaml", "PyYAML"),
        ("PIL.Image", "Pillow"),
        ("google.cloud.storage.blob", "google-cloud-storage"),
        ("pandas", "pandas"),
        ("my_module.part", "my-module"),
    ],
)
def test_the_distribution_of_a_module(module: str, distribution: str) -> None:
    assert distribution_of(module) == distribution


def test_the_probe_keeps_to_old_syntax_and_the_standard_library() -> None:
    source = Path(imagekit.check.probe_program.__file__).read_bytes()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - {"bootstrap"} <= set(sys.stdlib_module_names)
