"""What ``import imagekit`` finds in a container whose image has none: enough to import a flow's file, and call it.

This file is shipped as text, as ``imagekit.py`` in the last directory that modules are looked for in, so that an
imagekit of the image's own goes before. It imports nothing but the standard library and keeps to the syntax of
Python 3.8. ``flow`` makes the same of a function as the real one; whatever else a file says at its top (images,
specifications of deployments) is taken and does nothing. What would build, deploy or run is refused.
"""

from __future__ import annotations

import functools
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ELSEWHERE = "imagekit is not in this image: images are built, and flows deployed and run, where it is installed"


class Flow:
    """A function that is a flow."""

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        *,
        retries: int | None = None,
        retry_delay_seconds: float | None = None,
        **_: Any,
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.name = name or fn.__name__.replace("_", "-")
        self.retries = retries
        self.retry_delay_seconds = retry_delay_seconds

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(self.fn, *args, **kwargs)
        return with_retries(call, self.retries or 0, self.retry_delay_seconds or 0) if self.retries else call()

    def to_deployment(self, *_: Any, **__: Any) -> Inert:
        return Inert()

    def deploy(self, *_: Any, **__: Any) -> None:
        raise RuntimeError(_ELSEWHERE)

    def with_options(self, name: str | None = None, **options: Any) -> Flow:
        own = {"retries": self.retries, "retry_delay_seconds": self.retry_delay_seconds}
        return Flow(self.fn, name or self.name, **dict(own, **options))


def with_retries(call: Callable[[], Any], retries: int, delay: float) -> Any:
    """What ``call`` comes to. Where it raises an ``Exception``, it is called again, ``retries`` times at most, each
    ``delay`` seconds after. What can be awaited is awaited by the caller."""
    left = retries
    while True:
        try:
            result = call()
        except Exception as error:
            if not left:
                raise
            _tell_retry(error, left, delay)
            time.sleep(delay)
            left -= 1
            continue
        return _awaited_with_retries(result, call, left, delay) if hasattr(result, "__await__") else result


async def _awaited_with_retries(result: Any, call: Callable[[], Any], left: int, delay: float) -> Any:
    while True:
        try:
            return await result
        except Exception as error:
            if not left:
                raise
            _tell_retry(error, left, delay)
            import asyncio

            await asyncio.sleep(delay)
            left -= 1
            result = call()


def _tell_retry(error: Exception, left: int, delay: float) -> None:
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)
    when = f" in {delay:g} s" if delay else ""
    print(f"the flow is called again{when}; retries left after that: {left - 1}", file=sys.stderr)


class _Decorator:
    """``@flow``, and ``@flow(name=…)``."""

    def __call__(self, fn: Callable[..., Any] | None = None, **options: Any) -> Any:
        if fn is None:
            return functools.partial(Flow, **options)
        return Flow(fn, **options)

    @staticmethod
    def from_source(*_: Any, **__: Any) -> Inert:
        return Inert()


class Inert:
    """Something that is said where it means nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def to_deployment(self, *_: Any, **__: Any) -> Inert:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(_ELSEWHERE)


def deploy(*_: Any, **__: Any) -> None:
    raise RuntimeError(_ELSEWHERE)


def run(*_: Any, **__: Any) -> None:
    raise RuntimeError(_ELSEWHERE)


class Secret(Inert):
    """Stored secrets are where imagekit is: a run gets the values of those it is given in its variables."""

    @classmethod
    def load(cls, name: str) -> Inert:
        return Inert()


class ImagekitError(Exception):
    """Nothing raises it here."""


flow = _Decorator()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return Inert


# ``from imagekit.prefect import DockerImage`` finds the same.
sys.modules[__name__ + ".prefect"] = sys.modules[__name__]
