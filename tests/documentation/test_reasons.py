"""What no reader can type where the tests run: each reason holds."""

from __future__ import annotations

import subprocess

from tests.recipes_contents.test_recipes_work import THIRD_PARTY

from .blocks import ROOT, blocks, pages
from .worlds import VALID_JOB, WORLDS

UNRUN = {
    "README.md": "make test\n",
    "docs/how-to/sql-server.md": "$ imagekit build --package pyodbc --recipe mssql-odbc\n",
    "docs/prefect.md": "kubectl apply -f job.yml\n",
}


def test_what_is_not_run_is_this_and_nothing_else() -> None:
    found = {block.page: block.text for page in pages() for block in blocks(page) if block.not_run is not None}
    assert found == UNRUN


def test_the_tests_are_what_ci_runs() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    done = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pytest" in done.stdout


def test_microsofts_driver_is_of_a_third_party() -> None:
    """Who can reach its server builds it and tries it by `make test-recipes`."""
    assert "mssql-odbc" in THIRD_PARTY


def test_what_kubectl_is_given_is_held_to_kubernetes_schema() -> None:
    assert VALID_JOB in WORLDS["docs/prefect.md"].after
