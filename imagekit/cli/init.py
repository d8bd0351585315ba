"""``imagekit init``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples("imagekit init", "imagekit init --dry-run", "imagekit init orders --pyproject")


def init(
    path: options.PathArgument = Path(),
    pyproject: Annotated[
        bool, typer.Option("--pyproject", help="Write [tool.imagekit] at the end of pyproject.toml, no imagekit.toml.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write an imagekit.toml anew that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print it; write nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Look at the project, and write a commented configuration to start from.

    Files are read and nothing is run. What holds by default needs no configuration at all.
    """
    import os
    import shlex

    from imagekit.cli.output import put, put_json
    from imagekit.starting.propose import propose
    from imagekit.starting.survey import survey
    from imagekit.starting.written import as_toml, target_of, write

    found = survey(path, os.environ)
    target = target_of(found.context, in_pyproject=pyproject, force=force or dry_run)
    start = propose(found)
    text = as_toml(start.proposals)
    if not dry_run:
        write(target, text)
    where = "" if path == Path() else f" {shlex.quote(str(path))}"
    project = "" if path == Path() else f" --project {shlex.quote(str(path))}"
    following = [f"imagekit build{where}", *(f"imagekit run {shlex.quote(f)}{project}" for f in start.flows[:1])]
    if as_json:
        put_json(
            {
                "path": str(target),
                "written": not dry_run,
                "text": text,
                "keys": [each.to_json() for each in start.proposals],
                "sources": list(found.sources),
                "flows": list(start.flows),
                "next": following,
            }
        )
    elif dry_run:
        put(text.rstrip("\n"))
    else:
        put(f"{target} written")
        for each in start.proposals:
            if each.holds:
                put(f"  {each.key}: {each.why}")
        for number, command in enumerate(following):
            put(f"{'then' if number else 'next'}: {command}")
