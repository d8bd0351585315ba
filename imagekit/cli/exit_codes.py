"""What the program's exit codes mean; errors bring their own (see ``errors``)."""

from __future__ import annotations

INTERRUPTED = 130
TERMINATED = 143
READER_GONE = 141  # 128 + SIGPIPE, as shells count it
INTERNAL = 70  # sysexits.h: EX_SOFTWARE

EXIT_CODES = {
    0: "all went well",
    1: "the flow failed; or doctor, lint, preflight, secret scan, cache verify or diff --exit-code found something",
    2: "bad input: nothing was started",
    3: "the engine, or a base image, is not to be had",
    4: "the requirements could not be resolved",
    5: "the image, or one of a matrix, could not be built",
    6: "the health check, check or recipe check failed; verify found a difference; an image would hold a credential",
    7: "the registry refused or failed",
    8: "the run crashed",
    9: "the record of runs cannot be read or written",
    70: "a fault of imagekit's own",
    124: "the run was stopped at its timeout",
    130: "interrupted, or the run was cancelled",
    141: "whoever read the output went away (for run the end of the flow counts)",
    143: "terminated",
}
