"""`corpusmill card`, and what `run` takes for provenance: strict declarations, lineage events."""

from __future__ import annotations

import argparse
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipelines.errors import CorpusmillError, UsageError

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.run import Result

FORMATS = ("model-card", "eu-summary", "json")


def run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strict", action="store_true", help="refuse to run while `about` lacks what must be declared")
    parser.add_argument(
        "--lineage-events",
        metavar="FILE|URL",
        help="write OpenLineage events there (default: OPENLINEAGE_URL, or none)",
    )


def card_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, nargs="+")
    parser.add_argument("--format", choices=FORMATS, default="model-card", help="what to write (default: model-card)")
    parser.add_argument("--to", metavar="FILE", type=Path, help="a file instead of standard output")


def strictly(recipe: Recipe, args: argparse.Namespace) -> Recipe:
    """The recipe, strict where the command says so."""
    if not args.strict:
        return recipe
    about = msgspec.structs.replace(recipe.about, strict=True)
    return type(recipe)(**{**{k: getattr(recipe, k) for k in recipe.__dataclass_fields__}, "about": about})


def with_events(recipe: Recipe, target: str | None, work: Callable[[], Result]) -> Result:
    """Do the work, and tell of it where that is asked for."""
    from pipelines.provenance import transport

    wanted = transport.wanted(target)
    if wanted is None:
        return work()
    from pipelines import progress
    from pipelines.provenance.openlineage import Run

    namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
    events = Run(recipe, wanted, namespace, progress.run_id() or str(uuid.uuid4()))
    events.start()
    try:
        done = work()
    except CorpusmillError as error:
        events.fail(str(error))
        raise
    except KeyboardInterrupt:
        events.abort()
        raise
    except Exception as error:
        events.fail(f"{type(error).__name__}: unexpected, please report it")
        raise
    events.complete(done.manifest, done.failed)
    return done


def card(args: argparse.Namespace) -> str:
    """The card as text; empty when it went to a file."""
    from pipelines.provenance import training

    text = training.card(args.out, args.format)
    if args.to is None:
        return text.rstrip("\n")
    try:
        args.to.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{args.to} cannot be written: {error.strerror}") from None
    return f"wrote {args.to}"
