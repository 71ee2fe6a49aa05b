"""`corpusmill forget`: a list's records out of published datasets, and what was done as text."""

from __future__ import annotations

import argparse
from pathlib import Path

from filters.contract import ConfigError
from pipelines.errors import UsageError
from pipelines.forget import Forgotten, List, forget, list_of
from pipelines.ledger import Ledger
from pipelines.stores.push import NOTE


def run(args: argparse.Namespace) -> str:
    """Forget in every dataset that is named, and say what was found. Raises UsageError for a list that cannot be used."""
    # Imported here: the command's help must not wait for numba.
    from filters.optout.lists import OptoutList
    from filters.optout.matcher import Matcher

    given = OptoutList(path=str(args.match), kind=args.kind, column=args.column, source=args.source, date=args.date)
    try:
        matcher = Matcher([given], in_text=args.in_text)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    asked = list_of(args.match, args.kind, args.source, args.date)
    told = [_told(out, forget(out, matcher.match, asked, do=not args.dry_run), args.dry_run) for out in args.out]
    return "\n".join([*told, *_next(args, asked)])


def _told(out: Path, found: Forgotten, dry: bool) -> str:
    if not found.records:
        return f"{out}: no record stands on the list; nothing was changed"
    where = f"{found.kept:,} in data/, {found.rejected:,} in rejected/"
    told = f"{out}: {found.records:,} records {'would go' if dry else 'are gone'} ({where})"
    if not dry and (url := Ledger(out).load(NOTE).get("url")):
        told += f"\n{url} still holds them: corpusmill push {out}"
    return told


def _next(args: argparse.Namespace, asked: List) -> list[str]:
    if args.dry_run:
        return []
    return [
        "",
        f"Name {asked.name} in the recipe's optout filter, or the next run over the same shards is refused.",
        "Datasets made from these say `stale` (corpusmill lineage, verify): run them again. Copies and backups are yours to see to.",
    ]
