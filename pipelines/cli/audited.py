"""`corpusmill audit`: its arguments, and what it found as text for a terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from pipelines.audit.audit import SIZE, Asked, Audit, Audited, Said, audit
from pipelines.audit.sentences import short
from pipelines.errors import DONE, PARTIAL, OutputError, UsageError
from pipelines.terminal import tell


def run(args: argparse.Namespace) -> int:
    """Audit, print, and write and record what was asked for."""
    from pipelines.audit import document, record

    asked = _asked(args)
    if args.record:
        record.check(args.inputs)
    done = audit(asked)
    told = document.document(done)
    if args.to:
        _write(args.to, told)
    for number, path in enumerate(args.inputs if args.record else ()):
        # What could not all be read is not what the manifest speaks of.
        if not done.datasets[number].failed:
            record.record(Path(path).absolute(), told, number)
    print("\n".join(_text(done, args)))
    for shard, why in sorted(done.failed.items()):
        tell(f"{shard} is not in the audit: {why}")
    return PARTIAL if done.failed else DONE


def _asked(args: argparse.Namespace) -> Asked:
    given = [name for name in ("size", "margin", "all") if getattr(args, name)]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} say different things of how many records to look at: give one")
    if args.equal and not args.by:
        raise UsageError("--equal says how many of each stratum are drawn: give --by too")
    if args.equal and args.margin:
        raise UsageError("--margin holds for samples in proportion: give --size with --equal")
    margin = None if args.margin is None else _percentage(args.margin)
    return Asked(
        inputs=args.inputs, size=args.size or SIZE, margin=margin, exhaustive=args.all, seed=args.seed, by=args.by,
        equal=args.equal, columns=dict(map(_pair, args.columns)), lexicons=args.lexicon, review=args.review, workers=args.workers,
    )  # fmt: skip


def _write(to: Path, told: dict) -> None:
    from pipelines.audit import document, page

    try:
        to.mkdir(parents=True, exist_ok=True)
        (to / "audit.json").write_bytes(document.dump(told))
        (to / "audit.csv").write_text(document.table(told), "utf-8")
        (to / "audit.html").write_text(page.render(told), "utf-8")
    except OSError as error:
        raise OutputError(f"{to} cannot be written: {error.strerror}") from None


def _text(done: Audit, args: argparse.Namespace) -> Iterator[str]:
    for one in done.datasets:
        yield from _dataset(one)
    if done.overall:
        yield f"all {len(done.datasets)} datasets"
        yield from _said(done.overall)
    yield "Mentions are surface mentions: a word of the lexicons stands there, whoever it speaks of."
    if args.to:
        yield f"written: {', '.join(str(args.to / f'audit.{kind}') for kind in ('json', 'csv', 'html'))}"
    if args.record and not all(one.failed for one in done.datasets):
        yield "the manifests say so now"


def _dataset(one: Audited) -> Iterator[str]:
    yield f"{one.dataset.name}: {one.whole.n:,} of {one.whole.of:,} records"
    yield from _said(one.whole)
    for part in one.parts:
        yield f"{one.dataset.name}, {part.stratum}: {part.n:,} of {part.of:,} records"
        yield from _said(part)
    if one.notes:
        yield from (f"  note: {note}" for note in one.notes)
        yield ""


def _said(said: Said) -> Iterator[str]:
    yield from (f"  {short(sentence)}" for sentence in said.sentences)
    yield ""


def _percentage(text: str) -> float:
    """``1%`` or ``0.01``: a share below one half."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0.0001 <= value < 0.5:
        raise UsageError(f"--margin {text}: give a percentage from 0.01% to below 50%, such as 1%")
    return value


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not equals:
        raise UsageError(f"--columns {text}: give NAME=COLUMN, such as prompt=question_text")
    return name, column
