"""The command line: arguments in, calls, pictures out."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The ``imagekit`` program."""
    from imagekit.cli.again import build_again, may_be_again
    from imagekit.cli.signals import terminate_gracefully

    terminate_gracefully()
    try:
        code = build_again(sys.argv[1:], os.environ) if may_be_again() else None
        if code is None:
            from imagekit.cli.app import app
    except BaseException as error:
        from imagekit.cli.ends import end

        code = end(error, as_json="--json" in sys.argv, debug=False)
    if code is not None:
        sys.exit(code)
    app(prog_name="imagekit")
