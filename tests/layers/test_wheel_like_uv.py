"""A wheel's layer holds what uv makes of the same wheel in a virtual environment at the same path."""

from __future__ import annotations

import csv
import posixpath
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .wheels import In, files_of, installed_by_uv, layer, prefix_at, record_hash, write_wheel

TRICKY: dict[str, bytes | In] = {
    "tricky/__init__.py": b"VALUE = 1\n",
    "tricky/empty.txt": b"",
    "tricky/Case.txt": b"upper",
    "tricky/case.txt": b"lower",
    "tricky/ünïcode/日本.txt": "日本".encode(),
    "tricky/with, comma.txt": b",",
    "tricky/tool": In(b"#!/bin/sh\n", 0o100755),
    "tricky/large.bin": In(bytes(range(256)) * 6000, 0o100755),
    "tricky/stored.bin": In(b"stored" * 300_000, compress=zipfile.ZIP_STORED),
    "tricky-more.pth": b"/opt/elsewhere\nimport sys\n",
    "_tricky_top.py": b"TOP = 1\n",
    "tricky-1.0.data/purelib/tricky/pure.py": b"PURE = 1\n",
    "tricky-1.0.data/platlib/tricky/plat.so": In(b"\x7fELF", 0o100755),
    "tricky-1.0.data/headers/tricky.h": b"#define TRICKY\n",
    "tricky-1.0.data/headers/sub/more.h": b"",
    "tricky-1.0.data/data/share/tricky/settings.ini": b"[a]\n",
    "tricky-1.0.data/data/etc/tricky.conf": b"x\n",
    "tricky-1.0.data/scripts/tricky-shell": In(b"#!/bin/sh\necho shell\n", 0o100755),
    "tricky-1.0.data/scripts/tricky-python": b"#!python\nprint('script')\n",
    "tricky-1.0.data/scripts/tricky-windows": b"#!pythonw\nprint('script')\n",
    "tricky-1.0.data/scripts/tricky-binary": b"\x7fELF\0\0#!python",
    "tricky-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntricky-main = tricky:main\n"
    b"Tricky.Extra=tricky.pure:Object.method [one,two]\n[gui_scripts]\ntricky-gui = tricky:gui\n"
    b"[other]\nanything goes = not a script\n",
    "tricky-1.0.dist-info/licenses/LICENSE": b"free\n",
}

# Who installed it and why; RECORD and the scripts are compared by what they mean.
OWN_WORDS = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}


def _rows(record: bytes) -> dict[str, tuple[str, str]]:
    return {row[0]: (row[1], row[2]) for row in csv.reader(record.decode().splitlines())}


def _compare(wheel: Path, venv: Path, generated: set[str]) -> dict[str, tuple[bool, bytes]]:
    theirs = installed_by_uv(venv, wheel)
    data, written = layer(wheel, prefix_at(str(venv)))
    ours = files_of(data, f"{str(venv).lstrip('/')}/")
    assert set(written.paths) <= {f"{str(venv).lstrip('/')}/{path}" for path in ours}
    info = next(posixpath.dirname(path) for path in ours if path.endswith(".dist-info/RECORD"))

    def shared(found: dict[str, tuple[bool, bytes]]) -> dict[str, tuple[bool, bytes]]:
        apart = {f"{info}/{name}" for name in (*OWN_WORDS, "RECORD")} | generated
        return {path: content for path, content in found.items() if path not in apart}

    assert shared(ours) == shared(theirs)
    for script in generated:
        assert ours[script][0]
        assert theirs[script][0]
        assert ours[script][1].splitlines()[0] == theirs[script][1].splitlines()[0] == f"#!{venv}/bin/python".encode()

    # Every file has its row, with its own hash and size.
    site = posixpath.dirname(info)
    rows = _rows(ours[f"{info}/RECORD"][1])
    assert set(rows) == {posixpath.relpath(path, site) for path in ours}
    for path, (_, content) in ours.items():
        expected = ("", "") if path == f"{info}/RECORD" else (record_hash(content), str(len(content)))
        assert rows[posixpath.relpath(path, site)] == expected
    uninstalled_by_theirs = {posixpath.normpath(row) for row in _rows(theirs[f"{info}/RECORD"][1])}
    ours_only = {posixpath.normpath(row) for row in rows} - uninstalled_by_theirs
    assert {posixpath.basename(path) for path in ours_only} <= OWN_WORDS
    return ours


def test_a_wheel_with_everything(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, TRICKY)
    venv = tmp_path / "opt" / "venv"
    scripts = {f"bin/{name}" for name in ("tricky-main", "Tricky.Extra", "tricky-gui")}
    # uv gives pythonw's scripts the interpreter, too; both start the environment's own.
    ours = _compare(wheel, venv, scripts | {"bin/tricky-python", "bin/tricky-windows"})
    assert ours["bin/tricky-binary"][1] == b"\x7fELF\0\0#!python"
    assert ours["bin/tricky-python"] == (True, f"#!{venv}/bin/python\nprint('script')\n".encode())


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels from the configured package index."""
    directory = tmp_path_factory.mktemp("published")
    requirements = ["six==1.17.0", "rich==13.9.4", "markupsafe==3.0.2", "tabulate==0.9.0"]
    # pip downloads wheels as they are; uv unpacks them.
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--disable-pip-version-check", "--dest", directory, *requirements),
        ],
        check=True,
    )
    return {path.name.partition("-")[0].lower(): path for path in directory.glob("*.whl")}


@pytest.mark.parametrize(
    ("name", "scripts"), [("six", set()), ("rich", set()), ("markupsafe", set()), ("tabulate", {"bin/tabulate"})]
)
def test_published_wheels(name: str, scripts: set[str], published: dict[str, Path], tmp_path: Path) -> None:
    _compare(published[name], tmp_path / "venv", scripts)
