"""Runs inside the base image: compiles what arrives on standard input.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps
to the syntax of Python 3.8. Frames, big-endian: a batch is ``count`` and, for each file,
``path length, source length, path, source``; its answer is, for each file, ``length, pyc``,
where a length of zero says that the source is no valid module.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import multiprocessing
import os
import queue
import signal
import struct
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import CodeType
from typing import BinaryIO

# Of code objects, by version.
PARTS = ("co_qualname", "co_linetable" if hasattr(CodeType, "co_linetable") else "co_lnotab", "co_exceptiontable")
MAGIC = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")  # hash-based, unchecked (PEP 552)


def compile_batch(batch: list) -> bytes:
    warnings.simplefilter("ignore")
    answers = []
    for path, source in batch:
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except Exception:  # whatever the compiler says: such files are data, and stay as they are
            answers.append(struct.pack(">I", 0))
            continue
        held = references(code)  # noqa: F841 - until marshal has written
        pyc = MAGIC + importlib.util.source_hash(source) + marshal.dumps(code)
        answers.append(struct.pack(">I", len(pyc)) + pyc)
    return b"".join(answers)


def references(code: CodeType) -> list:
    """One more reference to every object of a code object.

    marshal marks what is referred to more than once; a name's string may be, by whatever else
    is in this process. With a second reference to each, all are marked, always.
    """
    held: list = [code]
    codes = [code]
    for code in codes:
        held += (code.co_consts, code.co_filename, code.co_name, *(getattr(code, part, None) for part in PARTS))
        for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars):
            held.append(names)
            held += names
        hold_constants(code.co_consts, held, codes)
    return held


def hold_constants(values: Iterable, held: list, codes: list) -> None:
    held += values
    for value in values:
        kind = type(value)
        if kind is CodeType:
            codes.append(value)
        elif kind is tuple or kind is frozenset:
            hold_constants(value, held, codes)


def exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def batches(stream: BinaryIO) -> Iterator[list]:
    while True:
        head = stream.read(4)
        if len(head) < 4:
            return
        batch = []
        for _ in range(struct.unpack(">I", head)[0]):
            path, source = struct.unpack(">II", exactly(stream, 8))
            batch.append((exactly(stream, path).decode(), exactly(stream, source)))
        yield batch


def end_with_pool(*_: object) -> None:
    """A process of the pool is gone: killed, most likely for its memory.

    Not left to the pool, which may wait for ever for a pipe to empty that nobody reads any more
    (CPython issue 94777, up to 3.11.4).
    """
    os.write(2, b"a compiling process was killed\n")
    os._exit(1)


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    signal.signal(signal.SIGCHLD, end_with_pool)
    # Bounds what is held in memory: the reader waits until an answer has left.
    pending: queue.Queue = queue.Queue(cores * 4)

    def read() -> None:
        last: Future | None = None
        try:
            for batch in batches(sys.stdin.buffer):
                pending.put(pool.submit(compile_batch, batch))
        except Exception as error:
            last = Future()
            last.set_exception(error)
        pending.put(last)

    out = sys.stdout.buffer
    # Compiling leaves no cycles behind, and looking for them costs a tenth of the time.
    gc.disable()
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("fork")) as pool:
        # All are started before there is another thread.
        list(pool.map(compile_batch, [[]] * cores))
        threading.Thread(target=read, daemon=True).start()
        while True:
            answer = pending.get()
            if answer is None:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                break
            out.write(answer.result())
            out.flush()


if __name__ == "__main__":
    main()
