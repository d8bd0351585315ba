"""``imagekit.prefect``: imagekit's images in deployments of a Prefect server. Extra: ``imagekit[prefect]``.

>>> from prefect import flow
>>> from imagekit.prefect import DockerImage
>>> @flow
... def etl(): ...
>>> etl.deploy("nightly", work_pool_name="docker", image=DockerImage("registry.example.com/team/orders"))

Modules of this room that are called like ones of Prefect's import those absolutely; ``prefect`` alone is always
Prefect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.prefect.image import DockerImage as DockerImage
    from imagekit.prefect.moving import to_prefect as to_prefect

_HOMES = {"DockerImage": "imagekit.prefect.image", "to_prefect": "imagekit.prefect.moving"}

__all__ = ["DockerImage", "to_prefect"]


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'imagekit.prefect' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
