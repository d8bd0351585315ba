"""What no reader can type where the tests run: each reason holds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

from tests.recipes_contents.test_recipes_work import THIRD_PARTY

from .blocks import ROOT, blocks, pages
from .worlds import CLEANED, VALID_JOB, WORLDS

CONNECTS = """\
import pyodbc

pyodbc.connect(f"Driver=FreeTDS;Server=HOST;Port=1433;TDS_Version=7.4;UID=USER;PWD={password}")
"""
MEASURED = """\
$ make bench
$ make bench-full
$ make bench-full ONLY=growth,peers
$ make bench-full BENCH_ARGS='--directory /var/tmp'
"""
UNRUN = {
    "README.md": ["make test\n", f"{CLEANED}\n"],
    "docs/benchmarks.md": [MEASURED],
    "docs/how-to/sql-server.md": [CONNECTS, "$ imagekit build --package pyodbc --recipe mssql-odbc\n"],
    "docs/prefect.md": ["kubectl apply -f job.yml\n"],
}


def test_what_is_not_run_is_this_and_nothing_else() -> None:
    found = {page: [block.text for block in blocks(page) if block.not_run is not None] for page in pages()}
    assert {page: texts for page, texts in found.items() if texts} == UNRUN


def made(*words: str) -> str:
    """What ``make`` would do."""
    return subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_tests_are_what_ci_runs() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "pytest" in made("test")


def test_what_was_made_in_the_checkout_goes_when_all_has_been_read() -> None:
    assert CLEANED in WORLDS["README.md"].after


def test_the_benchmarks_take_what_they_are_told() -> None:
    told = "\n".join(made(*shlex.split(line)[2:]) for line in MEASURED.splitlines())
    assert "-m benchmarks --full --only 'growth,peers'" in told
    [asked] = re.findall(r"-m benchmarks .* (--directory) /var/tmp", told)
    known = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert asked in known.stdout


def test_the_driver_that_a_flow_names_is_the_one_that_the_page_shows() -> None:
    shown = "\n".join(block.text for block in blocks("docs/how-to/sql-server.md") if block.is_run)
    [driver] = re.findall(r"Driver=(\w+);", CONNECTS)
    assert f"print(pyodbc.drivers())\"\n['{driver}']" in shown
    compile(CONNECTS, "sql-server.md", "exec")


def test_microsofts_driver_is_of_a_third_party() -> None:
    """Who can reach its server builds it and tries it by `make test-recipes`."""
    assert "mssql-odbc" in THIRD_PARTY


def test_what_kubectl_is_given_is_held_to_kubernetes_schema() -> None:
    assert VALID_JOB in WORLDS["docs/prefect.md"].after
