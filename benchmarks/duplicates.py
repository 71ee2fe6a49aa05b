"""Near duplicates: recall and precision against every pair's true Jaccard similarity, and MB/s beside datatrove's MinHash and rensa.

python benchmarks/duplicates.py shards/*.parquet [--records 400] [--others 200]

Of a sample of the records, copies are planted with words replaced here and there until their similarity with the original is 0.7, 0.8 and
0.9. Then the similarity of every pair is computed exactly, and the best choice that it allows is compared with ours. rensa is no
dependency: `pip install rensa` first; what is not installed is left out. Times are of the processor: all three work in one thread.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from filters.batch import ASSISTANT, CONTENT, REASONING, Batch
from filters.contract import Part
from filters.duplicates import DuplicatesFilter, DuplicatesOptions
from filters.repetition import tokens
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

NGRAM = 5
PLANTED = (0.7, 0.8, 0.9)
THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--records", type=int, default=400, help="records that copies are planted of (default: 400)")
    parser.add_argument(
        "--others", type=int, default=0, metavar="N", help="N of the records by datatrove and rensa too"
    )
    given = parser.parse_args()
    texts = list(_texts(given.shards))
    sample = random.Random(0).sample([t for t in texts if len(t) > 300], given.records)
    _quality(sample)
    _speed(texts)
    if given.others:
        _others(random.Random(1).sample([t for t in texts if len(t) > 300], given.others))


def _texts(shards: list[Path]) -> Iterator[str]:
    """What the assistant thinks and says, one text a record."""
    for path in shards:
        for rows in pq.ParquetFile(path).iter_batches(1024):
            batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch
            which = batch.segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
            for _, mine in itertools.groupby(which.tolist(), key=lambda i: batch.segments.record[i]):
                yield "\n".join(batch.segments.text(i) for i in mine)


def _batch(texts: list[str]) -> Batch:
    rows = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def _part(texts: list[str], options: DuplicatesOptions) -> Part:
    batch = _batch(texts)
    table = pa.Table.from_batches([DuplicatesFilter(options).sign(batch)])
    table = table.append_column("row", pa.array(np.arange(len(texts)))).append_column("id", batch.ids)
    return Part("planted", table)


def _quality(sample: list[str]) -> None:
    began = time.process_time()
    planted = [(i, p, _planted(t, p, i)) for i, t in enumerate(sample) for p in PLANTED]
    texts = [*sample, *(t for _, _, t in planted)]
    truth = _similarities([_grams(t) for t in texts])
    reached = {p: [truth[i, len(sample) + n] for n, (i, q, _) in enumerate(planted) if p == q] for p in PLANTED}
    print(
        f"{len(texts):,} records, {len(texts) * (len(texts) - 1) // 2:,} pairs compared exactly, {time.process_time() - began:.0f} s"
    )
    for p, values in reached.items():
        print(f"  planted at {p}: {np.min(values):.3f} to {np.max(values):.3f}")
    print(
        "\nthreshold  should go  go      recall  precision  dropped at less than threshold - 0.05   kept beside threshold + 0.05"
    )
    for threshold in THRESHOLDS:
        options = DuplicatesOptions(method="near", ngram=NGRAM, threshold=threshold)
        told = DuplicatesFilter.resolve([_part(texts, options)], options).to_pylist()
        gone = {r["row"]: int(r["at"].rpartition(":")[2]) for r in told}
        best = _best(truth, threshold)
        both = len(gone.keys() & best)
        far = sum(truth[row, of] < threshold - 0.05 for row, of in gone.items())
        left = np.array([i for i in range(len(texts)) if i not in gone])
        near = int((np.triu(truth[np.ix_(left, left)], 1) >= threshold + 0.05).any(axis=0).sum())
        print(
            f"{threshold:>9}  {len(best):>9,}  {len(gone):>5,}  {both / len(best):>6.1%}  {both / len(gone):>9.1%}  {far:>38}  {near:>32}"
        )
    print("\nshare of planted copies that are dropped")
    for threshold in THRESHOLDS:
        shares = []
        for p in PLANTED:
            found = 0
            for i, q, text in planted:
                if q == p:
                    options = DuplicatesOptions(method="near", ngram=NGRAM, threshold=threshold)
                    found += len(_pair(sample[i], text, options))
            shares.append(f"{p}: {found / len(sample):>6.1%}")
        print(f"{threshold:>9}  {'   '.join(shares)}")


def _pair(a: str, b: str, options: DuplicatesOptions) -> list:
    return DuplicatesFilter.resolve([_part([a, b], options)], options).to_pylist()


def _planted(text: str, wanted: float, seed: int) -> str:
    """The text with words replaced, at places chosen by chance, until the similarity is as wanted."""
    rng = random.Random(f"{seed} {wanted}")
    words = text.split(" ")
    order = rng.sample(range(len(words)), len(words))
    original = _grams(text)
    low, high = 0, len(words)
    while high - low > 1:
        middle = (low + high) // 2
        if _jaccard(original, _grams(_with(words, order[:middle], seed))) >= wanted:
            low = middle
        else:
            high = middle
    return _with(words, order[:low], seed)


def _with(words: list[str], places: list[int], seed: int) -> str:
    out = list(words)
    for place in places:
        out[place] = "qx" + "".join(random.Random(seed * 1_000_003 + place).choices("bdfgklmnprstvz", k=8))
    return " ".join(out)


def _grams(text: str) -> np.ndarray:
    """Sorted distinct hashes (64 bits) of the n-grams of a text's words: the set itself, for all that matters."""
    raw = np.frombuffer(text.encode(), np.uint8)
    n = len(raw) + 2
    arrays = [np.empty(n, t) for t in (np.uint64, np.int64, np.int32, np.int64, np.int32)]
    count = tokens.tokenize(raw, 0, len(raw), 0, tokens.CLASSES, arrays[0][:-1], *arrays[1:])[0]
    words = arrays[0][:count]
    size = min(NGRAM, count)
    made = np.zeros(max(1, count - size + 1), np.uint64)
    for k in range(size):
        made = (made ^ words[k : count - size + 1 + k]) * np.uint64(0x9FB21C651E98DF25)
        made ^= made >> np.uint64(31)
    return np.unique(made)


@njit(cache=True)
def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    i, j, both = 0, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            both += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return both / (len(a) + len(b) - both)


def _similarities(sets: list[np.ndarray]) -> np.ndarray:
    out = np.eye(len(sets), dtype=np.float32)
    for i, a in enumerate(sets):
        for j in range(i):
            b = sets[j]
            if min(len(a), len(b)) >= 0.5 * max(len(a), len(b)):  # less cannot be half alike
                out[i, j] = out[j, i] = _jaccard(a, b)
    return out


def _best(truth: np.ndarray, threshold: float) -> set[int]:
    """What goes when, in order, each record that is like one that stays goes."""
    stays: list[int] = []
    gone = set()
    for i in range(len(truth)):
        if stays and truth[i, stays].max() >= threshold:
            gone.add(i)
        else:
            stays.append(i)
    return gone


def _speed(texts: list[str]) -> None:
    size = sum(len(t.encode()) for t in texts) / 1e6
    batches = [_batch(texts[i : i + 512]) for i in range(0, len(texts), 512)]
    print(f"\n{len(texts):,} records, {size:.0f} MB of text, one core")
    for told in ({}, {"normalise": "words"}, {"method": "near"}, {"method": "near", "permutations": 4096}):
        options = DuplicatesOptions(**told)
        filter_ = DuplicatesFilter(options)
        filter_.sign(batches[0])
        began = time.process_time()
        for batch in batches:
            filter_.sign(batch)
        took = time.process_time() - began
        parts = [_part(texts, options)]
        DuplicatesFilter.resolve(parts, options)
        began = time.process_time()
        gone = len(DuplicatesFilter.resolve(parts, options))
        resolved = time.process_time() - began
        name = ", ".join(f"{k}: {v}" for k, v in told.items()) or "exact"
        print(f"  {name:36} signed at {size / took:6.0f} MB/s, compared in {resolved:.2f} s: {gone:,} go")


def _others(texts: list[str]) -> None:
    """Everything from texts to a list of what goes, with planted copies at 0.9 among the texts."""
    copies = [_planted(t, 0.9, i) for i, t in enumerate(texts[: len(texts) // 5])]
    every = [*texts, *copies]
    size = sum(len(t.encode()) for t in every) / 1e6
    options = DuplicatesOptions(method="near", ngram=NGRAM, threshold=0.8)
    print(f"\n{len(every):,} records, {size:.0f} MB, {len(copies)} planted at 0.9; from texts to what goes")
    for name, work in (("corpusmill", _ours), ("rensa", _rensa), ("datatrove", _datatrove)):
        try:
            work(every[:2], options)  # not counted: kernels are compiled, tokenizers loaded
            began = time.process_time()
            gone = work(every, options)
            took = time.process_time() - began
        except ImportError as error:
            print(f"  {name:20} left out: {error}")
            continue
        found = sum(i in gone for i in range(len(texts), len(every)))
        print(
            f"  {name:20} {took:7.1f} s  {size / took:7.1f} MB/s  {len(gone):,} go, {found / len(copies):.1%} of the planted"
        )


def _ours(texts: list[str], options: DuplicatesOptions) -> set[int]:
    return {r["row"] for r in DuplicatesFilter.resolve([_part(texts, options)], options).to_pylist()}


def _rensa(texts: list[str], options: DuplicatesOptions) -> set[int]:
    """As its README has it: token sets to MinHash, one LSH; the first of each pair stays."""
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=options.threshold, num_perm=256, num_bands=32)
    gone: set[int] = set()
    hashes = []
    for i, text in enumerate(texts):
        words = text.lower().split()
        made = RMinHash(num_perm=256, seed=42)
        made.update([" ".join(words[k : k + NGRAM]) for k in range(max(1, len(words) - NGRAM + 1))])
        hashes.append(made)
        if any(hashes[j].jaccard(made) >= options.threshold for j in lsh.query(made)):
            gone.add(i)
        else:
            lsh.insert(i, made)
    return gone


def _datatrove(texts: list[str], options: DuplicatesOptions) -> set[int]:
    """Its four steps with 32 buckets of 8, one task each."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.logging import logger

    logger.remove()
    config = MinhashConfig(
        n_grams=NGRAM, num_buckets=32, hashes_per_bucket=8, hash_config=HashConfig(precision=64, hash_fc="sha1")
    )

    def documents() -> Iterator[Document]:
        return (Document(text=t, id=str(i)) for i, t in enumerate(texts))

    with tempfile.TemporaryDirectory() as home:
        MinhashDedupSignature(f"{home}/sig", config).run(documents(), 0, 1)
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(f"{home}/sig", f"{home}/buckets", config=config).run(None, bucket, config.num_buckets)
        MinhashDedupCluster(f"{home}/buckets", f"{home}/remove", config=config).run(None, 0, 1)
        kept = {int(d.id) for d in MinhashDedupFilter(f"{home}/remove").run(documents(), 0, 1)}
    return set(range(len(texts))) - kept


if __name__ == "__main__":
    main()
