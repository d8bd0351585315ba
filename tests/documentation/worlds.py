"""What is there already when somebody opens a page: by default a small project and two images of it."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

from .blocks import Block, blocks
from .conftest import StartReading
from .reader import Reader

# These begin with nothing.
FROM_NOTHING = frozenset({"docs/tutorial.md", "docs/how-to/private-index.md", "docs/how-to/base-matrix.md"})
FLOW = """\
import tabulate


def etl(n: int = 3):
    print(tabulate.tabulate([(number, number * number) for number in range(n)]))
    return {"orders": n}
"""
PROJECT = {
    "pyproject.toml": '[project]\nname = "orders"\nversion = "1.0"\nrequires-python = ">=3.10"\n',
    "requirements.txt": "tabulate==0.9.0\n",
    "flow.py": FLOW,
    "settings.yml": "currency: EUR\n",
    "Dockerfile": "FROM imagekit/python:3.11\nCOPY flow.py /app/\nWORKDIR /app\n",
}
IMAGES = "imagekit build -q -t orders:v1\nimagekit build -q -t orders:v2 --package humanize==4.9.0\n"
# What a page takes for granted besides.
BEFORE = {
    "docs/indexes.md": ["echo machine packages.example.com login reader password TOKEN > ~/.netrc"],
    "docs/secrets.md": ["printf token > FILE"],
    "docs/supply-chain.md": ["imagekit build -q -t registry.example.com/team/orders:v1 --push"],
}


def before(page: str, reader: StartReading, cache: Path) -> Reader:
    """Somebody who is about to read ``page``."""
    # Where a page says that a layer is new, no other page has made it before.
    somebody = reader(**({"IMAGEKIT_CACHE_DIR": str(cache)} if page in FROM_NOTHING else {}))
    if page not in FROM_NOTHING:
        for name, text in PROJECT.items():
            somebody.does(Block(page=page, line=0, language="text", text=text, file=name))
        somebody.does(Block(page=page, line=0, language="bash", text=IMAGES))
    for command in BEFORE.get(page, ()):
        somebody.does(Block(page=page, line=0, language="bash", text=command))
    if "ca-bundle" in "".join(block.text for block in blocks(page)):
        _certificates(somebody, Path(somebody.stand_ins["/etc/ssl/site.pem"]))
    return somebody


def _certificates(somebody: Reader, bundle: Path) -> None:
    """What this machine trusts, under the name that the page gives it."""
    found = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile
    shutil.copy(found, bundle)
    shutil.copy(found, somebody.directory / "ca.pem")
