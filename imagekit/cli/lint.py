"""``imagekit lint``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.documents import Target, is_project
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit lint                       # the project here",
    "imagekit lint --online              # and whether what is locked was yanked",
    "imagekit lint --dockerfile docker/Dockerfile --ignore base-unpinned",
    "imagekit lint registry.example.com/team/orders:v1 --json",
)


@with_options
def lint(
    target: Target = ".",
    *,
    project: options.ProjectOptions,
    dockerfile: Annotated[
        Path | None, typer.Option("--dockerfile", "-f", metavar="FILE", help="This one, and not PATH/Dockerfile.")
    ] = None,
    online: Annotated[bool, typer.Option("--online", help="Ask the package index which versions were yanked.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Leave the findings of a rule out.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what is risky in a project, its lock and Dockerfile, or an image.

    Nothing is built. Exit code 1 where there is an error; warnings and notes end with 0.
    """
    from imagekit.building.linting import lint_project, lint_target
    from imagekit.check.lint import ERROR, RULES
    from imagekit.cli.output import one_line, put, put_json
    from imagekit.cli.session import load_settings, open_pipeline
    from imagekit.errors import InputError
    from imagekit.nearest import nearest_hint
    from imagekit.oci.platform import Platform
    from imagekit.progress import SilentReporter
    from imagekit.secrets.handed import Handed

    for name in ignore or ():
        if name not in RULES:
            raise InputError(f"--ignore {name!r} is no rule", hint=nearest_hint(name, RULES))
    settings, asked = load_settings(), given(project)
    # Credentials are findings here, and no reason to stop.
    handed = Handed(variables=settings.variables, may_be_seen=True)
    with open_pipeline(settings, SilentReporter(), needs_engine=False, handed=handed) as pipeline:
        if is_project(target):
            path, access = Path(target), pipeline.index_access if online else None
            found = lint_project(path, lambda: pipeline.spec(path, **asked), access, dockerfile)
        else:
            platform = Platform.parse(asked["platform"]) if "platform" in asked else Platform.host()
            found = lint_target(target, platform, lambda: pipeline.engine, settings.registry_access())
    found = [each for each in found if each.rule not in (ignore or ())]
    counts = {severity: sum(each.severity == severity for each in found) for severity in ("error", "warning", "note")}
    if as_json:
        put_json({"findings": [each.to_json() for each in found], "counts": counts})
    else:
        for each in found:
            place = f"{each.place}: " if each.place else ""
            put(one_line(f"{place}{each.severity} {each.rule}: {each.message}"))
            if not quiet:
                put(f"  {one_line(each.hint)}")
        if not quiet:
            said = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count)
            put(said or "nothing found")
    if counts[ERROR]:
        raise typer.Exit(1)
