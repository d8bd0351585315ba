"""``BaseImageMatrix``: a matrix of base images from its file to images and their names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imagekit.errors import InputError
from imagekit.matrix import bases, work
from imagekit.matrix.bake import Target, target_names
from imagekit.matrix.cells import Excluded, expand
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.destination import Destination, destination
from imagekit.matrix.jobs import job_of
from imagekit.matrix.nesting import nested
from imagekit.matrix.reading import read_matrix
from imagekit.matrix.results import UNAVAILABLE, BakeResult, CellPlan, CellResult, MatrixPlan, MatrixResult
from imagekit.matrix.tags import rivals, tags_of
from imagekit.matrix.values import Cell
from imagekit.matrix.workers import Workers
from imagekit.nearest import nearest_hint
from imagekit.progress import Reporter, SilentReporter
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.settings import Settings
    from imagekit.spec.image import SharedWheels

_Done = TypeVar("_Done", work.Found, work.Built)
_Lost = Callable[[work.Job, str, "str | None"], _Done]
JOBS = 2


class BaseImageMatrix:
    """The images that a file declares: axes, categories, exclusions, tags.

    ``path`` is the file, of which relative places in it are told.
    """

    def __init__(self, table: MatrixTable, path: Path = Path("matrix.toml")) -> None:
        self.table = table
        self.path = path

    @classmethod
    def load(cls, path: str | Path) -> BaseImageMatrix:
        """Read the file at ``path``. Raises ``InputError`` with file, line and key, all at once."""
        if not isinstance(path, (str, Path)):
            raise wrong_type(path, "path", "the path of a matrix's file", "write BaseImageMatrix.load('matrix.toml')")
        return cls(read_matrix(Path(path)), Path(path))

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
        platform: Sequence[str] = (),
        output: str = work.ENGINE,
        jobs: int = JOBS,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
    ) -> MatrixPlan:
        """Resolve the selected cells; those that cannot be satisfied have the reason, and no tags.

        ``select`` are labels of cells, or patterns of them (``*-python3.11-*``); ``jobs`` processes work at once.
        ``platform`` is instead of the file's; ``output`` as in ``build``. Of the other cells those are resolved, too,
        that a tag which moves would rather be of.
        """
        with self._at_work(settings, reporter, jobs, output, platform, is_planned=True) as at:
            return self._planned(at, self._selected(select))[0]

    def build(
        self,
        *,
        select: Sequence[str] = (),
        push: bool = False,
        output: str = work.ENGINE,
        platform: Sequence[str] = (),
        jobs: int = JOBS,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
    ) -> MatrixResult:
        """Build every selected cell that can be had; one that fails stops no other.

        ``output``: ``engine``, which holds this machine's platform; ``registry`` or ``oci:DIRECTORY``, which hold an
        index of all of them. What did not change is not built again. Raises ``InputError`` where nothing is selected or
        the destination cannot be meant; what fails is in the result.
        """
        began = time.monotonic()
        with self._at_work(settings, reporter, jobs, output, platform, push=push) as at:
            plan, found = self._planned(at, self._selected(select))
            wanted = [each for each in plan.cells if each.reason is None and each.tags]
            beneath = self._nested(at, wanted, found)
            todo = [at.job(each, beneath=beneath[each.cell.label]) for each in wanted]
            done = {each.label: each for each in at.each(work.build, todo, _not_built, "Building")}
        return MatrixResult(
            plan=plan,
            cells=tuple(_result(each, done.get(each.cell.label)) for each in plan.cells),
            seconds=time.monotonic() - began,
        )

    def bake(
        self,
        directory: Path,
        *,
        select: Sequence[str] = (),
        uv_image: str | None = None,
        jobs: int = JOBS,
        settings: Settings | None = None,
        reporter: Reporter | None = None,
    ) -> BakeResult:
        """Write ``docker-bake.hcl`` into ``directory``, and a context for every selected cell that can be had.

        ``uv_image`` names an image with uv at ``/uv``; without it this machine's comes along. Raises ``InputError``
        where something else lies there.
        """
        from imagekit.matrix.bake_directory import prepare, write_bake_file

        selected = self._selected(select)
        with self._at_work(settings, reporter, jobs, work.ENGINE, ()) as at:
            prepare(directory, uv_image)
            plan, found = self._planned(at, selected)
            wanted = [each for each in plan.cells if each.reason is None and each.tags]
            beneath = self._nested(at, wanted, found)
            todo = [
                at.job(each, beneath=beneath[each.cell.label], context=directory / each.cell.label, uv_image=uv_image)
                for each in wanted
            ]
            done = {each.label: each for each in at.each(work.write_context, todo, _not_built, "Writing")}
        failed = {label: each.error for label, each in done.items() if each.error is not None}
        failed |= {each.cell.label: (each.reason or "", None, None) for each in plan.cells if each.state == UNAVAILABLE}
        targets = [
            Target(label=each.cell.label, directory=each.cell.label, tags=each.tags)
            for each in wanted
            if each.cell.label not in failed
        ]
        file = write_bake_file(directory, self.table.name, targets, uv_image)
        return BakeResult(
            plan=plan,
            file=str(file),
            targets=tuple(zip([each.label for each in targets], target_names(targets), strict=True)),
            failed=tuple(failed.items()),
        )

    def pin(
        self, *, settings: Settings | None = None, reporter: Reporter | None = None
    ) -> tuple[Mapping[str, str], bool]:
        """Write the digests that the bases' tags name now into the file: by Python, and whether any is new."""
        from imagekit.matrix.pins import newest_pins, write_pins
        from imagekit.pipeline import Pipeline

        with Pipeline(_settings(settings), reporter or SilentReporter(), needs_engine=False) as pipeline:
            pins = newest_pins(self.table, pipeline)
        return pins, write_pins(self.path, pins)

    def _selected(self, select: Sequence[str]) -> tuple[Cell, ...]:
        select = (select,) if isinstance(select, str) else select
        labels = [cell.label for cell in self.cells()]
        problems = [
            self._none_called(pattern, labels)
            for pattern in select
            if not any(fnmatchcase(label, pattern) for label in labels)
        ]
        if problems:
            raise InputError.join(problems)
        return tuple(
            cell for cell in self.cells() if not select or any(fnmatchcase(cell.label, each) for each in select)
        )

    def _none_called(self, pattern: str, labels: Sequence[str]) -> InputError:
        words = f"no cell of {self.path.name} is called {pattern!r}"
        reasons = [each.reason for each in self.excluded() if fnmatchcase(each.cell.label, pattern)]
        if reasons:
            words += f" but what it excludes: {'; '.join(dict.fromkeys(reasons))}"
            return InputError(words, hint="choose another one (imagekit matrix ls), or change its [[exclude]]")
        return InputError(words, hint=_label_hint(pattern, labels))

    def _planned(self, at: _AtWork, selected: Sequence[Cell]) -> tuple[MatrixPlan, Mapping[str, work.Found]]:
        """The plan of the selected cells, and what is known of all that were asked about, by label."""
        found = at.resolved(selected)
        while True:
            # Who was not asked about counts as to be had, until a tag hangs on it.
            possible = [cell for cell in self.cells() if cell.label not in found or found[cell.label].reason is None]
            asked = [cell for cell in selected if found[cell.label].reason is None]
            more = [cell for cell in rivals(self.table, possible, asked) if cell.label not in found]
            if not more:
                break
            found |= at.resolved(more)
        tags = self.tags(possible)
        plan = MatrixPlan(
            name=self.table.name,
            cells=tuple(_cell_plan(cell, found[cell.label], tags.get(cell, ())) for cell in selected),
            excluded=tuple((each.cell, each.reason) for each in self.excluded()),
            platforms=tuple(map(str, at.where.platforms)),
            drifted=at.drifted({cell.python for cell in selected}),
        )
        return plan, found

    def _nested(
        self, at: _AtWork, wanted: Sequence[CellPlan], found: Mapping[str, work.Found]
    ) -> dict[str, tuple[SharedWheels, ...]]:
        """What each wanted cell lays beneath, by label.

        All cells of its base are asked about, chosen or not: its image does not depend on what is built with it.
        """
        families = {_family(each.cell) for each in wanted}
        those = [cell for cell in self.cells() if _family(cell) in families]
        found = {**found, **at.resolved([cell for cell in those if cell.label not in found])}
        beneath: dict[str, tuple[SharedWheels, ...]] = {}
        for family in families:
            labels = [cell.label for cell in those if _family(cell) == family and found[cell.label].reason is None]
            beneath |= nested({label: found[label].wheels for label in labels})
        return beneath

    @contextmanager
    def _at_work(
        self,
        settings: Settings | None,
        reporter: Reporter | None,
        jobs: int,
        output: str,
        platform: Sequence[str],
        *,
        push: bool = False,
        is_planned: bool = False,
    ) -> Iterator[_AtWork]:
        if jobs < 1:
            raise InputError(f"{jobs} images cannot be built at once", hint="give 1 or more")
        where = destination(self.table, output=output, platform=platform, push=push)
        settings, reporter = _settings(settings), reporter or SilentReporter()
        with Workers(jobs, settings, reporter) as workers:
            yield _AtWork(self, where, settings, reporter, workers, is_planned=is_planned)


class _AtWork:
    """One plan or build: where images go, who works on them, and the bases that were seen to be there."""

    def __init__(
        self,
        matrix: BaseImageMatrix,
        where: Destination,
        settings: Settings,
        reporter: Reporter,
        workers: Workers,
        *,
        is_planned: bool,
    ) -> None:
        self._matrix = matrix
        self.where = where
        self._settings = settings
        self._reporter = reporter
        self._workers = workers
        self._is_planned = is_planned
        self._bases = bases.Bases()

    def resolved(self, cells: Sequence[Cell]) -> dict[str, work.Found]:
        """What the resolver says of each of ``cells``, by label."""
        self._ensure({cell.python for cell in cells})
        missing = self._bases.missing
        found = {c.label: work.Found(label=c.label, reason=missing[c.python]) for c in cells if c.python in missing}
        todo = [self._job(cell, is_planned=self._is_planned) for cell in cells if cell.label not in found]
        return found | {each.label: each for each in self.each(work.resolve, todo, _not_resolved, "Resolving")}

    def drifted(self, pythons: set[str]) -> tuple[bases.Drift, ...]:
        """Which pinned bases have moved; each is told."""
        table = self._matrix.table
        if table.base is None or not table.base.digest:
            return ()
        with self._pipeline() as pipeline:
            found = bases.drifts(table, pythons, pipeline)
        for drift in found:
            self._reporter.line(f"{drift.line}: imagekit matrix pin {self._matrix.path} takes it")
        return found

    def job(self, planned: CellPlan, **more: Any) -> work.Job:
        """The job of a cell that can be had; ``more`` are fields of it."""
        names = tuple(f"{self._matrix.table.name}:{tag}" for tag in planned.tags)
        if context := more.pop("context", None):
            more["context"] = str(context)
        return self._job(planned.cell, references=names, push=self.where.push, **more)

    def each(
        self,
        do: Callable[[Settings, work.Job, Reporter], _Done],
        jobs: Sequence[work.Job],
        lost: _Lost[_Done],
        title: str,
    ) -> Iterator[_Done]:
        """What ``do`` makes of each of ``jobs``, as they end."""
        if not jobs:
            return
        images = f"{len(jobs)} images" if len(jobs) > 1 else "an image"
        with self._reporter.task(f"{title} {images} of {self._matrix.table.name}", total=len(jobs)) as task:
            for done in self._workers.each(do, jobs, lost):
                task.advance()
                yield done

    def _job(self, cell: Cell, **more: Any) -> work.Job:
        return job_of(self._matrix.table, cell, self._bases.references[cell.python], self.where, **more)

    def _ensure(self, pythons: set[str]) -> None:
        wanted = pythons - self._bases.references.keys() - self._bases.missing.keys()
        if wanted:
            with self._pipeline() as pipeline:
                directory = self._matrix.path.parent.absolute()
                found = bases.ensure(self._matrix.table, directory, wanted, self.where, pipeline)
            self._bases = self._bases.with_more(found)

    def _pipeline(self) -> Any:
        from imagekit.pipeline import Pipeline

        return Pipeline(self._settings, self._reporter, needs_engine=self.where.is_engine)


def _family(cell: Cell) -> tuple[str, str]:
    """What cells have in common whose layers can be the same."""
    return cell.python, cell.flavor


def _label_hint(pattern: str, labels: Sequence[str]) -> str:
    if not pattern.strip():
        return f"name a cell ({labels[0]}), or a pattern ('*-python3.11-*'); without --select all are taken"
    if "*" in pattern or "?" in pattern or "[" in pattern:
        return f"a pattern fits a whole name; cells are called {', '.join(sorted(labels))}"
    return nearest_hint(pattern, labels)


def _settings(settings: Settings | None) -> Settings:
    from imagekit.settings import Settings

    return settings or Settings.load()


def _not_resolved(job: work.Job, message: str, details: str | None) -> work.Found:
    return work.Found(label=job.label, reason=message)


def _not_built(job: work.Job, message: str, details: str | None) -> work.Built:
    return work.Built(label=job.label, error=(message, None, details))


def _cell_plan(cell: Cell, found: work.Found, tags: tuple[str, ...]) -> CellPlan:
    return CellPlan(
        cell=cell, tags=tags, packages=found.packages, reason=found.reason, is_unsatisfiable=found.is_unsatisfiable
    )


def _result(plan: CellPlan, done: work.Built | None) -> CellResult:
    result: Mapping[str, Any] | None = done.result if done is not None else None
    error = done.error if done is not None else None
    return CellResult(plan=plan, result=result, error=error, pushed=dict(done.digests) if done is not None else {})
