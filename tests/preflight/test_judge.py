"""What is told of which compiled files, and how loudly: the cases that decide it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagekit.preflight.compiled import compiled_file
from imagekit.preflight.judge import findings
from imagekit.preflight.mends import mend_of
from imagekit.preflight.names import HEADER, LIBRARY, SUITES, install_command, package_of, system_of
from imagekit.preflight.report import told
from imagekit.preflight.values import CompiledFile, Offer, Remedy, System, WheelFiles

from .elves import shared_library

BOOKWORM = System(id="debian", codename="bookworm", version="12")
BASE = Offer(
    base="the-base",
    machine="x86_64",
    libc="glibc",
    libc_version="2.36",
    cache_tag="cpython-311",
    libraries=frozenset({"libc.so.6", "libm.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2"}),
    system=BOOKWORM,
)
MODULE = "cpython-311-x86_64-linux-gnu.so"


def file(path: str, *needed: str, **more: object) -> CompiledFile:
    return CompiledFile(path=path, machine="x86_64", needed=needed, **more)  # type: ignore[arg-type]


def wheel(name: str, *files: CompiledFile) -> WheelFiles:
    return WheelFiles(name=name, version="1.0", files=files)


def found(*wheels: WheelFiles, base: Offer = BASE) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(each.severity, each.rule, each.package, each.wants) for each in findings(wheels, base)]


def missing(severity: str, package: str, *wants: str) -> tuple[str, str, str, tuple[str, ...]]:
    return severity, "library-missing", package, wants


CASES = {
    "what the base has": ([wheel("a", file(f"a/x.{MODULE}", "libc.so.6", "libm.so.6"))], []),
    "a module's library": ([wheel("a", file(f"a/x.{MODULE}", "libGL.so.1"))], [missing("warning", "a", "libGL.so.1")]),
    "of a module by abi3": ([wheel("a", file("a/x.abi3.so", "libGL.so.1"))], [missing("warning", "a", "libGL.so.1")]),
    "of one without a tag": ([wheel("a", file("a/_x.so", "libGL.so.1"))], [missing("warning", "a", "libGL.so.1")]),
    "bundled beside it, as auditwheel does": (
        [wheel("a", file(f"a/x.{MODULE}", "libq-12.so.5", search=("$ORIGIN/../a.libs",)), file("a.libs/libq-12.so.5"))],
        [],
    ),
    "bundled, by soname alone": (
        [wheel("a", file(f"a/x.{MODULE}", "libq.so.5"), file("a/lib/libq.so.5.2.1", soname="libq.so.5"))],
        [],
    ),
    "what a bundled one misses": (
        [
            wheel(
                "a",
                file(f"a/x.{MODULE}", "libQt5.so.5", search=("${ORIGIN}/lib",)),
                file("a/lib/libQt5.so.5", "libEGL.so.1"),
            )
        ],
        [missing("warning", "a", "libEGL.so.1")],
    ),
    "of another wheel, which is loaded first": (
        [
            wheel("torch", file(f"torch/_C.{MODULE}", "libtorch.so", "libcudart.so.12"), file("torch/lib/libtorch.so")),
            wheel("nvidia-cuda-runtime-cu12", file("nvidia/cuda_runtime/lib/libcudart.so.12")),
        ],
        [],
    ),
    "a plug-in that nobody is linked to": (
        [wheel("a", file(f"a/x.{MODULE}", "libc.so.6"), file("a/plugins/libqxcb.so", "libX11.so.6"))],
        [missing("note", "a", "libX11.so.6")],
    ),
    "a library's own release": (
        [wheel("a", file(f"a/x.{MODULE}", "libgomp.so.1.0.0"))],
        [missing("warning", "a", "libgomp.so.1.0.0")],
    ),
    "plug-ins of a wheel that another is linked to": (
        [
            wheel("pyqt6", file("PyQt6/QtGui.abi3.so", "libQt6Gui.so.6", search=("$ORIGIN/Qt6/lib",))),
            wheel(
                "pyqt6-qt6", file("PyQt6/Qt6/lib/libQt6Gui.so.6"), file("PyQt6/Qt6/plugins/libpsql.so", "libpq.so.5")
            ),
        ],
        [missing("note", "pyqt6-qt6", "libpq.so.5")],
    ),
    "a library of the same name in its own wheel": (
        [
            wheel("a", file(f"a/x.{MODULE}", "libq.so.5"), file("a/deep/libq.so.5")),
            wheel("b", file("b/libq.so.5", "libGL.so.1"), file(f"b/tests/x.{MODULE}", "libq.so.5")),
        ],
        [missing("note", "b", "libGL.so.1")],
    ),
    "a transport of nvidia's": (
        [wheel("nvidia-nvshmem-cu12", file("nvidia/nvshmem/lib/nvshmem_transport_ibrc.so.3", "libibverbs.so.1"))],
        [missing("note", "nvidia-nvshmem-cu12", "libibverbs.so.1")],
    ),
    "a test's module": (
        [wheel("a", file(f"a/tests/x.{MODULE}", "libGL.so.1"))],
        [missing("note", "a", "libGL.so.1")],
    ),
    "opened by ctypes, in a wheel without modules": (
        [wheel("lightgbm", file("lightgbm/lib/lib_lightgbm.so", "libgomp.so.1"))],
        [missing("warning", "lightgbm", "libgomp.so.1")],
    ),
    "a threading layer that numba does without": (
        [wheel("numba", file(f"numba/np/ufunc/tbbpool.{MODULE}", "libtbb.so.12"), file(f"numba/_d.{MODULE}"))],
        [missing("note", "numba", "libtbb.so.12")],
    ),
    "a GPU's driver": (
        [wheel("a", file(f"a/x.{MODULE}", "libcuda.so.1"))],
        [("note", "host-library", "a", ("libcuda.so.1",))],
    ),
    "a program on the path": (
        [wheel("a", file("../../../bin/tool", "libGL.so.1", is_program=True), file(f"a/x.{MODULE}"))],
        [missing("warning", "a", "libGL.so.1")],
    ),
    "a module of another Python": (
        [wheel("a", file("a/x.cpython-39-x86_64-linux-gnu.so", "libGL.so.1"), file(f"a/x.{MODULE}"))],
        [missing("note", "a", "libGL.so.1")],
    ),
    "of another processor": (
        [wheel("a", replace(file("a/lib/liba.so", "libGL.so.1"), machine="aarch64"))],
        [],
    ),
    "a C library that is too old": (
        [wheel("a", file(f"a/x.{MODULE}", "libc.so.6", glibc="2.38"), file(f"a/y.{MODULE}", glibc="2.4"))],
        [("error", "glibc-too-old", "a", ("2.38",))],
    ),
    "of a test's module": (
        [wheel("a", file(f"a/tests/x.{MODULE}", "libc.so.6", glibc="2.38"), file(f"a/y.{MODULE}"))],
        [("note", "glibc-too-old", "a", ("2.38",))],
    ),
    "a circle of libraries": (
        [
            wheel(
                "a",
                file(f"a/x.{MODULE}", "liba.so"),
                file("a/liba.so", "libb.so"),
                file("a/libb.so", "liba.so", "libz"),
            )
        ],
        [missing("warning", "a", "libz")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    wheels, expected = CASES[name]
    assert found(*wheels) == expected


def test_on_musl_a_wheel_for_glibc_is_told_once_and_as_such() -> None:
    musl = replace(BASE, libc="musl", libc_version="1.2.5", libraries=frozenset({"libc.musl-x86_64.so.1"}))
    module = file(f"a/x.{MODULE}", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", glibc="2.99")
    assert found(wheel("a", module), base=musl) == [("warning", "other-libc", "a", ("glibc",))]
    assert found(wheel("a", file(f"a/x.{MODULE}", "libc.musl-x86_64.so.1"))) == [
        ("warning", "other-libc", "a", ("musl",))
    ]


def test_of_a_base_of_which_no_library_is_known_nothing_is_said() -> None:
    assert found(wheel("a", file(f"a/x.{MODULE}", "libGL.so.1")), base=replace(BASE, libraries=frozenset())) == []


def test_who_asks_is_named_as_it_is_imported() -> None:
    (first,) = findings(
        [wheel("opencv-python", file("cv2/cv2.abi3.so", "libQ.so"), file("o.libs/libQ.so", "libGL.so.1"))], BASE
    )
    assert first.needed_by == ("cv2.cv2",)
    assert first.count == 1
    (said,) = told([first], BASE, [])
    assert said.message == "opencv-python 1.0: cv2.cv2 needs libGL.so.1, which the-base does not have"
    assert said.hint == 'add a recipe of your own with [apt] packages = ["libgl1"], or take a base that has them'


def test_what_is_read_of_a_file_of_ours() -> None:
    data = shared_library(
        "libc.so.6",
        "libGL.so.1",
        soname="libx.so.1",
        search="$ORIGIN/../lib:/opt",
        versions=["GLIBC_2.4", "GLIBC_2.17", "GLIBC_PRIVATE"],
    )
    read = compiled_file(
        "opt/venv/bin/../bin/x.so", "/opt/venv/lib/python3.11/site-packages", lambda at, n: data[at : at + n]
    )
    assert read == CompiledFile(
        path="../../../bin/x.so",
        machine="x86_64",
        needed=("libc.so.6", "libGL.so.1"),
        soname="libx.so.1",
        search=("$ORIGIN/../lib", "/opt"),
        glibc="2.17",
    )
    marked = shared_library("libc.so.6", versions=["GLIBC_2.2.5", "GLIBC_ABI_DT_RELR"])
    again = compiled_file("x.so", "/", lambda at, n: marked[at : at + n])
    assert again is not None
    assert again.glibc == "2.36"


RECIPES = (
    Remedy(recipe="opencv", serves=frozenset({"opencv-python"}), sonames=frozenset({"libGL.so.1"})),
    Remedy(recipe="desktop", sonames=frozenset({"libGL.so.1", "libEGL.so.1"}), packages=frozenset({"libgtk-3-0"})),
    Remedy(recipe="unixodbc", serves=frozenset({"pyodbc"}), sonames=frozenset({"libodbc.so.2"})),
    Remedy(recipe="audio", packages=frozenset({"libasound2"})),
)


@pytest.mark.parametrize(
    ("package", "sonames", "line"),
    [
        ("pyodbc", ["libodbc.so.2"], 'add recipes = ["unixodbc"]'),
        # The recipe that is made for a package was tried with it.
        ("opencv-python", ["libGL.so.1", "libEGL.so.1"], 'add recipes = ["opencv"]'),
        ("other", ["libGL.so.1", "libEGL.so.1"], 'add recipes = ["desktop"]'),
        # By its package, though the recipe does not list the name.
        ("other", ["libasound.so.2"], 'add recipes = ["audio"]'),
        (
            "other",
            ["libodbc.so.2", "libcairo.so.2"],
            'add a recipe of your own with [apt] packages = ["libodbc2", "libcairo2"], or take a base that has them',
        ),
        ("other", ["libnever.so.7"], "find out what brings libnever.so.7: apt-file search libnever.so.7"),
    ],
)
def test_recipes_go_before_packages(package: str, sonames: list[str], line: str) -> None:
    assert mend_of([(LIBRARY, name) for name in sonames], BOOKWORM, RECIPES, package=package).line == line


@pytest.mark.parametrize(
    ("release", "package"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\n", "libasound2"),
        ("ID=debian\nVERSION_CODENAME=trixie\n", "libasound2t64"),
        ('ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE="debian"\n', "libasound2t64"),
        ("ID=ubuntu\nVERSION_CODENAME=jammy\n", "libasound2"),
        ("", "libasound2t64"),
        ("ID=alpine\nVERSION_ID=3.20\n", None),
        ("not 'an os-release", "libasound2t64"),
    ],
)
def test_a_package_is_called_as_its_distribution_calls_it(release: str, package: str | None) -> None:
    assert package_of(LIBRARY, "libasound.so.2", system_of(release)) == package


def test_other_distributions_find_a_library_by_its_name() -> None:
    alpine, fedora = system_of("ID=alpine\n"), system_of('ID="rocky"\nID_LIKE="rhel centos fedora"\n')
    assert install_command(alpine, (), ("libGL.so.1",)) == "apk add so:libGL.so.1"
    assert install_command(fedora, (), ("libGL.so.1",)) == "dnf install 'libGL.so.1()(64bit)'"
    assert install_command(system_of("ID=nixos\n"), (), ("libGL.so.1",)) is None
    mend = mend_of([(LIBRARY, "libGL.so.1")], alpine)
    assert mend.line == "take a base that has them (apk add so:libGL.so.1)"
    # Recipes install with apt.
    assert mend_of([(LIBRARY, "libGL.so.1")], alpine, RECIPES, package="opencv-python") == mend
    assert mend_of([(HEADER, "sql.h")], alpine, RECIPES).line == "find out what brings sql.h"


@pytest.mark.parametrize(
    ("kind", "name", "package"),
    [
        ("library", "libGL.so.1", "libgl1"),
        ("library", "libgomp.so.1", "libgomp1"),
        ("library", "libpq.so.5", "libpq5"),
        ("library", "libodbc.so.2", "libodbc2"),
        ("library", "libnss3.so", "libnss3"),
        ("library", "libgomp.so.1.0.0", "libgomp1"),
        ("library", "libX11.so.6", "libx11-6"),
        ("header", "sql.h", "unixodbc-dev"),
        ("header", "openssl/ssl.h", "libssl-dev"),
        ("header", "ft2build.h", "libfreetype-dev"),
        ("header", "Python.h", "python3-dev"),
        ("pkg-config", "libpq", "libpq-dev"),
        ("pkg-config", "mysqlclient", "default-libmysqlclient-dev"),
        ("program", "pg_config", "libpq-dev"),
        ("program", "cc1plus", "g++"),
        ("program", "krb5-config", "libkrb5-dev"),
        ("program", "gdal-config", "libgdal-dev"),
        ("link", "pq", "libpq-dev"),
    ],
)
def test_the_table_has_the_names_that_are_asked_for(kind: str, name: str, package: str) -> None:
    for suite in SUITES:
        assert package_of(kind, name, System(id="debian", codename=suite)) in (package, "libodbc1")
