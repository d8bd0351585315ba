"""What a command works with: the settings, the pipeline, and who draws its progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagekit.progress import PlainReporter, Reporter, SilentReporter

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline
    from imagekit.secrets.handed import Handed
    from imagekit.settings import Settings


@contextmanager
def reporting(*, quiet: bool = False, as_json: bool = False, verbose: bool = False) -> Iterator[Reporter]:
    """Progress on stderr: bars on a terminal, lines elsewhere, nothing where it was not asked for."""
    stream = sys.stderr
    if stream is None or quiet:
        yield SilentReporter()
    elif verbose:
        yield PlainReporter(stream)
    elif stream.isatty():
        from imagekit.cli.progress import TerminalReporter

        reporter = TerminalReporter(stream)
        try:
            yield reporter
        finally:
            reporter.close()
    else:
        yield SilentReporter() if as_json else PlainReporter(stream)


def open_pipeline(
    settings: Settings, reporter: Reporter, *, needs_engine: bool = True, handed: Handed | None = None
) -> Pipeline:
    """The pipeline of this machine; nothing is asked of the engine yet, nor at all without ``needs_engine``.

    Then bases are read where they are, and one in a registry is not pulled.
    """
    from imagekit.pipeline import Pipeline
    from imagekit.secrets.handed import Handed

    handed = Handed(variables=settings.variables) if handed is None else handed
    return Pipeline(settings, reporter, needs_engine=needs_engine, handed=handed)


def handed_of(
    settings: Settings, secrets: Sequence[str] | None, ssh: Sequence[str] | None, *, allow: bool = False
) -> Handed:
    """``--secret``, ``--ssh`` and ``--allow-secret-build-args``; ``InvalidSecret`` for what is not there."""
    from imagekit.secret import Secret
    from imagekit.secrets.handed import Handed

    return Handed.read(secrets, ssh, variables=settings.variables, load=Secret.load, may_be_seen=allow)


def switched(settings: Settings, **switches: bool | None) -> Settings:
    """``settings`` with those of ``switches`` that were given on the command line."""
    from dataclasses import replace

    given = {name: value for name, value in switches.items() if value is not None}
    return replace(settings, **given) if given else settings  # type: ignore[arg-type]


def load_settings() -> Settings:
    from imagekit.settings import Settings

    return Settings.load()
