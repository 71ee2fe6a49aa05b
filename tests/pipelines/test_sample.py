"""The default recipe on sample_data does what the labels say, and on every real set it runs as it is."""

from __future__ import annotations

import csv

import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import contents, manifest
from tests.support import ROOT, real

SAMPLE = ROOT / "sample_data"


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    from tests.pipelines.conftest import Command

    home = tmp_path_factory.mktemp("sample")
    Command(home).run(SAMPLE, home / "out", "--workers", "2", recipe="default")
    return home / "out"


def test_every_planted_defect_is_found_by_the_filter_it_was_planted_for(curated):
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = list(csv.DictReader(file))
    notes: dict[str, list[dict]] = {}
    for path in (curated / "annotations").iterdir():
        rows = pq.read_table(path).to_pylist()
        notes[rows[0]["shard"]] = rows
    wrong = []
    for label in labels:
        note = notes[label["shard"]][int(label["row"])]
        found = "edit" if note["kept"] and note["pii"]["evidence"] else note["rejected_by"]
        if found != label["expected"]:
            wrong.append((label, found, note["reason"]))
    assert not wrong


def test_nothing_else_is_rejected(curated):
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        planted = {(r["shard"], int(r["row"])) for r in csv.DictReader(file) if r["expected"] != "edit"}
    rejected = {
        (n["shard"], n["row"])
        for path in (curated / "annotations").iterdir()
        for n in pq.read_table(path).to_pylist()
        if not n["kept"]
    }
    assert rejected == planted


def test_the_sample_is_what_its_script_makes(tmp_path):
    import runpy
    import shutil

    shutil.copyfile(SAMPLE / "make.py", tmp_path / "make.py")
    runpy.run_path(str(tmp_path / "make.py"), run_name="__main__")
    assert (tmp_path / "labels.csv").read_bytes() == (SAMPLE / "labels.csv").read_bytes()
    for path in SAMPLE.glob("*.parquet"):
        assert pq.read_table(tmp_path / path.name).equals(pq.read_table(path))


SETS = ["alpaca", "bfcl_v4", "deccp", "deccp_prompts", "glaive_sharegpt", "gsm8k", "mgsm", "nemo_gym_rollouts", "pii_synth",
        "sealtools", "tatqa", "taubench_airline", "traces_labelled"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SETS, "traces"])
def test_each_real_set_runs_with_the_default_recipe_and_no_option(corpusmill, tmp_path, name):
    folder = real(name)[0].parent
    corpusmill.run(folder, tmp_path / "out", recipe="default")
    told = manifest(tmp_path / "out")
    assert told["complete"]
    assert told["records"]["read"] == sum(pq.read_metadata(p).num_rows for p in real(name))
    for path in real(name):
        data = pq.read_schema(tmp_path / "out" / "data" / path.name)
        assert data.equals(pq.read_schema(path), check_metadata=True)
    corpusmill("verify", tmp_path / "out")
    assert contents(tmp_path / "out")
