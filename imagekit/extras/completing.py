"""The rest of a first start: the derived image, made while the flow runs in a container of the image that was named."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from imagekit.errors import ImagekitError
from imagekit.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from imagekit.extras.values import Derived
    from imagekit.stages.compile_client import ServedCompiler


# Seconds in which a flow imports what it needs: it has all cores then, since that is what is waited for.
_HEAD_START = 5.0


class Completion:
    """One image being made, in a thread. As a context manager it is given up, or done, at the end of the block.

    ``make`` makes it by ``compiler``, and raises once that is ended; what it is given first is set when nobody wants
    it any more, and what it has to say is told in ``finish``.
    """

    def __init__(self, make: Callable[[threading.Event, Reporter], Derived], compiler: ServedCompiler) -> None:
        self._make = make
        self._compiler = compiler
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._is_awaited = threading.Event()
        self._lines = _Lines()
        self._made: Derived | None = None
        self._failure: BaseException | None = None
        self.problem: str | None = None  # one line, where it came to nothing

    def begin(self) -> None:
        """Begin, unless it has begun, when the flow has had the machine to itself for a while."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="imagekit-extras", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Give up, without waiting; it may be called by a signal's handler."""
        self._stopped.set()
        self._is_awaited.set()
        threading.Thread(target=self._end_compiler, name="imagekit-extras-stop", daemon=True).start()

    def finish(self, reporter: Reporter) -> Derived | None:
        """Wait until the image is there; ``None`` where it came to nothing, which one line says.

        Nothing is raised: the flow has run. The next start tries again.
        """
        self.begin()
        assert self._thread is not None
        self._is_awaited.set()
        try:
            with reporter.task("making the image with the extra packages for the next start"):
                self._thread.join()
        except KeyboardInterrupt:
            self.stop()
        for line in self._lines.lines:
            reporter.line(line)
        if self._made is None:
            self.problem = f"the image with the extra packages is left to the next start: {self._reason()}"
            reporter.line(self.problem)
        return self._made

    def __enter__(self) -> Completion:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None and self._thread.is_alive():
            self.stop()
            with suppress(KeyboardInterrupt):
                self._thread.join()

    def _work(self) -> None:
        try:
            self._is_awaited.wait(_HEAD_START)
            if not self._stopped.is_set():
                self._made = self._make(self._stopped, self._lines)
        except BaseException as error:
            self._failure = error
        finally:
            self._end_compiler()

    def _end_compiler(self) -> None:
        # Its container carries its owner: the next command takes away what an engine that is gone did not.
        with suppress(ImagekitError, OSError):
            self._compiler.end()

    def _reason(self) -> str:
        if self._stopped.is_set():
            return "that was interrupted"
        if isinstance(self._failure, ImagekitError):
            return self._failure.message
        return f"{type(self._failure).__name__}: {self._failure}"


class _Lines(SilentReporter):
    """Lines are kept: the flow has the terminal to itself."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)
