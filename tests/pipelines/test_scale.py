"""Many units: what is summed, packed and remembered is what reading everything anew would give."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.language import LanguageFilter
from pipelines import fingerprints, manifest, packs, progress, recipe
from pipelines import shards as shards_module
from pipelines.errors import OutputError
from pipelines.formats import parquet
from pipelines.index import NOWHERE, Index, to_hex
from pipelines.ledger import Ledger
from pipelines.run import plan_of
from pipelines.shards import Shard, Shards, find
from pipelines.totals import Fewest, Totals
from pipelines.units import Plan
from pipelines.verify import verify
from pipelines.write import fewest, table_names
from tests.pipelines.conftest import contents, write_shard

LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé\u2028"\n', max_size=3)
)  # fmt: skip
ENTRY = st.dictionaries(st.sampled_from(["a", "é", '"']), LEAF | st.lists(LEAF, max_size=2), max_size=3)
MANIFEST = st.dictionaries(st.sampled_from(["é", "a", "b"]), LEAF | ENTRY | st.lists(ENTRY, max_size=6), max_size=3)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    made = Ledger(tmp_path / "out")
    made.prepare()
    return made


def commit(ledger: Ledger, numbers: range) -> list[str]:
    """Finished units with a receipt each; their keys."""
    keys = [f"{n:040x}"[::-1] for n in numbers]
    for key, n in zip(keys, numbers, strict=True):
        ledger.unit(key).mkdir(parents=True)
        (ledger.unit(key) / "receipt.json").write_text(json.dumps({"key": key, "n": n, "output": "s.parquet"}), "utf-8")
    return keys


def blind(ledger: Ledger) -> None:
    """Take every receipt out of its unit's folder: what is found then was not read from there."""
    for path in ledger.root.glob("units/*/*/receipt.json"):
        path.unlink()


def test_units_that_are_packed_are_found_without_opening_their_receipts(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 10)
    keys = commit(ledger, range(1500))
    assert dict(packs.of(ledger, keys)) == {key: ledger.receipt(key) for key in keys}
    blind(ledger)
    random.Random(3).shuffle(keys)
    found = packs.of(ledger, keys)
    assert [found[key]["key"] for key in keys] == keys
    assert list(found) == keys
    assert "f" * 40 not in found
    assert "no key" not in found


def test_a_unit_whose_folder_is_gone_is_not_done_whatever_a_pack_says(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    [kept, gone] = commit(ledger, range(2))
    packs.of(ledger, [kept, gone])
    shutil.rmtree(ledger.unit(gone))
    assert list(packs.of(ledger, [kept, gone])) == [kept]


def test_a_unit_that_was_made_anew_is_read_anew(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    [key] = commit(ledger, range(1))
    assert packs.of(ledger, [key])[key]["n"] == 0
    new = ledger.stage(key)
    (new / "receipt.json").write_text('{"n": 7, "output": "s.parquet"}', "utf-8")
    shutil.rmtree(ledger.unit(key))
    new.rename(ledger.unit(key))
    assert packs.of(ledger, [key])[key]["n"] == 7


@pytest.mark.parametrize(
    "harm", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: bytes(len(b)), lambda b: b"PAR1" * 9]
)
def test_a_torn_pack_is_made_again_from_the_folders(ledger, monkeypatch, harm):
    monkeypatch.setattr(packs, "LEAST", 1)
    keys = commit(ledger, range(30))
    packs.of(ledger, keys)
    [pack] = (ledger.root / packs.FOLDER).iterdir()
    pack.write_bytes(harm(pack.read_bytes()))
    assert sorted(r["n"] for r in packs.of(ledger, keys).values()) == list(range(30))
    blind(ledger)
    assert len(packs.of(ledger, keys)) == 30


def test_pages_of_a_pack_that_are_spoilt_cost_a_look_into_the_folders(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    keys = commit(ledger, range(30))
    packs.of(ledger, keys)
    [pack] = (ledger.root / packs.FOLDER).iterdir()
    column = pq.read_metadata(pack).row_group(0).column(2)
    data = bytearray(pack.read_bytes())
    at = column.data_page_offset
    data[at : at + column.total_compressed_size] = bytes(column.total_compressed_size)
    pack.write_bytes(data)
    assert sorted(r["n"] for r in packs.of(ledger, keys).values()) == list(range(30))


def test_a_packed_receipt_that_leads_out_of_the_dataset_is_not_believed(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    [key] = commit(ledger, range(1))
    packs.of(ledger, [key])
    [pack] = (ledger.root / packs.FOLDER).iterdir()
    rows = pq.read_table(pack).to_pylist()
    forged = [{**r, "receipt": b'{"n": 9, "output": "../../elsewhere.parquet"}'} for r in rows]
    pq.write_table(pa.Table.from_pylist(forged, packs.SCHEMA), pack)
    assert packs.of(ledger, [key])[key]["n"] == 0


def test_packs_do_not_grow_in_number_without_end(ledger, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    keys: list[str] = []
    for n in range(3 * packs.MOST):
        keys += commit(ledger, range(n * 3, n * 3 + 3))
        assert len(packs.of(ledger, keys)) == len(keys)
    assert len(list((ledger.root / packs.FOLDER).iterdir())) <= packs.MOST
    blind(ledger)
    assert sorted(r["n"] for r in packs.of(ledger, keys).values()) == list(range(len(keys)))


def test_few_units_leave_no_pack_and_whoever_only_looks_leaves_none_either(ledger):
    few = commit(ledger, range(packs.LEAST - 1))
    assert len(packs.of(ledger, few)) == len(few)
    many = [*few, *commit(ledger, range(packs.LEAST, packs.LEAST + 2))]
    assert len(packs.of(ledger, many, pack=False)) == len(many)
    assert not (ledger.root / packs.FOLDER).exists()


def test_runs_with_packs_end_with_the_bytes_of_runs_without(corpusmill, shards, tmp_path, monkeypatch):
    corpusmill.run(shards, tmp_path / "plain")
    monkeypatch.setattr(packs, "LEAST", 1)
    out = tmp_path / "packed"
    corpusmill.run(shards, out)
    assert list((out / ".corpusmill" / packs.FOLDER).iterdir())
    assert contents(out) == contents(tmp_path / "plain")
    assert "0 of" in corpusmill("plan", corpusmill.recipe, "--input", shards, "--output", out)
    for place in (out, tmp_path / "plain"):
        write_shard(shards / "s9.parquet", 9)
        corpusmill.run(shards, place)
    assert contents(out) == contents(tmp_path / "plain")


def test_a_run_with_nothing_to_do_reads_no_receipt_and_says_the_same(corpusmill, shards, tmp_path, monkeypatch):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = contents(out)
    read: list[str] = []
    monkeypatch.setattr(
        Totals, "add", lambda self, receipt, add=Totals.add: (read.append(receipt["key"]), add(self, receipt))
    )
    assert "nothing to do" in corpusmill.run(shards, out)
    assert not read
    assert contents(out) == before
    corpusmill.run(shards, out, "--set", "language.allow=[en]")
    assert len(set(read)) == 4
    read.clear()
    (out / "data" / "s1.parquet").unlink()
    corpusmill.run(shards, out, "--set", "language.allow=[en]")
    assert not read, "what is published anew is made of the same"
    assert verify(out) == []
    (out / "manifest.json").write_text("{}", "utf-8")
    corpusmill.run(shards, out, "--set", "language.allow=[en]")
    assert len(read) == 4
    (shards / "s2.parquet").unlink()
    corpusmill.run(shards, out, "--set", "language.allow=[en]")
    assert len(read) == 7
    assert verify(out) == []


@pytest.mark.parametrize("harm", ["{", "[]", "{}", '{"source": 1, "manifest": 2}'])
def test_a_note_of_what_a_manifest_was_made_of_that_is_torn_costs_reading_the_receipts(
    corpusmill, shards, tmp_path, harm
):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = contents(out)
    note = out / ".corpusmill" / "made.json"
    whole = note.read_bytes()
    note.write_text(harm, "utf-8")
    assert "nothing to do" in corpusmill.run(shards, out)
    assert contents(out) == before
    assert note.read_bytes() == whole


def test_what_forgetting_takes_out_is_in_no_pack(corpusmill, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 1)
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    first = pq.read_table(out / "annotations" / "s0.parquet", columns=["record_id"])["record_id"][0].as_py()
    (tmp_path / "gone.txt").write_text(f"{first}\n", "utf-8")
    corpusmill("forget", out, "--match", tmp_path / "gone.txt", "--kind", "id")
    assert not (out / ".corpusmill" / packs.FOLDER).exists()


@pytest.fixture
def planned(shards, tmp_path):
    """Plans the four shards, as a run with a ledger does; what it then asks of their files."""
    ledger, asked = Ledger(tmp_path / "out"), list[str]()
    ledger.prepare()
    loaded = recipe.load("default")

    def plan(unit_bytes: int = 1 << 20) -> tuple[Plan, list[str]]:
        asked.clear()
        work = msgspec.structs.replace(loaded.work, unit_bytes=unit_bytes)
        return plan_of(replace(loaded, work=work), find(str(shards)), ledger), list(asked)

    def noting(ask: Callable[..., Any]) -> Callable[..., Any]:
        return lambda path, *more: (asked.append(path), ask(path, *more))[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "parts", noting(parquet.parts))
        patch.setattr(fingerprints, "sha256_of", noting(fingerprints.sha256_of))
        yield plan


def test_a_shard_that_is_known_is_planned_without_being_opened_or_read(planned, shards):
    first, asked = planned()
    assert len(asked) == 8
    again, asked = planned()
    assert not asked
    assert list(again.shards) == list(first.shards)
    assert all(a.schema.equals(b.schema, check_metadata=True) for a, b in zip(again.shards, first.shards, strict=True))
    assert len(planned(1 << 10)[1]) == 4, "cut otherwise, they are opened and not read"
    write_shard(shards / "s1.parquet", 9)
    assert planned(1 << 10)[1] == [str(shards / "s1.parquet")] * 2
    (shards / "s2.parquet").unlink()
    assert len(planned(1 << 10)[0].units) == 6
    assert not planned(1 << 10)[1]


@pytest.mark.parametrize("name", ["inputs.parquet", "footers.parquet"])
@pytest.mark.parametrize("harm", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: bytes(len(b))])
def test_what_was_remembered_and_is_torn_is_looked_at_again(planned, shards, tmp_path, name, harm):
    first, _ = planned()
    path = tmp_path / "out" / ".corpusmill" / name
    path.write_bytes(harm(path.read_bytes()))
    again, asked = planned()
    assert list(again.units) == list(first.units)
    assert len(asked) == 4
    assert not planned()[1]


def test_a_plan_gives_its_units_in_any_order(planned):
    plan, _ = planned(1 << 10)
    units = [unit for shard in plan.shards for unit in shard.units]
    assert list(plan.units) == [plan.units[i] for i in range(len(units))] == units
    assert len(units) == 8
    assert [u.output for u in units[:2]] == ["s0.part-00000.parquet", "s0.part-00001.parquet"]
    assert list(plan.units.largest_first()) == sorted(units, key=lambda u: (-u.part.bytes, u.key))
    assert [u.key for u in units] == list(to_hex(plan.keys))
    assert plan.shards[-1].units == tuple(units[-2:])


SHARDS = st.lists(
    st.tuples(st.sampled_from(["a", "b/é", "b/\udc80", "b.x"]), st.integers(0, 3), st.booleans(), st.integers(0, (1 << 64) - 1)),
    unique_by=lambda one: one[:3], min_size=1, max_size=9,
)  # fmt: skip


@given(SHARDS, st.booleans(), st.integers(1, 3))
def test_shards_come_back_from_columns_as_they_were(made, elsewhere, piece):
    """Names that are no text, inodes of 64 bits, paths that are not folder and name, twins."""
    each = []
    for stem, number, twin, inode in made:
        name = f"{stem}{number}.parquet"
        shard = Shard(f"/in/{'other/' if elsewhere and number else ''}{name}", name, "parquet", 7, (7, -1, 2, inode))
        each.append(shard.twin("counterfactual") if twin else shard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards_module, "PIECE", piece)
        columns = Shards.of(each)
    assert list(columns) == [columns[i] for i in range(len(each))] == each
    assert list(columns.by_name()) == sorted(each, key=lambda s: os.fsencode(s.name))
    assert columns.files.tolist() == [not s.augment for s in each]
    assert columns.of_one_output() is None


@given(st.lists(st.binary(min_size=8, max_size=8), max_size=9), st.lists(st.integers(0, 12), max_size=9))
def test_keys_are_found_where_they_stand_first(heads, asked):
    """Also where they begin alike."""
    keys = [head[:1] * 8 + head for head in heads]
    index = Index(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16))
    some = [keys[i] if i < len(keys) else bytes([i]) * 16 for i in asked]
    found = index.find(np.frombuffer(b"".join(some), np.uint8).reshape(-1, 16)).tolist()
    assert found == [keys.index(key) if key in keys else NOWHERE for key in some]


def test_a_large_shard_is_many_units_and_a_row_group_that_cannot_be_cut_is_named(corpusmill, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_shard(folder / "cut.parquet", rows=3000)
    table = pq.read_table(folder / "cut.parquet")
    pq.write_table(table, folder / "cut.parquet", row_group_size=100)
    cut = ("--set", "work.unit_bytes=65536")
    told = corpusmill("plan", corpusmill.recipe, "--input", folder, *cut)
    size = sum(g.total_byte_size for g in map(pq.read_metadata(folder / "cut.parquet").row_group, range(30)))
    assert len(parquet.parts(str(folder / "cut.parquet"), 1 << 16)) >= size // (1 << 16)
    assert "note: a row group" not in told
    pq.write_table(pa.concat_tables([table] * 3), folder / "uncut.parquet", row_group_size=1 << 20)
    told = corpusmill("plan", corpusmill.recipe, "--input", folder, *cut)
    assert "note: a row group of uncut.parquet is" in told


@given(MANIFEST, st.integers(1, 4))
def test_a_manifest_in_pieces_is_what_pythons_own_encoder_writes(value, piece):
    value["name"] = "t"
    before, manifest.PIECE = manifest.PIECE, piece
    try:
        assert manifest.dump(value) == (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
        assert manifest.written(value) == (len(manifest.dump(value)), hashlib.sha256(manifest.dump(value)).hexdigest())
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        assert manifest.digest({**value, "digest": "x"}) == hashlib.sha256(canonical).hexdigest()
    finally:
        manifest.PIECE = before


@given(st.lists(st.lists(st.text("abc", min_size=1, max_size=2), max_size=6), max_size=12), st.integers(1, 4))
def test_the_fewest_of_many_lists_are_those_of_all_their_places(lists, most):
    held = Fewest(most)
    for places in lists:
        held.add(fewest(places, most))
    assert held.told() == fewest((p for places in lists for p in places), most)


def counted(shard: str, rng: random.Random) -> dict[str, Any]:
    """A receipt of the recipe below, with counts at random."""

    def counts(names: str) -> dict[str, int]:
        return {n: rng.randrange(5) for n in names if rng.random() < 0.6}

    def stage() -> dict[str, Any]:
        places = [f"{shard}:{n}" for n in range(rng.randrange(6))]
        return {
            "rejected": rng.randrange(9), "first": rng.randrange(9), "edited": rng.randrange(9),
            "reasons": counts("ab") | {"language_not_allowed": 2}, "first_reasons": counts("ab"), "edits": counts("AB"),
            "rules": {r: {"records": rng.randrange(5), "examples": fewest(places)} for r in "xyz" if rng.random() < 0.6},
            "first_examples": {"language_not_allowed": fewest(places, 10)},
            "histograms": {"s": {"kept": counts("123"), "rejected": counts("123")}}, "sums": counts("uv"),
        }  # fmt: skip

    data, rejected = rng.randrange(9), rng.randrange(9)
    return {
        "shard": shard, "key": shard, "output": shard,
        "files": {k: {"rows": n} for k, n in (("data", data), ("rejected", rejected), ("annotations", data + rejected))},
        "filters": {"read": stage(), "language": stage()},
        "tables": {name: counts("pq") for name in table_names([LanguageFilter])},
    }  # fmt: skip


@given(st.integers(0, 1 << 32), st.integers(0, 8))
def test_sums_over_receipts_do_not_depend_on_their_order(seed, n):
    rng = random.Random(seed)
    loaded = recipe.from_document({"name": "t", "filters": [{"language": {"allow": ["en"]}}]})
    receipts = [counted(f"s{i}", rng) for i in range(n)]
    one, other = Totals(loaded), Totals(loaded)
    for receipt in receipts:
        one.add(receipt)
    for receipt in reversed(receipts):
        other.add(receipt)
    assert (one.rows, one.tables, one.filters({})) == (other.rows, other.tables, other.filters({}))
    language = one.filters({})[1]
    edits: Counter[str] = sum((Counter(r["filters"]["language"]["edits"]) for r in receipts), Counter())
    assert {k: v for k, v in language["edits"].items() if v} == dict(edits)
    places = [p for r in receipts for p in r["filters"]["language"]["first_examples"]["language_not_allowed"]]
    if receipts:
        told = language["reasons"]["language_not_allowed"]
        assert (told["records"], told["examples"]) == (2 * n, fewest(places, 10))
    assert one.rows["data"] == sum(r["files"]["data"]["rows"] for r in receipts)


def test_a_receipt_that_does_not_add_up_is_refused():
    loaded = recipe.from_document({"name": "t", "filters": [{"language": {"allow": ["en"]}}]})
    receipt = counted("s0", random.Random(1))
    receipt["files"]["annotations"]["rows"] += 1
    with pytest.raises(OutputError, match="s0: kept"):
        Totals(loaded).add(receipt)


def test_progress_is_read_on_and_a_half_written_line_is_left_for_later(tmp_path: Path):
    watched = progress.Watched(tmp_path)
    (tmp_path / "1.done").write_text("5 100 1\n7 2", "ascii")
    (tmp_path / "2.done").write_text("1 1 0\n", "ascii")
    assert watched.look() == progress.Done(6, 101, 1)
    with (tmp_path / "1.done").open("a", encoding="ascii") as file:
        file.write("0 1\n")
    assert watched.look() == watched.look() == progress.Done(13, 121, 2)
