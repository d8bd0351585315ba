"""One package as one layer: what linking it into a prefix would write, the same bytes every time."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.conda.package_layer import write_package_layer
from imagekit.conda.values import CondaPackage, PythonPlace
from imagekit.errors import CondaRefused
from imagekit.layers.archive import MTIME as FIXED
from imagekit.layers.values import WrittenLayer

from .channel import MTIME, PLACEHOLDER, Hard, Link, Package, module_package, write_package

PYTHON = PythonPlace(version="3.11.2", site="lib/python3.11/site-packages")


def layer(
    directory: Path, package: Package, python: PythonPlace | None = None, special: Any = ()
) -> tuple[WrittenLayer, bytes]:
    path = write_package(directory, package)
    known = CondaPackage(
        name=package.name,
        version=package.version,
        build=package.build,
        subdir=package.place,
        channel="ours",
        url=f"https://conda.example.com/ours/{package.place}/{path.name}",
        filename=path.name,
        sha256="0" * 64,
        depends=package.depends,
        noarch=package.noarch,
    )
    out = io.BytesIO()
    return write_package_layer(path, known, "/opt/conda", python, special, None, out), out.getvalue()


def members(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            found[member.name] = (member, content.read() if content is not None else b"")
        return found


NATIVE = Package(
    name="native",
    files={
        "lib/libnative.so": b"\x7fELF" + PLACEHOLDER.encode() + b"/lib\0rest\0",
        "lib/liblink.so": Link("libnative.so"),
        "bin/native": f"#!{PLACEHOLDER}/bin/python\n",
        "bin/again": Hard("bin/native"),
        "share/plain.txt": "x" * 3000,
    },
    executable=frozenset({"bin/native"}),
    prefixed={"lib/libnative.so": "binary", "bin/native": "text", "bin/again": "text"},
)


@pytest.mark.parametrize("legacy", [False, True], ids=["conda", "tar.bz2"])
def test_a_package(tmp_path: Path, legacy: bool) -> None:
    package = replace(NATIVE, legacy=legacy)
    written, data = layer(tmp_path, package, special=[("/opt", 0o775, 0, 50)])
    found = members(data)
    assert found["opt/conda/bin/native"][1] == found["opt/conda/bin/again"][1] == b"#!/opt/conda/bin/python\n"
    assert found["opt/conda/bin/native"][0].mode == found["opt/conda/bin/again"][0].mode == 0o755
    library = found["opt/conda/lib/libnative.so"]
    assert library[1].startswith(b"\x7fELF/opt/conda/lib\0")
    assert (library[1].endswith(b"\0rest\0"), len(library[1])) == (True, len(NATIVE.files["lib/libnative.so"]))  # type: ignore[arg-type]
    link = found["opt/conda/lib/liblink.so"][0]
    assert (link.issym(), link.linkname) == (True, "libnative.so")
    # Bytecode that comes along names its source's time; what is written here has none.
    assert (found["opt/conda/share/plain.txt"][0].mtime, library[0].mtime) == (MTIME, MTIME)
    record = found["opt/conda/conda-meta/native-1.0-0.json"]
    assert record[0].mtime == FIXED
    assert {(member.uid, member.gid, member.uname) for member, _ in found.values()} == {(0, 0, ""), (0, 50, "")}
    assert (found["opt"][0].mode, found["opt"][0].gid) == (0o775, 50)
    assert list(written.paths) == sorted(path for path, (member, _) in found.items() if not member.isdir())
    document = json.loads(record[1])
    assert document["files"] == sorted(NATIVE.files)
    assert str(tmp_path) not in record[1].decode()
    rows = {row["_path"]: row for row in document["paths_data"]["paths"]}
    assert rows["bin/native"]["file_mode"] == "text"
    assert rows["bin/native"]["prefix_placeholder"] == "/opt/conda"
    assert rows["lib/liblink.so"]["path_type"] == "softlink"
    assert rows["share/plain.txt"]["sha256"] == rows["share/plain.txt"]["sha256_in_prefix"]
    assert layer(tmp_path / "again", package, special=[("/opt", 0o775, 0, 50)])[0].diff_id == written.diff_id


def test_a_noarch_package_of_python(tmp_path: Path) -> None:
    more: Mapping[str, Any] = {"python-scripts/tool": f"#!{PLACEHOLDER}/bin/python\nprint(1)\n", "share/data": "x"}
    package = module_package("greet", files=more, prefixed={"python-scripts/tool": "text"})
    found = members(layer(tmp_path, package, PYTHON)[1])
    site = "opt/conda/lib/python3.11/site-packages"
    assert b"VERSION = '1.0'" in found[f"{site}/greet.py"][1]
    assert found["opt/conda/bin/tool"][1].startswith(b"#!/opt/conda/bin/python")
    assert found["opt/conda/share/data"][1] == b"x"
    script = found["opt/conda/bin/greet"]
    assert (script[0].mode, script[1].startswith(b"#!/opt/conda/bin/python")) == (0o755, True)
    assert b"from greet import main" in script[1]
    document = json.loads(found["opt/conda/conda-meta/greet-1.0-py_0.json"][1])
    kinds = {row["_path"]: row["path_type"] for row in document["paths_data"]["paths"]}
    assert kinds["bin/greet"] == "unix_python_entry_point"
    assert document["noarch"] == "python"


def test_what_cannot_be_linked(tmp_path: Path) -> None:
    with pytest.raises(CondaRefused, match="the environment has no Python"):
        layer(tmp_path / "a", module_package("greet"))
    with pytest.raises(CondaRefused, match=r"'\.\./evil' = 'a:b' is not a script"):
        layer(tmp_path / "b", module_package("greet", entry_points=("../evil = a:b",)), PYTHON)
    short = Package(name="short", files={"lib/a.so": b"/p/lib\0"}, info={})
    paths = {"paths": [{"_path": "lib/a.so", "prefix_placeholder": "/p", "file_mode": "binary"}]}
    with pytest.raises(CondaRefused, match=r"lib/a\.so has 2 bytes for the prefix"):
        layer(tmp_path / "c", replace(short, info={"paths.json": json.dumps(paths).encode()}))
    both = module_package("greet", files={"bin/x": "1", "python-scripts/x": "2"})
    with pytest.raises(CondaRefused, match="two files for one place"):
        layer(tmp_path / "d", both, PYTHON)
