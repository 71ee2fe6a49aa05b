"""The command's words: recipes, overrides, plan, filters, explain."""

from __future__ import annotations

import subprocess
import sys

import pytest

from filters import registry
from pipelines import recipe
from pipelines.errors import UsageError


def test_dates_and_norwegian_in_a_recipe_are_text():
    """YAML 1.1 would read a date object and False."""
    document = recipe._parse(
        "name: a\nwhen: 2026-03-01\nlanguages: [no, en, on]\nsure: [true, False, 1, 0.5, null]", "a.yaml"
    )
    assert document == {
        "name": "a",
        "when": "2026-03-01",
        "languages": ["no", "en", "on"],
        "sure": [True, False, 1, 0.5, None],
    }


def test_help_and_plan_import_nothing_heavy(corpusmill, shards):
    """Start-up is kept by what is not imported; seconds depend on the machine."""
    heavy = "presidio_analyzer", "spacy", "numba", "fasttext", "torch", "datasets"
    for arguments in (["--help"], ["plan", "default", "--input", str(shards)]):
        code = (
            "import sys; from pipelines.cli import main\n"
            f"try: main({arguments!r})\nexcept SystemExit: pass\n"
            f"print('HEAVY', [m for m in {heavy!r} if m in sys.modules])"
        )
        said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
        assert said.endswith("HEAVY []\n")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("language.alow=[en]", "no option 'alow' (did you mean 'allow'?)"),
        ("langage.allow=[en]", "no 'langage' (did you mean 'language'?)"),
        ("language.allow", "write it as filter.option=value"),
        ("output.row_group_bytes=12", "row_group_bytes"),
        ("output.compression=zip", "compression"),
    ],
)
def test_a_wrong_override_is_one_line_with_the_nearest_name(corpusmill, shards, tmp_path, override, said):
    assert said in corpusmill.run(shards, tmp_path / "out", "--set", override, code=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nfilters: [languge]", "did you mean 'language'"),
        ("name: a\nfiltrs: [language]", "did you mean 'filters'"),
        ("name: ../../etc\nfilters: [language]", "name must be"),
        ("name: a\nfilters: [language, language]", "stands twice"),
        ("name: a\nfilters: []", "filters must be a list"),
        ("name: a\nname: b\nfilters: [language]", "given twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("name: a\nfilters: [{language: {allow: 3}}]", "language"),
        ("name: a\nfilters: ['datatrove.os.system']", "datatrove has no filter"),
        ("name: a\nfilters: ['os:system']", "no filter 'os:system'"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("- a list", "a recipe is a mapping"),
        ("name: [unclosed", "not YAML"),
    ],
)
def test_a_wrong_recipe_is_one_line(corpusmill, text, said):
    corpusmill.recipe.write_text(text)
    assert said in corpusmill("plan", corpusmill.recipe, "--input", ".", code=2)


def test_a_recipe_that_is_not_there(corpusmill):
    assert "none of the shipped default" in corpusmill("plan", "nowhere.yaml", code=2)


def test_every_shipped_recipe_loads():
    for name in recipe.shipped():
        assert recipe.load(name).name == name


def test_overrides_reach_the_fingerprint_and_paths_do_not():
    base = recipe.load("default")
    assert recipe.load("default", ["language.allow=[en]"]).fingerprint() != base.fingerprint()
    assert recipe.load("default", ["input.path=elsewhere"]).fingerprint() == base.fingerprint()
    with pytest.raises(UsageError):
        recipe.load("default", ["input.columns={prompt: 3}"])


def test_plan_shows_schemas_and_work_and_writes_nothing(corpusmill, shards, tmp_path):
    said = corpusmill("plan", corpusmill.recipe, "--input", shards, "--output", tmp_path / "out")
    assert "prompt/response: 4 shards" in said
    assert "prompt = prompt, response = response, id = id" in said
    assert "4 of 4 units to do, 160 records" in said
    assert not (tmp_path / "out").exists()
    corpusmill.run(shards, tmp_path / "out")
    assert "0 of 4 units to do" in corpusmill(
        "plan", corpusmill.recipe, "--input", shards, "--output", tmp_path / "out"
    )


def test_filters_lists_every_filter_with_its_options_and_reasons(corpusmill):
    listed = corpusmill("filters")
    for name in registry.names():
        assert name in listed
        shown = corpusmill("filters", name)
        for reason in registry.load(name).reasons:
            assert reason in shown
        for option in registry.load(name).Options.__struct_fields__:
            assert f"  {option} = " in shown
    assert "did you mean 'language'" in corpusmill("filters", "langauge", code=2)


def test_explain_by_file_and_row_and_by_id(corpusmill, shards, tmp_path):
    by_row = corpusmill("explain", corpusmill.recipe, f"{shards}/s0.parquet:3", "--input", shards)
    assert "rejected by language" in by_row
    assert by_row == corpusmill("explain", corpusmill.recipe, "0-3", "--input", shards)
    corpusmill.run(shards, tmp_path / "out")
    assert by_row == corpusmill("explain", corpusmill.recipe, "0-3", "--input", shards, "--output", tmp_path / "out")
    assert "kept" in corpusmill("explain", corpusmill.recipe, "0-4", "--input", shards)
    assert "no record 'nobody'" in corpusmill("explain", corpusmill.recipe, "nobody", "--input", shards, code=2)
    assert "has no row 400" in corpusmill(
        "explain", corpusmill.recipe, f"{shards}/s0.parquet:400", "--input", shards, code=2
    )


def test_rule_packs_are_listed_and_tested(corpusmill, tmp_path):
    assert "nationalism" in corpusmill("rules", "list")
    assert "passes" in corpusmill("rules", "test", "refusals")
    pack = tmp_path / "mine.yaml"
    rule = "{id: slogan, lang: en, about: a slogan, pattern: '%s', match: [acme is best], no_match: [acme is old]}"
    text = "name: mine\nversion: 1\nabout: slogans\nrules: [" + rule + "]\ncontrols: [acme was founded]\n"
    pack.write_text(text % r"acme\s+is\s+best", "utf-8")
    assert "mine 1: passes" in corpusmill("rules", "test", pack)
    pack.write_text(text % "acme", "utf-8")
    said = corpusmill("rules", "test", pack, code=3)
    assert "must not match: acme is old" in said
    assert "control dropped by mine/slogan" in said
    pack.write_text(text % "acme(", "utf-8")
    assert "mine/slogan" in corpusmill("rules", "test", pack, code=2)
    assert "no rule pack" in corpusmill("rules", "test", "nonesuch", code=2)
