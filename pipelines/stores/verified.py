"""A published dataset on S3 against its manifest: what differs, one line each. Every byte is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import lineage, listing, stores
from pipelines.errors import UsageError
from pipelines.provenance import PAGES
from pipelines.shards import sha256_of
from pipelines.stores import published, s3

BESIDE = frozenset({*PAGES, "report.html", "run.json", "manifest.json"})
AT_A_TIME = 10_000
"""Files that a pool is given to look at."""


def verify(url: str) -> list[str]:
    """Differences between the current version (or the version whose folder this is) and its manifest, and parents that changed since."""
    from pipelines.verify import of_manifest

    stores.check(url, "the URL")
    url = url.rstrip("/") + "/"
    if not url.startswith("s3://") or (found := published.read(f"{url}manifest.json")) is None:
        raise UsageError(f"no dataset at {url}: it has no manifest.json")
    try:
        told = json.loads(found[0])
    except ValueError:
        return ["manifest.json: not JSON"]
    if not isinstance(told, dict) or not isinstance(told.get("digest"), str):
        return ["manifest.json: it names no digest"]
    base = published.folder(url, told)
    if why := listing.problem(listing.attach(told, base)):
        return [why]
    if problems := list(of_manifest(told)):
        return problems
    bucket, prefix = s3.split(base)
    there = {e["Key"][len(prefix) :]: e["Size"] for e in s3.listed(bucket, prefix)}
    with ThreadPoolExecutor(stores.WAITING) as pool:
        wrong = [
            line for some in _some(told) for line in pool.map(lambda entry: _file(base, entry, there), some) if line
        ]
    return [
        *wrong,
        *_beside(base, found[0], there, _names(told)),
        *_extra(told, there),
        *lineage.problems(lineage.walk(url)),
    ]


def _file(base: str, entry: Mapping[str, Any], there: Mapping[str, int]) -> str | None:
    name, url = entry["path"], base + entry["path"]
    if name not in there:
        return f"{name}: missing"
    if there[name] != entry["bytes"]:
        return f"{name}: {there[name]:,} bytes, not {entry['bytes']:,}"
    if sha256_of(url) != entry["sha256"]:
        return f"{name}: its bytes are not those that were written (sha256 differs)"
    try:
        rows = pq.read_metadata(stores.source(url)).num_rows
    except pa.ArrowException:
        return f"{name}: not readable as Parquet"
    return None if rows == entry["rows"] else f"{name}: {rows:,} rows, not {entry['rows']:,}"


def _some(told: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The files, as many at a time as a pool may hold."""
    files = listing.outputs(told)
    while some := list(islice(files, AT_A_TIME)):
        yield some


def _names(told: Mapping[str, Any]) -> frozenset[str]:
    """What stands beside the folders."""
    listed = listing.side(told)
    return BESIDE | ({listed["path"]} if listed is not None else set())


def _beside(base: str, data: bytes, there: Mapping[str, int], names: frozenset[str]) -> Iterator[str]:
    yield from (f"{name}: missing" for name in sorted(names - there.keys()))
    if "manifest.json" in there and stores.read(f"{base}manifest.json") != data:
        yield "manifest.json: the version's own is another one"
    try:
        written = json.loads(stores.read(f"{base}run.json")).get("pages", {}) if "run.json" in there else {}
    except (ValueError, AttributeError):
        yield "run.json: not JSON"
        return
    for name in sorted(written.keys() & there.keys() & set(PAGES)):
        if hashlib.sha256(stores.read(base + name)).hexdigest() != written[name]:
            yield f"{name}: not what was written when it was published (edited?)"


def _extra(told: Mapping[str, Any], there: Mapping[str, int]) -> Iterator[str]:
    known = _names(told).union(listing.names(told))
    yield from (f"{name}: not in the manifest" for name in sorted(there.keys() - known))
