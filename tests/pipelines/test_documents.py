"""The recipe for plain text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from tests.filters.test_documents import GERMAN


def test_the_recipe_for_documents(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    good = (
        "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in.\n"
        "A baker whom we met last winter lets hers stand for a night in a cold room, since a slow rise tastes of more.\n"
        "She has no use for scales; flour differs from sack to sack, so that her hands have to tell her what to add.\n"
    )
    table = "".join(f"{i}\t{i * 7}\n" for i in range(80))
    pq.write_table(pa.table({"text": [good, table, "# " * 300, GERMAN * 2 + "Ja."]}), tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out", recipe="documents")
    notes = pq.read_table(tmp_path / "out" / "annotations").to_pylist()
    assert [n["kept"] for n in notes] == [True, False, False, False]
    assert notes[2]["rejected_by"] == "gopher_repetition"
    assert notes[3]["reason"] == "gopher_repeated_lines"
