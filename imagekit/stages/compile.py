"""The base's own interpreter as a compiler: one container for all missing wheels.

Sources go in and bytecode comes out over the container's standard streams, so nothing is
mounted and a remote engine serves as well as a local one.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from importlib.resources import files

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import BaseUnusable, EngineError, ImagekitError
from imagekit.spec.base import BaseImage

# Nothing that the base holds takes part: not its site-packages, not the directory it starts in.
# As -I says it, which would also pass over PYTHONHASHSEED.
ALONE = ("-s", "-S", "-c")
ENVIRONMENT = {
    # Up to Python 3.10 sets in code objects are written in the order of their members' hashes.
    "PYTHONHASHSEED": "0",
    **dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONDEVMODE"), ""),
}


class ContainerCompiler:
    """A ``layers.bytecode.Compiler`` in a container of ``base``; usable from several threads.

    The container starts at the first use. As a context manager it is gone at the end.
    """

    def __init__(self, engine: Engine, base: BaseImage) -> None:
        self._engine = engine
        self._base = base
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Future[list[bytes | None]]]] = deque()
        self._container: Container | None = None
        self._reader: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> ContainerCompiler:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            container, self._container = self._container, None
            # A thread that is not done yet must not start another one, which nobody would end.
            self._failure = self._failure or CancelledError()
        if container is not None:
            self._streams.close()
            container.remove()
        if self._reader is not None:
            self._reader.join(timeout=5)

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        answer: Future[list[bytes | None]] = Future()
        if not sources:
            answer.set_result([])
            return answer
        parts = [struct.pack(">I", len(sources))]
        for path, source in sources:
            name = path.encode()
            parts += [struct.pack(">II", len(name), len(source)), name, source]
        data = b"".join(parts)
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._container is None:
                self._container = self._start()
            # Answers come in the order of questions: the queue and the stream stay in step under the lock.
            self._waiting.append((len(sources), answer))
            try:
                self._streams.send(data)
                return answer
            except EngineError as error:
                broken = error
        # The container's end, which the reader sees, says more than that nothing can be sent to it.
        if self._reader is not None:
            self._reader.join(timeout=5)
        raise self._failure or broken

    def _start(self) -> Container:
        program = files("imagekit.stages").joinpath("compile_server.py").read_text()
        container = Container.create(
            self._engine,
            ContainerSpec(
                image=self._base.image_id,
                entrypoint=[self._base.python.executable],
                command=[*ALONE, program],
                env=ENVIRONMENT,
                workdir="/",
                kind="compile",
                network="none",
                interactive=True,
                auto_remove=True,
            ),
        )
        try:
            self._streams = container.attach(stdin=True)
            container.start()
        except BaseException:
            container.remove()
            raise
        self._reader = threading.Thread(target=self._read, name="imagekit-compile", daemon=True)
        self._reader.start()
        return container

    def _read(self) -> None:
        errors: list[bytes] = []
        try:
            stream = _Stream(self._streams.frames(), errors)
            while True:
                head = stream.take(4, end_is_fine=True)
                if head is None:
                    break
                count, answer = self._waiting[0]
                pycs: list[bytes | None] = []
                for index in range(count):
                    length = struct.unpack(">I", head if index == 0 else stream.must(4))[0]
                    pycs.append(stream.must(length) if length else None)
                self._waiting.popleft()
                answer.set_result(pycs)
            self._fail(None, errors)
        except BaseException as error:
            self._fail(error, errors)

    def _fail(self, error: BaseException | None, errors: list[bytes]) -> None:
        if not isinstance(error, ImagekitError):
            error = BaseUnusable(
                f"the Python of {self._base.reference} stopped while compiling bytecode",
                hint="docker run it and start its python3 by hand",
                details=b"".join(errors).decode(errors="replace") or (str(error) if error else None),
            )
        # Whoever is sending gives way: nobody reads any more.
        self._streams.break_off()
        with self._lock:
            self._failure = error
            while self._waiting:
                _, answer = self._waiting.popleft()
                answer.set_exception(error)


class _Stream:
    """Standard output out of an attached container's frames, by exact counts; standard error goes to ``errors``."""

    def __init__(self, frames: Iterator[tuple[int, bytes]], errors: list[bytes]) -> None:
        self._frames = frames
        self._errors = errors
        self._held = bytearray()

    def must(self, count: int) -> bytes:
        data = self.take(count)
        assert data is not None
        return data

    def take(self, count: int, *, end_is_fine: bool = False) -> bytes | None:
        while len(self._held) < count:
            stream, piece = next(self._frames, (0, b""))
            if stream == 0:
                if end_is_fine and not self._held:
                    return None
                raise EOFError
            if stream == 2:
                self._errors.append(piece)
            else:
                self._held += piece
        data = bytes(self._held[:count])
        del self._held[:count]
        return data
