"""A filter that says it decides from its scores must decide as it judged, on scores as annotations hold them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import registry
from filters.contract import KEPT
from pipelines import annotate
from tests.support import ROOT, batch_of

DECIDING = [n for n in registry.BUILT_IN if registry.load(n).measured_with is not None]


def test_the_filters_that_have_thresholds_decide_from_scores():
    assert "repetition" in DECIDING


@pytest.mark.parametrize("name", DECIDING)
def test_deciding_again_from_annotations_gives_the_verdicts(name, tmp_path):
    filter_ = registry.load(name)()
    assert set(filter_.measured_with) <= set(type(filter_.options).__struct_fields__)
    for shard in sorted((ROOT / "sample_data").glob("*.parquet")):
        batch = batch_of(pq.read_table(shard))
        judgement = filter_.judge(batch)
        column = annotate.column(type(filter_), batch, judgement)
        pq.write_table(pa.table({name: column}), tmp_path / "a.parquet")
        scores = pq.read_table(tmp_path / "a.parquet").combine_chunks().to_batches()[0].column(name).field("scores")
        recorded = {f.name: scores.field(f.name).to_numpy(zero_copy_only=False) for f in scores.type}
        again = type(filter_).decide(recorded, filter_.options)
        refused = [record for record, _ in batch.unreadable]
        judged = judgement.reason.copy()
        again[refused] = judged[refused] = KEPT
        assert again.tolist() == judged.tolist(), shard.name
