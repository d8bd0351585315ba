"""A run of a worker's, watched from here: its output as it comes, and how it ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.store.store import Store


def watch_run(store: Store, run_id: str, *, as_json: bool) -> int:
    """Show the run's output until it ends, and its end; the exit code that says how it did."""
    from imagekit.cli.output import put_json
    from imagekit.cli.run import exit_code, say

    follow(store, run_id, only_stderr=as_json)
    run = store.run(run_id)
    document = {**run.to_json(), "seconds": round(run.seconds or 0.0, 3)}
    if document["result_file"] is not None:
        document["result"] = store.result(run)
    if as_json:
        put_json(document)
    say(document, quiet=False, has_result=True)
    return exit_code(document)


def follow(store: Store, run_id: str, *, only_stderr: bool = False) -> None:
    """Write what the run writes, each stream to its own, until it has ended."""
    for piece in store.follow(run_id):
        target = sys.stderr if only_stderr or piece.stream == 2 else sys.stdout
        if target is not None:
            target.buffer.write(piece.data)
            target.buffer.flush()
