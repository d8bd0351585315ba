"""What is there already when somebody opens a page: by default a small project and two images of it."""

from __future__ import annotations

from .blocks import Block
from .conftest import StartReading
from .reader import Reader

# These begin with nothing.
FROM_NOTHING = frozenset({"docs/tutorial.md"})
FLOW = """\
import tabulate


def etl(n: int = 3):
    print(tabulate.tabulate([(number, number * number) for number in range(n)]))
    return {"orders": n}
"""
PROJECT = {
    "pyproject.toml": '[project]\nname = "orders"\nversion = "1.0"\nrequires-python = ">=3.10"\n',
    "imagekit.toml": 'python = "3.11"\n',
    "requirements.txt": "tabulate==0.9.0\n",
    "flow.py": FLOW,
    "settings.yml": "currency: EUR\n",
    "Dockerfile": "FROM imagekit/python:3.11\nCOPY flow.py /app/\nWORKDIR /app\n",
}


def before(page: str, reader: StartReading) -> Reader:
    """Somebody who is about to read ``page``."""
    somebody = reader()
    if page not in FROM_NOTHING:
        for name, text in PROJECT.items():
            somebody.does(Block(page=page, line=0, language="text", text=text, file=name))
        _typed(somebody, page, "imagekit build -q -t :v1\nimagekit build -q -t :v2 --package humanize==4.9.0\n")
    return somebody


def _typed(somebody: Reader, page: str, text: str) -> None:
    somebody.does(Block(page=page, line=0, language="bash", text=text))
