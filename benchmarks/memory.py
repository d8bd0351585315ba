"""How much memory a build takes at most, for wheels of 2 GB in all.

    .venv/bin/python -m benchmarks.memory [--base-image IMAGE] [--gigabytes 2] [--limit 500]

The wheels are made here: large shared libraries, stored and deflated; many modules; many small
files. The whole `imagekit build` process is measured, with the programs that it starts. It ends with 1
where the largest of them took more than the limit (in MB, resident).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.at_hand import AtHand
from benchmarks.ours import Imagekit

_PIECE = 1 << 20


def write_wheel(directory: Path, name: str, members: Iterable[tuple[str, int, str]]) -> Path:
    """A wheel of ``(path, bytes, kind)``: ``noise`` is stored, ``text`` and ``module`` are deflated."""
    path = directory / f"{name}-1.0-py3-none-any.whl"
    chance = random.Random(name)  # noqa: S311
    noise = chance.randbytes(_PIECE)
    info = f"{name}-1.0.dist-info"
    rows = []
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        texts = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        for member, size, kind in members:
            sha256 = hashlib.sha256()
            entry = zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_STORED if kind == "noise" else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as out:
                for piece in _content(kind, size, noise, chance):
                    out.write(piece)
                    sha256.update(piece)
            rows.append(f"{member},sha256={_urlsafe(sha256.digest())},{size}\n")
        for member, text in texts.items():
            archive.writestr(member, text)
            rows.append(f"{member},sha256={_urlsafe(hashlib.sha256(text.encode()).digest())},{len(text)}\n")
        archive.writestr(f"{info}/RECORD", "".join([*rows, f"{info}/RECORD,,\n"]))
    return path


def _urlsafe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _content(kind: str, size: int, noise: bytes, chance: random.Random) -> Iterator[bytes]:
    if kind == "module":
        lines = [f"def f{n}(x, y={n}):\n    return [x + {n}, y * {n * 7}, '{n:x}']\n\n" for n in range(size // 60)]
        yield "".join(lines).encode()[:size].rpartition(b"\n\n")[0].ljust(size, b"\n")
        return
    left = size
    while left > 0:
        # Of a piece that was shifted nobody can tell that it came before.
        shift = chance.randrange(_PIECE)
        piece = noise[shift:] + noise[:shift]
        if kind == "text":
            piece = piece[: _PIECE // 2].hex().encode()
        yield piece[:left]
        left -= len(piece)


def wheel_set(directory: Path, total: int) -> int:
    """Wheels of about ``total`` bytes; how many they have."""
    tenth = total // 10
    write_wheel(directory, "memlarge", [("memlarge/lib/one.so", 4 * tenth, "noise")])
    write_wheel(directory, "memdense", [(f"memdense/lib{n}.so", 2 * tenth, "text") for n in range(2)])
    for letter in "abc":
        name = f"memmiddle{letter}"
        write_wheel(directory, name, [(f"{name}/lib{n}.so", tenth // 4, "noise") for n in range(3)])
    write_wheel(directory, "memmodules", [(f"memmodules/m{n}.py", 30_000, "module") for n in range(3000)])
    write_wheel(directory, "memfiles", [(f"memfiles/d{n % 100}/f{n}.dat", 900, "noise") for n in range(40_000)])
    return sum(path.stat().st_size for path in directory.glob("*.whl"))


def build(project: Path, cache: Path, base_image: str) -> tuple[float, int]:
    """Seconds, and bytes resident at most, of one build."""
    argv = [
        sys.executable,
        "-m",
        "imagekit",
        "build",
        "-q",
        "-t",
        "imagekit-bench/memory:1",
        "--base-image",
        base_image,
    ]
    environment = {**os.environ, "IMAGEKIT_CACHE_DIR": str(cache)}
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=project, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"imagekit build ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base-image", metavar="REF", help="instead of the one that make setup left")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--limit", type=float, default=500.0, help="MB resident")
    parser.add_argument("--directory", type=Path, default=None, help="where there is room; it stays empty")
    arguments = parser.parse_args()
    base = arguments.base_image or AtHand(os.environ, Imagekit()).base()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="imagekit-bench-", dir=arguments.directory) as directory:
        wheels, project = Path(directory, "wheels"), Path(directory, "project")
        wheels.mkdir()
        project.mkdir()
        found["wheels"] = wheel_set(wheels, int(arguments.gigabytes * 10**9))
        names = [path.name.partition("-")[0] for path in sorted(wheels.glob("*.whl"))]
        lines = ["--no-index", f"--find-links {wheels}", *names]
        (project / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
        try:
            for case in ("cold", "layers kept"):
                found[f"{case}, seconds"], found[f"{case}, bytes"] = build(project, Path(directory, "cache"), base)
        finally:
            subprocess.run(["docker", "image", "rm", "--force", "imagekit-bench/memory:1"], capture_output=True)
    print(json.dumps(found, indent=2))
    if max(found["cold, bytes"], found["layers kept, bytes"]) > arguments.limit * 10**6:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
