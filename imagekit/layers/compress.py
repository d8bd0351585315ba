"""Many layers → many blobs: as many at once as there are processors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack

from imagekit.layers.blobs import BlobCache
from imagekit.layers.values import Layer
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest
from imagekit.progress import Reporter


def compress_all(
    layers: Sequence[Layer], cache: BlobCache, reporter: Reporter, *, threads: int | None = None
) -> list[Blob]:
    """``layers`` as gzip blobs, in their order: from ``cache``, or made now by ``threads`` threads.

    Raises ``DamagedLayer`` and ``DiskFull``.
    """
    found = dict(compress_each(layers, cache, reporter, threads=threads))
    return [found[number] for number in range(len(layers))]


def compress_each(
    layers: Sequence[Layer], cache: BlobCache, reporter: Reporter, *, threads: int | None = None
) -> Iterator[tuple[int, Blob]]:
    """``(number, blob)`` of each of ``layers`` as it is there, so that sending may begin meanwhile."""
    missing: dict[Digest, list[int]] = {}  # an image may have a layer twice
    for number, layer in enumerate(layers):
        blob = cache.get(layer.diff_id)
        if blob is None:
            missing.setdefault(layer.diff_id, []).append(number)
        else:
            yield number, blob
    if not missing:
        return
    # The largest first, so that the end is not one core's.
    todo = sorted((layers[numbers[0]] for numbers in missing.values()), key=lambda layer: -layer.size)
    width = threads or os.cpu_count() or 1
    total = sum(layer.size for layer in todo)
    with ExitStack() as stack:
        task = stack.enter_context(reporter.task("compressing layers", total=total, unit="B"))
        # Readers feed compressors: what lies in one large layer is compressed by all threads, too.
        compressors = stack.enter_context(ThreadPoolExecutor(width, "imagekit-gzip"))
        readers = ThreadPoolExecutor(width, "imagekit-layer")
        stack.callback(readers.shutdown, wait=True, cancel_futures=True)
        futures: dict[Future[Blob], Layer] = {
            readers.submit(cache.gzip, layer, pool=compressors, advance=task.advance): layer for layer in todo
        }
        for future in as_completed(futures):
            for number in missing[futures[future].diff_id]:
                yield number, future.result()
