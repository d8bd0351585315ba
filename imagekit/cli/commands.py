"""The shape of all commands: help in sections, and one place where they end."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from imagekit.cli.ends import end, end_usage

# Where Typer brings its own Click the class has no public name.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Command(TyperCommand):
    """A command whose help lists its options under the headings of their ``rich_help_panel``."""

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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        operands = args.index("--") if "--" in args else len(args)
        ctx.meta["imagekit.json"] = "--json" in args[:operands]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        as_json: bool = ctx.meta.get("imagekit.json", False)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except _UsageError as error:
            where = getattr(error, "ctx", None) or ctx
            hint = f"{where.command_path} --help tells what it takes"
            code = end_usage(error.format_message(), where.get_usage(), hint, as_json=as_json)  # type: ignore[attr-defined]
        except BaseException as error:
            # The environment is read again: settings may be what is wrong.
            debug = os.environ.get("IMAGEKIT_DEBUG", "") not in ("", "0")
            code = end(error, as_json=as_json, debug=debug)
        raise typer.Exit(code)
