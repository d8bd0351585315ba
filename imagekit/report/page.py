"""A page → one HTML document that needs nothing beside itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.report.drawing import missing, svg, writable
from imagekit.report.shown import Figure, Key, Page, Section, Table

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A figure whose charts are SVG."""

    title: str
    words: str
    wide: str
    narrow: str
    key: Sequence[Key]
    table: Table


def html(page: Page) -> str:
    """The document. It holds no script, and its own policy lets a browser fetch nothing."""
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise missing(error) from error
    from imagekit import __version__

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, keep_trailing_newline=True)
    css = (_TEMPLATES / "page.css").read_text("utf-8")
    sections = [_drawn(section) for section in page.sections]
    shown = {"title": page.title, "lead": page.lead, "sections": sections}
    found = environment.get_template("page.html.jinja").render(page=shown, css=_safe(css), version=__version__)
    return writable(found)


def palette() -> str:
    """The colours of all charts, light and dark, as a style sheet for one that stands alone."""
    colours, _, _ = (_TEMPLATES / "page.css").read_text("utf-8").partition("* {")
    return colours + "svg { background: var(--paper); }\n"


def _drawn(section: Section) -> dict[str, object]:
    names = ("title", "words", "cards", "key", "tables", "is_grid", "anchor")
    return {**{name: getattr(section, name) for name in names}, "figures": [_charts(each) for each in section.figures]}


def _charts(figure: Figure) -> _Drawn:
    described = f"{figure.title}. {figure.words}"
    wide = svg(figure.wide, described, classes="wide" if figure.narrow is not None else "")
    narrow = svg(figure.narrow, described, classes="narrow") if figure.narrow is not None else ""
    return _Drawn(
        title=figure.title,
        words=figure.words,
        wide=_safe(wide),
        narrow=_safe(narrow),
        key=figure.key,
        table=figure.table,
    )


def _safe(markup: str) -> str:
    """What was made by a writer of markup, which escaped what was not its own."""
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704
