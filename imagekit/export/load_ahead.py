"""Loading the lower layers of an image while the upper ones are being made.

An engine takes its time for a layer: it unpacks it, and digests it. So what is ready is loaded
at once, as an image of the lowest layers, under a temporary name that keeps them; the image
itself is loaded *thin* above that. Nothing depends on it: what did not arrive is sent again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from imagekit.engine.client import Engine
from imagekit.errors import ImagekitError
from imagekit.export.engine_load import archive_of, loading_name, present_layers
from imagekit.export.presence import Relatives
from imagekit.layers.values import Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest
from imagekit.progress import Reporter, Task
from imagekit.spec.base import BaseImage

# Worth a load of its own: it costs a few hundredths of a second besides its bytes.
BATCH = 48 << 20
# One is being unpacked while the next is on its way.
_AT_ONCE = 2


class LoadAhead:
    """Takes layers as they are made. As a context manager its temporary images are gone at the end.

    ``config_of`` gives the configuration of an image of the lowest layers.
    """

    def __init__(
        self,
        engine: Engine,
        base: BaseImage,
        config_of: Callable[[Sequence[Layer]], ImageConfig],
        reference: str,
        reporter: Reporter,
    ) -> None:
        self._engine = engine
        self._base = base
        self._config_of = config_of
        self._relatives = Relatives(engine, [reference])
        self._reporter = reporter
        self._threads: list[threading.Thread] = []
        self._loaded: frozenset[Digest] = frozenset()  # or on its way
        self._task: Task | None = None
        self._stack = ExitStack()
        self._broken = threading.Event()
        self.names: list[str] = []  # of the temporary images, the smallest first
        self.sent = 0  # bytes

    def __enter__(self) -> LoadAhead:
        return self

    def __exit__(self, *exc: object) -> None:
        if exc[0] is not None:
            self._broken.set()
        with self._stack:
            self._join()
            for name in reversed(self.names):
                self._engine.remove_image(name)

    def take(self, layers: Iterator[Layer], is_waiting: Callable[[], bool]) -> list[Layer]:
        """All of ``layers``; what comes together to a batch is loaded while ``is_waiting`` says that the next is made.

        What is all there is loaded at once, as the image itself.
        """
        taken: list[Layer] = []
        waiting = 0
        for layer in layers:
            taken.append(layer)
            waiting += layer.size
            if waiting >= BATCH and is_waiting() and self._may_begin():
                self._begin(list(taken))
                waiting = 0
        self._join()
        return taken

    def _may_begin(self) -> bool:
        # Others take no archive that leaves layers out.
        return not self._broken.is_set() and self._running() < _AT_ONCE and self._engine.info.is_docker

    def _begin(self, layers: list[Layer]) -> None:
        config = self._config_of(layers)
        known = present_layers(self._engine, config, layers, self._relatives)
        lacking = [layer for layer in layers if layer.diff_id not in known | self._loaded]
        if not lacking:
            return
        if self._task is None:
            self._task = self._stack.enter_context(self._reporter.task("loading what is made", unit="B"))
        self._loaded = frozenset(layer.diff_id for layer in layers)
        before = self._threads[-1] if self._threads else None
        name = loading_name()
        self.names.append(name)
        thread = threading.Thread(
            target=self._load, args=(config, layers, lacking, name, before), name="imagekit-load", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _load(
        self, config: ImageConfig, layers: list[Layer], lacking: list[Layer], name: str, before: threading.Thread | None
    ) -> None:
        present = {layer.diff_id for layer in layers}.difference(layer.diff_id for layer in lacking)
        try:
            pieces = archive_of(self._engine, config, self._base, layers, present, name)
            self._engine.load(self._held_back(pieces, before))
            self.sent += sum(layer.size for layer in lacking)
        except (ImagekitError, OSError):
            # It says what is wrong once more, and better, when the image itself is loaded.
            self._broken.set()

    def _held_back(self, pieces: Iterator[bytes], before: threading.Thread | None) -> Iterator[bytes]:
        """``pieces``, the last of them when ``before`` has ended; ``OSError`` once something is broken.

        An engine looks at an archive when it has all of it, and then must have the layers that are not in it.
        """
        held = b""
        for piece in pieces:
            self._go_on()
            if held:
                yield held
                if self._task is not None:
                    self._task.advance(len(held))
            held = piece
        if before is not None:
            before.join()
        self._go_on()
        yield held

    def _go_on(self) -> None:
        if self._broken.is_set():
            raise OSError("what lies below was not loaded, or the build has ended")

    def _running(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
