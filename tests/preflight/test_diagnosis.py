"""What builds said when they failed, and the causes and mends that are read in it."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.building.remedies import remedies_at_hand, with_diagnosis
from imagekit.errors import ResolveError
from imagekit.preflight.diagnosis import diagnose, hint_of
from imagekit.preflight.signs import FATAL, LACKS, OTHERS
from imagekit.preflight.values import System

from ..layers.bases import base
from .captured import CASES, Captured

BOOKWORM = System(id="debian", codename="bookworm", version="12")


@pytest.mark.parametrize("name", CASES)
def test_a_build_that_failed(name: str) -> None:
    case: Captured = CASES[name]
    (first, *_) = diagnose(case.words, case.package, BOOKWORM, python=case.python)
    assert first.kind == case.kind
    if case.wants:
        assert tuple(case.wants.split(" ")) in first.wants
    assert case.advice in first.hint
    assert "\n" not in first.hint
    assert "{" not in first.hint


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].recipe])
def test_a_recipe_that_mends_it(name: str) -> None:
    case = CASES[name]
    hint = hint_of(case.words, case.package, BOOKWORM, remedies_at_hand(), python=case.python)
    assert hint.endswith(f'add recipes = ["{case.recipe}"]')


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("error: [Errno 2] No such file or directory: 'data.txt'", "own last words"),
        ("error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc-12'", '[apt] build = ["gcc"]'),
        ("fatal error: frobnicate.h: No such file or directory", "apt-file search frobnicate.h"),
        ("src/x.c:1:10: fatal error: numpy/arrayobject.h: No such file or directory", "own last words"),
        ("ModuleNotFoundError: No module named 'numpy'", "does not declare it"),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang-new']]", '[apt] build = ["gfortran"]'),
        ("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]", '[apt] build = ["gcc"]'),
        ("CMake Error: CMAKE_CXX_COMPILER not set\nNo CMAKE_CXX_COMPILER could be found.", '[apt] build = ["g++"]'),
        ("configure: error: no acceptable C compiler found in $PATH", '[apt] build = ["gcc"]'),
        (
            "Did not find CMake 'cmake'\nFound CMake: NO\nERROR: Program 'ninja' not found or not executable",
            "ninja-build",
        ),
        ("The headers or library files could not be found for jpeg,", "libjpeg-dev"),
        ("Error: Please make sure the libxml2 and libxslt development packages are installed.", "libxslt1-dev"),
        ("sh: line 1: swig: command not found", '[apt] build = ["swig"]'),
        ("The system library `libudev` required by crate `libudev-sys` was not found.", "libudev-dev"),
        ("rust-lld: error: unable to find library -lssl", "libssl-dev"),
        (
            "RuntimeError: Cannot install on Python version 3.13.1; only versions >=3.7,<3.11 are supported.",
            "older Python",
        ),
        ("error: package `half v2.4.1` cannot be built because it requires rustc 1.70 or newer", "newer one"),
        ("CMake 3.26 or higher is required.  You are running version 3.25.1", "CMake 3.26"),
        ("x.c:9: error: ‘PyThreadState’ has no member named ‘curexc_traceback’", "which Cython wrote"),
        ("AttributeError: module 'pkgutil' has no attribute 'ImpImporter'", "ImpImporter"),
        ("error: pkg-config probably not installed: FileNotFoundError(2, 'No such file')", '"pkg-config"'),
        ("ValueError: Did not find netCDF version 4 headers.", '"libnetcdf-dev"'),
        ("error: [Errno 2] No such file or directory: 'cpp'", '[apt] build = ["gcc"]'),
        ("", "own last words"),
    ],
)
def test_what_else_they_say(words: str, hint: str) -> None:
    assert hint in hint_of(words, "alpha", BOOKWORM, python="3.13")


def _is_endless(pattern: str) -> bool:
    """Whether it goes past anything at all, however long that is."""
    pattern = re.sub(r"\\.|\[[^\]^][^\]]*\]", "x", pattern)
    return re.search(r"(?:\.|\[\^[^\]]*\])[*+]", pattern) is not None


def test_no_sign_follows_a_line_to_its_end() -> None:
    """A line of megabytes that begins like a sign again and again would take hours."""
    assert all(map(_is_endless, (r"BLAS[^\n]*not found", r"Git.*to", r"\(missing:[^)]+INCLUDE")))
    assert not any(map(_is_endless, (r"-l([\w.+-]+)", r"3\.*", r"[^\n]{0,300}")))
    patterns = [sign.pattern.pattern for sign in (*LACKS, *FATAL, *OTHERS)]
    assert [pattern for pattern in patterns if _is_endless(pattern)] == []


def test_a_full_disk_goes_before_what_it_left_unfinished() -> None:
    causes = diagnose("x.h: No space left on device\nfatal error: zlib.h: No such file or directory", "alpha", BOOKWORM)
    assert [cause.kind for cause in causes] == ["disk", "missing"]


def test_everything_that_is_missing_is_told_at_once() -> None:
    words = "fatal error: sql.h: No such file or directory\nerror: command 'g++' failed: No such file or directory\n"
    (cause,) = diagnose(words, "pyodbc", BOOKWORM)
    line = 'add a recipe of your own with [apt] build = ["unixodbc-dev", "g++"], or take a base that has them'
    assert cause.to_json() == {
        "kind": "missing",
        "said": "the base has no sql.h and no g++",
        "advice": f"{line}, or a version of pyodbc that has a wheel",
        "wants": [{"kind": "header", "name": "sql.h"}, {"kind": "program", "name": "g++"}],
        "mend": {
            "recipes": [],
            "packages": ["unixodbc-dev", "g++"],
            "command": "apt-get install unixodbc-dev g++",
            "unknown": [],
            "line": line,
        },
    }


@given(st.text(alphabet=string.printable + "‘’`'\"/: \n", max_size=400), st.text(string.ascii_lowercase, max_size=8))
def test_whatever_a_build_says_there_is_one_line_of_advice(words: str, package: str) -> None:
    hint = hint_of(words, package, BOOKWORM)
    assert hint
    assert "\n" not in hint


def test_a_build_that_ends_the_resolving_is_diagnosed_too() -> None:
    words = """  × Failed to download and build `mysqlclient==2.2.7`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)
      /bin/sh: 1: pkg-config: not found
      Exception: Can not find valid pkg-config name."""
    error = with_diagnosis(ResolveError("it failed", hint="before", details=words), base())
    assert error.hint is not None
    assert error.hint.endswith('add recipes = ["mysql"]')
    other = ResolveError("it failed", hint="before", details="no such version")
    assert with_diagnosis(other, base()).hint == "before"


def test_a_long_word_of_a_build_is_read_once() -> None:
    # From each of its letters anew, it would take hours.
    (cause,) = diagnose("A" * 1_000_000 + "\npg_config executable not found\n", "psycopg2")
    assert cause.wants == (("program", "pg_config"),)
