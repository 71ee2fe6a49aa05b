"""The command. Each subcommand imports what it needs when it runs, so that help and plan are there at once."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.cli import provenance, pushed, rolled, scheduling
from pipelines.errors import DONE, PARTIAL, USAGE, CorpusmillError, UsageError, unexpected
from pipelines.terminal import Printable, tell

EXIT_CODES = (
    "exit codes: 0 done; 2 wrong usage or recipe; 3 some work failed, what could be read is published; "
    "4 a gate failed, nothing is published; 5 output locked"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and turn expected failures into one line and an exit code."""
    args = _parser().parse_args(argv)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="corpusmill",
        description="Turns raw chat, tool-call and reasoning data into a corpus you can fine-tune on and answer for.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    p = _command(commands, "run", "curate a dataset", "corpusmill run default --input shards/ --output curated/", _run)
    _recipe_arguments(p)
    p.add_argument(
        "--executor", choices=["local", "slurm", "ray"],
        help="where the work is carried; instead of the recipe's (default: local)",
    )  # fmt: skip
    p.add_argument(
        "--workers", type=_positive, metavar="N",
        help="processes (default: all cores); on a cluster, tasks at once (default: as many as there are places)",
    )  # fmt: skip
    provenance.run_arguments(p)
    scheduling.arguments(p)

    p = _command(
        commands, "plan", "what a run would do, and do nothing", "corpusmill plan default --input shards/", _plan
    )
    _recipe_arguments(p)

    p = _command(
        commands, "explain", "why one record is kept or not, spans shown",
        "corpusmill explain default shards/a.parquet:12", _explain,
    )  # fmt: skip
    _recipe_arguments(p)
    p.add_argument("record", metavar="RECORD_ID|FILE:ROW", help="an id, or a file and a row counted from 0")

    p = _command(
        commands, "retune", "what other thresholds would keep, from annotations alone",
        "corpusmill retune curated/ --sweep repetition.max_burst_words=40:120:20", _retune,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="filter.option=value")
    p.add_argument(
        "--sweep", action="append", default=[], metavar="KEY=VALUES",
        help="filter.option=v1,v2,v3 or filter.option=first:last:step; several are combined",
    )  # fmt: skip
    p.add_argument("--examples", type=int, default=5, metavar="N", help="records shown a side (default: 5)")
    p.add_argument("--json", action="store_true", help="everything, as one JSON document")

    p = _command(
        commands, "compare", "two datasets side by side: options, counts, scores, and verdicts that changed",
        "corpusmill compare curated/ curated-new/ --html compared.html", _compare,
    )  # fmt: skip
    p.add_argument("first", metavar="OUT1", type=Path)
    p.add_argument("second", metavar="OUT2", type=Path)
    p.add_argument("--html", metavar="FILE", type=Path, help="a page of it as well, in one file")
    p.add_argument("--json", action="store_true", help="everything, as one JSON document")

    p = _command(commands, "retry", "let shards that failed twice be tried again", "corpusmill retry curated/", _retry)
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("shards", metavar="SHARD", nargs="*", help="only these (default: all)")

    _review_arguments(commands)

    _forget_arguments(commands)

    _audit_arguments(commands)

    p = _command(
        commands,
        "rollback",
        "publish a kept version again, exactly as it was",
        "corpusmill rollback curated/",
        _rollback,
    )
    rolled.arguments(p)

    p = _command(
        commands, "push", "publish a dataset's folder to an object store as it is, after rollback or forget",
        "corpusmill push curated/ --to s3://corpora/curated", _push,
    )  # fmt: skip
    pushed.arguments(p)

    p = _command(commands, "verify", "the manifest against the files", "corpusmill verify curated/", _verify)
    p.add_argument("out", metavar="OUT", help="a dataset's folder, or its URL")

    rules = commands.add_parser("rules", help="the narrative filter's rule packs").add_subparsers(
        title="what to do", required=True, metavar="list|test"
    )
    _command(rules, "list", "the packs that come with it", "corpusmill rules list", _rules_list)
    p = _command(
        rules,
        "test",
        "a pack's own examples and controls against its rules",
        "corpusmill rules test mine.yaml",
        _rules_test,
    )
    p.add_argument("packs", metavar="PACK", nargs="*", help="a name or a .yaml file (default: every built-in one)")

    p = _command(
        commands, "lineage", "the datasets it was made from, and whether they have changed since",
        "corpusmill lineage curated/", _lineage,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=pushed.where, help="a dataset's folder, or its URL")
    p.add_argument("--json", action="store_true", help="as one JSON document")

    p = _command(
        commands, "card", "the training-data section of a model card, or of the EU's summary, from manifests",
        "corpusmill card curated/ other/ --to training-data.md", _card,
    )  # fmt: skip
    provenance.card_arguments(p)

    p = _command(
        commands, "filters", "what there is, with options and reason codes", "corpusmill filters repetition", _filters
    )
    p.add_argument("name", metavar="NAME", nargs="?")
    return parser


def _command(commands, name: str, help_: str, example: str, run) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
    parser = commands.add_parser(name, help=help_, description=help_.capitalize() + ".", epilog=f"example: {example}")
    parser.set_defaults(run=run)
    return parser


def _review_arguments(commands) -> None:  # type: ignore[no-untyped-def]
    review = commands.add_parser("review", help="findings to people and their verdicts back").add_subparsers(
        title="what to do", required=True, metavar="export|import"
    )
    p = _command(
        review, "export", "write a sample of findings as Label Studio tasks; the file holds personal data, mode 0600",
        "corpusmill review export curated/ --to review.json", _review_export,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("--to", metavar="FILE", type=Path, required=True, help="a new file, outside OUT")
    p.add_argument("--input", metavar="PATH", help="the records as they were read, if they are not there any more")
    p.add_argument("--size", type=_positive, default=300, metavar="N", help="findings in all (default: 300)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)")
    p.add_argument("--filter", default="pii", metavar="NAME", help="whose findings (default: pii)")
    p = _command(
        review, "import", "verdicts as precision into the manifest, refuted values into an allow-list",
        "corpusmill review import curated/ verdicts.json --allow allow.json", _review_import,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("files", metavar="FILE", type=Path, nargs="+", help="Label Studio's export, as JSON or JSON-MIN")
    p.add_argument("--allow", metavar="FILE", type=Path, help="allow-list to add refuted values to, as hashes")
    p.add_argument("--filter", default="pii", metavar="NAME", help="whose findings (default: pii)")


def _forget_arguments(commands) -> None:  # type: ignore[no-untyped-def]
    p = _command(
        commands, "forget", "take a list's records out of published datasets; the trail of it stays",
        "corpusmill forget curated/ --match gone.txt --kind id --source 'letter of 2026-03-02'", _forget,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path, nargs="+")
    p.add_argument("--match", metavar="LIST", type=Path, required=True, help="text, CSV, JSONL or Parquet")
    p.add_argument("--kind", choices=["id", "user", "url", "domain", "content"], required=True, help="what it lists")
    p.add_argument("--column", metavar="NAME", default="", help="the column that holds the entries, if not recognised")
    p.add_argument("--source", metavar="TEXT", default="", help="on whose word, for the trail")
    p.add_argument("--date", metavar="YYYY-MM-DD", default="", help="when it was asked, for the trail")
    p.add_argument("--in-text", action="store_true", help="look for listed addresses inside texts too")
    p.add_argument("--dry-run", action="store_true", help="only count")


def _audit_arguments(commands) -> None:  # type: ignore[no-untyped-def]
    p = _command(
        commands, "audit", "personal data, who is mentioned and languages of datasets, with intervals",
        "corpusmill audit curated/ shards/ --to audit/", _audit,
    )  # fmt: skip
    p.add_argument("inputs", metavar="INPUT", nargs="+", help="a dataset's folder, or a folder, file or glob of shards")
    p.add_argument("--size", type=_positive, metavar="N", help="records of each input's sample (default: 3000)")
    p.add_argument("--margin", metavar="1%", help="instead: as many as make every interval reach no further than this")
    p.add_argument("--all", action="store_true", help="look at every record")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)")
    p.add_argument(
        "--by", default="", metavar="COLUMN", help="strata: a column, or language, license, generator, shard"
    )
    p.add_argument("--equal", action="store_true", help="as many of each stratum, rather than in proportion")
    p.add_argument(
        "--columns", action="append", default=[], metavar="NAME=COLUMN", help="of a schema that is not recognised"
    )
    p.add_argument("--lexicon", action="append", default=[], metavar="FILE", help="a further lexicon (.yaml)")
    p.add_argument("--review", metavar="OUT", help="a dataset whose review says how many findings are right")
    p.add_argument("--to", metavar="DIR", type=Path, help="write audit.json, audit.csv and audit.html there")
    p.add_argument("--record", action="store_true", help="write a summary into the manifest of each input")
    p.add_argument("--workers", type=_positive, default=0, metavar="N", help="processes (default: as many as help)")


def _recipe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe file, or the name of a shipped one (default)")
    parser.add_argument("--input", metavar="PATH", help="a folder, a file, a glob or a URL; instead of the recipe's")
    parser.add_argument("--output", metavar="OUT", help="the dataset's folder; instead of the recipe's")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="filter.option=value, as often as needed"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _version() -> str:
    from importlib.metadata import version

    return f"corpusmill {version('corpusmill')}"


def _load(args: argparse.Namespace):  # type: ignore[no-untyped-def]
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


def _run(args: argparse.Namespace) -> int:
    from pipelines.cli.running import main

    return main(args, _load)


def _retry(args: argparse.Namespace) -> int:
    from pipelines.cli.running import retry

    print(retry(args.out, args.shards))
    return 0


def _plan(args: argparse.Namespace) -> int:
    from pipelines.cli.show import plan

    print(plan(_load(args)))
    return 0


def _explain(args: argparse.Namespace) -> int:
    from pipelines.cli.explain import explain

    print(explain(_load(args), args.record))
    return 0


def _retune(args: argparse.Namespace) -> int:
    from pipelines.cli.retuned import as_json, as_text
    from pipelines.retune import retune

    found = retune(args.out, args.set, args.sweep, max(0, args.examples))
    print(as_json(found) if args.json else as_text(found))
    return 0


def _compare(args: argparse.Namespace) -> int:
    from pipelines.cli.compared import as_json, as_text, write_html
    from pipelines.compare import compare

    found = compare(args.first, args.second)
    if args.html:
        write_html(found, args.first, args.second, args.html)
    print(as_json(found) if args.json else as_text(found))
    return DONE


def _review_export(args: argparse.Namespace) -> int:
    from pipelines.cli.reviewed import exported
    from pipelines.review.review import export

    print(exported(export(args.out, args.to, source=args.input, filter_=args.filter, size=args.size, seed=args.seed)))
    return 0


def _review_import(args: argparse.Namespace) -> int:
    from pipelines.cli.reviewed import imported
    from pipelines.review.review import import_

    print(imported(import_(args.out, args.files, filter_=args.filter, allow=args.allow), args.allow))
    return 0


def _forget(args: argparse.Namespace) -> int:
    from pipelines.cli.forgotten import run

    print(run(args))
    return 0


def _rollback(args: argparse.Namespace) -> int:
    print(rolled.run(args))
    return 0


def _audit(args: argparse.Namespace) -> int:
    from pipelines.cli.audited import run

    return run(args)


def _verify(args: argparse.Namespace) -> int:
    from pipelines import stores
    from pipelines.verify import verify

    if stores.is_url(args.out):
        from pipelines.stores import verified

        problems = verified.verify(args.out)
    else:
        problems = verify(Path(args.out))
    for problem in problems:
        tell(problem)
    if not problems:
        print(f"{args.out}: every file is as the manifest says")
    return PARTIAL if problems else 0


def _rules_list(args: argparse.Namespace) -> int:
    from pipelines.cli.rules import listed

    print(listed())
    return 0


def _rules_test(args: argparse.Namespace) -> int:
    from pipelines.cli.rules import tested

    told, passed = tested(args.packs)
    print(told)
    return DONE if passed else PARTIAL


def _push(args: argparse.Namespace) -> int:
    print(pushed.run(args))
    return 0


def _lineage(args: argparse.Namespace) -> int:
    from pipelines.cli.show import family
    from pipelines.lineage import walk

    tree = walk(args.out)
    print(family(tree, as_json=args.json))
    return DONE if tree.sound else PARTIAL


def _card(args: argparse.Namespace) -> int:
    print(provenance.card(args))
    return DONE


def _filters(args: argparse.Namespace) -> int:
    from pipelines.cli.show import one_filter, these_filters

    print(one_filter(args.name) if args.name else these_filters())
    return 0
