"""A run's source, from what was written to what is put into its container; asked of nobody's engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.checkouts.check import check_flow
from imagekit.checkouts.find import check_source, find_source
from imagekit.checkouts.read import read_source
from imagekit.checkouts.values import Checkout, MountedSource, SourceAccess
from imagekit.progress import Reporter
from imagekit.runs.settings import RunSettings
from imagekit.runs.volumes import ENGINE_SOCKETS, check_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagekit.spec.entrypoint import Entrypoint


def obtain(
    given: str | Path,
    *,
    secret: str | None,
    cwd: Path,
    access: Callable[[], SourceAccess],
    settings: RunSettings,
    entrypoint: Entrypoint,
    parameters: Mapping[str, Any],
    reporter: Reporter,
) -> Checkout:
    """The source ``given``, found or fetched, with the flow in it and the parameters held to its signature.

    ``secret`` names a stored one. Raises ``InputError``'s kinds, ``RepositoryError`` and ``DiskFull``.
    """
    source = read_source(given, cwd)
    check_source(source, secret)
    if isinstance(source, MountedSource):
        check_sources(
            [str(source.directory)],
            ENGINE_SOCKETS,
            host_root=settings.allow_host_root,
            engine_socket=settings.allow_engine_socket,
            what="source",
        )
    checkout = find_source(source, access(), secret=secret, reporter=reporter)
    if settings.command is None:
        check_flow(checkout, entrypoint, parameters)
    for remark in checkout.remarks:
        reporter.line(f"warning: {remark}")
    return checkout
