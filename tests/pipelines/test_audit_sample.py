"""The sample of an audit: the same records wherever they are and in whatever order, and a fair one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audit.dataset import Dataset, open_all
from pipelines.audit.draw import draw
from pipelines.audit.work import _batches, tasks
from pipelines.errors import UsageError
from pipelines.statistics import share

SETTINGS = settings(max_examples=15, deadline=None)


def opened(folder: Path | str) -> Dataset:
    return open_all([str(folder)], {})[0]


def drawn_rows(folder: Path | str, **asked) -> list[dict]:
    """The records that are looked at, as rows."""
    dataset = opened(folder)
    found = draw(dataset, **{"size": 20, "seed": 0, **asked})
    return [r for task in tasks(dataset, found.rows) for batch, _ in _batches(task) for r in batch.to_pylist()]


def record(i: int, text: str | None = None) -> dict:
    return {"uuid": f"r-{i}", "prompt": text or f"question {i}", "response": "yes", "part": "abc"[i % 3], "size": i % 5}


def write(folder: Path, rows: list[dict], cuts: list[int], kind: str = "parquet") -> None:
    for number, part in enumerate(np.split(np.arange(len(rows)), sorted(cuts))):
        mine = [rows[i] for i in part]
        if kind == "jsonl":
            text = "".join(json.dumps(r) + "\n" for r in mine)
            (folder / f"{number}.jsonl").write_text(text or "\n", "utf-8")
        else:
            table = pa.Table.from_pylist(mine, schema=pa.Table.from_pylist(rows).schema)
            pq.write_table(table, folder / f"{number}.parquet", row_group_size=7)


@SETTINGS
@given(
    order=st.permutations(range(60)), cuts=st.lists(st.integers(0, 60), max_size=4), keyed=st.booleans(),
    by=st.sampled_from(["", "part", "size"]), equal=st.booleans(),
)  # fmt: skip
def test_the_sample_is_the_same_whatever_the_shards_and_their_order(order, cuts, keyed, by, equal):
    """Texts come up to twelve times; without a key the same number of copies of each is drawn."""
    rows = [record(i, f"question {i // 12 if i < 24 else i}") for i in range(60)]
    if not keyed:
        rows = [{k: v for k, v in r.items() if k != "uuid"} for r in rows]
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        write(Path(first), rows, [])
        write(Path(second), [rows[i] for i in order], cuts)
        one, other = (drawn_rows(f, by=by, equal=equal and bool(by)) for f in (first, second))
    key = "uuid" if keyed else "prompt"
    assert len(one) == 20
    assert sorted(r[key] for r in one) == sorted(r[key] for r in other)


def test_parquet_and_jsonl_give_the_same_sample(tmp_path):
    rows = [record(i) for i in range(60)]
    for kind in ("parquet", "jsonl"):
        (tmp_path / kind).mkdir()
        write(tmp_path / kind, rows, [10, 30], kind)
    one, other = ({r["uuid"] for r in drawn_rows(tmp_path / kind)} for kind in ("parquet", "jsonl"))
    assert one == other


def test_a_larger_sample_holds_the_smaller_one_and_another_seed_is_another(tmp_path):
    write(tmp_path, [record(i) for i in range(500)], [])
    small, large, other = (
        {r["uuid"] for r in drawn_rows(tmp_path, **asked)} for asked in ({}, {"size": 100}, {"seed": 1})
    )
    assert small < large
    assert len(small & other) < 10


def test_every_record_is_as_likely_as_another(tmp_path):
    """200 samples of 20 out of 100: a record is drawn 40 times, give or take 3.9 standard deviations of 5.7."""
    write(tmp_path, [record(i) for i in range(100)], [37])
    dataset = opened(tmp_path)
    count: Counter[tuple[int, int]] = Counter()
    for seed in range(200):
        rows = draw(dataset, size=20, seed=seed).rows
        count.update((s, int(r)) for s, found in enumerate(rows) for r in found)
    assert len(count) == 100
    assert max(abs(n - 40) for n in count.values()) < 3.9 * 5.7


def test_intervals_from_such_samples_cover_the_truth(tmp_path):
    """150 seeds, 60 of 400 records, a fifth of which are of one kind."""
    write(tmp_path, [record(i) for i in range(400)], [100])
    dataset = opened(tmp_path)
    covered = 0
    for seed in range(150):
        rows = draw(dataset, size=60, seed=seed).rows
        hits = sum(int(((found + 100 * s) % 5 == 0).sum()) for s, found in enumerate(rows))
        found = share(hits, 60, 400)
        covered += found.low <= 0.2 <= found.high
    assert covered / 150 > 0.9


def test_ids_that_repeat_or_are_null_do_not_name_records(tmp_path):
    for name, change in (("repeat", {"uuid": "r-1"}), ("null", {"uuid": None})):
        (tmp_path / name).mkdir()
        rows = [record(i) for i in range(60)]
        write(tmp_path / name, [*rows, {**record(60), **change}], [20])
        assert draw(opened(tmp_path / name), size=20, seed=0).keyed == "text"
    (tmp_path / "fine").mkdir()
    write(tmp_path / "fine", rows, [20])
    assert draw(opened(tmp_path / "fine"), size=20, seed=0).keyed == "id"


def test_a_text_that_stands_there_many_times_is_drawn_as_often(tmp_path):
    """Half of 2,000 records are one text: half of 400 are, give or take 4.5 standard deviations of 8.9."""
    rows = [{"prompt": "the same" if i % 2 else f"question {i}", "response": "yes"} for i in range(2000)]
    write(tmp_path, rows, [])
    found = drawn_rows(tmp_path, size=400)
    assert abs(sum(r["prompt"] == "the same" for r in found) - 200) < 40


def test_strata_are_drawn_in_proportion_or_equally(tmp_path):
    rows = [{**record(i), "part": "rare" if i < 20 else "common"} for i in range(200)]
    write(tmp_path, rows, [])
    proportional = Counter(r["part"] for r in drawn_rows(tmp_path, size=50, by="part"))
    equal = Counter(r["part"] for r in drawn_rows(tmp_path, size=50, by="part", equal=True))
    assert proportional == {"rare": 5, "common": 45} or proportional == {"rare": 6, "common": 44}
    assert equal == {"rare": 20, "common": 30}


def test_a_column_of_a_thousand_values_is_no_stratum(tmp_path):
    write(tmp_path, [{**record(i), "part": f"v{i}"} for i in range(1100)], [])
    with pytest.raises(UsageError, match="more than 1,000"):
        draw(opened(tmp_path), size=20, seed=0, by="part")


def test_many_records_are_spilled_and_drawn_all_the_same(tmp_path, monkeypatch):
    write(tmp_path, [record(i) for i in range(300)], [])
    before = [r["uuid"] for r in drawn_rows(tmp_path)]
    monkeypatch.setattr("pipelines.audit.draw.PIECE_BYTES", 16)
    assert [r["uuid"] for r in drawn_rows(tmp_path)] == before
