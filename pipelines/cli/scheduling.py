"""The options of a scheduled run."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Limits, exit code, log, metrics and whom to tell."""
    parser.add_argument(
        "--max-runtime", type=seconds, metavar="TIME", help="end after this long (90, 15m, 2h); resumable"
    )
    parser.add_argument("--max-failures", type=int, metavar="N", help="end when more than N units have failed")
    parser.add_argument(
        "--exit-code-if-unchanged", type=int, default=0, metavar="CODE",
        help="exit code when there was nothing to do (Airflow skips a task on 99)",
    )  # fmt: skip
    parser.add_argument("--log", type=Path, metavar="FILE", help="append every event to it as JSON lines")
    parser.add_argument("--metrics", metavar="FILE|URL", help="a Prometheus textfile, or a push gateway's URL")
    parser.add_argument("--on-failure", metavar="CMD|URL", help="run it, or POST to it, when the exit code is not 0")


def seconds(text: str) -> float:
    """``90``, ``90s``, ``15m``, ``2h``, ``1d``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it as 90, 90s, 15m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]
