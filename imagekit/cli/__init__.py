"""The command line: arguments in, calls, pictures out."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The ``imagekit`` program."""
    from imagekit.cli.again import build_again, may_be_again
    from imagekit.cli.signals import terminate_gracefully

    terminate_gracefully()
    if may_be_again():
        code = build_again(sys.argv[1:], os.environ)
        if code is not None:
            sys.exit(code)
    from imagekit.cli.app import app

    app(prog_name="imagekit")
