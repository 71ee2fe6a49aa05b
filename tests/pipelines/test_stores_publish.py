"""Publishing to S3: readers see the old dataset or the new one, one run holds it, and whatever breaks, the old one stands whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines import lineage, listing, recipe, run
from pipelines.cli import main
from pipelines.errors import LOCKED, PARTIAL, USAGE, CorpusmillError, LockedError, OutputError, StoreError, UsageError
from pipelines.rollback import rollback
from pipelines.stores import lease, push, s3, verified
from tests.pipelines.conftest import contents, write_shard
from tests.pipelines.stores import KEY_ID, SECRET, TOKEN, Store, a_store, behind, the_proxy  # noqa: F401 (fixtures)

LIGHT = {"name": "light", "filters": [{"language": {"allow": ["en", "de"]}}]}


def curate(source: str | Path, url: str, state: Path, **output: object) -> run.Result:
    told = {**LIGHT, "input": {"path": str(source)}, "output": {"path": url, "state": str(state), **output}}
    return run.run(recipe.from_document(told))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(3):
        write_shard(folder / f"s{i}.parquet", i)
    return folder


@pytest.fixture
def out(store) -> str:
    return f"{store.url}/out"


def current(store: Store) -> dict:
    return json.loads(store.get("out/manifest.json"))


def seen(store: Store, told: dict | None = None) -> dict[str, bytes]:
    """What a reader of the manifest gets: every file of its version."""
    base = f"out/versions/{(told or current(store))['digest']}/"
    return {key.removeprefix(base): store.get(key) for key in store.listed(base)}


def test_the_published_dataset_is_the_one_in_the_states_folder(store, out, shards, tmp_path):
    done = curate(shards, out, tmp_path / "state")
    files = seen(store)
    files.pop("run.json")
    assert files == contents(done.out)
    assert store.get("out/manifest.json") == files["manifest.json"]
    assert verified.verify(out) == []
    store.proxy.seen.clear()
    again = curate(shards, out, tmp_path / "state")
    assert (again.did, again.changed) == (0, False)
    assert not [line for line in store.proxy.seen if line.startswith("PUT") and "/lock" not in line]


@pytest.mark.slow
def test_of_a_changed_dataset_only_what_is_new_is_sent(store, out, shards, tmp_path):
    first = curate(shards, out, tmp_path / "state", keep_versions=1).manifest
    write_shard(shards / "s1.parquet", 9)
    store.proxy.seen.clear()
    curate(shards, out, tmp_path / "state", keep_versions=1)
    put = [line.rpartition("/")[2] for line in store.proxy.seen if line.startswith("PUT") and line.count("/s")]
    assert sorted(put) == ["s0.parquet copied"] * 3 + ["s1.parquet"] * 3 + ["s2.parquet copied"] * 3
    assert current(store)["digest"] != first["digest"]
    assert verified.verify(out) == []
    assert seen(store, first)
    curate(shards, out, tmp_path / "state", keep_versions=0)
    assert not seen(store, first)
    assert verified.verify(out) == []


@pytest.mark.slow
def test_versions_that_the_recipe_keeps_stay_and_can_be_published_again(store, out, shards, tmp_path):
    first = curate(shards, out, tmp_path / "state", keep_versions=3)
    before = seen(store)
    for seed in (9, 10):
        write_shard(shards / "s1.parquet", seed)
        curate(shards, out, tmp_path / "state", keep_versions=3)
    rollback(first.out, first.manifest["digest"][:10])
    assert current(store)["digest"] != first.manifest["digest"]
    assert push.push(first.out) == (f"{out}/", True)
    assert seen(store) == before
    assert verified.verify(out) == []


def test_what_was_forgotten_is_in_no_version(store, out, shards, tmp_path):
    first = curate(shards, out, tmp_path / "state", keep_versions=3).manifest
    (tmp_path / "gone.txt").write_text("0-1\n", "utf-8")
    assert main(["forget", str(tmp_path / "state"), "--match", str(tmp_path / "gone.txt"), "--kind", "id"]) == 0
    push.push(tmp_path / "state")
    assert current(store)["records"]["kept"] == first["records"]["kept"] - 1
    assert not seen(store, first)
    assert verified.verify(out) == []


def test_without_its_state_a_run_judges_again_and_knows_what_was_forgotten(store, out, shards, tmp_path):
    curate(shards, out, tmp_path / "state")
    (tmp_path / "gone.txt").write_text("0-1\n", "utf-8")
    main(["forget", str(tmp_path / "state"), "--match", str(tmp_path / "gone.txt"), "--kind", "id"])
    push.push(tmp_path / "state")
    shutil.rmtree(tmp_path / "state")
    before = store.get("out/manifest.json")
    with pytest.raises(CorpusmillError, match="optout"):
        curate(shards, out, tmp_path / "state")
    assert store.get("out/manifest.json") == before


@pytest.mark.slow
def test_without_its_state_the_same_input_is_the_same_dataset(store, out, shards, tmp_path):
    curate(shards, out, tmp_path / "state")
    before = seen(store)
    shutil.rmtree(tmp_path / "state")
    done = curate(shards, out, tmp_path / "state")
    assert (done.did, done.changed) == (3, True)
    assert seen(store) == before


@pytest.mark.parametrize("fault", [pytest.param({"status": 503}, marks=pytest.mark.slow), {"cut": True}])
def test_uploads_that_fail_for_a_while_come_to_the_same_bytes(store, out, shards, tmp_path, fault):
    met = store.fault(r"PUT .*/versions/.*/data/", times=2, **fault)
    done = curate(shards, out, tmp_path / "state")
    assert met.met == 2
    assert verified.verify(out) == []
    assert {k: v for k, v in seen(store).items() if k != "run.json"} == contents(done.out)


@pytest.mark.parametrize(
    "match",
    [
        r"PUT .*/out/manifest.json",
        pytest.param(r"PUT .*/versions/.*/data/s1", marks=pytest.mark.slow),
        pytest.param(r"PUT .*/versions/.*/manifest.json", marks=pytest.mark.slow),
    ],
)
def test_a_publish_that_cannot_be_done_leaves_the_old_dataset_and_the_next_run_goes_on(
    store, out, shards, tmp_path, match
):
    curate(shards, out, tmp_path / "state")
    before, manifest = seen(store), store.get("out/manifest.json")
    for i in range(3):
        write_shard(shards / f"s{i}.parquet", 10 + i)
    fault = store.fault(match, status=503)
    with pytest.raises(StoreError, match="does not answer") as caught:
        curate(shards, out, tmp_path / "state")
    assert caught.value.exit_code == PARTIAL
    assert (store.get("out/manifest.json"), seen(store)) == (manifest, before)
    assert verified.verify(out) == []
    fault.times = 0
    done = curate(shards, out, tmp_path / "state")
    assert (done.did, done.changed) == (0, True)
    assert store.get("out/manifest.json") != manifest
    assert verified.verify(out) == []


def test_the_answer_to_the_last_put_may_be_lost(store, out, shards, tmp_path):
    # The store does what it was asked for, and its answer is cut short.
    met = store.fault(r"PUT .*/out/manifest.json", times=1, lost=True)
    curate(shards, out, tmp_path / "state")
    assert met.met == 1
    assert verified.verify(out) == []


def test_somebody_else_who_published_meanwhile_is_not_written_over(store, out, shards, tmp_path):
    curate(shards, out, tmp_path / "state")
    write_shard(shards / "s1.parquet", 9)
    other = json.dumps({"manifest": "another"}).encode()
    store.fault(r"PUT .*/out/manifest.json", times=1, do=lambda: behind(store, "out/manifest.json", other))
    with pytest.raises(OutputError, match="somebody else published there meanwhile"):
        curate(shards, out, tmp_path / "state")
    assert store.get("out/manifest.json") == other
    with pytest.raises(OutputError, match="edited or is not ours"):
        curate(shards, out, tmp_path / "state")


@pytest.mark.slow
def test_a_state_that_does_not_know_what_is_published_does_not_publish_over_it(store, out, shards, tmp_path):
    curate(shards, out, tmp_path / "one")
    write_shard(shards / "s1.parquet", 9)
    curate(shards, out, tmp_path / "two")
    before = store.get("out/manifest.json")
    with pytest.raises(OutputError, match="comes from another state"):
        curate(shards, out, tmp_path / "one")
    assert store.get("out/manifest.json") == before


def test_one_run_holds_a_dataset_and_a_dead_ones_lock_is_taken(store, out, shards, tmp_path, monkeypatch):
    url = f"{out}/"
    with lease.held(url, tmp_path / "other"):
        with pytest.raises(LockedError, match=f"held by process {os.getpid()} on") as caught:
            curate(shards, out, tmp_path / "state")
        assert caught.value.exit_code == LOCKED
    curate(shards, out, tmp_path / "state")
    # A process that died leaves its lock as it was.
    dead = lease.Lease(url, tmp_path / "other")
    dead.take()
    with pytest.raises(LockedError):
        curate(shards, out, tmp_path / "state")
    with lease.held(url, tmp_path / "other"):
        pass
    dead.take()
    monkeypatch.setattr(lease, "LEASE", 0.0)
    curate(shards, out, tmp_path / "state")
    with pytest.raises(LockedError, match="was taken by"):
        dead.assure()


def test_of_many_that_take_a_lock_at_once_one_gets_it(store, out, tmp_path):
    got: list[lease.Lease] = []
    start = threading.Barrier(6)

    def take(number: int) -> None:
        mine = lease.Lease(f"{out}/", tmp_path / str(number))
        start.wait()
        try:
            mine.take()
            got.append(mine)
        except LockedError:
            return

    threads = [threading.Thread(target=take, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].assure()


def test_a_lock_is_renewed_while_the_run_lives(store, out, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    with lease.held(f"{out}/", tmp_path) as mine:
        first = mine.etag
        deadline = time.monotonic() + 10
        while mine.etag == first and time.monotonic() < deadline:
            time.sleep(0.02)
        assert mine.etag != first


@pytest.mark.slow
def test_who_lost_the_lock_does_not_publish(store, out, shards, tmp_path, monkeypatch):
    curate(shards, out, tmp_path / "state")
    before = store.get("out/manifest.json")
    write_shard(shards / "s1.parquet", 9)

    def stolen() -> None:
        behind(store, "out/.corpusmill/lock", json.dumps({"holder": "process 1 on elsewhere", "state": "x"}).encode())

    store.fault(r"PUT .*/versions/.*/manifest.json", times=1, do=stolen)
    with pytest.raises(LockedError, match="was taken by process 1 on elsewhere"):
        curate(shards, out, tmp_path / "state")
    assert store.get("out/manifest.json") == before


def test_a_store_that_takes_no_heed_of_conditions_is_not_written_to(store, out, shards, tmp_path):
    store.fault("PUT .*/lock", without="if-none-match")
    with pytest.raises(OutputError, match="takes no heed of If-None-Match"):
        curate(shards, out, tmp_path / "state")
    assert store.listed("out/") == ["out/.corpusmill/lock"]


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_uploads_leaves_the_old_dataset_and_the_same_command_ends_it(
    store, out, shards, tmp_path
):
    curate(shards, out, tmp_path / "state")
    before, manifest = seen(store), store.get("out/manifest.json")
    write_shard(shards / "s1.parquet", 9)
    reached = threading.Event()
    fault = store.fault(r"PUT .*/versions/.*/rejected/s1", do=reached.set, stall=0.8)
    document = tmp_path / "recipe.yaml"
    document.write_text(json.dumps({**LIGHT, "output": {"path": out, "state": str(tmp_path / "state")}}), "utf-8")
    command = [sys.executable, "-P", "-m", "pipelines", "run", document, "--input", shards, "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert reached.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    fault.times = 0
    assert (store.get("out/manifest.json"), seen(store)) == (manifest, before)
    s3.client().create_multipart_upload(Bucket=store.bucket, Key="out/versions/torn")
    done = curate(shards, out, tmp_path / "state")
    assert done.changed
    assert verified.verify(out) == []
    assert not s3.client().list_multipart_uploads(Bucket=store.bucket).get("Uploads")


@pytest.mark.slow
def test_a_file_in_parts_is_the_same_file_or_none(store, tmp_path, monkeypatch):
    monkeypatch.setattr(push, "IN_PARTS", 1 << 20)
    data = os.urandom(9 << 20)
    (tmp_path / "large").write_bytes(data)
    fault = store.fault(r"PUT .*partNumber=2", status=503)
    with pytest.raises(StoreError, match="does not answer"):
        push._put(tmp_path / "large", f"{store.url}/large", "")
    assert store.listed() == []
    assert not s3.client().list_multipart_uploads(Bucket=store.bucket).get("Uploads")
    fault.times = fault.met + 1
    push._put(tmp_path / "large", f"{store.url}/large", "")
    assert store.get("large") == data


def test_a_place_that_holds_something_else_is_left_alone(store, shards, tmp_path):
    store.put("out/precious.txt", b"mine")
    with pytest.raises(UsageError, match=r"already holds something else \(precious.txt\)"):
        curate(shards, f"{store.url}/out", tmp_path / "state")
    assert store.listed() == ["out/precious.txt"]


def test_an_output_inside_its_input_and_one_that_is_no_bucket_are_refused(store, shards, tmp_path):
    with pytest.raises(UsageError, match="lies inside the input"):
        curate(f"{store.url}/in", f"{store.url}/in/out", tmp_path / "state")
    with pytest.raises(StoreError, match="there is no bucket") as caught:
        curate(shards, "s3://not-there/out", tmp_path / "state")
    assert caught.value.exit_code == USAGE
    with pytest.raises(UsageError, match="only s3:// is written"):
        curate(shards, "hf://datasets/a/b", tmp_path / "state")


@pytest.mark.slow
def test_verify_names_what_is_not_as_it_was_published(store, out, shards, tmp_path):
    curate(shards, out, tmp_path / "state")
    base = f"out/versions/{current(store)['digest']}"
    whole = store.get(f"{base}/data/s0.parquet")
    store.put(f"{base}/data/s0.parquet", whole[:-1] + bytes([whole[-1] ^ 1]))
    store.put(f"{base}/data/s1.parquet", whole + b"x")
    s3.delete(store.bucket, [f"{base}/data/s2.parquet"])
    store.put(f"{base}/data/more.parquet", whole)
    store.put(f"{base}/README.md", b"other")
    assert [p.split(":")[0] for p in verified.verify(out)] == [
        "data/s0.parquet", "data/s1.parquet", "data/s2.parquet", "README.md", "data/more.parquet"]  # fmt: skip
    assert main(["verify", out]) == PARTIAL
    with pytest.raises(UsageError, match="no dataset at"):
        verified.verify(f"{store.url}/nothing")


def test_what_is_made_of_a_dataset_on_s3_says_when_that_has_changed(store, out, shards, tmp_path, capsys):
    curate(shards, out, tmp_path / "state")
    derived = {**LIGHT, "input": {"path": out}, "output": {"path": str(tmp_path / "derived")}}
    made = run.run(recipe.from_document(derived))
    assert [i["path"] for i in made.manifest["inputs"]] == ["s0.parquet", "s1.parquet", "s2.parquet"]
    tree = lineage.walk(made.out)
    assert [(p.path, p.state) for p in tree.parents] == [(f"{out}/", lineage.CURRENT)]
    write_shard(shards / "s1.parquet", 9)
    curate(shards, out, tmp_path / "state")
    assert [p.state for p in lineage.walk(made.out).parents] == [lineage.STALE]
    assert main(["lineage", out]) == 0
    store.fault("GET ", status=503)
    [parent] = lineage.walk(made.out).parents
    assert parent.state == lineage.MISSING
    assert "does not answer" in parent.why


def test_credentials_are_in_nothing_that_a_run_leaves_or_says(store, shards, tmp_path):
    store.put_folder(shards, "in")
    store.put("in/torn.parquet", b"PAR1 and no more")
    store.fault(r"GET .*/in/s2\.parquet", status=403)
    state, log, metrics = tmp_path / "state", tmp_path / "log.jsonl", tmp_path / "run.prom"
    document = tmp_path / "recipe.yaml"
    document.write_text(json.dumps({**LIGHT, "output": {"path": f"{store.url}/out", "state": str(state)}}), "utf-8")
    (tmp_path / "tell").write_text(f"#!/bin/sh\nprintenv CORPUSMILL_MESSAGE > {tmp_path}/told\n", "utf-8")
    (tmp_path / "tell").chmod(0o755)
    command = [sys.executable, "-P", "-m", "pipelines", "run", document, "--input", f"{store.url}/in", "--workers", "2",
               "--log", log, "--metrics", metrics, "--lineage-events", tmp_path / "events.jsonl",
               "--on-failure", tmp_path / "tell"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == PARTIAL, done.stderr.decode()
    assert b"access denied" in done.stderr
    files = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert {"log.jsonl", "run.prom", "told", "events.jsonl", "state/run.json"} <= files.keys()
    assert any(name.endswith("executor.json") for name in files)
    store.proxy.faults.clear()
    objects = {key: store.get(key) for key in store.listed()}
    assert "out/.corpusmill/lock" in objects
    for name, data in {**files, **objects, "stdout": done.stdout, "stderr": done.stderr}.items():
        for secret in (KEY_ID, SECRET, TOKEN):
            assert secret.encode() not in data, name


def test_a_dataset_of_many_files_has_its_list_of_them_beside_its_manifest(store, out, shards, tmp_path, monkeypatch):
    """It is published with the version, verified there, and with it a run without its state begins."""
    monkeypatch.setattr(listing, "MOST", 5)
    curate(shards, out, tmp_path / "state")
    told = current(store)
    side = f"out/versions/{told['digest']}/{listing.SIDE}"
    assert "outputs" not in told
    assert store.get(side) == (tmp_path / "state" / listing.SIDE).read_bytes()
    assert not store.listed(f"out/{listing.SIDE}")
    assert verified.verify(out) == []
    assert lineage.walk(out).sources == 3
    before = seen(store)
    shutil.rmtree(tmp_path / "state")
    done = curate(shards, out, tmp_path / "state")
    assert (done.did, done.changed) == (3, True)
    assert seen(store) == before
    good = store.get(side)
    for harm, why in ((good[:-1] + b"\0", "sha256 differs"), (b"", "sha256 differs"), (None, "not there any more")):
        s3.delete(store.bucket, [side]) if harm is None else store.put(side, harm)
        assert [line for line in verified.verify(out) if why in line] == verified.verify(out)
        assert len(verified.verify(out)) == 1
    assert curate(shards, out, tmp_path / "state").changed
    assert store.get(side) == good
    assert verified.verify(out) == []
