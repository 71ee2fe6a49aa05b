"""Gates: what is out of bounds is not published, and what stood there stays."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import gates, recipe
from pipelines.errors import UsageError
from pipelines.statistics import stability
from tests.pipelines.conftest import contents, manifest, write_shard

RECIPE = """
name: gated
filters:
  - language: {allow: [en, de]}
gates:
"""


def gated(corpusmill, *lines: str):
    corpusmill.recipe.write_text(RECIPE + "".join(f"  {line}\n" for line in lines), "utf-8")


def test_a_gate_that_does_not_hold_publishes_nothing_and_leaves_the_result_to_look_at(corpusmill, shards, tmp_path):
    """Six of forty records a shard are Polish: 85 % are kept."""
    out = tmp_path / "out"
    gated(corpusmill, "kept_share: {least: 0.9}", "rejected.language: {most: 0.2}")
    said = corpusmill.run(shards, out, code=4)
    assert "kept_share is 0.85, and must be at least 0.9" in said
    assert "rejected.language" not in said
    assert not contents(out)
    refused = out / ".corpusmill" / "refused"
    assert manifest(refused)["records"] == {"read": 160, "kept": 136, "rejected": 24}
    assert "as the manifest says" in corpusmill("verify", refused)
    gated(corpusmill, "kept_share: {least: 0.85}")
    assert '"to_do": 0' in corpusmill.run(shards, out), "a gate is no reason to do the work again"
    assert manifest(out)["records"]["kept"] == 136
    assert not refused.exists()


def test_what_was_published_stays_when_the_next_result_drifts(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    gated(corpusmill, "drift.kept_share: {most: 0.05}", "drift.languages: {most: 0.25}", "drift.schemas: {most: 0}")
    corpusmill.run(shards, out)
    before = contents(out)
    write_shard(shards / "s4.parquet", 4)
    corpusmill.run(shards, out)
    after = contents(out)
    assert after != before
    polish = ["Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto jest na tyle elastyczne, że go zatrzymuje."] * 90
    pq.write_table(pa.table({"text": polish}), shards / "t.parquet")
    said = corpusmill.run(shards, out, code=4)
    assert "drift.kept_share is 0.263793, and must be at most 0.05; drift.schemas is 1, and must be at most 0" in said
    assert contents(out) == after


def test_what_scrubbing_left_is_looked_for_again(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    rows = [f"Write to anna.kowalska{i}@firma-kowalska.pl about the delivery, please." for i in range(20)]
    pq.write_table(pa.table({"prompt": rows, "response": ["I shall."] * 20}), tmp_path / "in" / "a.parquet")
    for action, code in (("annotate", 4), ("replace", 0)):
        text = f"name: a\nfilters: [pii: {{action: {action}}}]\ngates: {{left: {{most: 0}}, left.CREDIT_CARD: {{most: 0}}}}\n"
        corpusmill.recipe.write_text(text, "utf-8")
        said = corpusmill.run(tmp_path / "in", tmp_path / action, code=code)
        assert ("left is 1000, and must be at most 0" in said) == (action == "annotate")
        assert "left.CREDIT_CARD is" not in said


TOLD = {
    "records": {"read": 200, "kept": 150, "rejected": 50},
    "inputs": [
        {"status": "read", "schema": "plain", "columns": {"text": "t"}, "scanned_as_metadata": []},
        {"status": "failed"},
    ],
    "filters": [
        {
            "name": "pii",
            "rejected": 60,
            "records_edited": 30,
            "reasons": {"a": {"records": 10, "first": 0}, "b": {"records": 50, "first": 50}},
        }
    ],
    "edits": {"PHONE_NUMBER": 45},
    "tables": {"languages": {"en": 90, "fr": 60}, "licenses": {}},
}


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("read", 200), ("kept", 150), ("kept_share", 0.75), ("shards_failed", 1), ("rejected.pii", 0.3), ("rejected.pii.a", 0.05),
        ("rejected.pii.c", 0), ("edited.pii", 0.2), ("edits.PHONE_NUMBER", 300), ("edits.URL", 0), ("languages.fr", 0.4),
        ("languages.de", 0), ("licenses.mit", None), ("drift.kept_share", 0), ("drift.reasons", 0), ("drift.schemas", 0),
    ],
)  # fmt: skip
def test_measures(measure, value):
    """Shares are of the records read, or kept; a share of nothing is no number, and breaks the gate."""
    assert gates.measured(measure, TOLD, None) == value
    broken = gates.check({measure: gates.Bounds(least=value, most=value)}, TOLD, None, dict)
    assert bool(broken) == (value is None)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("kept_shar: {least: 1}", "no measure 'kept_shar' (did you mean 'kept_share'?)"),
        ("kept_share: {}", "neither least nor most"),
        ("kept_share: {atleast: 1}", "no option 'atleast' (did you mean 'least'?)"),
        ("kept_share: 0.5", "kept_share"),
        ("rejected.langage: {most: 1}", "no filter 'langage' (did you mean 'language'?)"),
        ("rejected.language.language_mixd: {most: 1}", "no reason 'language_mixd'"),
        ("left: {most: 0}", "needs the pii filter"),
    ],
)
def test_a_gate_that_measures_nothing_is_one_line(gate, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        recipe.from_document(recipe._parse(RECIPE + "  " + gate, "a.yaml"), "a.yaml")


def test_gates_are_no_part_of_what_names_the_work():
    one, two = (recipe.from_document(recipe._parse(RECIPE + f"  kept: {{least: {n}}}", "a"), "a") for n in (1, 2))
    assert one.fingerprint() == two.fingerprint()


counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000), min_size=1)


@given(counts, counts)
def test_stability_is_symmetric_never_negative_and_zero_for_the_same(before, now):
    one, two = stability(before, now), stability(now, before)
    assert (one is None) == (not sum(before.values()) or not sum(now.values()))
    if one is not None and two is not None:
        assert one >= -1e-12
        assert one == pytest.approx(two)
        assert stability(before, before) == pytest.approx(0)


def test_stability_by_hand():
    """(0.5, 0.5) to (0.8, 0.2): 0.3 ln 1.6 - 0.3 ln 0.4 = 0.4159; half a count in thousands changes the fourth digit."""
    assert stability({"a": 5000, "b": 5000}, {"a": 8000, "b": 2000}) == pytest.approx(0.4159, abs=1e-3)
    assert json.dumps(stability({"a": 10}, {"b": 10})) != "Infinity"
