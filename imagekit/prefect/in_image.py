"""Found as ``imagekit`` in images for Prefect's workers: the image's own imagekit, or else the stand-in beside this.

The directory of this file is put on ``PYTHONPATH``, since an image's environment is not to be written to; so it
comes before what is installed, and steps aside. Of the stand-in, ``flow`` is Prefect's: whoever starts an image by its
entrypoint, as Prefect's workers do, looks for flows of Prefect's. It uses the standard library alone, and Prefect's
``flow`` where there is one, and keeps to the syntax of Python 3.8.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What both decorators know.
SHARED = (
    *("name", "version", "description", "log_prints", "timeout_seconds", "validate_parameters"),
    *("retries", "retry_delay_seconds"),
)


class Decorator:
    """``@flow``, and ``@flow(name=…)``, where Prefect is; its other uses are the stand-in's."""

    def __init__(self, prefects: Any, other: Any) -> None:
        self._prefects, self._other = prefects, other

    def __call__(self, fn: Any = None, **options: Any) -> Any:
        if fn is None:
            return functools.partial(self, **options)
        known = {name: options[name] for name in SHARED if options.get(name) is not None}
        return self._prefects(**known)(fn)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


def load(here: str) -> None:
    others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    found: Any = importlib.machinery.PathFinder.find_spec("imagekit", others)
    is_stand_in = found is None or found.origin is None  # a directory may happen to be called so
    if is_stand_in:
        found = importlib.util.spec_from_file_location("imagekit", os.path.join(here, "stand_in.py"))
    module: Any = importlib.util.module_from_spec(found)
    sys.modules["imagekit"] = module
    found.loader.exec_module(module)
    if is_stand_in:
        try:
            from prefect import flow
        except ImportError:
            return
        module.flow = Decorator(flow, module.flow)


load(os.path.dirname(os.path.abspath(__file__)))
