"""The numbers filter inside a run: algebra in children of worker processes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import contents, manifest

RECIPE = """
name: verifiable
filters:
  - numbers: {on: {refuted: drop, unverifiable: keep}}
"""


@pytest.mark.slow
def test_formulas_are_compared_in_children_of_workers_with_the_same_bytes_for_any_number_of_them(corpusmill, tmp_path):
    pytest.importorskip("math_verify", reason="needs the extra math")
    shards = tmp_path / "algebra"
    shards.mkdir()
    for s in range(2):
        rows = [
            {
                "id": f"{s}-{i}",
                "prompt": "Simplify.",
                "response": f"\\boxed{{\\sqrt{{{4 * i + 8}}}}}" if i % 3 else "\\boxed{9^{9^{9}}}",
                "expected_answer": f"{2 if i % 2 else 3}\\sqrt{{{i + 2}}}",
            }
            for i in range(12)
        ]
        pq.write_table(pa.Table.from_pylist(rows), shards / f"s{s}.parquet")
    corpusmill.recipe.write_text(RECIPE, "utf-8")
    corpusmill.run(shards, tmp_path / "one")
    corpusmill.run(shards, tmp_path / "two", "--workers", "2")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert {k: v for k, v in one.items() if not k.endswith(".html")} == {
        k: v for k, v in two.items() if not k.endswith(".html")
    }
    assert manifest(tmp_path / "two")["tables"]["answer_verdicts"] == {"verified": 8, "unverifiable": 8}
