"""The advice for one project: facts found, steps measured where that is asked for, and a strategy chosen."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.advising.values import Advice
from imagekit.errors import InputError
from imagekit.progress import SilentReporter
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline
    from imagekit.spec.entrypoint import Entrypoint
    from imagekit.spec.image import ImageSpec
    from imagekit.store.values import StoredRun


def advise(
    target: str | Path = ".",
    *,
    runs_per_day: float | None = None,
    elsewhere: bool = False,
    measure: bool = False,
) -> Advice:
    """Which of the four image strategies fits ``target``, and by which numbers.

    ``target`` is a flow of the working directory's project (``"flow.py:etl"``) or a project's directory. Without
    ``runs_per_day`` the record of runs says how often it is started. ``elsewhere``: by programs that install extra
    packages at every start (Prefect's workers, Kubernetes). ``measure`` builds the image under a name of its own and
    times some twenty containers, all of which are gone afterwards; without it nothing is built.

    Raises ``InputError``'s kinds for what cannot be meant, and what resolving the project raises.
    """
    from imagekit.pipeline import Pipeline
    from imagekit.secrets.handed import Handed
    from imagekit.settings import Settings

    project, entrypoint = parse_target(target)
    check_rate(runs_per_day)
    settings = Settings.load()
    handed = Handed(variables=settings.variables)
    with Pipeline(settings, SilentReporter(), needs_engine=measure, handed=handed) as pipeline:
        spec = pipeline.spec(project, entrypoints=[str(entrypoint)] if entrypoint else [])
        return advise_on(
            pipeline, spec, entrypoint, runs_per_day=runs_per_day, elsewhere=elsewhere, rounds=None if measure else 0
        )


def parse_target(target: str | Path, project: Path = Path()) -> tuple[Path, Entrypoint | None]:
    """A project's directory, and the flow in it where ``target`` names one of ``project``; ``InputError``."""
    from imagekit.spec.entrypoint import Entrypoint

    if not isinstance(target, (str, Path)):
        raise wrong_type(target, "target", "a path, or a flow as PATH.py:FUNCTION", "write advise('flow.py:etl')")
    if Path(target).is_dir():
        return Path(target), None
    if ":" not in str(target):
        raise InputError(
            f"{str(target)!r} is neither a directory nor a flow",
            hint="write PATH.py:FUNCTION, such as flow.py:etl, or name the project's directory",
        )
    entrypoint = Entrypoint.parse(str(target))
    entrypoint.signature(project)
    return project, entrypoint


def check_rate(runs_per_day: float | None) -> None:
    """``InputError`` for what is no number of runs."""
    hint = "write 24, or 0.5 for every second day"
    if isinstance(runs_per_day, bool) or not isinstance(runs_per_day, (int, float, type(None))):
        raise wrong_type(runs_per_day, "runs_per_day", "a number", hint)
    if runs_per_day is not None and not (math.isfinite(runs_per_day) and 0 < runs_per_day <= 1e9):
        raise InputError(f"{runs_per_day:g} is no number of runs a day", hint=hint)


def advise_on(
    pipeline: Pipeline,
    spec: ImageSpec,
    entrypoint: Entrypoint | None,
    *,
    runs_per_day: float | None,
    elsewhere: bool,
    rounds: int | None = 0,
) -> Advice:
    """The advice for ``spec``; ``rounds`` of measurements, or as many as are usual (``None``)."""
    from imagekit.advising import choose
    from imagekit.advising.estimate import costs
    from imagekit.advising.facts import facts_of, starts_of
    from imagekit.store.store import Store

    if rounds != 0:
        from imagekit.advising.measure import refuse_other_platform

        refuse_other_platform(pipeline, spec)
    name = str(pipeline.reference(spec, None, None).name)

    def is_of_it(run: StoredRun) -> bool:
        if entrypoint is not None:
            return run.record.entrypoint == str(entrypoint)
        return run.record.reference.partition("@")[0].rpartition(":")[0] == name

    with Store.open(pipeline.settings.state_dir) as store:
        starts = starts_of(store, is_of_it, runs_per_day)
    facts = facts_of(pipeline, spec, starts, elsewhere=elsewhere)
    first = choose.advise(facts, costs(facts))
    if rounds == 0:
        return first.with_next_steps(next_steps(first, entrypoint))
    from imagekit.advising.measure import ROUNDS, measure

    measured = measure(
        pipeline,
        spec,
        extras=facts.extras if first.strategy(choose.EXTRAS).is_possible else None,
        elsewhere=elsewhere,
        fetches=facts.history.is_repository,
        rounds=ROUNDS if rounds is None else rounds,
    )
    advice = choose.advise(facts, costs(facts, measured), measured.notes)
    return advice.with_next_steps(next_steps(advice, entrypoint))


def next_steps(advice: Advice, entrypoint: Entrypoint | None) -> tuple[str, ...]:
    """The commands that follow the advice."""
    from imagekit.advising import choose

    flow = str(entrypoint) if entrypoint is not None else "FILE.py:FUNCTION"
    source = "git+https://HOST/REPOSITORY.git@REF" if advice.facts.history.is_repository else "."
    run = f"imagekit run {flow} --image"
    default = f"{run} {shlex.quote(advice.facts.base)} --source {source}"
    if advice.recommended == choose.DEFAULT:
        return (default,)
    if advice.recommended == choose.EXTRAS:
        return (f"{default} --env {shlex.quote(f'EXTRA_PIP_PACKAGES={advice.facts.extras}')}",)
    if advice.recommended == choose.SHARED:
        return ("imagekit build --no-source -t NAME:TAG", f"{run} NAME:TAG --source {source}")
    return ("imagekit build -t NAME:TAG", f"{run} NAME:TAG")
