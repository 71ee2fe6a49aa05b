"""What a run costs beside its filters, by the number of units: seconds and the process's peak memory after each step.

    python benchmarks/scale.py 10000 100000 1000000     # receipts made up: planned and counted without a file of theirs
    python benchmarks/scale.py --stub 1000000           # the same, of a recipe with one filter that costs little
    python benchmarks/scale.py --on-disk 10000          # a ledger of so many finished units, read as a further run does
    python benchmarks/scale.py --run 2000               # tiny shards through the whole command, twice

Receipts are copies of one of ``sample_data`` under the default recipe, so they have the size of real ones. What is made up is that the
shards and the folders of the units are there; everything that is remembered of them is in files, as runs leave them. Each number of units
is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import (
    fingerprints,
    footers,
    formats,
    listing,
    manifest,
    packs,
    planning,
    provenance,
    publish,
    recipe,
    report,
    shards,
    sidefile,
    units,
)
from pipelines.formats import Part
from pipelines.index import Index, to_hex
from pipelines.ledger import Ledger
from pipelines.run import plan_of, run
from pipelines.totals import Totals

ROOT = Path(__file__).resolve().parent.parent
SHARD = ROOT / "sample_data" / "openai_messages.parquet"
STUB = ("licence",)
"""What judges the tiny shards: the filter that costs least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("units", type=int, nargs="*", default=[10_000])
    parser.add_argument("--stub", action="store_true", help="receipts of a recipe with one cheap filter")
    parser.add_argument("--on-disk", action="store_true", help="a folder and a receipt for every unit")
    parser.add_argument("--run", action="store_true", help="real shards of one record, through the whole run")
    parser.add_argument("--workers", type=int, default=1, help="of --run")
    parser.add_argument("--at", type=Path, help="a folder on the disk to measure (default: the temporary one)")
    args = parser.parse_args()
    if len(args.units) > 1:
        for n in args.units:
            left = [a for a in sys.argv[1:] if not a.isdigit()]
            subprocess.run([sys.executable, __file__, *left, str(n)], check=True)
        return
    with tempfile.TemporaryDirectory(dir=args.at) as home:
        print(f"{args.units[0]:,} units")
        if args.run:
            _whole(Path(home), args.units[0], args.workers)
        else:
            (_on_disk if args.on_disk else _made_up)(Path(home), args.units[0], args.stub)
        sys.stdout.flush()


@contextmanager
def step(name: str, n: int) -> Iterator[None]:
    began, used = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)
    print(
        f"  {name:<34} {seconds:>8.2f} s {cpu:>8.2f} s of a core, {cpu / n * 1e6:>7.1f} us a unit   peak {peak:>7,.0f} MB",
        flush=True,
    )


def _template(home: Path, stub: bool) -> tuple[recipe.Recipe, dict[str, Any]]:
    """A recipe, and the receipt of a unit that it made of a sample; made elsewhere, as models take memory."""
    out, name = home / "template", "default"
    if stub:
        name = str(home / "stub.yaml")
        Path(name).write_text(f"name: stub\nfilters: [{', '.join(STUB)}]\n", "utf-8")
    command = [sys.executable, "-m", "pipelines", "run", name, "--input", SHARD, "--output", out]
    subprocess.run([*map(str, command), "--workers", "1"], check=True, capture_output=True)
    [path] = (out / ".corpusmill" / "units").glob("*/*/receipt.json")
    return recipe.load(name), json.loads(path.read_text("utf-8"))


def _aimed(loaded: recipe.Recipe, source: Path, out: Path) -> recipe.Recipe:
    import msgspec

    aim = msgspec.structs.replace
    return replace(loaded, input=aim(loaded.input, path=str(source)), output=aim(loaded.output, path=str(out)))


class _Receipts(Mapping[str, dict[str, Any]]):
    """One receipt under every key that is planned, in the order of the plan, with a sha256 of its own for each of its files."""

    def __init__(self, planned: units.Plan, receipt: Mapping[str, Any]) -> None:
        self.planned, self.receipt, self.units = planned, receipt, iter(u for s in planned.shards for u in s.units)

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> dict[str, Any]:
        unit = next(self.units)
        assert unit.key == key
        files = {
            kind: {**told, "sha256": hashlib.sha256(f"{kind}{key}".encode()).hexdigest()}
            for kind, told in self.receipt["files"].items()
        }
        return {**self.receipt, "key": key, "shard": unit.shard.name, "output": unit.output, "files": files}

    def __iter__(self) -> Iterator[str]:
        return to_hex(self.planned.keys)

    def __len__(self) -> int:
        return len(self.planned.keys)


class _Stub:
    """A format whose shards are all alike, and not there."""

    columns = pq.read_schema(SHARD)

    def schema(self, path: str) -> pa.Schema:
        return self.columns

    def parts(self, path: str, unit_bytes: int) -> list[Part]:
        return [Part(0, 1, 0, 54, 1 << 20)]


def _made_up(home: Path, n: int, stub: bool) -> None:
    loaded, receipt = _template(home, stub)
    ledger = Ledger(home / "out")
    ledger.prepare()
    inputs, known = ledger.root / fingerprints.FILE, ledger.root / footers.FILE
    with step("shards: held as columns, by name", n):
        found = shards.Shards.of(map(_shard, range(n))).by_name()
    places, _ = fingerprints.Known().find(found)
    sums = np.empty((n, 32), np.uint8)
    for i in range(n):
        sums[i] = np.frombuffer(hashlib.sha256(b"%d" % i).digest(), np.uint8)
    fingerprints._write(inputs, places, sums)
    del places, sums
    with step("fingerprints: known, compared", n):
        prints = fingerprints.fingerprints(found, fingerprints.Known(inputs), inputs)
    with step("plan: every footer asked for", n), mock.patch.object(formats, "of", lambda *_: _Stub()):
        asked = footers.Footers(known)
        planned = planning.plan(loaded, found, prints, asked)
        planning.keep(planned, asked, known, loaded.work.unit_bytes)
    del planned
    with step("plan: footers known", n):
        planned = planning.plan(loaded, found, prints, footers.Footers(known))
    _counted(home, n, loaded, ledger, planned, receipt)


def _shard(i: int) -> shards.Shard:
    name = f"{i // 1000:05d}/{i:08d}.parquet"
    return shards.Shard(f"/in/{name}", name, "parquet", 1 << 20, (1 << 20, i, i, i))


def _counted(
    home: Path, n: int, loaded: recipe.Recipe, ledger: Ledger, planned: units.Plan, receipt: Mapping[str, Any]
) -> None:
    inodes = np.arange(1, n + 1, dtype=np.uint64)
    with mock.patch.object(packs, "_listed", lambda *_: inodes):
        with step("receipts: packed", n):
            packs._write(ledger, Index(planned.keys), np.arange(n), inodes, _Receipts(planned, receipt))
        with step("receipts: found again", n):
            receipts = packs.of(ledger, planned.keys)
            assert len(receipts) == n
    with step("manifest: receipts summed", n):
        told = manifest.build(loaded, planned, receipts, home)
    with step("manifest: written", n):
        (home / "manifest.json").write_bytes(manifest.dump(told))
    sidefile._checked.clear()
    with step("manifest: read, digests checked", n):
        assert manifest.standing(home) is not None
    with step("card, Croissant, in-toto", n):
        pages = provenance.pages(told)
    with step("report", n):
        page = report.render(told)
    for path in (
        home / "manifest.json",
        home / listing.SIDE,
        *ledger.root.glob("*.parquet"),
        *ledger.root.glob("*/*.parquet"),
    ):
        if path.is_file():
            print(f"  {path.name + ':':<34} {path.stat().st_size / 1e6:>9,.1f} MB")
    print(f"  {'pages and report:':<34} {(sum(map(len, pages.values())) + len(page)) / 1e6:>9,.1f} MB")


def _on_disk(home: Path, n: int, stub: bool) -> None:
    loaded, receipt = _template(home, stub)
    ledger = Ledger(home / "out")
    ledger.prepare()
    with step("made: a folder and a receipt each", n):
        text, keys = json.dumps(receipt, sort_keys=True), []
        for i in range(n):
            key = f"{i * 2654435761 % (1 << 32):08x}{i:032x}"
            keys.append(key)
            (folder := ledger.unit(key)).mkdir(parents=True)
            (folder / "receipt.json").write_text(text.replace(receipt["key"], key))
    _read(ledger, keys, loaded)


def _read(ledger: Ledger, keys: list[str], loaded: recipe.Recipe) -> None:
    for name in ("each receipt opened", "receipts: first read, packed", "receipts: found again"):
        with step(name, len(keys)):
            if name.startswith("each"):
                assert all(ledger.receipt(key) is not None for key in keys)
            else:
                receipts = packs.of(ledger, keys)
                assert len(receipts) == len(keys)
    totals = Totals(loaded)
    with step("receipts: read and summed", len(keys)):
        for receipt in receipts.values():
            totals.add(receipt)
    size = sum(path.stat().st_size for path in (ledger.root / packs.FOLDER).iterdir())
    print(f"  packs: {size / 1e6:,.1f} MB")


def _whole(home: Path, n: int, workers: int) -> None:
    source = home / "in"
    table = pq.read_table(SHARD).slice(2, 1)
    for i in range(n):
        (source / f"{i // 1000:05d}").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, source / f"{i // 1000:05d}" / f"{i:08d}.parquet")
    loaded = replace(
        _aimed(recipe.load("default"), source, home / "out"), stages=tuple(recipe.stage(name, {}) for name in STUB)
    )
    for name in ("run: everything to do", "run: nothing to do"):
        with step(name, n), contextlib.redirect_stderr(io.StringIO()):
            run(loaded, workers=workers)
    with step("plan alone, nothing new", n):
        found = shards.find(str(source))
        plan_of(loaded, found, Ledger(home / "out"))
    with step("is it published?", n):
        assert publish.is_published(Ledger(home / "out"), manifest.load(home / "out"))


if __name__ == "__main__":
    main()
