"""A filter that says it decides from its scores must decide as it judged, on scores as annotations hold them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import registry
from filters.contract import KEPT
from pipelines import annotate
from tests.filters.test_language_model import a_model
from tests.support import ROOT, batch_of, tokenizer

DECIDING = [n for n in registry.BUILT_IN if registry.load(n).measured_with is not None]


def built(name, folder):
    """A filter with its defaults, and with a tokenizer, a model or a benchmark where it cannot do without."""
    found = registry.load(name)
    if name == "guard":
        model = str(a_model(folder / "model.bin"))
        return found(found.Options(model=model, labels={"eng_Latn": "odd", "fra_Latn": "even"}, threshold=0.7))
    if name == "contamination":
        pq.write_table(pq.read_table(ROOT / "sample_data" / "alpaca.parquet"), folder / "items.parquet")
        return found(found.Options(benchmarks=str(folder / "items.parquet"), words=3))
    return found(found.Options(tokenizer=str(tokenizer(folder / "tokenizer.json")))) if name == "tokens" else found()


def test_the_filters_that_have_thresholds_decide_from_scores():
    assert "repetition" in DECIDING


@pytest.mark.parametrize("name", DECIDING)
def test_deciding_again_from_annotations_gives_the_verdicts(name, tmp_path):
    filter_ = built(name, tmp_path)
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


def test_switching_rules_off_afterwards_is_judging_without_them():
    """Records with several faults: with the worst one off, the next is the reason."""
    filter_ = registry.load("structure")
    shards = [pq.read_table(p) for p in sorted((ROOT / "sample_data").glob("*.parquet"))]
    changed = 0
    for batch in map(batch_of, shards):
        judged = filter_().judge(batch)
        codes = list(filter_.reasons)
        for code in sorted({codes[r] for r in judged.reason.tolist() if r != KEPT}):
            without = filter_.Options(off=(code,))
            again = filter_(without).judge(batch)
            for scores in (judged.scores, again.scores):
                rules = {"rules": scores["rules"].to_numpy(zero_copy_only=False)}
                assert filter_.decide(rules, without).tolist() == again.reason.tolist()
                assert filter_.decide(rules, filter_.Options()).tolist() == judged.reason.tolist()
            changed += int((again.reason != judged.reason).sum())
            assert code not in again.evidence.rule
    assert changed > 5
