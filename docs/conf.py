"""The site of these pages, made by Sphinx: ``make docs``. Nothing is fetched while it is made, or by who reads it."""

import re
from pathlib import Path

_FOUND = re.search(
    r'__version__ = "(.+)"', Path(__file__).parents[1].joinpath("imagekit/__init__.py").read_text("utf-8")
)

project = "imagekit"
author = "imagekit's authors"
release = version = _FOUND[1] if _FOUND else ""

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
# Links to headings of other pages, named as GitHub names them.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "imagekit"
html_show_sphinx = False
html_copy_source = False
# Code is shown as it stands; a program's output is no language.
highlight_language = "text"

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# An extra, and large: what its classes are is said in words.
autodoc_mock_imports = ["prefect"]
