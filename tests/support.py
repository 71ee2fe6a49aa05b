"""What several tests need: real data where it is, and batches from a few rows."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.batch import Batch
from filters.contract import Judgement
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))


def real(name: str) -> list[Path]:
    """Shards of one real set; skips the test where the sets are not there (they are not part of the repository)."""
    paths = sorted((REAL / name).glob("*.parquet"))
    if not paths:
        pytest.skip(f"the real set {name!r} is not here; set CORPUSMILL_REAL_DATA to a folder that has it")
    return paths


def batch_of(rows: pa.Table | pa.RecordBatch | list[dict], **options) -> Batch:
    """Lay rows out as a run would: a table, or dicts that Arrow can infer a schema from."""
    table = pa.Table.from_pylist(rows) if isinstance(rows, list) else pa.table(rows)
    batch = table.combine_chunks().to_batches()[0]
    return read(batch, recognise(batch.schema), max_record_bytes=options.pop("max_record_bytes", 1 << 30)).batch


def real_batch(path: Path) -> Batch:
    return batch_of(pq.read_table(path))


def scrubbed(batch: Batch, judged: Judgement) -> list[str]:
    """Texts of all segments with the edits in them, as a run would write them."""
    out = [batch.segments.bytes(i) for i in range(len(batch.segments))]
    edits = judged.edits
    rows = sorted(zip(edits.segment, edits.start, edits.end, edits.replacement, strict=True), reverse=True)
    last: dict[int, int] = {}
    for segment, start, end, text in rows:
        assert 0 <= start < end <= last.get(segment, len(out[segment])), "spans of a segment overlap"
        last[segment] = start
        out[segment] = out[segment][:start] + text.encode() + out[segment][end:]
    return [o.decode() for o in out]


def tokenizer(path: Path, texts: list[str] | None = None) -> Path:
    """A byte-level BPE tokenizer of 300 tokens, trained here and written to ``path``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(texts or ["Bread rises because yeast gives off gas; the dough holds it in."] * 3, trainer)
    made.save(str(path))
    return path
