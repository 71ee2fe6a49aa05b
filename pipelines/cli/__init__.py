"""The command. Each subcommand imports what it needs when it runs, so that help and plan are there at once."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.cli import parser
from pipelines.errors import PARTIAL, USAGE, CorpusmillError, UsageError, unexpected
from pipelines.terminal import Printable, tell


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and turn expected failures into one line and an exit code."""
    args = parser.build().parse_args(argv)
    try:
        _check_packages()
        _refuse_urls(args)
        with contextlib.redirect_stdout(Printable(sys.stdout)):
            return args.run(args)
    except CorpusmillError as error:
        tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell("interrupted; the same command goes on where this one stopped")
        return PARTIAL
    except BrokenPipeError:
        # Whoever read our output has seen enough; do not fail again when Python flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        tell(f"{place}{error.strerror or error}; mend it and do the same again")
        return PARTIAL
    except Exception as error:
        # A traceback says what stood in variables' values: of records, and of manifests that somebody forged.
        if os.environ.get("CORPUSMILL_TRACEBACK"):
            raise
        tell(f"{unexpected(error)} (CORPUSMILL_TRACEBACK=1 shows more, and may show text of records)")
        return PARTIAL


def _check_packages() -> None:
    """Both import packages must be ours: a PYTHONPATH with a ``filters`` of its own would take its place."""
    import filters
    import pipelines

    homes = {Path(p.__file__ or "").resolve().parent.parent for p in (filters, pipelines)}
    if len(homes) != 1:
        error = CorpusmillError(
            f"another package called filters is in the way ({filters.__file__}): take its folder off PYTHONPATH"
        )
        error.exit_code = USAGE
        raise error


def _refuse_urls(args: argparse.Namespace) -> None:
    """What takes a folder or a file of this machine must not take a URL for one: it would say that nothing is there."""
    for name, value in vars(args).items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and re.match(r"[A-Za-z][\w+.-]+:/", str(path)):
                raise UsageError(
                    f"{name} is a URL, and this command works on folders of this machine: for a dataset on a store, give the folder "
                    "that its runs keep their state in (`corpusmill plan` names it)"
                )
