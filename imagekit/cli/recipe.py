"""``imagekit recipe``"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.recipes.declared import Recipe

_Read = TypeVar("_Read")

app = typer.Typer(
    help="Recipes, what packages need beyond wheels: list, show, check.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Base = Annotated[
    str | None, typer.Option("--base-image", "--base", metavar="REF", help="The image that it is put on.")
]
_Python = Annotated[str | None, typer.Option("--python", metavar="X.Y", help="The Python of the default base image.")]


@app.command("ls", cls=Command, epilog=examples("imagekit recipe ls", "imagekit recipe ls --serves pyodbc"))
def list_recipes(
    serves: Annotated[
        str | None, typer.Option("--serves", metavar="PACKAGE", help="Those that this package may want.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the recipes that there are: the project's own in recipes/, and those that come with imagekit."""
    from packaging.utils import canonicalize_name

    from imagekit.cli.output import put_json, put_table
    from imagekit.recipes.declared import read_recipe
    from imagekit.recipes.find import own, provided

    known = provided()
    files = {**known, **own(Path())}
    mine = {path: str(path) for name, path in files.items() if known.get(name) != path}
    found = _at_once(
        partial(read_recipe, path, shown=mine.get(path), is_provided=path not in mine)
        for _, path in sorted(files.items())
    )
    if serves is not None:
        wanted = canonicalize_name(serves)
        found = [recipe for recipe in found if wanted in recipe.table.serves]
    if as_json:
        put_json({"recipes": [_summary(recipe) for recipe in found]})
        return
    put_table([[recipe.name + ("" if recipe.is_provided else " (own)"), recipe.table.summary] for recipe in found])


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit recipe show mssql-odbc",
        "imagekit recipe show mssql-odbc --on debian:12",
        "imagekit recipe show ./my.toml --base python:3.13-slim",
    ),
)
def show(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="Its name, or the path of its file.")],
    base_image: _Base = None,
    python: _Python = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DISTRIBUTION", help="What it comes to there: debian:12."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show a recipe; with --base the steps of a Dockerfile that it becomes, and their scripts."""
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.errors import InputError
    from imagekit.recipes.find import find_recipes

    if on is not None and (base_image or python):
        raise InputError("--on does not go with --base and --python", hint="a base has its own distribution")
    recipes = find_recipes([name], Path())
    if on is not None:
        from imagekit.oci.platform import Platform
        from imagekit.recipes.distribution import Distribution
        from imagekit.recipes.fitted import fit

        fitted = fit(recipes, Distribution.parse(on, Platform.host()))
        documents = [_fitted(each) for each in fitted]
        if as_json:
            put_json({"recipes": documents})
            return
        for document in documents:
            put(f"{document.pop('name')}: {document.pop('summary')}")
            put_table([[f"  {key}", _text(value)] for key, value in document.items()])
        return
    if base_image or python:
        text = _stage(recipes[-1], base_image, python, as_json=as_json, quiet=quiet, verbose=verbose)
        if as_json:
            put_json(text)
        else:
            put(text["dockerfile"])
            for path, script in text["files"].items():
                put(f"\n# {path}\n{script}")
        return
    recipe = recipes[-1]
    if as_json:
        put_json({**_summary(recipe), "file": recipe.source.text})
    else:
        put(f"# {recipe.source.path}\n{recipe.source.text}".rstrip("\n"))


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit recipe check freetds", "imagekit recipe check ./my.toml libmagic --base python:3.13-slim --json"
    ),
)
def check(
    names: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Names, or paths of files.")],
    base_image: _Base = None,
    python: _Python = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Build an image with each recipe, and run the program in it that says whether it works.

    Exit code 6 where one does not.
    """
    from imagekit.cli.output import one_line, put, put_json
    from imagekit.cli.output import seconds as spent
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import CheckFailed, ImagekitError
    from imagekit.recipes.find import find_recipes
    from imagekit.verifying.recipe_check import check_recipe

    # What is wrong with any of them is told before the first is built.
    found_of = _at_once(partial(find_recipes, [name], Path()) for name in dict.fromkeys(names))
    recipes = [found[-1] for found in found_of]
    results: list[dict[str, Any]] = []
    failed: ImagekitError | None = None
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(load_settings(), reporter) as pipeline,
    ):
        for recipe in recipes:
            try:
                found = check_recipe(pipeline, recipe, project=Path(), base_image=base_image, python=python)
            except ImagekitError as error:
                if len(recipes) == 1:
                    raise
                failed = failed or error
                results.append({"name": recipe.name, "error": error.to_json()})
                if not as_json:
                    put(one_line(f"{recipe.name}: {error.message}"))
            else:
                results.append({**found.to_json(), "error": None})
                if not as_json:
                    how = "works" if found.program else "is built; it has no check"
                    put(f"{recipe.name} {how} on {found.base}, {found.distribution} ({spent(found.seconds)})")
    if as_json:
        put_json({"recipes": results})
    if failed is not None:
        raise typer.Exit(CheckFailed.exit_code)


def _at_once(readings: Iterable[Callable[[], _Read]]) -> list[_Read]:
    """What each gives; what is wrong with any of them is raised together, once."""
    from imagekit.errors import InputError

    found: list[_Read] = []
    problems: dict[str, InputError] = {}
    for read in readings:
        try:
            found.append(read())
        except InputError as error:
            problems |= {problem.message: problem for problem in error.problems or (error,)}
    if problems:
        raise InputError.join(list(problems.values()))
    return found


def _stage(
    recipe: Recipe, base_image: str | None, python: str | None, *, as_json: bool, quiet: bool, verbose: bool
) -> dict[str, Any]:
    """The Dockerfile's steps and their files' texts; nothing of the recipe is run."""
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.verifying.recipe_check import recipe_stage

    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(load_settings(), reporter, needs_engine=False) as pipeline,
    ):
        base, beneath = recipe_stage(pipeline, recipe, project=Path(), base_image=base_image, python=python)
    return {
        "dockerfile": "\n".join([f"FROM {base.place}", *beneath.lines]),
        "files": {path: data.decode("utf-8", "replace") for path, data in beneath.files.items() if _is_text(data)},
    }


def _is_text(data: bytes) -> bool:
    return b"\0" not in data and not (data[:1] and data[0] & 0x80)


def _summary(recipe: Recipe) -> dict[str, Any]:
    table = recipe.table
    return {
        "name": recipe.name,
        "summary": table.summary,
        "provided": recipe.is_provided,
        "path": str(recipe.source.path),
        "serves": list(table.serves),
        "requires": list(table.requires),
        "conflicts": list(table.conflicts),
        "distributions": list(table.distributions),
        "architectures": list(table.architectures),
        "has_check": table.check is not None,
    }


def _fitted(fitted: Any) -> dict[str, Any]:
    from dataclasses import asdict

    found = {key: value for key, value in asdict(fitted).items() if value}
    for repository in found.get("repositories", ()):
        repository["key"] = repository["key"].partition("\n")[0]
        del repository["where"]
    return found


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_text(each) if isinstance(each, (str, int)) else f"({_text(each)})" for each in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={_text(each)}" for key, each in value.items() if each)
    return " ".join(str(value).split())
