"""Runs of one flow by the library, in a process that stays: how long they take, and what it has more of afterwards.

    python benchmarks/many_runs.py IMAGE FLOW.py:FUNCTION

For each line ``COUNT AT_ONCE`` on its standard input it runs that many, so many of them at once, and writes a line of
JSON: ``seconds``, and of itself ``descriptors``, ``threads`` and ``resident`` (bytes), when they have ended.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

from imagekit import run

IMAGE, FLOW = sys.argv[1:3]
_PAGE = os.sysconf("SC_PAGE_SIZE")


def one(count: int) -> None:
    for _ in range(count):
        run(FLOW, image=IMAGE)


def state() -> dict[str, int]:
    gc.collect()
    # What was freed and is held back for the next of its size is not in use.
    ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    # One is that of the directory itself.
    descriptors = len(os.listdir("/proc/self/fd")) - 1
    return {"descriptors": descriptors, "threads": threading.active_count(), "resident": resident}


def main() -> None:
    for line in sys.stdin:
        count, at_once = map(int, line.split())
        threads = [threading.Thread(target=one, args=(len(range(n, count, at_once)),)) for n in range(1, at_once)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        one(len(range(0, count, at_once)))
        for thread in threads:
            thread.join()
        print(json.dumps({"seconds": time.perf_counter() - began, **state()}), flush=True)


if __name__ == "__main__":
    main()
