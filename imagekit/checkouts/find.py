"""A source that is asked for, found or fetched."""

from __future__ import annotations

from imagekit.checkouts.server import check_secret
from imagekit.checkouts.values import Checkout, GitSource, Source, SourceAccess
from imagekit.errors import InputError
from imagekit.progress import Reporter, SilentReporter


def check_source(source: Source, secret: str | None) -> None:
    """``InputError`` for what can be refused without asking anyone."""
    if isinstance(source, GitSource):
        check_secret(source, secret)
    elif secret is not None:
        raise InputError("a directory takes no secret", hint="leave source_secret out")


def find_source(
    source: Source, access: SourceAccess, *, secret: str | None = None, reporter: Reporter | None = None
) -> Checkout:
    """``source`` as a directory of this machine. Raises what ``fetched`` does, for a repository."""
    check_source(source, secret)
    if isinstance(source, GitSource):
        from imagekit.checkouts.fetched import fetched

        return fetched(source, access, secret=secret, reporter=reporter or SilentReporter())
    from imagekit.checkouts.mounted import mounted

    return mounted(source)
