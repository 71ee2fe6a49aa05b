"""A dataset's files in the manifest or in a Parquet file beside it: whoever asks is told the same."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import faults, forget, listing, manifest, publish, report, rollback, sidefile
from pipelines.errors import OutputError
from pipelines.ledger import Ledger
from pipelines.provenance import columns, page
from pipelines.verify import verify
from tests.pipelines.conftest import Command, contents, write_shard
from tests.pipelines.conftest import manifest as raw

SIDE = listing.SIDE
LEAST = 5
"""Entries of a manifest from which on a long one is made here."""
PII = "name: light\nfilters:\n  - language: {allow: [en, de]}\n  - pii: {domain: [contact]}\n"


@pytest.fixture(scope="module")
def short_form(tmp_path_factory) -> Command:
    """Three shards of one schema, one of another, one that is torn; what a run makes of them, with its lists in the manifest."""
    command = Command(tmp_path_factory.mktemp("listing"))
    command.recipe.write_text(PII, "utf-8")
    folder = command.home / "in"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("s0", 0), ("s1", 1), ("more/s2", 2)):
        write_shard(folder / f"{name}.parquet", seed)
    said = [("user", "Why does bread rise?"), ("assistant", "Bread rises because yeast gives off gas.")]
    chat = [{"messages": [{"role": role, "content": text} for role, text in said]}] * 9
    pq.write_table(pa.Table.from_pylist(chat), folder / "chat.parquet")
    (folder / "torn.parquet").write_bytes((folder / "s0.parquet").read_bytes()[:99])
    command.run(folder, command.home / "short", code=3)
    return command


@pytest.fixture(scope="module")
def made(short_form) -> Path:
    """``short`` and ``long``: the same dataset in both forms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "MOST", LEAST)
        patch.setattr(sidefile, "GROUP", 4)
        short_form.run(short_form.home / "in", short_form.home / "long", code=3)
    return short_form.home


@pytest.fixture
def home(made, tmp_path, monkeypatch) -> Path:
    """A copy that a test may change, hard links as they are, where long manifests begin early."""
    monkeypatch.setattr(listing, "MOST", LEAST)
    subprocess.run(["cp", "-a", f"{made}/.", tmp_path], check=True)
    return tmp_path


@pytest.fixture
def long(home) -> Path:
    return home / "long"


@pytest.fixture
def corpusmill(home) -> Command:
    command = Command(home)
    command.recipe.write_text(PII, "utf-8")
    return command


def told_by(out: Path) -> dict[str, Any]:
    """Everything that can be asked of a dataset's files."""
    told = manifest.load(out)
    kinds = ("data", "rejected", "annotations")
    return {
        "outputs": list(listing.outputs(told)),
        "kinds": [list(listing.outputs(told, kind)) for kind in kinds],
        "inputs": list(listing.inputs(told)),
        "failed": [i["path"] for i in listing.inputs(told, "failed")],
        "number": listing.number_of_inputs(told),
        "sums": [listing.sums(told, kind) for kind in kinds],
        "tally": listing.tally(told, "status", "schema", "columns", "scanned_as_metadata", "augmented"),
        "configs": listing.configs(told),
        "schemas": [(columns.kept_by(e, told), columns.paths_of(e, told)) for e in told["schemas"]],
        "shards": listing.of_shards(told, "annotations", {"s0.parquet", "chat.parquet"}),
        "sizes": dict(listing.sizes(told)),
        "augmented": page.augmented(told),
        "data_digest": manifest.data_digest(told),
    }


def bare(told: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what its form changes."""
    schemas = [{k: v for k, v in s.items() if k != "shards"} for s in told["schemas"]]
    return {k: v for k, v in told.items() if k not in ("inputs", "outputs", "files", "digest")} | {"schemas": schemas}


def test_the_two_forms_say_the_same_of_the_same_dataset(made):
    short, long = raw(made / "short"), raw(made / "long")
    assert "files" not in short
    assert not {"inputs", "outputs"} & long.keys()
    assert bare(short) == bare(long)
    found = told_by(made / "long")
    assert found == told_by(made / "short")
    assert (found["outputs"], found["inputs"]) == (short["outputs"], short["inputs"])
    assert found["failed"] == ["torn.parquet"]
    assert len(found["configs"]) == 4
    assert verify(made / "short") == verify(made / "long") == []


def test_a_long_manifest_is_as_its_schema_says_and_names_its_side_file(made):
    told = raw(made / "long")
    jsonschema.validate(told, manifest.json_schema())
    data = (made / "long" / SIDE).read_bytes()
    table = pq.read_table(made / "long" / SIDE)
    assert told["files"] == {
        "path": SIDE, "bytes": len(data), "rows": len(table), "inputs": 5, "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    assert table.schema == sidefile.SCHEMA
    assert Counter(table["kind"].to_pylist()) == {"data": 4, "rejected": 4, "annotations": 4, "input": 5}
    for both in ({**told, "inputs": [], "outputs": []}, {k: v for k, v in told.items() if k != "files"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(both, manifest.json_schema())


def test_up_to_the_bound_a_manifest_is_what_it_was_and_a_run_with_nothing_to_do_changes_nothing(
    home, corpusmill, monkeypatch
):
    entries = sum(len(raw(home / "short")[name]) for name in ("inputs", "outputs"))
    monkeypatch.setattr(listing, "MOST", entries)
    before = {name: contents(home / name) for name in ("short", "long")}
    assert "nothing to do" in corpusmill.run(home / "in", home / "short", code=3)
    assert contents(home / "short") == before["short"]
    corpusmill.run(home / "in", home / "long", code=3)
    assert contents(home / "long") == contents(home / "short"), "the lists again, and no side file"
    monkeypatch.setattr(listing, "MOST", entries - 1)
    monkeypatch.setattr(sidefile, "GROUP", 4)
    corpusmill.run(home / "in", home / "long", code=3)
    assert contents(home / "long") == before["long"]
    standing = (home / "long" / SIDE).stat()
    assert "nothing to do" in corpusmill.run(home / "in", home / "long", code=3)
    assert (home / "long" / SIDE).stat() == standing
    assert list((home / "long" / ".corpusmill" / "staging").iterdir()) == []
    assert not (home / "short" / SIDE).exists()


def test_commands_that_read_a_dataset_say_the_same_in_either_form(home, corpusmill, long):
    asked = [
        ("retune", "--set", "language.allow=[en]"),
        ("retune", "--sweep", "language.min_share=0.1,0.9"),
        ("card",),
        ("lineage",),
    ]
    for name, *args in asked:
        said = [corpusmill(name, home / form, *args).replace(str(home / form), "OUT") for form in ("short", "long")]
        assert said[0] == said[1], name
    assert "no record that both have changed" in corpusmill("compare", home / "short", long)
    for form in ("short", "long"):
        corpusmill("review", "export", home / form, "--filter", "language", "--to", home / f"{form}.json")
    assert json.loads((home / "short.json").read_bytes()) == json.loads((home / "long.json").read_bytes())


def test_report_and_card_say_the_same_in_either_form(made):
    short, long = (manifest.load(made / form) for form in ("short", "long"))
    pages = [report.render(t, None, report.collect(made / n, t)) for n, t in (("short", short), ("long", long))]
    assert pages[0].replace(short["digest"], "D").replace(short["digest"][:16], "D") == pages[1].replace(
        long["digest"], "D"
    ).replace(long["digest"][:16], "D")
    readme = [(made / form / "README.md").read_text("utf-8") for form in ("short", "long")]
    assert readme[1].startswith(readme[0].rstrip())
    assert SIDE in readme[1]


def test_statement_and_croissant_name_the_side_file_in_place_of_every_file(made):
    statement = json.loads((made / "long" / "provenance.intoto.json").read_bytes())
    sha256 = hashlib.sha256((made / "long" / SIDE).read_bytes()).hexdigest()
    subjects = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    assert subjects.keys() == {"README.md", "croissant.json", "manifest.json", SIDE}
    named = {d["name"]: d for d in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert subjects[SIDE] == named[SIDE]["digest"]["sha256"] == sha256
    assert named[SIDE]["annotations"] == {"kind": "list of inputs", "count": 5}
    assert "s0.parquet" not in named
    croissant = json.loads((made / "long" / "croissant.json").read_bytes())
    files = {f["name"]: f["sha256"] for f in croissant["distribution"] if f["@type"] == "cr:FileObject"}
    assert files[SIDE] == sha256


def forged(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """The side file written anew, by somebody who makes the manifest fit."""

    def harm(out: Path) -> None:
        pq.write_table(change(pq.read_table(out / SIDE)), out / SIDE)
        data, told = (out / SIDE).read_bytes(), raw(out)
        told["files"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        told["digest"] = manifest.digest(told)
        (out / "manifest.json").write_bytes(manifest.dump(told))

    return harm


def flipped(out: Path) -> None:
    data = bytearray((out / SIDE).read_bytes())
    data[len(data) // 2] ^= 1
    replaced(out, bytes(data))


def replaced(out: Path, data: bytes) -> None:
    """Not through its second names, as the versions have them."""
    (out / SIDE).unlink()
    (out / SIDE).write_bytes(data)


def set_to(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at, field = table.schema.get_field_index(name), table.schema.field(name)
        return table.set_column(at, field, pa.array([value, *table[name].to_pylist()[1:]], field.type))

    return change


HARM = {
    "missing": (lambda out: (out / SIDE).unlink(), "missing"),
    "a folder": (lambda out: ((out / SIDE).unlink(), (out / SIDE).mkdir()), "bytes, not"),
    "torn": (lambda out: replaced(out, (out / SIDE).read_bytes()[:-9]), "bytes, not"),
    "empty": (lambda out: replaced(out, b""), "0 bytes, not"),
    "flipped": (flipped, "sha256 differs"),
    "of NULs": (lambda out: replaced(out, bytes((out / SIDE).stat().st_size)), "sha256 differs"),
    "outside": (forged(set_to("path", "data/../../victim.parquet")), "outside of the dataset"),
    "absolute": (forged(set_to("path", "/tmp/victim.parquet")), "outside of the dataset"),
    "nul": (forged(set_to("path", "data/a\0.parquet")), "outside of the dataset"),
    "null": (forged(set_to("path", None)), "outside of the dataset"),
    "no unit": (forged(set_to("unit", "../../x")), "outside of the dataset"),
    "kind": (forged(set_to("kind", "rejected")), "outside of the dataset"),
    "fewer": (forged(lambda table: table.slice(1)), "not the rows"),
    "column": (forged(lambda table: table.drop_columns("sha256")), "not the columns"),
    "more shards": (forged(lambda table: table.set_column(0, "kind", pa.array(["input"] * len(table)))), "not the shards"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARM)
def test_a_side_file_that_is_not_as_it_was_written_is_one_line(corpusmill, long, what):
    """verify says so, whatever reads the dataset refuses it, and the run that made it makes it anew."""
    harm, why = HARM[what]
    harm(long)
    said = corpusmill("verify", long, code=3).splitlines()
    assert [line for line in said if why in line] == said[:1], said
    said = corpusmill("retune", long, "--set", "language.allow=[en]", code=2)
    assert len(said.splitlines()) == 1
    assert why in said


def test_the_run_that_made_a_dataset_makes_a_lost_side_file_anew(home, corpusmill, long, monkeypatch):
    monkeypatch.setattr(sidefile, "GROUP", 4)
    before = contents(long)
    (long / SIDE).unlink()
    corpusmill.run(home / "in", long, code=3)
    assert contents(long) == before
    flipped(long)
    corpusmill.run(home / "in", long, code=3)
    assert contents(long) == before


def test_a_dataset_with_a_damaged_list_of_files_is_never_half_read(long):
    """Whoever took it for whole before is told when what they read is not that any more."""
    told = manifest.load(long)
    assert listing.sums(told, "data").files == 4
    replaced(long, (long / SIDE).read_bytes()[:-9])
    with pytest.raises(OutputError, match="bytes, not"):
        list(listing.outputs(told))


def test_forgetting_leaves_the_same_dataset_in_either_form(home, corpusmill, long):
    (home / "gone.txt").write_text("0-1\n1-2\n", "utf-8")
    for form in ("short", "long"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(listing, "MOST", LEAST if form == "long" else 100)
            corpusmill("forget", home / form, "--match", home / "gone.txt", "--kind", "id")
    short, told = raw(home / "short"), raw(long)
    assert bare(short) == bare(told)
    assert told["forgotten"][0]["records"] == 2
    assert told_by(home / "short") == told_by(long)
    assert verify(long) == []


@pytest.mark.parametrize(
    "fault", ["before-swap:eio", "between-swaps:eio:2", "before-manifest:eio", "after-manifest:eio"]
)
def test_forgetting_that_was_cut_short_is_finished(home, corpusmill, long, monkeypatch, fault):
    asked = forget.List("gone.txt", "id", "0" * 64)
    monkeypatch.setattr(faults, "_passed", Counter())
    monkeypatch.setenv(faults.VARIABLE, fault)
    with pytest.raises(OutputError, match="Input/output error"):
        forget.forget(long, lookup_of("0-1"), asked)
    monkeypatch.delenv(faults.VARIABLE)
    with Ledger(long).lock():
        assert forget.finish(Ledger(long))
    assert raw(long)["forgotten"][0]["records"] == 1
    assert raw(long)["records"]["kept"] == raw(home / "short")["records"]["kept"] - 1
    assert verify(long) == []


def lookup_of(*ids: str) -> forget.Match:
    return lambda batch: pa.compute.is_in(batch.ids, pa.array(ids)).to_numpy(zero_copy_only=False)


@pytest.mark.parametrize("to_short", [False, True])
def test_going_back_over_a_change_of_form(home, corpusmill, long, monkeypatch, to_short):
    """The side file comes and goes with the manifest that names it."""
    keep = ("--set", "output.keep_versions=1")
    monkeypatch.setattr(listing, "MOST", 100 if to_short else LEAST)
    before = contents(long)
    write_shard(home / "in" / "s3.parquet", 3)
    corpusmill.run(home / "in", long, *keep, code=3)
    assert (long / SIDE).exists() is not to_short
    after = contents(long)
    corpusmill("rollback", long)
    assert contents(long) == before
    assert verify(long) == []
    corpusmill("rollback", long)
    assert contents(long) == after
    assert [verify(v.path) for v in rollback.kept(long)] == [[], []]


@pytest.mark.parametrize("fault", ["before-swap", "before-manifest", "after-manifest"])
def test_a_publish_that_was_cut_short_is_finished_in_either_direction(home, corpusmill, long, monkeypatch, fault):
    write_shard(home / "in" / "s3.parquet", 3)
    for most in (LEAST, 100, LEAST):
        monkeypatch.setattr(listing, "MOST", most)
        monkeypatch.setattr(faults, "_passed", Counter())
        monkeypatch.setenv(faults.VARIABLE, f"{fault}:eio")
        assert "Input/output error" in corpusmill.run(home / "in", long, code=3)
        assert verify(long) == ["a publish was cut short: run the same command again"]
        monkeypatch.delenv(faults.VARIABLE)
        with Ledger(long).lock():
            assert publish.finish(Ledger(long))
        assert verify(long) == []
        assert (long / SIDE).exists() == (most == LEAST)


def test_a_note_in_the_manifest_keeps_the_side_file(long):
    before = (long / SIDE).read_bytes()
    publish.republish(Ledger(long), {**manifest.load(long), "review": {}}, files=False)
    assert (long / SIDE).read_bytes() == before
    assert verify(long) == []


def test_what_is_made_of_a_long_dataset_names_it_and_is_compared_with_it(home, corpusmill, long):
    corpusmill.recipe.write_text(f"name: child\nfilters:\n  - duplicates: {{against: [{home / 'short'}]}}\n", "utf-8")
    corpusmill.run(home / "in", home / "a", code=3)
    corpusmill.recipe.write_text(f"name: child\nfilters:\n  - duplicates: {{against: [{long}]}}\n", "utf-8")
    corpusmill.run(home / "in", home / "b", code=3)
    found = [raw(home / name)["summaries"] for name in ("a", "b")]
    assert found[0] == found[1]
    assert raw(home / "b")["records"]["kept"] < raw(long)["records"]["kept"]
    corpusmill.recipe.write_text("name: child\nfilters:\n  - language: {allow: [en]}\n", "utf-8")
    corpusmill.run(long, home / "c")
    assert [p["data_digest"] for p in raw(home / "c")["parents"]] == [raw(long)["data_digest"]]
    assert "read from 5 shards" in corpusmill("lineage", home / "c")


NAME = st.text("ab/.é\u2028-", min_size=1, max_size=4).map(lambda n: n.strip("/.") or "x")


@settings(max_examples=30)
@given(st.lists(NAME, unique=True, max_size=9), st.sampled_from([1, 3, 100]), st.booleans())
def test_entries_come_back_as_they_went_in(tmp_path_factory, names, group, several):
    """Whatever their order and wherever the row groups end; the digest of data/ is that of the sorted list."""
    folder = tmp_path_factory.mktemp("entries")
    kinds = itertools.product(enumerate(names), ("annotations", "data", "rejected"))
    outputs = [
        {"path": f"{kind}/{name}.parquet", "shard": name, "unit": f"{i:040x}", "bytes": i * 7, "rows": i, "sha256": f"{i:064x}"}
        for (i, name), kind in kinds
    ]  # fmt: skip
    read = {"status": "read", "rows": 3, "bytes": 9, "columns": {"text": "é"}, "scanned_as_metadata": ["a", "é"]}
    inputs = [
        {"path": n, **(read if i % 3 else {"status": "failed", "why": "torn"})} for i, n in enumerate(sorted(names))
    ]
    config = {name: f"c{i % 2}" for i, name in enumerate(names)} if several else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sidefile, "GROUP", group)
        forms = [made_of(folder / form, outputs, inputs, config, long=form == "long") for form in ("short", "long")]
    schemas = [
        {"config": wanted, "shards": [shard for shard in config if config[shard] == wanted]}
        for wanted in dict.fromkeys(config.values())
    ]
    short, long = ({**form, "schemas": schemas} for form in forms)
    assert list(listing.outputs(long)) == list(listing.outputs(short)) == outputs
    assert list(listing.inputs(long)) == list(listing.inputs(short)) == inputs
    assert listing.problem(long) == ""
    assert listing.sized(listing.names(long)) == listing.sized(reversed([o["path"] for o in outputs]))
    for ask in (
        lambda told: listing.tally(told, "status", "columns"),
        lambda told: [listing.sums(told, "data", c) for c in ("", *config.values())],
        listing.configs,
        lambda told: listing.of_shards(told, "data", set(names[::2])),
    ):
        assert ask(long) == ask(short)
    files = sorted((o["path"], o["sha256"]) for o in outputs if o["path"].startswith("data/"))
    wanted = hashlib.sha256(json.dumps(files, separators=(",", ":")).encode()).hexdigest()
    assert manifest.data_digest(long) == manifest.data_digest(short) == wanted


def made_of(folder: Path, outputs: list, inputs: list, config: dict, *, long: bool) -> dict[str, Any]:
    lists = listing.Lists(folder, long=long)
    for entry in outputs:
        lists.output(entry, config.get(entry["shard"]))
    lists.inputs(iter(inputs), len(inputs))
    return lists.told()
