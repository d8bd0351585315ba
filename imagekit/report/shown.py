"""What a page shows, as values: figures and tables, in sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagekit.report.charts import Spec

WIDE, NARROW = 720, 330  # of a chart for a desk, and of one for a phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, whose first column names its rows; columns in ``right`` are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a colour stands for; with ``dash``, a line, with the points on it of ``shape``.

    It is text of the page and no part of the chart, so that it is broken where there is no room, and never cut.
    """

    words: str
    colour: str  # the name of a variable of the page
    dash: tuple[int, ...] | None = None
    shape: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart and what goes with it. Without ``narrow`` the one chart serves phones, too."""

    title: str
    words: str  # what is to be seen, in a sentence or two
    wide: Spec
    table: Table
    narrow: Spec | None = None
    key: Sequence[Key] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure that is to be seen first."""

    figure: str
    title: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page; ``key`` is of all its figures."""

    title: str
    words: str = ""
    cards: Sequence[Card] = ()
    key: Sequence[Key] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[tuple[str, Table]] = ()  # by what it is called
    is_grid: bool = False  # figures stand side by side where there is room

    @property
    def anchor(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a document says, from the top down."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
