"""Wheels that are large in one way or another: written in bounded memory, or refused."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from imagekit.errors import WheelRefused
from imagekit.layers import batches, wheel_layer
from imagekit.layers import wheel as wheel_module
from imagekit.layers.wheel import directory_size

from .test_hostile_wheels import _patch_directory
from .wheels import In, files_of, layer, metadata, prefix_at, write_wheel, write_zip

INFO = "tricky-1.0.dist-info"


def test_zip64_where_it_is_not_needed(tmp_path: Path) -> None:
    """As archivers write it that do not know the size beforehand."""
    path = tmp_path / "tricky-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {"a.bin": b"abc" * 1000, **metadata("tricky", "1.0")}.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as out:
                out.write(data)
    # And the end of it: the 32-bit one says to look at the 64-bit one.
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    count, size, offset = struct.unpack_from("<10xHII", data, end)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    data[end + 8 : end + 20] = b"\xff" * 12
    path.write_bytes(bytes(data[:end]) + record + locator + bytes(data[end:]))
    assert directory_size(path) == size
    assert files_of(layer(path, prefix_at("/v"))[0])["v/lib/python3.11/site-packages/a.bin"][1] == b"abc" * 1000


class Sparse(io.FileIO):
    """A file in which zeros take no room."""

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        if piece == _ZEROS:
            self.seek(len(piece), os.SEEK_CUR)
            return len(piece)
        return super().write(piece) or 0


_ZEROS = bytes(1 << 20)


def large_wheel(path: Path, mebibytes: int) -> Path:
    with Sparse(path, "w") as file, zipfile.ZipFile(file, "w") as archive:  # type: ignore[arg-type]
        for name, data in metadata("tricky", "1.0").items():
            archive.writestr(name, data)
        with archive.open(zipfile.ZipInfo("zeros.bin"), "w", force_zip64=True) as out:
            for _ in range(mebibytes):
                out.write(_ZEROS)
    return path


WRITE = """
import resource, sys
from pathlib import Path
from tests.layers.wheels import TAG, prefix_at
from imagekit.layers.wheel_layer import write_wheel_layer
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[2], "wb") as out:
    written = write_wheel_layer(Path(sys.argv[1]), prefix_at("/v"), TAG, None, out)
print(written.size, written.diff_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.soak
def test_a_member_beyond_four_gibibytes(tmp_path: Path) -> None:
    mebibytes = 4 * 1024 + 3
    wheel = large_wheel(tmp_path / "tricky-1.0-py3-none-any.whl", mebibytes)
    assert wheel.stat().st_blocks * 512 < 1 << 20 < mebibytes << 20 < wheel.stat().st_size
    # Nothing of the archive is kept: it goes through a pipe into a digest.
    read, write = os.pipe()
    reader = subprocess.Popen(["sha256sum"], stdin=read, stdout=subprocess.PIPE, text=True)
    os.close(read)
    argv = [sys.executable, "-c", WRITE, wheel, f"/dev/fd/{write}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, pass_fds=[write])
    os.close(write)
    size, diff_id, grown = done.stdout.split()
    digest = reader.communicate()[0].split()[0]
    assert diff_id == f"sha256:{digest}"
    assert int(size) > mebibytes << 20
    assert int(grown) < 64 << 10  # KiB


class Late:
    """A compiler whose answers are there at once, each ten times its source."""

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        answer: Future[list[bytes | None]] = Future()
        answer.set_result([hashlib.sha256(data).digest() * (10 * len(data) // 32) for _, data in sources])
        return answer


def test_bytecode_beyond_what_is_held_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = write_wheel(tmp_path, {f"m{n}.py": b"x = %d\n" % n * 500 for n in range(200)})
    data, written = layer(wheel, compiler=Late())
    assert sum(path.endswith(".pyc") for path in written.paths) == 200
    monkeypatch.setattr(batches, "_IN_MEMORY", 1000)
    assert layer(wheel, compiler=Late()) == (data, written)
    os.chmod(tmp_path, 0o500)
    assert layer(wheel, compiler=Late()) == (data, written)
    os.chmod(tmp_path, 0o700)
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]


def test_an_enormous_source_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_layer, "LARGEST_HELD", 1000)
    wheel = write_wheel(tmp_path, {"small.py": b"x = 1\n", "data.py": b"x = 1\n" * 1000})
    files = files_of(layer(wheel, prefix_at("/v"), Late())[0])
    assert [path.rpartition("/")[2].partition(".")[0] for path in files if path.endswith(".pyc")] == ["small"]
    assert any(path.endswith("data.py") for path in files)


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_programs_among_the_scripts(size: int, tmp_path: Path) -> None:
    """A binary is no script with a first line, however large; a script is one at any size."""
    binary, script = b"\x7fELF" + bytes(size), b"#!python -E\n" + b"#" * size
    members = {"tricky-1.0.data/scripts/tool": binary, "tricky-1.0.data/scripts/run": script}
    files = files_of(layer(write_wheel(tmp_path, members), prefix_at("/v"))[0], "v/")
    assert files["bin/tool"] == (True, binary)
    assert files["bin/run"] == (True, b"#!/v/bin/python -E\n" + b"#" * size)
    (record,) = (content.decode() for path, (_, content) in files.items() if path.endswith("RECORD"))
    assert f"../../../bin/run,sha256={_hash(files['bin/run'][1])},{len(files['bin/run'][1])}\n" in record
    assert f"../../../bin/tool,sha256={_hash(binary)},{len(binary)}\n" in record


def _hash(data: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def test_what_must_be_held_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_module, "LARGEST_HELD", 2000)
    script = {"tricky-1.0.data/scripts/run": b"#!python\n" + os.urandom(2000)}
    monkeypatch.setattr(wheel_layer, "_SMALL", 1000)
    with pytest.raises(WheelRefused, match="too large for a script"):
        layer(write_wheel(tmp_path, script))
    with pytest.raises(WheelRefused, match=r"its entry_points\.txt has"):
        layer(write_wheel(tmp_path, {f"{INFO}/entry_points.txt": b"#" * 3000}))


def test_a_directory_of_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = write_wheel(tmp_path, {f"{n}": b"" for n in range(1000)})
    assert 46_000 < directory_size(wheel) < 200_000
    monkeypatch.setattr(wheel_module, "_LARGEST_DIRECTORY", 40_000)
    with pytest.raises(WheelRefused, match="directory of members"):
        layer(wheel)
    (tmp_path / "none-1.0-py3-none-any.whl").write_bytes(b"PK\x05\x06")
    assert directory_size(tmp_path / "none-1.0-py3-none-any.whl") == 0


def test_many_members_take_bounded_memory(tmp_path: Path) -> None:
    """More than the largest that are published have."""
    wheel = tmp_path / "tricky-1.0-py3-none-any.whl"
    count = 50_000
    members: list[tuple[str, bytes | In]] = [
        (f"d{n % 64}/{n}", In(b"", compress=zipfile.ZIP_STORED)) for n in range(count)
    ]
    write_zip(wheel, [*metadata("tricky", "1.0").items(), *members])
    done = subprocess.run(
        [sys.executable, "-c", WRITE, wheel, tmp_path / "out.tar"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[2]) < 160 << 10  # KiB
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert sum(member.isreg() for member in tar) == count + 4


def test_a_claim_beyond_the_bound_is_refused_unread(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": b"a" * 1000})
    data = bytearray(wheel.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 1 << 30)
    wheel.write_bytes(data)
    with pytest.raises(WheelRefused, match="1024 MiB"):
        layer(wheel)


def test_members_that_overlap_are_counted_each(tmp_path: Path) -> None:
    """Entries that share their bytes are what a small bomb is made of."""
    wheel = write_wheel(tmp_path, {"a.bin": In(bytes(1000), compress=zipfile.ZIP_STORED), "b.bin": b"b"})
    offset = bytearray(wheel.read_bytes()).index(b"PK\x03\x04")
    _patch_directory(wheel, "b.bin", 42, struct.pack("<I", offset))
    with pytest.raises(WheelRefused):
        layer(wheel)
