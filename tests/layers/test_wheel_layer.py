"""A wheel's layer: the same bytes anywhere, with bytecode where there is a compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from imagekit.layers.archive import END

from .test_wheel_like_uv import TRICKY
from .wheels import TAG, files_of, layer, prefix_at, write_wheel


class HereCompiler:
    """Answers late and out of order, as a pool may."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        return self._pool.submit(lambda: [None if b"syntax" in data else b"pyc of " + data for _, data in sources])


def test_the_same_bytes_under_any_umask_zone_and_thread(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, TRICKY)
    program = "import sys, hashlib; from pathlib import Path; from tests.layers.wheels import layer\n"
    program += "print(hashlib.sha256(layer(Path(sys.argv[1]))[0]).hexdigest())"
    digests = {
        subprocess.run(
            ["sh", "-c", f'umask {umask}; exec "$@"', "sh", sys.executable, "-c", program, wheel],
            env={"PATH": os.environ["PATH"], "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
        ).stdout
        for umask, zone, locale, seed in [("022", "UTC", "C.UTF-8", "0"), ("077", "Asia/Tokyo", "C", "7")]
    }
    assert len(digests) == 1
    with ThreadPoolExecutor(4) as pool:
        assert len({data for data, _ in pool.map(lambda _: layer(wheel), range(8))}) == 1


def test_bytecode_goes_beside_its_module_and_not_into_the_record(tmp_path: Path) -> None:
    members = {f"many/m{number}.py": b"x = %d\n" % number for number in range(120)}
    members |= {"many/broken.py": b"syntax", "many-1.0.data/scripts/tool.py": b"#!python\n"}
    wheel = write_wheel(tmp_path, members, name="many")
    with ThreadPoolExecutor(3) as pool:
        data, written = layer(wheel, prefix_at("/v"), HereCompiler(pool))
    files = files_of(data)
    pycs = {path: content for path, (_, content) in files.items() if path.endswith(".pyc")}
    assert len(pycs) == 120
    site = prefix_at("/v").site_path.lstrip("/")
    assert pycs[f"{site}/many/__pycache__/m7.{TAG}.pyc"] == b"pyc of x = 7\n"
    record = files[f"{site}/many-1.0.dist-info/RECORD"][1].decode()
    assert ".pyc" not in record
    assert set(pycs) <= set(written.paths)
    assert data[written.body[1] :] == END
    assert set(files_of(data[written.body[0] :])) == set(files)


def test_bytecode_that_a_wheel_brings_is_replaced_where_there_is_other(tmp_path: Path) -> None:
    names = {name: f"one/__pycache__/{name}.{TAG}.pyc" for name in ("a", "broken", "gone")}
    sources = {"one/a.py": b"x\n", "one/broken.py": b"syntax"}
    wheel = write_wheel(tmp_path, {**sources, **dict.fromkeys(names.values(), b"own")}, name="one")
    with ThreadPoolExecutor(1) as pool:
        data, written = layer(wheel, prefix_at("/v"), HereCompiler(pool))
    files, site = files_of(data), prefix_at("/v").site_path.lstrip("/")
    found = {name: files[f"{site}/{path}"][1] for name, path in names.items()}
    assert found == {"a": b"pyc of x\n", "broken": b"own", "gone": b"own"}
    # What is recorded is what is there.
    record = files[f"{site}/one-1.0.dist-info/RECORD"][1].decode()
    assert [name for name, path in names.items() if f"{path}," in record] == ["broken", "gone"]
    assert len(set(written.paths)) == len(written.paths)
    assert {f"{site}/{path}" for path in names.values()} <= set(written.paths)
    # Without a compiler all of it stays.
    plain = files_of(layer(wheel, prefix_at("/v"))[0])
    assert {plain[f"{site}/{path}"][1] for path in names.values()} == {b"own"}
