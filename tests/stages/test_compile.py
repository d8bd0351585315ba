"""Bytecode from a container of the base: the same bytes whatever the order, and an end to every wait."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import LABEL_KIND, LABEL_OWNER, owner
from imagekit.errors import BaseUnusable
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.stages.compile import ContainerCompiler
from imagekit.stages.compile_client import ALONE, ENVIRONMENT
from imagekit.stages.probe import read_base

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("compile")

SOURCES = [
    (
        f"/opt/venv/module_{number}.py",
        f"def function_{number % 3}(argument, shared_name={number % 4}):\n"
        f"    return argument in {{'shared', 'one{number}', 'two'}} or (shared_name, 'a constant of {number % 2}')\n"
        f"class Shared{number % 5}:\n    shared_attribute = 'shared'\n".encode(),
    )
    for number in range(60)
]


@pytest.fixture(scope="module")
def base(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> BaseImage:
    image = engine.image(python_image)
    assert image is not None
    return read_base(engine, python_image, image.id, tmp_path_factory.mktemp("cache"), SilentReporter())


def _ours(engine: Engine) -> list[str]:
    found = engine.api.containers(all=True, filters={"label": [f"{LABEL_KIND}=compile", f"{LABEL_OWNER}={owner()}"]})
    return [container["Id"] for container in found]


@pytest.fixture(autouse=True)
def _nothing_is_left(engine: Engine) -> Iterator[None]:
    yield
    # A container that ended by itself is removed by the engine, a moment later.
    for _ in range(100):
        if not _ours(engine):
            break
        time.sleep(0.1)
    assert _ours(engine) == []


def test_order_and_company_make_no_difference(engine: Engine, base: BaseImage) -> None:
    shuffled = SOURCES.copy()
    random.Random(7).shuffle(shuffled)
    # A declared encoding is imported when it is met, and leaves names behind.
    odd = ("/x.py", "# coding: cp1250\nshared_name = argument = 'shared'\n".encode("cp1250"))
    with ContainerCompiler(engine, base) as compiler:
        one = compiler.submit(SOURCES).result()
        each = [compiler.submit([source]) for source in shuffled]
        alone = {source[0]: future.result() for source, future in zip(shuffled, each, strict=True)}
        after = compiler.submit([odd, *reversed(SOURCES)]).result()[1:]
    with ContainerCompiler(engine, base) as compiler:
        again = compiler.submit(shuffled).result()
    paths = [path for path, _ in SOURCES]
    first = dict(zip(paths, one, strict=True))
    assert alone == {path: [pyc] for path, pyc in first.items()}
    assert dict(zip([path for path, _ in shuffled], again, strict=True)) == first
    assert dict(zip(reversed(paths), after, strict=True)) == first
    assert one[0] is not None
    assert one[0][4:8] == b"\x01\0\0\0"  # hash-based and unchecked (PEP 552)


def test_what_is_no_module_gets_no_bytecode(engine: Engine, base: BaseImage) -> None:
    sources = [
        ("/good.py", b"x = 1\n"),
        ("/python2.py", b"print 'no'\n"),
        ("/null.py", b"x = '\0'\n"),
        ("/encoding.py", b"# coding: no-such\n"),
        ("/bytes.py", b"x = '\xff'\n"),
        ("/warns.py", b"x = 'a' is 'a'\n"),
        ("/empty.py", b""),
    ]
    with ContainerCompiler(engine, base) as compiler:
        found = compiler.submit(sources).result()
        assert [pyc is not None for pyc in found] == [True, False, False, False, False, True, True]
        assert compiler.submit([]).result() == []
        assert compiler.submit(sources[:1]).result() == found[:1]


def test_no_container_without_sources(engine: Engine, base: BaseImage) -> None:
    with ContainerCompiler(engine, base):
        assert _ours(engine) == []


def test_leaving_early_leaves_no_container(engine: Engine, base: BaseImage) -> None:
    with ContainerCompiler(engine, base) as compiler:
        waiting = [compiler.submit(SOURCES) for _ in range(20)]
        assert len(_ours(engine)) == 1
    # Whoever waits is told, and not left waiting.
    assert all(future.done() for future in waiting)


def test_a_container_that_dies_ends_every_wait(engine: Engine, base: BaseImage) -> None:
    with ContainerCompiler(engine, base) as compiler:
        compiler.submit(SOURCES).result()
        (container,) = _ours(engine)
        # More than is compiled until it is killed.
        waiting = [compiler.submit(SOURCES * 200) for _ in range(4)]
        engine.api.kill(container)
        with pytest.raises(BaseUnusable, match="stopped while compiling"):
            waiting[-1].result()
        with pytest.raises(BaseUnusable, match="stopped while compiling"):
            compiler.submit(SOURCES)
        assert all(future.done() for future in waiting)


def test_a_compiling_process_that_is_killed_ends_every_wait(engine: Engine, base: BaseImage) -> None:
    """As the kernel does when memory is short."""
    kill = "import os, signal\nfor p in os.listdir('/proc'):\n if p.isdigit() and int(p) not in (1, os.getpid()):\n  "
    with ContainerCompiler(engine, base) as compiler:
        compiler.submit(SOURCES).result()
        (container,) = _ours(engine)
        command = engine.api.exec_create(
            container, [base.python.executable, "-c", f"{kill}os.kill(int(p), signal.SIGKILL)"], user="0"
        )
        engine.api.exec_start(command["Id"])
        with pytest.raises(BaseUnusable) as caught:
            compiler.submit(SOURCES).result()
    assert "a compiling process was killed" in (caught.value.details or "")


def test_a_base_whose_python_is_gone(engine: Engine, base: BaseImage, tmp_path: Path) -> None:
    from dataclasses import replace

    from imagekit.errors import EngineError

    missing = replace(base, python=replace(base.python, executable="/usr/bin/no-such-python"))
    with ContainerCompiler(engine, missing) as compiler, pytest.raises(EngineError, match="no-such-python"):
        compiler.submit(SOURCES)


def test_the_environment_is_the_compilers_own() -> None:
    """Sets are written in the order of hashes up to Python 3.10; ``-I`` would leave those to chance."""
    program = "import sys; print(sys.flags.hash_randomization, sys.flags.optimize, sys.flags.no_site)"
    command = [sys.executable, *ALONE, program]
    seen = subprocess.run(command, env={"PYTHONOPTIMIZE": "2", **ENVIRONMENT}, capture_output=True, check=True)
    assert seen.stdout == b"0 0 1\n"
