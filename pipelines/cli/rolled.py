"""`corpusmill rollback`: its options, and what was done as text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.rollback import Version


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument(
        "--to", metavar="DIGEST", default="", help="the first digits of its digest (default: the next one)"
    )
    parser.add_argument("--list", action="store_true", help="only show what is kept, and where")


def run(args: argparse.Namespace) -> str:
    from pipelines.ledger import Ledger
    from pipelines.rollback import kept, rollback
    from pipelines.stores.push import NOTE

    if args.list:
        return listed(kept(args.out))
    done = rollback(args.out, args.to)
    url = Ledger(args.out).load(NOTE).get("url")
    return (
        f"{args.out}: the version {done.digest[:12]} of {done.ended or 'an unknown time'} is published, {done.kept:,} of "
        f"{done.read:,} records kept\nThe next run publishes what its recipe makes of the input again: stop its timer, or mend what "
        "was wrong, before then." + (f"\n{url} is as it was: corpusmill push {args.out}" if url else "")
    )


def listed(versions: list[Version]) -> str:
    """One line a version: digest, when, records, where."""
    return "\n".join(
        f"{'*' if v.current else ' '} {v.digest[:12]}  {v.ended:20}  {v.kept:,} of {v.read:,} records kept  {v.path}"
        for v in versions
    )
