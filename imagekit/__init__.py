"""imagekit: a Python project and its dependencies as a container image, and flows run in it.

>>> from imagekit import DockerImage, run
>>> image = DockerImage("orders", tag="v1", requirements="requirements.txt")
>>> image.build()
>>> run("flow.py:etl", image=image, parameters={"n": 3})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from imagekit.advising.advise import advise as advise
    from imagekit.deploying.deploy import deploy as deploy
    from imagekit.deploying.flow import Flow as Flow
    from imagekit.deploying.flow import flow as flow
    from imagekit.deploying.schedules import Cron as Cron
    from imagekit.deploying.schedules import Interval as Interval
    from imagekit.deploying.spec import DeploymentSpec as DeploymentSpec
    from imagekit.errors import ImagekitError as ImagekitError
    from imagekit.image import DockerImage as DockerImage
    from imagekit.running import DockerFlowRunner as DockerFlowRunner
    from imagekit.running import run as run
    from imagekit.runs.settings import RunSettings as RunSettings
    from imagekit.runs.values import RunResult as RunResult
    from imagekit.secret import Secret as Secret

# Where each public name lives: imported when it is first used, so that importing imagekit costs nothing.
_HOMES = {
    "Cron": "imagekit.deploying.schedules",
    "DeploymentSpec": "imagekit.deploying.spec",
    "DockerFlowRunner": "imagekit.running",
    "DockerImage": "imagekit.image",
    "Flow": "imagekit.deploying.flow",
    "ImagekitError": "imagekit.errors",
    "Interval": "imagekit.deploying.schedules",
    "RunResult": "imagekit.runs.values",
    "RunSettings": "imagekit.runs.settings",
    "Secret": "imagekit.secret",
    "advise": "imagekit.advising.advise",
    "deploy": "imagekit.deploying.deploy",
    "flow": "imagekit.deploying.flow",
    "run": "imagekit.running",
}

__all__ = [
    "Cron",
    "DeploymentSpec",
    "DockerFlowRunner",
    "DockerImage",
    "Flow",
    "ImagekitError",
    "Interval",
    "RunResult",
    "RunSettings",
    "Secret",
    "advise",
    "deploy",
    "flow",
    "run",
]


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'imagekit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
