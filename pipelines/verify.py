"""The manifest against the files: what differs, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import lineage, listing, manifest, versions
from pipelines.errors import UsageError
from pipelines.ledger import OURS, STATE
from pipelines.publish import MARKER, edited
from pipelines.shards import sha256_of
from pipelines.write import KINDS


def verify(out: Path) -> list[str]:
    """Differences between OUT and its manifest, and parents that changed since; empty when there are none. Reads every byte."""
    if not out.is_dir():
        raise UsageError(f"no dataset at {out}: not a folder")
    if (out / STATE / MARKER).exists():
        return ["a publish was cut short: run the same command again"]
    try:
        told = manifest.load(out)
    except OSError as error:
        raise UsageError(f"no dataset at {out}: manifest.json: {error.strerror}") from None
    except ValueError as error:
        return [str(error)]
    problems = list(of_manifest(told))
    if problems:
        return problems
    return [*_files(out, told), *_pages(out, told), *_extra(out, told), *lineage.problems(lineage.walk(out))]


def of_manifest(told: object) -> Iterator[str]:
    """What is wrong with a manifest in itself."""
    if not isinstance(told, dict) or told.get("manifest") != manifest.VERSION:
        yield f"manifest.json: not a {manifest.VERSION}"
        return
    validator = jsonschema_rs.validator_for(manifest.json_schema())
    if (error := next(validator.iter_errors(told), None)) is not None:
        yield f"manifest.json: {'/'.join(map(str, error.instance_path)) or 'it'} is not as its schema says"
    elif manifest.digest(told) != told["digest"]:
        yield "manifest.json: edited after it was written (its digest differs)"
    else:
        yield from _sums(told)


def _sums(told: dict) -> Iterator[str]:
    records, rows = told["records"], dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        rows[kind] = listing.sums(told, kind).rows
    said = (records["kept"], records["rejected"], records["read"])
    if said != tuple(rows[k] for k in KINDS) or records["kept"] + records["rejected"] != records["read"]:
        yield "manifest.json: kept + rejected is not what was read"


def _files(out: Path, told: dict) -> Iterator[str]:
    for entry in listing.outputs(told):
        path = out / entry["path"]
        if not path.is_file():
            yield f"{entry['path']}: missing"
            continue
        if (size := path.stat().st_size) != entry["bytes"]:
            yield f"{entry['path']}: {size:,} bytes, not {entry['bytes']:,}"
        elif sha256_of(path) != entry["sha256"]:
            yield f"{entry['path']}: its bytes are not those that were written (sha256 differs)"
        try:
            rows = pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException):
            yield f"{entry['path']}: not readable as Parquet"
            continue
        if rows != entry["rows"]:
            yield f"{entry['path']}: {rows:,} rows, not {entry['rows']:,}"


def _pages(out: Path, told: dict) -> Iterator[str]:
    for name in edited(out, told):
        why = "not what the manifest makes of it (edited?)" if (out / name).is_file() else "missing"
        yield f"{name}: {why}; the run that made the dataset writes it again"


def _extra(out: Path, told: dict) -> Iterator[str]:
    listed = listing.side(told)
    ours = OURS | ({listed["path"]} if listed else set())
    for path in sorted(out.iterdir()):
        if path.name not in ours:
            yield f"{path.name}: not part of the dataset"
    if listing.sized(versions.names(out)) == listing.sized(listing.names(told)):
        return
    known = set(listing.names(told))
    yield from (f"{name}: not in the manifest" for name in sorted(versions.names(out)) if name not in known)
