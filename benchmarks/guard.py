"""The guard filter: MB/s with a fastText model, requests a second against a server that answers at once or after a time, from the cache.

    python benchmarks/guard.py [FOLDER_OF_PARQUET] [--delay 0.05]

The model is lid.176.ftz with its English label called unsafe: only speed is measured here, no guard model is at hand. The server is
the one of the tests, in a process of its own; it shares the cores with the client.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from filters.batch import Batch
from filters.guard import GuardFilter
from filters.guard.options import Endpoint, GuardOptions
from filters.language.model import locate
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.filters.guards import by_word, serving

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
QUESTIONS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=REAL / "traces")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds the slow server takes for an answer")
    told = parser.parse_args()
    shards = sorted((told.folder if told.folder.is_dir() else ROOT / "sample_data").glob("*.parquet"))
    batches = [_laid(b) for p in shards for b in pq.read_table(p).combine_chunks().to_batches()]
    _classifier(batches)
    rows = pa.RecordBatch.from_pylist(
        [{"prompt": f"Question {i}?", "response": "x" * 400} for i in range(QUESTIONS // 2)]
    )
    for delay, concurrency in ((0.0, 16), (told.delay, 16), (told.delay, 64)):
        _endpoint(_laid(rows), delay, concurrency)


def _laid(rows: pa.RecordBatch) -> Batch:
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def _classifier(batches: list[Batch]) -> None:
    filter_ = GuardFilter(GuardOptions(model=str(locate("")), labels={"en": "english"}))
    filter_.judge(batches[0])  # compiled here
    start = time.perf_counter()
    size = 0
    for batch in batches:
        filter_.judge(batch)
        size += int(batch.segments.length.sum())
    seconds = time.perf_counter() - start
    print(
        f"fastText, {sum(map(len, batches)):,} records, {size / 1e6:.0f} MB: {size / 1e6 / seconds:.0f} MB/s, one core"
    )


def _endpoint(batch: Batch, delay: float, concurrency: int) -> None:
    address: mp.Queue = mp.Queue()
    server = mp.Process(target=_serve, args=(address, delay), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as cache:
        endpoint = Endpoint(
            url=address.get(), model="m", template="llama-guard-3", cache=cache, concurrency=concurrency
        )
        for name in ("asked", "from the cache"):
            filter_ = GuardFilter(GuardOptions(endpoint=endpoint))
            start = time.perf_counter()
            judged = filter_.judge(batch)
            count = int(judged.scores["questions"].sum())
            assert not judged.scores["unjudged"].any()
            rate = count / (time.perf_counter() - start)
            print(
                f"{count:,} questions, {delay * 1000:.0f} ms an answer, {concurrency} at a time, {name}: {rate:,.0f} a second"
            )
    server.terminate()
    server.join()


def _serve(address: mp.Queue, delay: float) -> None:
    def answer(told: dict, number: int) -> str:
        time.sleep(delay)
        return by_word(told, number)

    with serving(answer) as server:
        address.put(server.url)
        time.sleep(3600)


if __name__ == "__main__":
    main()
