"""Bytecode without an engine: the same bytes, and nothing left behind."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import BaseUnusable
from imagekit.oci.content import Data, ImageContent
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.stages.compile import ContainerCompiler
from imagekit.stages.compile_here import Compilation, ProcessCompiler, compiler_here
from imagekit.stages.local_python import Bytecode, python_of_host
from imagekit.stages.probe import read_base
from imagekit.stages.probe_files import base_from_content, unpacked_base

from .contents import content_of_engine

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("compile_here")

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def content(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> ImageContent:
    return content_of_engine(engine, python_image, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(content: ImageContent, cache: Path) -> BaseImage:
    return base_from_content(content, "the-base", cache)


def _compiler(compilation: Compilation) -> ProcessCompiler:
    assert compilation.compiler is not None, compilation.word
    return compilation.compiler


def _processes(of: Path) -> list[int]:
    """Processes whose program lies below ``of``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(of).encode() in command and state != "Z":
                found.append(int(entry.name))
    return found


def _gone(of: Path) -> bool:
    for _ in range(100):
        if not _processes(of):
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(autouse=True)
def _nothing_is_left(cache: Path) -> Iterator[None]:
    yield
    assert _gone(cache / "unpacked")


def _sources() -> list[tuple[str, bytes]]:
    """Modules that people wrote, of all kinds, and some that are none."""
    import packaging

    library = Path(json.__file__).parents[1]
    modules = [
        *sorted(library.glob("*.py")),
        *sorted(library.glob("[a-m]*/*.py")),
        *Path(packaging.__file__).parent.glob("*.py"),
    ]
    found = [(f"/opt/venv/lib/python3.11/site-packages/{path.parent.name}/{path.name}", path) for path in modules]
    sources = [(name, path.read_bytes()) for name, path in found]
    return [
        *sources,
        ("/none.py", b"print 'no'\n"),
        ("/odd.py", "# coding: cp1250\nx = {'é', 'b', 'c'}\n".encode("cp1250")),
    ]


def test_the_bytes_are_those_of_the_container(
    engine: Engine, python_image: str, base: BaseImage, content: ImageContent, cache: Path, tmp_path: Path
) -> None:
    image = engine.image(python_image)
    assert image is not None
    sources = _sources()
    assert len(sources) > 300
    with ContainerCompiler(engine, read_base(engine, python_image, image.id, tmp_path, SilentReporter())) as inside:
        there = inside.submit(sources).result()
    random.Random(3).shuffle(order := list(range(len(sources))))
    with _compiler(compiler_here(base, content, cache)) as compiler:
        batches = [order[start : start + 7] for start in range(0, len(order), 7)]
        waiting = [compiler.submit([sources[n] for n in batch]) for batch in batches]
        here = {
            n: pyc for batch, w in zip(batches, waiting, strict=True) for n, pyc in zip(batch, w.result(), strict=True)
        }
    assert [here[n] for n in range(len(sources))] == there
    assert there.count(None) == 1


def test_nothing_of_the_host_takes_part(
    base: BaseImage, content: ImageContent, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "struct.py").write_text("raise SystemExit('of the host')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    sources = [("/x.py", b"x = 1\n")]
    with _compiler(compiler_here(base, content, cache)) as compiler:
        assert compiler.submit(sources).result()[0] is not None
        (server, *_) = sorted(_processes(cache / "unpacked"))
        maps = Path(f"/proc/{server}/maps").read_text()
    files = {line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split(maxsplit=5)) == 6}
    assert [name for name in files if name.startswith("/") and not name.startswith((str(cache), "/dev/shm"))] == []
    environment = unpacked_base(content, "the-base", cache)
    assert sorted(path.name for path in environment.iterdir()) == ["note.json", "root"]


def test_killed_with_us(base: BaseImage, content: ImageContent, cache: Path) -> None:
    """By SIGKILL, which leaves us no time to end anything."""
    compiler_here(base, content, cache)
    program = (
        "import sys, time, json\nfrom pathlib import Path\n"
        "from imagekit.stages.compile_here import _InProcess\nfrom imagekit.stages.local_python import python_of_base\n"
        "directory = Path(sys.argv[1])\n"
        "server = _InProcess(python_of_base(directory, json.loads((directory / 'note.json').read_text()), 'x'))\n"
        "print('started', flush=True)\ntime.sleep(600)\n"
    )
    directory = unpacked_base(content, "the-base", cache)
    ours = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)], stdout=subprocess.PIPE, cwd=REPOSITORY, text=True
    )
    assert ours.stdout is not None
    assert ours.stdout.readline() == "started\n"
    while len(_processes(cache / "unpacked")) < 3:  # the server and its pool
        time.sleep(0.05)
    ours.kill()
    ours.wait()
    assert _gone(cache / "unpacked")


@pytest.mark.parametrize("which", ["server", "pool"])
def test_a_killed_process_ends_every_wait(which: str, base: BaseImage, content: ImageContent, cache: Path) -> None:
    sources = [(f"/x{n}.py", b"x = [%d]\n" % n * 2000) for n in range(50)]
    with _compiler(compiler_here(base, content, cache)) as compiler:
        compiler.submit(sources[:1]).result()
        processes = sorted(_processes(cache / "unpacked"))
        waiting = [compiler.submit(sources) for _ in range(10)]
        os.kill(processes[0] if which == "server" else processes[-1], signal.SIGKILL)
        with pytest.raises(BaseUnusable, match="stopped while compiling"):
            waiting[-1].result()
        with pytest.raises(BaseUnusable):
            compiler.submit(sources)
        assert all(answer.done() for answer in waiting)


def test_a_damaged_directory_is_made_again(base: BaseImage, content: ImageContent, cache: Path) -> None:
    directory = unpacked_base(content, "the-base", cache)
    shutil.rmtree(directory / "root" / "usr" / "lib" / "python3.11" / "encodings")
    with _compiler(compiler_here(base, content, cache)) as compiler:
        assert compiler.submit([("/x.py", b"")]).result() != [None]
    (directory / "note.json").write_bytes(b"{")
    with _compiler(compiler_here(base, content, cache)) as compiler:
        assert compiler.submit([("/x.py", b"")]).result() != [None]


def _for_arm(base: BaseImage) -> BaseImage:
    document = {**base.config.document, "architecture": "arm64"}
    return replace(base, config=type(base.config)(document), reference="for-arm")


def test_another_base_stands_in_for_one_that_does_not_run_here(
    base: BaseImage, content: ImageContent, cache: Path, tmp_path: Path
) -> None:
    found = compiler_here(_for_arm(base), content, cache)
    assert found.word == (
        "linux/arm64 programs do not run here: bytecode is compiled by the same CPython"
        f" {base.python.version} of the-base for {Platform.host()}"
    )
    with _compiler(found) as compiler:
        assert compiler.submit([("/x.py", b"")]).result() != [None]
    # None is known yet, and the base's own sibling is asked for.
    found = compiler_here(_for_arm(base), content, tmp_path, same_here=lambda: content)
    with _compiler(found) as compiler:
        assert compiler.submit([("/x.py", b"")]).result() != [None]


def test_no_bytecode_with_a_word(base: BaseImage, content: ImageContent, tmp_path: Path) -> None:
    other = replace(_for_arm(base), python=replace(base.python, version="3.11.999"))
    found = compiler_here(other, content, tmp_path, same_here=lambda: content)
    assert found.compiler is None
    assert found.word == (
        "linux/arm64 programs do not run here, and there is no other CPython 3.11.999 here: no bytecode for for-arm"
    )


def test_the_hosts_python_where_it_is_the_same(tmp_path: Path) -> None:
    ours = Bytecode(
        implementation=sys.implementation.name,
        version=".".join(map(str, sys.version_info[:3])),
        cache_tag=sys.implementation.cache_tag or "",
    )
    python = python_of_host(ours, tmp_path)
    assert python is not None
    with ProcessCompiler(python) as compiler:
        (pyc,) = compiler.submit([("/x.py", b"x = 1\n")]).result()
    assert pyc is not None
    assert pyc[4:8] == b"\x01\0\0\0"
    assert python_of_host(replace(ours, version="3.11.999"), tmp_path) is None


def test_no_root_is_needed(base: BaseImage, content: ImageContent) -> None:
    """The whole way as a user of no rights."""
    (blob,) = content.layers
    held = replace(content, layers=(replace(blob, content=Data(b"".join(blob.content.chunks()))),))
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                with _compiler(compiler_here(base, held, Path(home, "cache"))) as compiler:
                    status = 0 if compiler.submit([("/x.py", b"")]).result() != [None] else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
