"""Records taken out of what was published: they are gone, everything else stands, and the trail says what was done."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import forget
from pipelines.errors import OutputError, UsageError
from pipelines.forget import List
from pipelines.verify import verify
from tests.pipelines.conftest import Command, contents, manifest

RECIPE = "name: published\nfilters:\n  - language: {allow: [en]}\n  - pii\n"
ASKED = List("gone.txt", "id", "0" * 64, "a letter")


def rows(numbers) -> pa.Table:
    """Every fifth answer in Polish, every seventh question; an address in each answer, three licences."""
    asked = {True: "Dlaczego chleb rośnie w piekarniku?", False: "Why does bread rise in the oven?"}
    text = {
        True: "Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto go zatrzymuje. Numer {}, {}@mail{}.net.",
        False: "Bread rises because yeast gives off gas, and dough holds it in. Number {}, write to {}@mail{}.net.",
    }
    return pa.table(
        {
            "id": [f"r{i}" for i in numbers],
            "license": [("MIT", "Apache-2.0", "CC-BY-4.0")[i % 3] for i in numbers],
            "prompt": [asked[i % 7 == 0] for i in numbers],
            "response": [text[i % 5 == 4].format(i, f"person{i}", i) for i in numbers],
        }
    )


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("forget"))
    command.recipe.write_text(RECIPE, "utf-8")
    return command


@pytest.fixture(scope="module")
def made(corpusmill):
    """Three shards, and what a run made of them."""
    (corpusmill.home / "in").mkdir()
    for name, numbers in (("a", range(40)), ("b", range(40, 70)), ("c", range(70, 90))):
        pq.write_table(rows(numbers), corpusmill.home / "in" / f"{name}.parquet", row_group_size=16)
    corpusmill.run(corpusmill.home / "in", corpusmill.home / "out")
    return corpusmill.home


@pytest.fixture
def out(made, tmp_path):
    """A copy that a test may change."""
    for name in ("in", "out"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path / "out"


def matching(*numbers: int):
    wanted = pa.array([f"r{i}" for i in numbers])
    return lambda batch: np.asarray(pa.compute.is_in(batch.ids, wanted))


def everything(out) -> str:
    """All rows of all Parquet files below a folder, those of finished units too."""
    return "".join(str(pq.read_table(p).to_pylist()) for p in out.rglob("*.parquet"))


def test_the_records_are_gone_from_every_file_and_the_dataset_is_sound(out):
    assert "person3@" not in everything(out)  # scrubbed
    done = forget.forget(out, matching(3, 4, 44, 64), ASKED)
    assert (done.kept, done.rejected) == (1, 3)
    assert verify(out) == []
    left = everything(out)
    for number in (3, 4, 44, 64):
        assert f"'r{number}'" not in left
        assert f"Number {number}," not in left
        assert f"Numer {number}," not in left
    assert "'r5'" in left


def test_the_manifest_counts_what_a_run_without_them_would(corpusmill, out, tmp_path):
    gone = (3, 4, 9, 44, 50)
    forget.forget(out, matching(*gone), ASKED)
    (tmp_path / "less").mkdir()
    for path in (tmp_path / "in").glob("*.parquet"):
        table = pq.read_table(path)
        stay = [name not in {f"r{i}" for i in gone} for name in table["id"].to_pylist()]
        pq.write_table(table.filter(pa.array(stay)), tmp_path / "less" / path.name)
    corpusmill.run(tmp_path / "less", tmp_path / "fresh")
    after, fresh = manifest(out), manifest(tmp_path / "fresh")
    for told in (after, fresh):
        for rule in [r for f in told["filters"] for part in ("rules", "reasons") for r in f[part].values()]:
            del rule["examples"]  # rows that come after a record that is gone have other numbers in the fresh run
    for part in ("records", "filters", "edits", "tables"):
        assert after[part] == fresh[part], part
    for kind in ("data", "rejected", "annotations"):
        for path in sorted((out / kind).glob("*.parquet")):
            here, there = pq.read_table(path), pq.read_table(tmp_path / "fresh" / kind / path.name)
            assert here.schema.equals(there.schema, check_metadata=True)
            if kind != "annotations":
                assert here.equals(there)


def test_what_was_untouched_keeps_its_bytes(out):
    before = contents(out)
    forget.forget(out, matching(3), ASKED)
    after = contents(out)
    changed = {name for name in before if before[name] != after[name]}
    pages = {"manifest.json", "report.html", "README.md", "croissant.json", "provenance.intoto.json"}
    assert changed == {"data/a.parquet", "annotations/a.parquet", *pages}


def test_the_trail_says_when_and_on_whose_word_and_not_who(out):
    forget.forget(out, matching(3, 4), ASKED)
    [entry] = manifest(out)["forgotten"]
    assert {k: v for k, v in entry.items() if k != "date"} == {
        "list": "gone.txt", "kind": "id", "source": "a letter", "sha256": "0" * 64, "records": 2, "kept": 1, "rejected": 1,
    }  # fmt: skip
    forget.forget(out, matching(5), ASKED)
    assert [e["records"] for e in manifest(out)["forgotten"]] == [2, 1]
    assert "taken out" in (out / "report.html").read_text("utf-8")


def test_nobody_found_changes_nothing(out):
    before = contents(out)
    assert forget.forget(out, matching(1000), ASKED).records == 0
    assert forget.forget(out, matching(3), ASKED, do=False).records == 1
    assert contents(out) == before


def test_derived_datasets_say_that_they_are_stale(corpusmill, out, tmp_path):
    corpusmill.run(out, tmp_path / "child")
    corpusmill("lineage", tmp_path / "child")
    forget.forget(out, matching(3), ASKED)
    said = corpusmill("lineage", tmp_path / "child", code=3)
    assert "stale" in said
    assert "1 records were forgotten" in said


@pytest.mark.parametrize("cut", ["republish", "replace"])
def test_cut_short_it_is_finished_by_whoever_comes_next(corpusmill, out, tmp_path, monkeypatch, cut):
    """Stopped right after the journal, and in the middle of publishing, as a kill would."""
    from pipelines import publish

    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(forget if cut == "republish" else publish, cut, stop)
    with pytest.raises(KeyboardInterrupt):
        forget.forget(out, matching(3), ASKED)
    monkeypatch.undo()
    corpusmill.run(tmp_path / "in", out)
    assert verify(out) == []
    assert "'r3'" not in everything(out)
    assert manifest(out)["forgotten"][0]["records"] == 1


def test_a_run_does_not_bring_them_back(corpusmill, out, tmp_path):
    forget.forget(out, matching(3), ASKED)
    assert "nothing to do" in corpusmill.run(tmp_path / "in", out)
    assert "'r3'" not in everything(out)
    said = corpusmill.run(tmp_path / "in", out, "--set", "pii.action=mask", code=2)
    assert "would bring them back" in said
    assert verify(out) == []


def test_without_its_finished_units_it_refuses(out, tmp_path):
    shutil.rmtree(out / ".corpusmill" / "units")
    with pytest.raises(UsageError, match="run its recipe again first"):
        forget.forget(out, matching(3), ASKED)
    with pytest.raises(UsageError, match="no dataset"):
        forget.forget(tmp_path, matching(3), ASKED)
    assert json.loads((out / "manifest.json").read_text("utf-8"))["records"]["read"] == 90


def test_the_command_forgets_whom_a_list_names(corpusmill, out, tmp_path):
    (tmp_path / "gone.csv").write_text("who,record\nann,r3\nbob,r4\ncy,r1000\n", "utf-8")
    asked = ("forget", out, "--match", tmp_path / "gone.csv", "--kind", "id", "--column", "record")
    before = contents(out)
    assert "2 records would go (1 in data/, 1 in rejected/)" in corpusmill(*asked, "--dry-run")
    assert contents(out) == before
    said = corpusmill(*asked, "--source", "a letter", "--date", "2026-03-01")
    assert "2 records are gone" in said and "gone.csv" in said
    [entry] = manifest(out)["forgotten"]
    assert (entry["list"], entry["source"], entry["asked"]) == ("gone.csv", "a letter", "2026-03-01")
    assert verify(out) == []
    assert "nothing was changed" in corpusmill(*asked)
    for wrong, why in ((("--column", "x"), "has no column 'x'"), (("--kind", "domain"), "is no domain"),
                       (("--date", "soon"), "write it as"), (("--match", tmp_path / "no.txt"), "cannot be read")):  # fmt: skip
        assert why in corpusmill(*asked, *wrong, code=2)


def test_a_list_in_the_recipe_keeps_them_out_and_nothing_of_them_is_left(corpusmill, out, tmp_path):
    """The same list, by name, in the next recipe: nobody comes back, not even to rejected/."""
    listed = tmp_path / "gone.txt"
    listed.write_text("r3\nr4\n", "utf-8")
    corpusmill("forget", out, "--match", listed, "--kind", "id")
    recipe = tmp_path / "with.yaml"
    recipe.write_text(RECIPE + f"  - optout: {{lists: [{{path: {listed}, kind: id, date: 2026-03-01}}]}}\n", "utf-8")
    corpusmill.run(tmp_path / "in", out, recipe=recipe)
    told = manifest(out)
    assert told["records"]["read"] == 90
    assert next(f for f in told["filters"] if f["name"] == "optout")["reasons"] == {
        "opted_out_id": {"records": 2, "first": 1}
    }
    assert told["forgotten"][0]["records"] == 2
    rejected = pa.concat_tables(pq.read_table(p) for p in sorted((out / "rejected").glob("*.parquet")))
    texts = [r for r in rejected.to_pylist() if "opted_out_id" in r["reasons"]]
    assert [(r["id"], r["prompt"], r["response"], r["license"]) for r in texts] == [(None,) * 4] * 2
    assert {r["reason"] for r in texts} == {"opted_out_id", "language_not_allowed"}
    left = "".join(str(pq.read_table(p).to_pylist()) for k in ("data", "rejected") for p in (out / k).glob("*.parquet"))
    assert "Number 3," not in left and "Numer 4," not in left and "Number 5," in left
    assert verify(out) == []


@pytest.fixture
def stubborn(out):
    """A record in a place that nothing can be deleted from, where this machine lets us make one."""
    place = out / ".corpusmill" / "refused"
    place.mkdir()
    file = place / "a.parquet"
    pq.write_table(rows([3]), file)
    if subprocess.run(["chattr", "+i", file], capture_output=True, check=False).returncode:
        pytest.skip("this test needs a file system with immutable files, and root")
    yield file
    subprocess.run(["chattr", "-i", file], capture_output=True, check=False)


def test_what_cannot_be_deleted_is_told_and_done_once_it_can(corpusmill, out, tmp_path, stubborn):
    """Nobody is told that a record is gone while a file of it stands."""
    with pytest.raises(OutputError, match="refused may hold what was to go"):
        forget.forget(out, matching(3), ASKED)
    subprocess.run(["chattr", "-i", stubborn], check=True)
    assert "person3@" in everything(out)
    corpusmill.run(tmp_path / "in", out)
    assert "person3@" not in everything(out)
    assert verify(out) == []
