"""What each subcommand does: it takes the parsed arguments and returns an exit code. What it needs is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli import provenance, pushed, rolled
from pipelines.errors import DONE, PARTIAL
from pipelines.terminal import tell

if TYPE_CHECKING:
    from pipelines.recipe import Recipe


def load(args: argparse.Namespace) -> Recipe:
    """The recipe, with what the command line says instead."""
    import msgspec

    from pipelines import recipe

    loaded = recipe.load(args.recipe, args.set)
    executor = getattr(args, "executor", None)
    given = {"input": ("path", args.input), "output": ("path", args.output), "executor": ("name", executor)}
    sections = {
        k: msgspec.structs.replace(getattr(loaded, k), **{option: v})
        for k, (option, v) in given.items()
        if v is not None
    }
    return recipe.Recipe(**{**{k: getattr(loaded, k) for k in loaded.__dataclass_fields__}, **sections})


def run(args: argparse.Namespace) -> int:
    from pipelines.cli import running

    return running.main(args, load)


def retry(args: argparse.Namespace) -> int:
    from pipelines.cli import running

    print(running.retry(args.out, args.shards))
    return DONE


def plan(args: argparse.Namespace) -> int:
    from pipelines.cli import show

    print(show.plan(load(args)))
    return DONE


def explain(args: argparse.Namespace) -> int:
    from pipelines.cli import explain as explained

    print(explained.explain(load(args), args.record))
    return DONE


def retune(args: argparse.Namespace) -> int:
    from pipelines import retune as again
    from pipelines.cli.retuned import as_json, as_text

    found = again.retune(args.out, args.set, args.sweep, max(0, args.examples))
    print(as_json(found) if args.json else as_text(found))
    return DONE


def compare(args: argparse.Namespace) -> int:
    from pipelines import compare as side_by_side
    from pipelines.cli.compared import as_json, as_text, write_html

    found = side_by_side.compare(args.first, args.second)
    if args.html:
        write_html(found, args.first, args.second, args.html)
    print(as_json(found) if args.json else as_text(found))
    return DONE


def review_export(args: argparse.Namespace) -> int:
    from pipelines.cli.reviewed import exported
    from pipelines.review.review import export

    print(exported(export(args.out, args.to, source=args.input, filter_=args.filter, size=args.size, seed=args.seed)))
    return DONE


def review_import(args: argparse.Namespace) -> int:
    from pipelines.cli.reviewed import imported
    from pipelines.review.review import import_

    print(imported(import_(args.out, args.files, filter_=args.filter, allow=args.allow), args.allow))
    return DONE


def forget(args: argparse.Namespace) -> int:
    from pipelines.cli import forgotten

    print(forgotten.run(args))
    return DONE


def rollback(args: argparse.Namespace) -> int:
    print(rolled.run(args))
    return DONE


def audit(args: argparse.Namespace) -> int:
    from pipelines.cli import audited

    return audited.run(args)


def verify(args: argparse.Namespace) -> int:
    from pipelines import stores

    if stores.is_url(args.out):
        from pipelines.stores import verified

        problems = verified.verify(args.out)
    else:
        from pipelines import verify as against_files

        problems = against_files.verify(Path(args.out))
    for problem in problems:
        tell(problem)
    if not problems:
        print(f"{args.out}: every file is as the manifest says")
    return PARTIAL if problems else DONE


def rules_list(_args: argparse.Namespace) -> int:
    from pipelines.cli import rules

    print(rules.listed())
    return DONE


def rules_test(args: argparse.Namespace) -> int:
    from pipelines.cli import rules

    told, passed = rules.tested(args.packs)
    print(told)
    return DONE if passed else PARTIAL


def push(args: argparse.Namespace) -> int:
    print(pushed.run(args))
    return DONE


def lineage(args: argparse.Namespace) -> int:
    from pipelines import lineage as family
    from pipelines.cli import show

    tree = family.walk(args.out)
    print(show.family(tree, as_json=args.json))
    return DONE if tree.sound else PARTIAL


def card(args: argparse.Namespace) -> int:
    print(provenance.card(args))
    return DONE


def filters(args: argparse.Namespace) -> int:
    from pipelines.cli import show

    print(show.one_filter(args.name) if args.name else show.these_filters())
    return DONE
