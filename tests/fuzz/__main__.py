"""Fuzz one target, or all of them one after the other, by atheris: ``python -m tests.fuzz [-t SECONDS] [TARGET…]``.

What it finds is a crash file in the directory that it names; a shortened form of it belongs in the target's seeds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    from tests.fuzz.targets import SEEDS, TARGETS, WORDS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("-t", "--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all by default")
    chosen = parser.parse_args()
    unknown = set(chosen.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    failed = []
    found = Path(tempfile.mkdtemp(prefix="imagekit-fuzz-"))
    for name in chosen.targets or TARGETS:
        corpus = found / name
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]):
            (corpus / f"seed{number}").write_bytes(seed)
        words = found / f"{name}.words"
        words.write_text("".join('"' + "".join(f"\\x{b:02x}" for b in word) + '"\n' for word in WORDS))
        limits = [f"-max_total_time={chosen.seconds}", "-max_len=2000", "-timeout=10", f"-dict={words}"]
        limits += ["-print_final_stats=1", f"-artifact_prefix={found}/{name}-"]
        done = subprocess.run([sys.executable, "-m", "tests.fuzz.one", name, *limits, str(corpus)], check=False)
        if done.returncode != 0:
            failed.append(name)
    print(f"failed: {', '.join(failed)}; see {found}" if failed else "nothing found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
