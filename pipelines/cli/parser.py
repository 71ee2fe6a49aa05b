"""The command line: a function a subcommand, with its help, an example and its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli import commands, provenance, pushed, rolled, scheduling

if TYPE_CHECKING:
    Subcommands = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_CODES = (
    "exit codes: 0 done; 2 wrong usage or recipe; 3 some work failed, what could be read is published; "
    "4 a gate failed, nothing is published; 5 output locked"
)


def build() -> argparse.ArgumentParser:
    """Every parsed command has ``run``, which does it."""
    parser = argparse.ArgumentParser(
        prog="corpusmill",
        description="Turns raw chat, tool-call and reasoning data into a corpus you can fine-tune on and answer for.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=_version())
    there = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_run, _plan, _explain, _retune, _compare, _retry, _review, _forget, _audit, _rollback, _push, _verify, _rules,
                _lineage, _card, _filters):  # fmt: skip
        add(there)
    return parser


def _command(
    there: Subcommands, name: str, about: str, example: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = there.add_parser(name, help=about, description=about.capitalize() + ".", epilog=f"example: {example}")
    parser.set_defaults(run=run)
    return parser


def _group(there: Subcommands, name: str, about: str, words: str) -> Subcommands:
    """A command of which there are several kinds."""
    return there.add_parser(name, help=about).add_subparsers(title="what to do", required=True, metavar=words)


def _run(there: Subcommands) -> None:
    p = _command(
        there, "run", "curate a dataset", "corpusmill run default --input shards/ --output curated/", commands.run
    )
    _recipe(p)
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


def _plan(there: Subcommands) -> None:
    about = "what a run would do, and do nothing"
    _recipe(_command(there, "plan", about, "corpusmill plan default --input shards/", commands.plan))


def _explain(there: Subcommands) -> None:
    p = _command(
        there, "explain", "why one record is kept or not, spans shown",
        "corpusmill explain default shards/a.parquet:12", commands.explain,
    )  # fmt: skip
    _recipe(p)
    p.add_argument("record", metavar="RECORD_ID|FILE:ROW", help="an id, or a file and a row counted from 0")


def _retune(there: Subcommands) -> None:
    p = _command(
        there, "retune", "what other thresholds would keep, from annotations alone",
        "corpusmill retune curated/ --sweep repetition.max_burst_words=40:120:20", commands.retune,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="filter.option=value")
    p.add_argument(
        "--sweep", action="append", default=[], metavar="KEY=VALUES",
        help="filter.option=v1,v2,v3 or filter.option=first:last:step; several are combined",
    )  # fmt: skip
    p.add_argument("--examples", type=int, default=5, metavar="N", help="records shown a side (default: 5)")
    p.add_argument("--json", action="store_true", help="everything, as one JSON document")


def _compare(there: Subcommands) -> None:
    p = _command(
        there, "compare", "two datasets side by side: options, counts, scores, and verdicts that changed",
        "corpusmill compare curated/ curated-new/ --html compared.html", commands.compare,
    )  # fmt: skip
    p.add_argument("first", metavar="OUT1", type=Path)
    p.add_argument("second", metavar="OUT2", type=Path)
    p.add_argument("--html", metavar="FILE", type=Path, help="a page of it as well, in one file")
    p.add_argument("--json", action="store_true", help="everything, as one JSON document")


def _retry(there: Subcommands) -> None:
    about = "let shards that failed twice be tried again"
    p = _command(there, "retry", about, "corpusmill retry curated/", commands.retry)
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("shards", metavar="SHARD", nargs="*", help="only these (default: all)")


def _review(there: Subcommands) -> None:
    review = _group(there, "review", "findings to people and their verdicts back", "export|import")
    p = _command(
        review, "export", "write a sample of findings as Label Studio tasks; the file holds personal data, mode 0600",
        "corpusmill review export curated/ --to review.json", commands.review_export,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("--to", metavar="FILE", type=Path, required=True, help="a new file, outside OUT")
    p.add_argument("--input", metavar="PATH", help="the records as they were read, if they are not there any more")
    p.add_argument("--size", type=_positive, default=300, metavar="N", help="findings in all (default: 300)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)")
    p.add_argument("--filter", default="pii", metavar="NAME", help="whose findings (default: pii)")
    p = _command(
        review, "import", "verdicts as precision into the manifest, refuted values into an allow-list",
        "corpusmill review import curated/ verdicts.json --allow allow.json", commands.review_import,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path)
    p.add_argument("files", metavar="FILE", type=Path, nargs="+", help="Label Studio's export, as JSON or JSON-MIN")
    p.add_argument("--allow", metavar="FILE", type=Path, help="allow-list to add refuted values to, as hashes")
    p.add_argument("--filter", default="pii", metavar="NAME", help="whose findings (default: pii)")


def _forget(there: Subcommands) -> None:
    p = _command(
        there, "forget", "take a list's records out of published datasets; the trail of it stays",
        "corpusmill forget curated/ --match gone.txt --kind id --source 'letter of 2026-03-02'", commands.forget,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=Path, nargs="+")
    p.add_argument("--match", metavar="LIST", type=Path, required=True, help="text, CSV, JSONL or Parquet")
    p.add_argument("--kind", choices=["id", "user", "url", "domain", "content"], required=True, help="what it lists")
    p.add_argument("--column", metavar="NAME", default="", help="the column that holds the entries, if not recognised")
    p.add_argument("--source", metavar="TEXT", default="", help="on whose word, for the trail")
    p.add_argument("--date", metavar="YYYY-MM-DD", default="", help="when it was asked, for the trail")
    p.add_argument("--in-text", action="store_true", help="look for listed addresses inside texts too")
    p.add_argument("--dry-run", action="store_true", help="only count")


def _audit(there: Subcommands) -> None:
    p = _command(
        there, "audit", "personal data, who is mentioned and languages of datasets, with intervals",
        "corpusmill audit curated/ shards/ --to audit/", commands.audit,
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


def _rollback(there: Subcommands) -> None:
    about = "publish a kept version again, exactly as it was"
    rolled.arguments(_command(there, "rollback", about, "corpusmill rollback curated/", commands.rollback))


def _push(there: Subcommands) -> None:
    p = _command(
        there, "push", "publish a dataset's folder to an object store as it is, after rollback or forget",
        "corpusmill push curated/ --to s3://corpora/curated", commands.push,
    )  # fmt: skip
    pushed.arguments(p)


def _verify(there: Subcommands) -> None:
    p = _command(there, "verify", "the manifest against the files", "corpusmill verify curated/", commands.verify)
    p.add_argument("out", metavar="OUT", help="a dataset's folder, or its URL")


def _rules(there: Subcommands) -> None:
    rules = _group(there, "rules", "the narrative filter's rule packs", "list|test")
    _command(rules, "list", "the packs that come with it", "corpusmill rules list", commands.rules_list)
    about = "a pack's own examples and controls against its rules"
    p = _command(rules, "test", about, "corpusmill rules test mine.yaml", commands.rules_test)
    p.add_argument("packs", metavar="PACK", nargs="*", help="a name or a .yaml file (default: every built-in one)")


def _lineage(there: Subcommands) -> None:
    p = _command(
        there, "lineage", "the datasets it was made from, and whether they have changed since",
        "corpusmill lineage curated/", commands.lineage,
    )  # fmt: skip
    p.add_argument("out", metavar="OUT", type=pushed.where, help="a dataset's folder, or its URL")
    p.add_argument("--json", action="store_true", help="as one JSON document")


def _card(there: Subcommands) -> None:
    p = _command(
        there, "card", "the training-data section of a model card, or of the EU's summary, from manifests",
        "corpusmill card curated/ other/ --to training-data.md", commands.card,
    )  # fmt: skip
    provenance.card_arguments(p)


def _filters(there: Subcommands) -> None:
    about = "what there is, with options and reason codes"
    p = _command(there, "filters", about, "corpusmill filters repetition", commands.filters)
    p.add_argument("name", metavar="NAME", nargs="?")


def _recipe(parser: argparse.ArgumentParser) -> None:
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
