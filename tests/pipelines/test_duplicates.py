"""Duplicates in runs: across shards and runs, with other filters, when records are forgotten, and whoever does the work."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import registry
from filters.duplicates import groups
from pipelines import forget, move, recipe, run, signatures
from pipelines.cli.explain import explain
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import OF, Ledger
from pipelines.verify import verify
from tests.pipelines.conftest import Command, contents, manifest

RECIPE = """
name: distinct
filters:
  - language: {allow: [en]}
  - duplicates: {method: near}
  - pii
"""
SUBJECTS = ["bread", "cheese", "butter", "honey", "coffee", "olive oil", "vinegar", "chocolate", "yoghurt", "pasta"]
TEXT = (
    "To make {0} at home you need patience, clean tools and a cool place, says {1}@mail{1}.net. Begin with the best {0} that you can buy, "
    "taste it, and write down what you find. Then change one thing at a time: heat, time, salt or water. After a week compare "
    "your {0} with the first one, and keep what is better. Most people stop after two attempts, which is a pity. {2}"
)
POLISH = "Aby zrobić w domu {0}, potrzeba cierpliwości, czystych narzędzi i chłodnego miejsca. Numer {1}."


def table(first: int, count: int) -> pa.Table:
    """From 20 on, every second record says what one of the first 20 said, exactly or with one more sentence; every ninth is in Polish."""
    rows = []
    for i in range(first, first + count):
        of = i % 20 if i % 2 else i
        more = "Ask your neighbours for their way of doing it." if of != i and i % 4 == 1 else ""
        text = TEXT.format(SUBJECTS[of % 10], f"p{of}", f"{more} Number {of}{'x' * of}.")
        rows.append((f"r{i:03}", f"How do I make {of}?", POLISH.format(SUBJECTS[i % 10], i) if i % 9 == 4 else text))
    return pa.table(dict(zip(("id", "prompt", "response"), map(list, zip(*rows, strict=True)), strict=True)))


def go(home: Path, out: Path, *overrides: str, workers: int = 1, text: str = RECIPE) -> run.Result:
    """A run in this process."""
    path = out.parent / "recipe.yaml"
    path.write_text(text, "utf-8")
    told = recipe.load(str(path), [f"input.path={home}", f"output.path={out}", *overrides])
    return run.run(told, workers)


def notes(out: Path) -> dict[str, dict]:
    return {r["record_id"]: r for p in sorted((out / "annotations").iterdir()) for r in pq.read_table(p).to_pylist()}


def rows(out: Path, kind: str) -> list[dict]:
    return [r for p in sorted((out / kind).iterdir()) for r in pq.read_table(p).to_pylist()]


def everything(out: Path) -> str:
    """All rows of all Parquet and Arrow files below a folder, those of finished units too."""
    parquet = [str(pq.read_table(p).to_pylist()) for p in out.rglob("*.parquet")]
    arrow = [str(pa.ipc.open_file(p).read_all().select(["id", "row"]).to_pylist()) for p in out.rglob("*.arrow")]
    return "".join(parquet + arrow)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Three shards in two row groups each, and what a run made of them."""
    home = tmp_path_factory.mktemp("duplicates")
    (home / "in").mkdir()
    for name, first, count in (("a", 0, 30), ("b", 30, 30), ("c", 60, 20)):
        pq.write_table(table(first, count), home / "in" / f"{name}.parquet", row_group_size=16)
    go(home / "in", home / "out")
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    """A copy that a test may change."""
    for name in ("in", "out"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def test_duplicates_are_rejected_across_shards_and_name_the_record_that_stands_for_them(made):
    out, found = made / "out", notes(made / "out")
    assert verify(out) == []
    gone = {i: n for i, n in found.items() if n["rejected_by"] == "duplicates"}
    assert {n["reason"] for n in gone.values()} == {"duplicate_exact", "duplicate_near"}
    for record, note in gone.items():
        told = note["duplicates"]["scores"]
        stands = found[told["duplicate_of"]]
        assert stands["kept"]
        assert told["at"] == f"{stands['shard']}:{stands['row']}"
        assert (note["reason"] == "duplicate_exact") == (told["similarity"] == 1.0)
        assert int(record[1:]) % 20 == int(told["duplicate_of"][1:]) % 20
    shards = {(n["shard"], n["duplicates"]["scores"]["at"].partition(":")[0]) for n in gone.values()}
    assert ("b.parquet", "a.parquet") in shards
    assert all(n["duplicates"]["keep"] and n["duplicates"]["scores"]["at"] is None for n in found.values() if n["kept"])


def test_what_another_filter_rejects_neither_stands_for_a_record_nor_is_a_duplicate(made):
    found = notes(made / "out")
    polish = {i for i, n in found.items() if n["language"]["reason"]}
    assert polish == {f"r{i:03}" for i in range(80) if i % 9 == 4}
    assert not any(found[i]["duplicates"]["reason"] for i in polish)
    assert not polish & {n["duplicates"]["scores"]["duplicate_of"] for n in found.values()}


def test_rejected_records_stand_in_the_order_of_the_shard_scrubbed_and_with_their_reason(made):
    out = made / "out"
    told, found = rows(out, "rejected"), notes(out)
    assert [r["id"] for r in told] == sorted(i for i, n in found.items() if not n["kept"])
    for row in told:
        assert (row["rejected_by"], row["reason"]) == (found[row["id"]]["rejected_by"], found[row["id"]]["reason"])
        assert row["reasons"] == [row["reason"]]
    assert "@mail" not in str(told + rows(out, "data"))


def test_the_rest_is_what_a_run_without_the_duplicates_gives(made, tmp_path):
    out = made / "out"
    gone = {i for i, n in notes(out).items() if n["rejected_by"] == "duplicates"}
    (tmp_path / "in").mkdir()
    for path in (made / "in").iterdir():
        whole = pq.read_table(path)
        left = whole.filter(pa.array([i not in gone for i in whole["id"].to_pylist()]))
        pq.write_table(left, tmp_path / "in" / path.name)
    go(tmp_path / "in", tmp_path / "out")
    assert rows(out, "data") == rows(tmp_path / "out", "data")
    ours, fresh = manifest(out), manifest(tmp_path / "out")
    assert (ours["tables"], ours["edits"]) == (fresh["tables"], fresh["edits"])
    assert [f["records_edited"] for f in ours["filters"]] == [f["records_edited"] for f in fresh["filters"]]
    assert fresh["summaries"]["duplicates"]["records"] == 0


def test_the_manifest_and_the_report_tell_clusters_by_size_and_the_largest_by_record_id(made):
    told, found = manifest(made / "out"), notes(made / "out")
    section = told["summaries"]["duplicates"]
    gone = [n for n in found.values() if n["rejected_by"] == "duplicates"]
    by_place = {
        p: 1 + sum(n["duplicates"]["scores"]["at"] == p for n in gone)
        for p in {n["duplicates"]["scores"]["at"] for n in gone}
    }
    assert (section["records"], section["clusters"]) == (len(gone), len(by_place))
    assert section["sizes"] == {str(s): list(by_place.values()).count(s) for s in sorted(set(by_place.values()))}
    assert section["largest"][0]["size"] == max(by_place.values())
    assert {e["at"]: e["size"] for e in section["largest"]}.items() <= by_place.items()
    [of_filter] = [f for f in told["filters"] if f["name"] == "duplicates"]
    assert (
        of_filter["rejected"]
        == of_filter["rejected_first"]
        == sum(r["records"] for r in of_filter["reasons"].values())
        == len(gone)
    )
    assert {e["kept"] for e in section["largest"]} == {n["duplicates"]["scores"]["duplicate_of"] for n in gone}
    page = (made / "out" / "report.html").read_text("utf-8")
    assert section["largest"][0]["kept"] in page


def test_two_workers_in_processes_of_their_own_give_the_same_bytes(made, tmp_path):
    command = Command(tmp_path)
    command.recipe.write_text(RECIPE, "utf-8")
    command.run(made / "in", tmp_path / "two", "--workers", "2")
    assert contents(tmp_path / "two") == contents(made / "out")


def test_cut_short_while_units_are_written_again_the_next_run_ends_with_the_same_bytes(made, tmp_path, monkeypatch):
    calls = []

    def stumbling(unit, staged, *rest):
        calls.append(unit)
        if len(calls) == 2:
            (staged / "data.parquet").write_bytes(b"PAR1")
            raise KeyboardInterrupt
        return move.move(unit, staged, *rest)

    monkeypatch.setattr("pipelines.resolve.move", stumbling)
    with pytest.raises(KeyboardInterrupt):
        go(made / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.undo()
    done = go(made / "in", tmp_path / "out")
    assert done.did == 0
    assert contents(tmp_path / "out") == contents(made / "out")
    assert not list((tmp_path / "out" / ".corpusmill" / "staging").iterdir())


@pytest.mark.slow
def test_killed_at_random_moments_the_same_command_ends_with_the_same_bytes(made, tmp_path):
    command, rng = Command(tmp_path), random.Random(3)
    command.recipe.write_text(RECIPE, "utf-8")
    arguments = ("run", command.recipe, "--input", made / "in", "--output", tmp_path / "out", "--workers", "2")
    for _ in range(8):
        process = command.popen(*arguments, start_new_session=True)
        time.sleep(rng.uniform(0.5, 8))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    command(*arguments)
    told = {k: v for k, v in contents(tmp_path / "out").items() if k != "report.html"}
    assert told == {k: v for k, v in contents(made / "out").items() if k != "report.html"}


def test_nothing_to_do_is_nothing_done(home):
    before = contents(home / "out")
    assert not go(home / "in", home / "out").changed
    assert contents(home / "out") == before


def test_a_new_shard_is_compared_without_judging_the_old_again(home, tmp_path):
    pq.write_table(table(80, 20), home / "in" / "0.parquet")
    done = go(home / "in", home / "out")
    assert done.did == 1
    go(home / "in", tmp_path / "fresh")
    # What changed since the run before is told by the report alone.
    ours, fresh = contents(home / "out"), contents(tmp_path / "fresh")
    assert {k: v for k, v in ours.items() if k != "report.html"} == {
        k: v for k, v in fresh.items() if k != "report.html"
    }
    found = notes(home / "out")
    # It comes first by name, so its records stand for older ones now.
    assert any(
        n["duplicates"]["scores"]["at"] and n["duplicates"]["scores"]["at"].startswith("0.parquet")
        for n in found.values()
    )


def test_a_record_comes_back_when_what_it_duplicates_is_gone(home):
    before = notes(home / "out")
    (home / "in" / "a.parquet").unlink()
    assert go(home / "in", home / "out").did == 0
    found = notes(home / "out")
    back = {i for i, n in found.items() if n["kept"] and not before[i]["kept"]}
    assert back
    assert all(before[i]["duplicates"]["scores"]["at"].startswith("a.parquet") for i in back)
    assert verify(home / "out") == []


def test_another_threshold_judges_nothing_again(home):
    before = manifest(home / "out")
    done = go(home / "in", home / "out", "duplicates.threshold=0.99")
    assert (done.did, done.changed) == (0, True)
    now = manifest(home / "out")
    assert now["recipe"]["fingerprint"] != before["recipe"]["fingerprint"]
    [was, this] = [next(f for f in m["filters"] if f["name"] == "duplicates") for m in (before, now)]
    assert (
        this["reasons"]["duplicate_exact"] == was["reasons"]["duplicate_exact"]
        or "duplicate_near" not in this["reasons"]
    )
    assert this["rejected"] < was["rejected"]
    units = {p.name for p in (home / "out" / ".corpusmill" / "units").glob("*/*")}
    published = {o["unit"] for o in now["outputs"]}
    bases = {r[OF] for u in published if OF in (r := Ledger(home / "out").receipt(u))}
    assert units == published | bases


def matching(*ids: str):
    return lambda batch: np.asarray(pa.compute.is_in(batch.ids, pa.array(ids)))


def cluster(out: Path) -> tuple[str, set[str]]:
    """A record that stands for others, and those."""
    of = {
        i: n["duplicates"]["scores"]["duplicate_of"] for i, n in notes(out).items() if n["rejected_by"] == "duplicates"
    }
    stands = max(of.values(), key=lambda s: sum(v == s for v in of.values()))
    return stands, {i for i, v in of.items() if v == stands}


ASKED = forget.List("gone.txt", "id", "0" * 64, "a letter")


def test_what_duplicates_a_forgotten_record_is_forgotten_with_it_and_stays_out(home):
    out = home / "out"
    stands, copies = cluster(out)
    done = forget.forget(out, matching(stands), ASKED)
    assert (done.kept, done.rejected) == (1, len(copies))
    assert verify(out) == []
    left = everything(out)
    assert not [i for i in (stands, *copies) if i in left]
    told = manifest(out)
    assert stands not in json.dumps(told["summaries"])
    assert told["records"]["read"] == 80 - 1 - len(copies)
    go(home / "in", out)
    # Compared again from what is left, nothing is decided otherwise.
    assert manifest(out) == told


def test_forgetting_that_is_cut_short_is_finished_by_the_next_run(home, monkeypatch):
    out = home / "out"
    stands, _ = cluster(out)

    def fails(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(forget, "republish", fails)
    with pytest.raises(KeyboardInterrupt):
        forget.forget(out, matching(stands), ASKED)
    monkeypatch.undo()
    go(home / "in", out)
    assert verify(out) == []
    assert stands not in everything(out)


@pytest.mark.parametrize("state", ["with its state", "without its state"])
def test_records_of_another_published_dataset_are_duplicates_here(home, tmp_path, state):
    if state == "without its state":
        shutil.rmtree(home / "out" / ".corpusmill")
    (home / "new").mkdir()
    pq.write_table(table(60, 40), home / "new" / "n.parquet")
    text = RECIPE.replace("{method: near}", f"{{method: near, what: prompt, against: [{home / 'out'}]}}")
    go(home / "new", tmp_path / "other", text=text)
    found, theirs = notes(tmp_path / "other"), notes(home / "out")
    against = {i: n["duplicates"]["scores"] for i, n in found.items() if n["duplicates"]["scores"]["dataset"]}
    assert against.keys() >= {f"r{i:03}" for i in range(60, 80) if theirs[f"r{i:03}"]["kept"]}
    for told in against.values():
        stands = theirs[told["duplicate_of"]]
        assert (told["dataset"], told["at"], stands["kept"]) == ("distinct", f"{stands['shard']}:{stands['row']}", True)
    section = manifest(tmp_path / "other")
    assert section["summaries"]["duplicates"]["against"] == {"distinct": len(against)}
    assert manifest(home / "out")["data_digest"] in str(section["filters"])
    assert str(home) not in json.dumps(section["filters"])


def test_what_another_dataset_adds_later_is_compared_too_and_ours_is_not_judged_again(home, tmp_path):
    (home / "new").mkdir()
    pq.write_table(table(60, 40), home / "new" / "n.parquet")
    text = RECIPE.replace("{method: near}", f"{{method: near, against: [{home / 'out'}]}}")
    go(home / "new", tmp_path / "other", text=text)
    first = manifest(tmp_path / "other")["summaries"]["duplicates"]["against"]["distinct"]
    pq.write_table(table(80, 20), home / "in" / "d.parquet")
    go(home / "in", home / "out")
    done = go(home / "new", tmp_path / "other", text=text)
    assert (done.did, done.changed) == (0, True)
    assert manifest(tmp_path / "other")["summaries"]["duplicates"]["against"]["distinct"] > first


@pytest.mark.parametrize("what", ["nothing", "itself", "itself by a link", "a URL"])
def test_against_what_is_no_other_dataset_is_one_line_before_any_work(home, tmp_path, what):
    (tmp_path / "link").symlink_to(home / "out")
    place = {
        "nothing": tmp_path / "nowhere",
        "itself": home / "out",
        "itself by a link": tmp_path / "link",
        "a URL": "s3://b/c",
    }
    text = RECIPE.replace("{method: near}", f"{{against: [{place[what]}]}}").replace("[en]", "[en, pl]")
    units = sorted((home / "out" / ".corpusmill" / "units").glob("*/*"))
    with pytest.raises(UsageError, match="duplicates: against"):
        go(home / "in", home / "out", text=text)
    assert sorted((home / "out" / ".corpusmill" / "units").glob("*/*")) == units


@pytest.mark.parametrize("meanwhile", ["it is gone", "another working directory"])
def test_forgetting_compares_with_another_dataset_as_it_was(home, tmp_path, monkeypatch, meanwhile):
    """Whoever asks to be forgotten must not wait for a dataset that somebody has deleted."""
    (home / "new").mkdir()
    pq.write_table(table(60, 40), home / "new" / "n.parquet")
    monkeypatch.chdir(home)
    out, text = tmp_path / "other", RECIPE.replace("{method: near}", "{method: near, what: prompt, against: [out]}")
    go(home / "new", out, text=text)
    before = notes(out)
    if meanwhile == "it is gone":
        shutil.rmtree(home / "out")
    else:
        monkeypatch.chdir(tmp_path)
    gone = next(i for i, n in before.items() if n["kept"])
    assert forget.forget(out, matching(gone), ASKED).kept == 1
    assert verify(out) == []
    assert {i: n["reason"] for i, n in notes(out).items()} == {i: n["reason"] for i, n in before.items() if i != gone}


def test_forgetting_that_cannot_compare_changes_nothing(home, tmp_path):
    text = RECIPE.replace("{method: near}", f"{{method: near, what: prompt, against: [{home / 'out'}]}}")
    go(home / "in", tmp_path / "other", text=text)
    shutil.rmtree(home / "out")
    (tmp_path / "other" / ".corpusmill" / "against.json").unlink()
    before = contents(tmp_path / "other")
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        forget.forget(tmp_path / "other", matching("r000"), ASKED)
    assert contents(tmp_path / "other") == before


def test_counterfactual_copies_are_not_duplicates_of_what_they_were_made_from(tmp_path):
    (tmp_path / "in").mkdir()
    prose = "The nurse said that she had lost her keys, so her brother drove her home and his wife made tea for her. {}"
    texts = [prose.format(f"Story {i} {'and so on ' * i}") for i in range(4)] + [prose.format("Story 0 ")]
    pq.write_table(pa.table({"prompt": ["Tell me a story."] * 5, "response": texts}), tmp_path / "in" / "a.parquet")
    text = RECIPE.replace("  - pii\n", "").replace("near", "near, threshold: 0.98")
    go(tmp_path / "in", tmp_path / "out", "input.augment=counterfactual", text=text)
    found = [pq.read_table(p)["kept"].to_pylist() for p in (tmp_path / "out" / "annotations").iterdir()]
    assert found == [[True, True, True, True, False]] * 2


def test_explain_tells_what_comparing_came_to(made):
    recorded = recipe.load(str(made / "recipe.yaml"), [f"input.path={made / 'in'}", f"output.path={made / 'out'}"])
    stands, copies = cluster(made / "out")
    told = explain(recorded, min(copies))
    assert "rejected by duplicates: duplicate_" in told
    assert f"duplicate_of = {stands}" in told
    assert "compares all records" in explain(recorded, stands)


def test_signatures_hold_no_text(made):
    for path in (made / "out" / ".corpusmill").rglob("*.arrow"):
        raw = path.read_bytes()
        assert b"patience" not in raw
        assert b"@mail" not in raw


def test_beyond_some_thousand_units_signatures_are_read_and_not_mapped(home, tmp_path, monkeypatch):
    """A process may have 65,530 maps on Linux: here at most one, and the same records go. What is mapped is seen in /proc."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("no /proc here")
    seen, resolved = [], registry.load("duplicates").resolve

    def watched(parts, options):
        seen.append(Path("/proc/self/maps").read_text("utf-8").count("signatures-duplicates.arrow"))
        return resolved(parts, options)

    monkeypatch.setattr(signatures, "MAPS", 1)
    monkeypatch.setattr(registry.load("duplicates"), "resolve", watched)
    before = {i: n["reason"] for i, n in notes(home / "out").items()}
    go(home / "in", tmp_path / "again")
    assert {i: n["reason"] for i, n in notes(tmp_path / "again").items()} == before
    assert len(list((tmp_path / "again" / "data").iterdir())) > 1
    assert seen == [1]


def test_no_room_for_temporary_files_is_told_in_a_line(home, tmp_path, monkeypatch):
    """Found out before they are written to: a map of a file on a full disk kills whoever writes to it, without a word."""

    def full(_handle, _start, _size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(groups, "IN_MEMORY", 0)
    monkeypatch.setattr(groups.os, "posix_fallocate", full, raising=False)
    with pytest.raises(
        OutputError, match=r"No space left on device: comparing needs .* GB of temporary files \(TMPDIR"
    ):
        go(home / "in", home / "out", "duplicates.threshold=0.5")
    assert verify(home / "out") == []
