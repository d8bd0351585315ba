"""``BaseImageMatrix``: a matrix of base images from its file to images and their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imagekit.errors import InputError
from imagekit.matrix import work
from imagekit.matrix.cells import Excluded, expand, requirements
from imagekit.matrix.declared import MatrixTable, read_matrix
from imagekit.matrix.results import CellPlan, CellResult, MatrixPlan, MatrixResult
from imagekit.matrix.tags import tags_of
from imagekit.matrix.values import CONDA, Cell
from imagekit.nearest import nearest_hint
from imagekit.progress import Reporter, SilentReporter

if TYPE_CHECKING:
    from imagekit.settings import Settings

_Done = TypeVar("_Done", work.Found, work.Built)
JOBS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """How a plan or a build was asked for."""

    settings: Settings
    reporter: Reporter
    jobs: int


class BaseImageMatrix:
    """The images that a file declares: axes, categories, exclusions, tags."""

    def __init__(self, table: MatrixTable) -> None:
        self.table = table

    @classmethod
    def load(cls, path: str | Path) -> BaseImageMatrix:
        """Read the file at ``path``. Raises ``InputError`` with file, line and key, all at once."""
        return cls(read_matrix(Path(path)))

    @cached_property
    def _expanded(self) -> tuple[tuple[Cell, ...], tuple[Excluded, ...]]:
        return expand(self.table)

    def cells(self) -> tuple[Cell, ...]:
        """Every cell that the file does not exclude, in the order of the axes."""
        return self._expanded[0]

    def excluded(self) -> tuple[Excluded, ...]:
        """The cells that it excludes, with the reasons."""
        return self._expanded[1]

    def tags(self, cells: Sequence[Cell] | None = None) -> Mapping[Cell, tuple[str, ...]]:
        """The tags of ``cells``, by default of all: a tag that moves is of the newest of them."""
        return tags_of(self.table, self.cells() if cells is None else cells)

    def plan(
        self,
        *,
        select: Sequence[str] = (),
        jobs: int = JOBS,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
    ) -> MatrixPlan:
        """Resolve every cell; those that cannot be satisfied have the reason, and no tags.

        ``select`` are labels of cells, or patterns of them (``*-python3.11-*``); ``jobs`` processes work at once.
        """
        asked = _asked(settings, reporter, jobs)
        wanted = self._selected(select)
        # A tag that moves is the newest's of all that can be had, whether it was selected or not.
        found = self._resolved(asked, self.cells())
        tags = self.tags([cell for cell in self.cells() if found[cell.label].reason is None])
        return MatrixPlan(
            name=self.table.name,
            cells=tuple(_planned(cell, found[cell.label], tags.get(cell, ())) for cell in wanted),
            excluded=tuple((each.cell, each.reason) for each in self.excluded()),
        )

    def build(
        self,
        *,
        select: Sequence[str] = (),
        push: bool = False,
        jobs: int = JOBS,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
    ) -> MatrixResult:
        """Build every selected cell that can be had; one that fails stops no other.

        What did not change is not built again. Raises ``InputError`` where nothing is selected or a tag is of two
        cells; what fails is in the result.
        """
        asked = _asked(settings, reporter, jobs)
        plan = self.plan(select=select, jobs=jobs, settings=asked.settings, reporter=asked.reporter)
        by_label = {cell.cell.label: cell for cell in plan.cells if cell.reason is None and cell.tags}
        todo = [self._job(each.cell, self._references(each.tags), push=push) for each in by_label.values()]
        done = {each.label: each for each in self._at_once(asked, work.build, todo, "Building")}
        return MatrixResult(plan=plan, cells=tuple(_result(each, done.get(each.cell.label)) for each in plan.cells))

    def _selected(self, select: Sequence[str]) -> tuple[Cell, ...]:
        labels = [cell.label for cell in self.cells()]
        for pattern in select:
            if not any(fnmatchcase(label, pattern) for label in labels):
                raise InputError(f"no cell is called {pattern}", hint=nearest_hint(pattern, labels))
        return tuple(
            cell for cell in self.cells() if not select or any(fnmatchcase(cell.label, each) for each in select)
        )

    def _resolved(self, asked: _Asked, cells: Sequence[Cell]) -> Mapping[str, work.Found]:
        bases = _bases(asked, {cell.python for cell in cells})
        found = {
            cell.label: work.Found(label=cell.label, reason=reason)
            for cell in cells
            if (reason := bases.get(cell.python) or (_NO_CONDA if cell.flavor == CONDA else None)) is not None
        }
        todo = [self._job(cell) for cell in cells if cell.label not in found]
        return found | {each.label: each for each in self._at_once(asked, work.resolve, todo, "Resolving")}

    def _job(self, cell: Cell, references: tuple[str, ...] = (), *, push: bool = False) -> work.Job:
        return work.Job(
            label=cell.label,
            base=base_reference(cell),
            requirements=requirements(self.table, cell),
            labels=(("imagekit.matrix.cell", cell.label),),
            references=references,
            push=push,
        )

    def _references(self, tags: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{self.table.name}:{tag}" for tag in tags)

    def _at_once(
        self, asked: _Asked, do: Callable[[Settings, work.Job], _Done], jobs: Sequence[work.Job], title: str
    ) -> Iterator[_Done]:
        """What ``do`` makes of each of ``jobs``, as they end; a word on each goes to the reporter."""
        with (
            asked.reporter.task(f"{title} {len(jobs)} images of {self.table.name}", total=len(jobs)) as task,
            _pool(asked.jobs) as pool,
        ):
            under_way: dict[Future[_Done], str] = {pool.submit(do, asked.settings, job): job.label for job in jobs}
            for future in as_completed(under_way):
                task.note(under_way[future])
                task.advance()
                yield future.result()


_NO_CONDA = "the conda flavor cannot be built yet"


def base_reference(cell: Cell) -> str:
    """The bare base that a cell is built on."""
    return f"imagekit/python:{cell.python}"


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    import multiprocessing

    # Threads and connections of this process are not to be found half-way in another.
    pool = ProcessPoolExecutor(max(1, jobs), mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _asked(settings: Settings | None, reporter: Reporter | None, jobs: int) -> _Asked:
    from imagekit.settings import Settings

    if jobs < 1:
        raise InputError(f"{jobs} images cannot be built at once", hint="give 1 or more")
    return _Asked(settings=settings or Settings.load(), reporter=reporter or SilentReporter(), jobs=jobs)


def _bases(asked: _Asked, pythons: set[str]) -> Mapping[str, str]:
    """Make sure of the bare base of each of ``pythons``; the reasons of those that cannot be had."""
    from imagekit.errors import ImagekitError
    from imagekit.pipeline import Pipeline

    missing: dict[str, str] = {}
    with Pipeline(asked.settings, asked.reporter) as pipeline:
        for python in sorted(pythons):
            try:
                if pipeline.engine.image(f"imagekit/python:{python}") is None:
                    pipeline.base(python, remake=True)
            except ImagekitError as error:
                missing[python] = error.message
    return missing


def _planned(cell: Cell, found: work.Found, tags: tuple[str, ...]) -> CellPlan:
    return CellPlan(
        cell=cell, tags=tags, packages=found.packages, reason=found.reason, is_unsatisfiable=found.is_unsatisfiable
    )


def _result(plan: CellPlan, done: work.Built | None) -> CellResult:
    result: Mapping[str, Any] | None = done.result if done is not None else None
    error = done.error if done is not None else None
    return CellResult(plan=plan, result=result, error=error, pushed=dict(done.digests) if done is not None else {})
