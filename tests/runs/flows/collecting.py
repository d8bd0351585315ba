"""How often cycles are looked for: while this is imported, in its flow, and in a program that nobody changed."""

import gc
import subprocess
import sys

MEANWHILE = list(gc.get_threshold())


def found():
    words = [sys.executable, "-c", "import gc; print(*gc.get_threshold())"]
    usual = [int(word) for word in subprocess.run(words, capture_output=True, check=True).stdout.split()]
    return {"meanwhile": MEANWHILE, "in the flow": list(gc.get_threshold()), "usual": usual, "on": gc.isenabled()}
