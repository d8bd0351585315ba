"""A look at the flow in the image before it is started: whether it takes the parameters that it is to get."""

from __future__ import annotations

from contextlib import suppress
from threading import Thread

from imagekit.engine.containers import Container
from imagekit.errors import ImagekitError, InvalidEntrypoint
from imagekit.runs.order import RunOrder
from imagekit.spec.entrypoint import Entrypoint


class Looking:
    """The file is asked for while the container is made ready; ``done()`` waits for it and judges.

    What cannot be seen (a file that is not there, or cannot be read) is for the container to say.
    """

    def __init__(self, container: Container, order: RunOrder) -> None:
        self._container = container
        self._order = order
        self._source: bytes | None = None
        self._thread = Thread(target=self._read, name="imagekit-run-look", daemon=True)
        if not order.is_checked and order.settings.command is None:
            self._thread.start()

    def done(self) -> None:
        """Raises ``InvalidParameters``."""
        if self._thread.ident is None:
            return
        self._thread.join()
        if self._source is None:
            return
        request = self._order.request
        # A SystemError comes of another thread's parsing; see spec.entrypoint.
        with suppress(InvalidEntrypoint, SystemError):
            signature = Entrypoint(path=request.path, function=request.function).signature_in(self._source)
            signature.check(request.given)

    def text(self) -> bytes:
        """The text of the flow's file; empty where it cannot be seen."""
        if self._source is None and self._order.checkout is None:
            self._read()
        elif self._source is None and self._order.checkout is not None:
            with suppress(OSError):
                checkout = self._order.checkout
                return (checkout.directory / checkout.subdirectory / self._order.request.path).read_bytes()
        return self._source or b""

    def _read(self) -> None:
        with suppress(ImagekitError, OSError, ValueError):
            self._source = self._container.get(self._order.source_path)
