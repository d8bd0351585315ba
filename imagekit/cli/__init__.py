"""The command line: arguments in, calls, pictures out."""

from __future__ import annotations


def main() -> None:
    """The ``imagekit`` program."""
    from imagekit.cli.app import app
    from imagekit.cli.signals import terminate_gracefully

    terminate_gracefully()
    app(prog_name="imagekit")
