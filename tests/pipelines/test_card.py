"""Cards: the Hugging Face one that load_dataset reads, and the sections for a model's card and the EU's summary."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import manifest
from pipelines.errors import UsageError
from pipelines.provenance import card, facts, training, words
from pipelines.provenance.columns import _column
from pipelines.provenance.features import features
from tests.pipelines.provenance import DECLARED, bread, curate, write
from tests.pipelines.test_provenance_pages import wide


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    def load(out, *config):
        return datasets.load_dataset(str(out), *config, split="train", cache_dir=str(tmp_path / "cache"))

    return load


def header(out):
    return yaml.safe_load((out / "README.md").read_text("utf-8").split("---\n")[1])


_LEAVES = st.sampled_from(
    [pa.string(), pa.large_string(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.bool_(), pa.null(), pa.binary(),
     pa.date32(), pa.timestamp("us"), pa.timestamp("ns", "Europe/Paris"), pa.time64("us"), pa.duration("s"), pa.decimal128(9, 2),
     pa.binary(4), pa.dictionary(pa.int8(), pa.string())]
)  # fmt: skip
_TYPES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        inner.map(lambda t: pa.list_(t, 3)),
        st.lists(inner, max_size=3).map(lambda ts: pa.struct([(f"f{i}", t) for i, t in enumerate(ts)])),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TYPES, min_size=1, max_size=3))
def test_features_are_those_that_datasets_would_write(types):
    import datasets

    schema = pa.schema([(f"c{i}", t) for i, t in enumerate(types)])
    told = json.loads(json.dumps([_column(f) for f in schema]))
    assert features(told) == datasets.Features.from_arrow_schema(schema)._to_yaml_list()


def test_load_dataset_gives_the_kept_records_with_the_columns_types(tmp_path, load):
    table = wide().drop_columns(["pairs"])  # a map is nothing that datasets can hold
    write(tmp_path / "in", "a.parquet", table)
    write(tmp_path / "in", "deep/void.parquet", table.slice(0, 0))
    curate(tmp_path)
    loaded = load(tmp_path / "out")
    import datasets

    assert loaded.features == datasets.Features.from_arrow_schema(table.schema)
    kept = pq.read_table(tmp_path / "out" / "data" / "a.parquet").to_pylist()
    assert loaded.num_rows == len(kept) == 4
    assert loaded[0]["messages"] == kept[0]["messages"]


def test_features_that_the_files_bring_along_are_left_to_them(tmp_path, load):
    import datasets

    (tmp_path / "in").mkdir()
    own = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["good", "bad"])})
    rows = {"text": ["Bread rises because of yeast."] * 3, "label": [0, 1, 0]}
    datasets.Dataset.from_dict(rows, features=own).to_parquet(tmp_path / "in" / "a.parquet")
    curate(tmp_path)
    assert load(tmp_path / "out").features == own


def test_shards_of_differing_schema_are_configurations(tmp_path, load):
    write(tmp_path / "in", "a[1].parquet", bread())
    write(tmp_path / "in", "b.parquet", bread().append_column("note", pa.array(["x"] * 6)))
    write(tmp_path / "in", "c.parquet", pa.table({"text": ["Bread rises because of yeast."]}))
    write(tmp_path / "in", "void.parquet", bread().slice(0, 0))
    curate(tmp_path)
    assert [c["config_name"] for c in header(tmp_path / "out")["configs"]] == [
        "prompt_response",
        "prompt_response_2",
        "plain_text",
    ]
    assert load(tmp_path / "out", "prompt_response").column_names == ["id", "prompt", "response"]
    assert load(tmp_path / "out", "prompt_response_2")["note"][:1] == ["x"]
    assert load(tmp_path / "out", "plain_text").num_rows == 1


def test_a_dataset_without_a_single_record_still_tells_its_features(tmp_path, load):
    """`datasets` cannot load a split that has no record, but it can say what would be in it."""
    import datasets

    write(tmp_path / "in", "a.parquet", bread().slice(5, 1))
    curate(tmp_path)
    info = datasets.load_dataset_builder(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")).info
    assert list(info.features) == ["id", "prompt", "response"]
    assert info.splits["train"].num_examples == 0


def test_a_shard_that_lost_records_is_noticed_on_loading(tmp_path, load):
    curate(tmp_path)
    path = tmp_path / "out" / "data" / "a.parquet"
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table.slice(1), path)
    with pytest.raises(Exception, match="num_examples=7"):
        load(tmp_path / "out")


def test_the_header_says_what_is_declared_and_counted(tmp_path):
    write(
        tmp_path / "in",
        "a.parquet",
        bread().append_column("language", pa.array(["no", "en", "en", "und", "a b", "en"])),
    )
    curate(tmp_path, about=DECLARED)
    told = header(tmp_path / "out")
    assert told["pretty_name"] == "Bread, explained"
    assert told["license"] == "cc-by-4.0"
    assert told["language"] == ["en", "no"]
    assert told["size_categories"] == ["n<1K"]
    assert told["source_datasets"] == ["extended|bakers/bread-qa"]
    assert told["dataset_info"]["splits"][0]["num_examples"] == 5


def test_a_licence_that_the_hub_does_not_know_is_other_and_none_is_unknown(tmp_path):
    curate(tmp_path, about={"licence": "The Bakers' Licence v2"})
    assert header(tmp_path / "out")["license"] == "other"
    assert header(tmp_path / "out")["license_name"] == "the-bakers-licence-v2"
    curate(tmp_path)
    assert header(tmp_path / "out")["license"] == "unknown"


def test_size_categories_are_the_hubs():
    bounds = [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**9, "1B<n<10B"), (10**11, "10B<n<100B")]
    for records, name in bounds:
        assert card.size_category(records) == name


HOSTILE = "---\n# Big\n<script>alert(1)</script> | [x](javascript:alert(1)) `code` ![i](http://e/) \x00"


def test_what_is_declared_cannot_break_out_of_the_page(tmp_path, load):
    hostile = {**DECLARED, "title": HOSTILE, "description": HOSTILE, "sources": [{"name": HOSTILE, "url": "javascript:alert(1)"}],
               "citation": "```\n<script>"}  # fmt: skip
    curate(tmp_path, about=hostile)
    page = (tmp_path / "out" / "README.md").read_text("utf-8").split("---\n\n", 1)[1]
    body = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    assert "<script>" not in body.replace("\\<script", "")
    assert not re.search(r"(?<!\\)\]\(javascript", body)
    assert load(tmp_path / "out").num_rows == 8
    for kind in ("model-card", "eu-summary"):
        assert "<script>" not in training.card([tmp_path / "out"], kind).replace("\\<script", "")


# ---- corpusmill card


def several(tmp_path):
    """A public, a crawled, a third party's, a synthetic one, one that says nothing, and one derived from the first."""
    both = {"model": {"name": "Rye-7B", "url": "https://example.org/rye"}, "seed": "Old bread book"}
    about = {
        "pub": DECLARED,
        "web": {**DECLARED, "origin": "crawled", "title": "Bread of the web", "crawlers": ["CrumbBot/1.0"], "collected_from": "2019",
                "collected_to": "2025-01", "collection_method": "synthetic", "organisation": "Crumb Corp"},
        "third": {**DECLARED, "origin": "third_party", "title": "Their bread"},
        "syn": {**DECLARED, "origin": "synthetic", "title": "Dreamt bread", "seed_datasets": [both["seed"]],
                "generator_models": [both["model"]]},
        "mute": None,
    }  # fmt: skip
    outs = []
    for i, (name, declared) in enumerate(about.items()):
        language = pa.array(["en", "fr", "en", "de", "en", "en"])
        write(tmp_path / f"in-{name}", "a.parquet", bread(6, i).append_column("language", language))
        curate(tmp_path, out=name, about=declared, input=tmp_path / f"in-{name}", name=name)
        outs.append(tmp_path / name)
    curate(tmp_path, out="child", input=tmp_path / "pub", name="child")
    return [*outs, tmp_path / "child"]


@pytest.fixture(scope="module")
def outs(tmp_path_factory):
    return several(tmp_path_factory.mktemp("several"))


def resolve(places, datasets):
    """What a footnote's pointers lead to in the manifests."""
    for label, pointer in re.findall(r"([\w ()]+): `manifest\.json#([^`]*)`", places):
        value = next(d.told for d in datasets if d.label == label.removeprefix("Sum or range of ").strip())
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            value = value[int(step)] if isinstance(value, list) else value[step]
        yield value


@pytest.mark.parametrize("kind", ["model-card", "eu-summary"])
def test_every_footnote_leads_to_a_field_and_every_sum_is_of_its_fields(outs, kind):
    datasets = facts.load(outs)
    text = training.card(outs, kind)
    body, notes = text.split("\n[^1]: ", 1)
    found = dict(re.findall(r"^\[\^(\d+)\]: (.*)$", "[^1]: " + notes, re.MULTILINE))
    used = set(re.findall(r"\[\^(\d+)\]", body))
    assert used == set(found)
    checked = 0
    for number, mark in re.findall(r"(?<![\w.])([\d,]+)\[\^(\d+)\]", body):
        values = list(resolve(found[mark], datasets))
        if all(isinstance(v, int) for v in values):
            assert sum(values) == int(number.replace(",", ""))
            checked += 1
    assert checked > 10


def test_the_model_card_has_the_sections_and_rows_of_what_is_declared(outs):
    text = training.card(outs, "model-card")
    assert "**Total number of datasets:** 6" in text
    assert "in 30[^" in text
    assert "2019 to 2025-01" in text
    assert "hybrid: automated, synthetic" in text
    assert "(declared by 4 of 6 datasets)" in text
    rows = {title: text.split(f"### {title}\n")[1].split("\n###")[0] for title in
            ("Public Datasets", "Crawled and Scraped from Online Sources", "Private Non-publicly Accessible Datasets of Third Parties",
             "Synthetic Datasets", "Datasets of Other or Undeclared Origin", "Language Distribution", "Bias", "Privacy")}  # fmt: skip
    assert "[bread-qa](https://huggingface.co/datasets/bakers/bread-qa) | 2023 to 2024-05" in rows["Public Datasets"]
    assert "Crumb Corp" in rows["Crawled and Scraped from Online Sources"]
    assert "CrumbBot/1.0" in rows["Crawled and Scraped from Online Sources"]
    assert "Their bread" in rows["Private Non-publicly Accessible Datasets of Third Parties"]
    assert "Old bread book" in rows["Synthetic Datasets"]
    assert "[Rye-7B](https://example.org/rye)" in rows["Synthetic Datasets"]
    assert "derived from pub" in rows["Datasets of Other or Undeclared Origin"]
    assert "| en | 18[^" in rows["Language Distribution"]
    assert re.search(r"Known for 30\[\^\d+\] of 30\[", rows["Language Distribution"])
    assert rows["Bias"].count("no audit is recorded") == 6
    assert "`child` is derived from `pub`: what it kept is counted in both" in text


def test_the_eu_summary_has_every_section_and_says_where_there_is_nothing(outs):
    text = training.card(outs, "eu-summary")
    numbers = re.findall(r"^#+ ([23]\.\d[\d.]*) ", text, re.MULTILINE)
    assert numbers == ["2.1", "2.2", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6", "3.1", "3.2"]
    parts = re.split(r"^#+ [23]\.\d[\d.]* .*$", text, flags=re.MULTILINE)
    assert "Bread, explained" in parts[1]
    assert "None of the datasets" in parts[3]
    assert "Their bread" in parts[4]
    assert "CrumbBot/1.0" in parts[5]
    assert "None of the datasets" in parts[6]
    assert "Rye-7B" in parts[7]
    assert "may belong under another heading" in parts[8]
    assert "looked through by hand" in parts[10]


def test_json_has_totals_with_places(outs):
    told = json.loads(training.card(outs, "json"))
    assert told["totals"]["records"]["value"] == 30
    assert len(told["totals"]["records"]["places"]) == len(told["datasets"]) == 6


def test_pairs_and_audits_are_told_where_manifests_have_them(tmp_path):
    told = json.loads(json.dumps(curate(tmp_path, about=DECLARED).manifest))
    told["tables"]["pairs"] = {"(none)": 5, "en-it": 3}
    figure = {"section": "pii", "axis": "EMAIL_ADDRESS", "value": "any", "measure": "records", "among": "records", "numerator": 1,
              "denominator": 8, "share": 0.125, "low": 0.02, "high": 0.47}  # fmt: skip
    told["audit"] = {
        "looked_at": 8,
        "figures": [figure],
        "sentences": ["Of all 8 records, 12.5 % explicitly mention gender."],
    }
    told["digest"] = manifest.digest(told)
    (tmp_path / "out" / "manifest.json").write_bytes(manifest.dump(told))
    text = training.card([tmp_path / "out"], "model-card")
    assert "| en-it | 3[^" in text
    assert "(none)" not in text
    assert "EMAIL_ADDRESS 12.50 % (2.00 to 47.00)" in text
    assert "explicitly mention gender" in text
    assert "`manifest.json#/audit/sentences/0`" in text
    assert "No audit" not in text


def test_estimates_add_up_as_squares():
    def one(total, half):
        tokens = {
            "total": total,
            "low": total - half,
            "high": total + half,
            "exact": half == 0,
            "tokenizer": {"t": "0"},
        }
        return facts.Dataset("x", {"tokens": tokens})

    added = facts.tokens([one(100, 3), one(50, 4), one(10, 0), facts.Dataset("y", {})]).value
    assert (added["total"], added["low"], added["high"], added["exact"]) == (160, 155, 165, False)
    assert (added["counted"], added["of"]) == (3, 4)


def test_the_command_writes_a_file_and_refuses_what_is_no_dataset(corpusmill, tmp_path):
    curate(tmp_path, about=DECLARED)
    corpusmill("card", tmp_path / "out", "--to", tmp_path / "card.md")
    assert corpusmill("card", tmp_path / "out") == (tmp_path / "card.md").read_text("utf-8")
    assert "no dataset at" in corpusmill("card", tmp_path / "in", code=2)
    with pytest.raises(UsageError):
        training.card([tmp_path], "json")


@pytest.mark.parametrize(
    "text", ["a_b_c", "2 * 3", "_x_", "# h", "a|b", "[l](u)", "`c`", "<b>", "~~s~~", "\\", "- item"]
)
def test_escaped_text_shows_as_it_was(text):
    assert re.sub(r"\\([\\`*\[\]<>|~#+\-_])", r"\1", words.plain(text)) == text
