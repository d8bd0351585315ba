"""What becomes of each of the public projects whose dependency declarations lie beside this file."""

from __future__ import annotations

from tests.corpus.rows_locks import CONDA, LOCKS
from tests.corpus.rows_projects import GROUPS, PROJECTS
from tests.corpus.rows_requirements import INCLUDES, PINNED

ROWS = [*PINNED, *INCLUDES, *PROJECTS, *GROUPS, *CONDA, *LOCKS]
