"""Progress on a terminal: a bar for whatever takes longer than a second, gone when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from imagekit.cli.output import clipped, seconds, size, styled
from imagekit.progress import Task

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

PATIENCE = 1.0  # seconds before a bar is worth drawing
_TICK = 0.1


class _Bar:
    """A task under way."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = 0
        self.text = ""
        self.since = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def note(self, text: str) -> None:
        self.text = text

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    @property
    def count(self) -> str:
        """How far it is: ``12/40``, ``3.1 MB of 40 MB``, or nothing where that is not known."""
        if self.unit == "B":
            return f"{size(self.done)} of {size(self.total)}" if self.total else size(self.done) if self.done else ""
        return f"{self.done}/{self.total}" if self.total else ""


class TerminalReporter:
    """Implements ``progress.Reporter`` with rich, which is imported when the first bar is due and not before.

    A thread of its own draws: a quick command ends without having drawn anything.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bars: list[_Bar] = []
        self._waiting: tuple[str, ...] = ()
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    @contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        bar = _Bar(title, total, unit)
        with self._lock:
            self._bars.append(bar)
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._draw, name="imagekit-progress", daemon=True)
                self._thread.start()
        try:
            yield bar
        finally:
            with self._lock:
                self._bars.remove(bar)

    def line(self, text: str) -> None:
        with self._lock:
            if self._live is not None:
                from rich.text import Text

                self._live.console.print(Text(text, style="dim"), soft_wrap=True)
            else:
                self._stream.write(styled(text, "2", self._stream) + "\n")
                self._stream.flush()

    def waiting(self, titles: Sequence[str]) -> None:
        with self._lock:
            self._waiting = tuple(titles)

    def close(self) -> None:
        """Take the bars away, for good: whoever writes to the terminal from here on has it alone."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        try:
            while not self._closing.wait(_TICK):
                due = self._due()
                if due and self._live is None:
                    self._start()
                elif not due and self._live is not None:
                    self._stop()
        finally:
            self._stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream)
        live = Live(
            console=console,
            get_renderable=self._render,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._lock:
            self._live = live
        live.start()

    def _stop(self) -> None:
        with self._lock:
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _due(self) -> list[_Bar]:
        with self._lock:
            return [bar for bar in self._bars if bar.seconds >= PATIENCE]

    def _render(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table, due = Table.grid(padding=(0, 1)), self._due()
        for bar in due:
            drawn = ProgressBar(
                total=bar.total, completed=bar.done, width=24, pulse=bar.total is None, animation_time=time.monotonic()
            )
            head = Text(bar.title)
            if bar.text:
                head.append("  " + clipped(bar.text, 48), style="dim")
            table.add_row(drawn, Text(bar.count), Text(seconds(bar.seconds), style="dim"), head)
        for title in self._waiting_rows(len(due)):
            table.add_row(Text("waiting", style="dim"), "", "", Text(title, style="dim"))
        return table

    def _waiting_rows(self, above: int) -> Sequence[str]:
        """What waits, as far as there is room for it below ``above`` rows; those cut off are counted."""
        with self._lock:
            waiting, live = self._waiting, self._live
        room = max(1, live.console.height - 1 - above) if live is not None else 1
        if len(waiting) <= room:
            return waiting
        return (*waiting[: room - 1], f"{len(waiting) - room + 1} more")
