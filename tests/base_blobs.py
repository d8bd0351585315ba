"""The layers of base images, compressed once for all workers of a session."""

from __future__ import annotations

import os

import pytest

from imagekit.layers.blobs import BlobCache


def base_blobs(tmp_path_factory: pytest.TempPathFactory) -> BlobCache:
    """The cache that they lie in. Several processes may use it; who damages blobs has one of his own."""
    own = tmp_path_factory.getbasetemp()
    return BlobCache((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "base-cache" / "blobs")
