"""The shape of all commands: loaded when asked for, help in sections, and one place where they end."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from imagekit.cli.offline_option import COMMANDS as OFFLINE
from imagekit.cli.offline_option import offline_option
from imagekit.cli.profile_option import profile_option

# Where Typer brings its own Click the class has no public name.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

# Each command's module and, so that the list of them costs no import, its help in one line.
COMMANDS = {
    "build": ("imagekit.cli.build", "Build the project's image: a layer for each dependency."),
    "init": ("imagekit.cli.init", "Look at the project, and write a commented configuration to start from."),
    "run": ("imagekit.cli.run", "Run one flow in one container."),
    "work-pool": (
        "imagekit.cli.work_pool",
        "Work pools, which say what deployments run with: create, list, change, pause, delete.",
    ),
    "worker": (
        "imagekit.cli.worker",
        "Workers, which carry out the runs of a work pool: start one, list them, print a unit.",
    ),
    "deployment": (
        "imagekit.cli.deployment",
        "Deployments, which are flows in work pools: create, list, run, pause, delete.",
    ),
    "flow-run": ("imagekit.cli.flow_run", "Runs: list them, inspect one, read its log, cancel, retry, delete."),
    "promote": ("imagekit.cli.promote", "Bake what EXTRA_PIP_PACKAGES added to an image."),
    "diff": ("imagekit.cli.diff", "Say what is different between two runs, or two images."),
    "push": ("imagekit.cli.push", "Push an image, and check that it arrived whole."),
    "lock": ("imagekit.cli.lock", "Resolve the dependencies into a hashed lock (PEP 751)."),
    "plan": ("imagekit.cli.plan", "Show the layers that a build would make; build nothing."),
    "preflight": ("imagekit.cli.preflight", "Compare what packages' compiled files need with what the base has."),
    "dockerfile": ("imagekit.cli.dockerfile", "Print the Dockerfile that builds the same image by BuildKit."),
    "advise": ("imagekit.cli.advise", "Say which image strategy fits, with the numbers and the break-even run count."),
    "why": ("imagekit.cli.why", "Say what changed since the last image, and what that rebuilds; build nothing."),
    "verify": (
        "imagekit.cli.verify",
        "Make the image again elsewhere, and as an installer would; report what differs.",
    ),
    "inspect": ("imagekit.cli.inspect", "Show an image's layers, and the packages in each."),
    "check": ("imagekit.cli.check", "Look at an image from inside, as at the end of a build."),
    "lint": ("imagekit.cli.lint", "Say what is risky in a project, its lock and Dockerfile, or an image."),
    "sbom": ("imagekit.cli.sbom", "List what an image has installed, as CycloneDX or SPDX."),
    "provenance": ("imagekit.cli.provenance", "Tell what an image was made from (SLSA)."),
    "base": ("imagekit.cli.base", "Base images: make one, ensure one, list them."),
    "matrix": ("imagekit.cli.matrix", "Base images as a matrix: Python, framework version, flavor."),
    "recipe": ("imagekit.cli.recipe", "Recipes, what packages need beyond wheels: list, show, check."),
    "cache": ("imagekit.cli.cache", "What is kept between builds: list it, make room, verify it."),
    "prune": ("imagekit.cli.prune", "Take away images, layers and containers of ours that no recent run needs."),
    "secret": ("imagekit.cli.secret", "Stored secrets: set, list, delete; look for leaks in an image."),
    "config": ("imagekit.cli.config", "Settings: set, unset, get, view; profiles."),
    "bench": ("imagekit.cli.bench", "Results of the benchmarks as a page with plots."),
    "doctor": ("imagekit.cli.doctor", "Find what is wrong here, and the command that mends it."),
}


class Command(TyperCommand):
    """A command whose help lists its options under the headings of their ``rich_help_panel``."""

    def get_params(self, ctx: Any) -> list[Any]:
        *own, help_option = super().get_params(ctx)
        offline = [offline_option()] if ctx.info_name in OFFLINE else []
        return [*own, *offline, profile_option(), help_option]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(record)
        # What is asked for most stands last, next to the prompt.
        for title in sorted(sections, key=lambda t: (t != "Arguments", t == "Options")):
            with formatter.section(title):
                formatter.write_dl(sections[title])


class Root(TyperGroup):
    """The program: whatever its commands raise ends here."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        operands = args.index("--") if "--" in args else len(args)
        ctx.meta["imagekit.json"] = "--json" in args[:operands]
        try:
            return super().parse_args(ctx, args)
        except BrokenPipeError as error:
            # --help and --version write while they are parsed.
            from imagekit.cli.ends import end

            raise typer.Exit(end(error, as_json=False, debug=False)) from None

    def invoke(self, ctx: Any) -> Any:
        from imagekit.cli.ends import end, end_usage

        as_json: bool = ctx.meta.get("imagekit.json", False)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except _UsageError as error:
            code = end_usage(error, ctx, as_json=as_json)
        except BaseException as error:
            # The environment is read again: settings may be what is wrong.
            debug = os.environ.get("IMAGEKIT_DEBUG", "") not in ("", "0")
            code = end(error, as_json=as_json, debug=debug)
        raise typer.Exit(code)


@cache
def _command(name: str) -> Any:
    module = import_module(COMMANDS[name][0])
    found = getattr(module, "app", None)
    if found is None:
        found = typer.Typer(rich_markup_mode=None, add_completion=False)
        found.command(name, cls=Command, epilog=module.EPILOG)(getattr(module, name))
    command = typer.main.get_command(found)
    command.name = name
    return command


class _Loaded(MutableMapping[str, Any]):
    """The commands by name, each imported when it is taken out."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._found[name] if name in self._found else _command(name)

    def __setitem__(self, name: str, command: Any) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)
