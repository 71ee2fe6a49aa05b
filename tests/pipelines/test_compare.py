"""Two datasets side by side: shifts in words, and the records whose verdict changed."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import drift
from pipelines.compare import compare
from pipelines.errors import UsageError
from tests.pipelines.browser import look
from tests.pipelines.conftest import Command, write_shard

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000))


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Command:
    """Three shards kept with English alone, and the same but for one shard with Polish allowed too."""
    command = Command(tmp_path_factory.mktemp("compare"))
    for side, shards in (("first", (0, 1, 2)), ("second", (0, 1, 3))):
        (command.home / f"in-{side}").mkdir()
        for s in shards:
            write_shard(command.home / f"in-{side}" / f"s{s}.parquet", s)
    command.run(command.home / "in-first", command.home / "first")
    command.run(command.home / "in-second", command.home / "second", "--set", "language.allow=[en, pl]")
    return command


def test_it_counts_the_records_that_changed_and_names_a_few(two):
    found = compare(two.home / "first", two.home / "second")
    assert (found.both, found.gone, found.new) == (80, 40, 40)
    [change] = found.changes
    polish = [f"{s}-{i}" for s in (0, 1) for i in range(40) if i % 7 == 3]
    assert (change.was, change.now, change.records) == ("language: language_not_allowed", "kept", len(polish))
    assert set(change.examples) <= set(polish)
    assert len(change.examples) == 5
    assert found.options == [("language.allow", ["en", "de"], ["en", "pl"])]
    assert found.software == []
    assert found.tables["languages"].rows[:2] == (("en", 102, 102), ("pl", 0, 18))
    assert found.tables["languages"].word == "large shift"
    assert "language.answer_share" in found.scores


def test_a_dataset_is_like_itself(two):
    found = compare(two.home / "first", two.home / "first")
    assert (found.both, found.gone, found.new, found.changes, found.options) == (120, 0, 0, (), [])
    assert {s.word for s in [*found.tables.values(), *found.scores.values(), found.verdicts]} == {"stable"}


def test_the_command_tells_it_as_text_as_json_and_as_a_page(two, tmp_path):
    page = tmp_path / "page.html"
    said = two("compare", two.home / "first", two.home / "second", "--html", page)
    for line in ("80 records have the same id in both; 40 are", "option language.allow: [\"en\", \"de\"] -> [\"en\", \"pl\"]",
                 "language: language_not_allowed -> kept", "large shift"):  # fmt: skip
        assert line in said
    told = json.loads(two("compare", two.home / "first", two.home / "second", "--json"))
    assert told["records"]["both"] == 80
    assert told["changed"][0]["records"] == 12
    assert two("compare", two.home / "first", tmp_path, code=2).startswith("corpusmill: no dataset at")
    assert two("compare", two.home / "first", two.home / "first", "--html", "/nowhere/x.html", code=3).startswith(
        "corpusmill: "
    )
    assert {k: v for k, v in look({"page": page.read_text("utf-8")}, tmp_path).items() if v} == {}


def test_records_with_one_id_are_matched_in_order(two, tmp_path):
    """Two records called x, the second of which is dropped on one side."""
    english = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in."
    polish = "Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto jest na tyle elastyczne, że go zatrzymuje."
    for name, answers in (("a", [english, polish]), ("b", [english, english])):
        (tmp_path / name).mkdir()
        table = pa.table({"id": ["x", "x"], "prompt": ["Why?"] * 2, "response": answers})
        pq.write_table(table, tmp_path / name / "s.parquet")
        two.run(tmp_path / name, tmp_path / f"out-{name}")
    found = compare(tmp_path / "out-a", tmp_path / "out-b")
    assert [(c.was, c.now, c.records) for c in found.changes] == [("language: language_not_allowed", "kept", 1)]


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no dataset at"):
        compare(tmp_path, tmp_path)


def test_psi_is_the_textbooks():
    """p = (0.5, 0.5), q = (0.4, 0.6): (−0.1) ln(0.8) + 0.1 ln(1.2) = 0.04055; half a record in a million is nothing."""
    found = drift.shift({"a": 500_000, "b": 500_000}, {"a": 400_000, "b": 600_000})
    assert found.psi == pytest.approx(0.0405465, abs=1e-5)
    assert found.word == "stable"
    assert drift.shift({"a": 9_000, "b": 1_000}, {"a": 7_500, "b": 2_500}).word == "some shift"
    assert drift.shift({"a": 9_000, "b": 1_000}, {"a": 5_000, "b": 5_000}).word == "large shift"
    assert drift.shift({"a": 7, "b": 3}, {"a": 4, "b": 6}).word == "within chance for so few"


@given(COUNTS, COUNTS)
def test_psi_is_never_negative_and_the_same_both_ways(a, b):
    there, back = drift.shift(a, b), drift.shift(b, a)
    assert there.psi >= -1e-12
    assert there.psi == pytest.approx(back.psi)
    assert drift.shift(a, a).psi == pytest.approx(0)


def test_without_any_change_the_index_stays_below_its_bound_nineteen_times_in_twenty():
    """Samples of 200 and 300 from one distribution over eight values; the normal approximation is a little generous."""
    rng = np.random.default_rng(0)
    shares = np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.06, 0.04, 0.03])
    below = 0
    for _ in range(1000):
        a, b = rng.multinomial(200, shares), rng.multinomial(300, shares)
        found = drift.shift(
            dict(zip("abcdefgh", a.tolist(), strict=True)), dict(zip("abcdefgh", b.tolist(), strict=True))
        )
        below += found.psi < found.chance
    assert 0.92 < below / 1000 < 0.98
