"""``imagekit doctor``"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples("imagekit doctor", "imagekit doctor --offline --json")
_MARKS = {"ok": ("ok  ", "32"), "warn": ("warn", "33"), "fail": ("FAIL", "1;31")}


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Don't try the package index.")] = False,
    as_json: options.Json = False,
) -> None:
    """Find what is wrong here, and the command that mends it."""
    from imagekit.cli.diagnosis import examine
    from imagekit.cli.output import put, put_json, styled

    findings = []
    for finding in examine(offline=offline):
        findings.append(finding)
        if as_json:
            continue
        mark, style = _MARKS[finding.status]
        put(f"{styled(mark, style, sys.stdout)}  {finding.name.ljust(18)}  {finding.message}")
        if finding.mend:
            put(f"{'':6}{'':18}  {styled('mend:', '1;36', sys.stdout)} {finding.mend}")
    failed = any(f.status == "fail" for f in findings)
    if as_json:
        put_json({"ok": not failed, "checks": [f.to_json() for f in findings]})
    if failed:
        raise typer.Exit(1)
