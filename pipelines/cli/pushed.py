"""`corpusmill push`: its options, and what was done as text."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines import stores


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder; of a run whose output is a URL, its state")
    parser.add_argument("--to", metavar="URL", default="", help="s3://BUCKET/PLACE (default: where its runs publish)")


def run(args: argparse.Namespace) -> str:
    from pipelines.stores.push import push

    stores.check(args.to, "--to")
    url, changed = push(args.out, args.to)
    return f"{url}: {'is what the folder publishes now' if changed else 'was that already'}"


def where(text: str) -> Path | str:
    """An argument that may be a folder or a URL."""
    return text if stores.is_url(text) else Path(text)
