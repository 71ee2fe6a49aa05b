"""What a recipe declares of its data, and what happens where it does not."""

from __future__ import annotations

import json

import pytest

from pipelines import manifest, recipe
from pipelines.errors import UsageError
from pipelines.provenance import about
from pipelines.verify import verify
from tests.pipelines.conftest import contents
from tests.pipelines.provenance import DECLARED, curate, wanted


def test_an_unknown_field_is_refused_with_the_nearest_that_exists():
    for given, nearest in (({"orgin": "public"}, "origin"), ({"sources": [{"nmae": "x"}]}, "name")):
        with pytest.raises(UsageError, match=f"did you mean '{nearest}'") as error:
            about.parse(given, "r.yaml")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        {"origin": "the web"},
        {"collected_from": "May 2024"},
        {"collected_to": "2024-13"},
        {"collected_to": "2023-02-30"},
        {"collected_from": "2025", "collected_to": "2024-12"},
        {"sources": [{"name": "x", "collected_from": "then"}]},
        {"sources": [""]},
        {"urls": "https://example.org"},
        {"version": 1.1},
        ["title"],
        "public",
    ],
)
def test_what_makes_no_sense_is_a_usage_error(given):
    with pytest.raises(UsageError):
        about.parse(given, "r.yaml")


@pytest.mark.parametrize("given", [{"description": "ask a.b@example.org"}, {"sources": [{"name": "of a@b.example"}]}])
def test_an_address_of_a_person_may_only_be_the_contact(given):
    with pytest.raises(UsageError, match="e-mail"):
        about.parse(given, "r.yaml")
    assert about.parse({"contact": "a.b@example.org"}, "r.yaml").contact == "a.b@example.org"


def test_periods_may_be_years_months_or_days_and_years_may_be_numbers():
    told = about.parse({"collected_from": 2024, "collected_to": "2024-02-29"}, "r")
    assert (told.collected_from, told.collected_to) == ("2024", "2024-02-29")
    about.parse({"collected_from": "2024-05", "collected_to": "2024"}, "r")


def test_nothing_declared_is_all_undeclared_and_everything_declared_is_nothing():
    assert about.undeclared(about.About()) == [n for n in about.About.__struct_fields__ if n in about.ALWAYS]
    assert about.undeclared(about.parse(DECLARED, "r")) == []


def test_an_origin_asks_for_what_belongs_to_it_and_an_empty_list_is_an_answer():
    told = {**DECLARED, "origin": "synthetic"}
    assert about.undeclared(about.parse(told, "r")) == ["seed_datasets", "generator_models"]
    assert about.undeclared(about.parse({**told, "seed_datasets": [], "generator_models": ["m"]}, "r")) == []
    assert "crawlers" in about.undeclared(about.parse({"origin": "crawled"}, "r"))


def test_the_manifest_has_nulls_and_the_list_of_what_is_undeclared(tmp_path):
    told = curate(tmp_path, about={"title": "Bread", "origin": "own"}).manifest
    assert told["about"]["title"] == "Bread"
    assert told["about"]["licence"] is None
    assert "licence" in told["about"]["undeclared"]
    assert "strict" not in told["about"]
    assert verify(tmp_path / "out") == []


def test_another_description_publishes_again_and_does_no_work(tmp_path):
    first = curate(tmp_path, about=DECLARED)
    before = contents(tmp_path / "out")
    second = curate(tmp_path, about={**DECLARED, "description": "Crumbs."})
    after = contents(tmp_path / "out")
    assert (first.did, second.did) == (2, 0)
    assert first.manifest["digest"] != second.manifest["digest"]
    assert first.manifest["recipe"] == second.manifest["recipe"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed >= {"manifest.json", "README.md", "croissant.json", "provenance.intoto.json"}
    assert not [name for name in changed if name.endswith(".parquet")]
    assert b"Crumbs" in after["README.md"]
    assert verify(tmp_path / "out") == []


def test_strict_refuses_before_any_work_and_names_what_is_missing(tmp_path):
    few = {"strict": True, "title": "Bread"}
    with pytest.raises(UsageError, match="about does not declare description, version, origin") as error:
        curate(tmp_path, about=few)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
    assert curate(tmp_path, about={**DECLARED, "strict": True}).exit_code == 0


def test_strict_on_the_command_line(corpusmill, shards, tmp_path):
    said = corpusmill.run(shards, tmp_path / "out", "--strict", code=2)
    assert said.count("\n") == 1
    assert "licence" in said


def test_set_overrides_a_declaration_and_leaves_the_fingerprint(tmp_path):
    document = {"name": "x", "filters": ["optout"], "about": {"title": "A"}}
    one, other = (recipe.overridden(document, o) for o in ((), ["about.title=B", "about.collected_to=2024-05-01"]))
    assert (one.about.title, other.about.title, other.about.collected_to) == ("A", "B", "2024-05-01")
    assert one.fingerprint() == other.fingerprint()


def test_a_derived_dataset_shows_the_declared_origin_at_its_leaves(corpusmill, tmp_path):
    curate(tmp_path, about=DECLARED)
    curate(tmp_path, out="child", input=tmp_path / "out", name="child")
    said = corpusmill("lineage", tmp_path / "child")
    assert "origin: publicly available datasets, Old bread book, bread-qa" in said
    assert said.count("origin:") == 1
    tree = json.loads(corpusmill("lineage", tmp_path / "child", "--json"))
    assert tree["parents"][0]["origin"] == "public"
    curate(tmp_path, about={**DECLARED, "title": "Other words"})
    corpusmill("lineage", tmp_path / "child")  # what is only said about the parent leaves the child alone


def test_the_manifest_is_as_its_schema_says_with_everything_declared(tmp_path):
    import jsonschema

    told = curate(tmp_path, about=DECLARED).manifest
    jsonschema.validate(json.loads(json.dumps(told)), manifest.json_schema())
    assert set(about.About.__struct_fields__) - {"strict"} == set(told["about"]) - {"undeclared"}
    assert wanted(tmp_path, about=DECLARED).about.version == "1.10"
