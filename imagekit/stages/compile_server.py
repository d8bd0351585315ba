"""Runs inside the base image: compiles what arrives on standard input.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps
to the syntax of Python 3.8. Frames, big-endian: a batch is ``count`` and, for each file,
``path length, source length, path, source``; its answer is, for each file, ``length, pyc``,
where a length of zero says that the source is no valid module.
"""

import gc
import importlib.util
import marshal
import multiprocessing
import os
import struct
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import BinaryIO

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
        pyc = MAGIC + importlib.util.source_hash(source) + marshal.dumps(code)
        answers.append(struct.pack(">I", len(pyc)) + pyc)
    return b"".join(answers)


def exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def batches(stream: BinaryIO, free: threading.Semaphore) -> Iterator[list]:
    while True:
        head = stream.read(4)
        if len(head) < 4:
            return
        batch = []
        for _ in range(struct.unpack(">I", head)[0]):
            path, source = struct.unpack(">II", exactly(stream, 8))
            batch.append((exactly(stream, path).decode(), exactly(stream, source)))
        free.acquire()
        yield batch


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    # Bounds what is held in memory: the reader waits until an answer has left.
    free = threading.Semaphore(cores * 4)
    out = sys.stdout.buffer
    # Compiling leaves no cycles behind, and looking for them costs a tenth of the time.
    gc.disable()
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        for answer in pool.imap(compile_batch, batches(sys.stdin.buffer, free)):
            out.write(answer)
            out.flush()
            free.release()


if __name__ == "__main__":
    main()
