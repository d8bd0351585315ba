"""A first start: the packages are put into the flow's own container, and the image with them is made while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagekit.errors import ImagekitError
from imagekit.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from imagekit.engine.client import EngineImage
    from imagekit.engine.containers import Container
    from imagekit.extras.completing import Completion
    from imagekit.extras.unpacking import Unpacking
    from imagekit.runs.values import RunResult
    from imagekit.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStart:
    """What is to be done for a start in ``image``, which has not the packages."""

    image: EngineImage  # the container's
    env: Mapping[str, str]  # what the image with the packages sets beyond that
    unpacking: Unpacking
    completion: Completion


def run_first(
    first: FirstStart,
    run: Callable[..., RunResult],
    store: Store,
    reporting: Callable[[], AbstractContextManager[Reporter]] = lambda: nullcontext(SilentReporter()),
) -> RunResult:
    """What ``run`` (``runs.runner.run_flow``) gives, with the image that stays.

    What of the image is left to be made when the flow has ended, is made then, unless the run was cancelled; a Ctrl-C
    leaves it, and whatever goes wrong with it is a warning of the run.
    """
    from imagekit.runs.interrupts import interrupts

    with first.completion as completion:
        with first.unpacking as unpacking, ExitStack() as telling:
            unpacking.begin(telling.enter_context(reporting()))

            def put(container: Container, flow: bytes, is_stopped: Callable[[], bool]) -> None:
                unpacking.put(container, flow, is_stopped)
                # From here on the flow has the terminal.
                telling.close()

            result = run(put=put, on_started=completion.begin)
        if result.state == "cancelled":
            return result
        with interrupts(lambda number: completion.stop()), reporting() as reporter:
            made = completion.finish(reporter)
        if made is None:
            return replace(result, warnings=(*result.warnings, *filter(None, [completion.problem])))
        # The same files, and bytecode of them: it is what the next start has, and what can be promoted.
        with suppress(ImagekitError):
            store.image_became(result.id, made.image_id)
        return replace(result, image=made.image_id)
