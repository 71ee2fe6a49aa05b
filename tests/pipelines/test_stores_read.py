"""Shards on S3 are read as shards in a folder are; what a store does wrong is waited for, or told in one line."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import fingerprints, recipe, run, shards
from pipelines.audit.audit import Asked, audit
from pipelines.cli import main
from pipelines.cli.explain import explain
from pipelines.errors import PARTIAL, USAGE, CorpusmillError, ShardError, StoreError, UsageError
from pipelines.stores import ranged, s3
from tests.pipelines.conftest import contents, manifest, write_shard
from tests.pipelines.stores import KEY_ID, SECRET, Store, a_store, behind, the_proxy  # noqa: F401 (fixtures)

LIGHT = {"name": "light", "filters": [{"language": {"allow": ["en", "de"]}}]}


def curate(source: str | Path, out: str | Path, **output: object) -> run.Result:
    told = {**LIGHT, "input": {"path": str(source)}, "output": {"path": str(out), **output}}
    return run.run(recipe.from_document(told))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three Parquet shards, one of them deeper, and a compressed JSONL shard."""
    folder = tmp_path_factory.mktemp("shards")
    (folder / "deep").mkdir()
    for i, name in enumerate(("s0", "s1", "deep/s2")):
        write_shard(folder / f"{name}.parquet", i)
    line = b'{"prompt": "Why does bread rise?", "response": "Yeast gives off gas, and the dough holds it in."}\n'
    (folder / "j.jsonl.gz").write_bytes(gzip.compress(line * 30, mtime=0))
    return folder


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory) -> Path:
    return curate(folder, tmp_path_factory.mktemp("local") / "out").out


def test_the_same_shards_give_the_same_bytes_from_s3(store, folder, local, tmp_path):
    store.put_folder(folder, "in")
    done = curate(f"{store.url}/in", tmp_path / "out")
    assert (done.exit_code, done.failed) == (0, {})
    assert contents(done.out) == contents(local)
    again = curate(f"{store.url}/in", tmp_path / "out")
    assert (again.did, again.changed) == (0, False)


@pytest.mark.parametrize(
    "pattern", ["", "/", "/*.parquet", "/**/*.parquet", "/s[01].*", "/s0.parquet", "/deep", "/*/s?.parquet"]
)
def test_folders_globs_and_files_name_the_same_shards_as_on_a_disk(store, folder, pattern, monkeypatch):
    monkeypatch.setattr(s3, "PAGE", 2)
    store.put_folder(folder, "in")
    store.put("in/", b"")
    store.put("in/_hidden/x.parquet", b"")
    store.put("in-other/x.parquet", b"")
    here, there = shards.find(f"{folder}{pattern}"), shards.find(f"{store.url}/in{pattern}")
    assert [(s.name, s.kind, s.size) for s in there] == [(s.name, s.kind, s.size) for s in here]


@pytest.mark.parametrize(
    "key", ["in/a/../x.parquet", "in//x.parquet", "in/./x.parquet", "in/a\\b.parquet", "in/a\x01.parquet"]
)
def test_a_key_that_is_no_path_of_a_file_is_refused(store, key, monkeypatch):
    entry = {"Key": key, "Size": 1, "ETag": '"e"', "LastModified": None}
    monkeypatch.setattr(s3, "listed", lambda bucket, prefix, most=None: iter([entry]))
    with pytest.raises(UsageError, match="no path of a file"):
        list(s3.find(f"{store.url}/in/"))


def test_the_sha256_that_a_store_checked_spares_reading(store, folder):
    data = (folder / "s0.parquet").read_bytes()
    sum_ = hashlib.sha256(data)
    given = base64.b64encode(sum_.digest()).decode()
    store.put("in/s0.parquet", data, ChecksumAlgorithm="SHA256", ChecksumSHA256=given)
    store.put("in/s1.parquet", data)
    store.proxy.seen.clear()
    found = shards.find(f"{store.url}/in")
    assert list(fingerprints.fingerprints(found)) == [sum_.hexdigest()] * 2
    got = [line for line in store.proxy.seen if line.startswith("GET") and "parquet" in line]
    assert len(got) == 1
    assert "s1.parquet" in got[0]


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"cut": True}, pytest.param({"stall": 4.0}, marks=pytest.mark.slow)]
)
def test_a_store_that_is_slow_or_breaks_off_costs_time_and_no_bytes(store, folder, local, tmp_path, fault):
    store.put_folder(folder, "in")
    met = store.fault(r"GET /[^?]*/in/.*\.(parquet|gz)", times=2, **fault)
    done = curate(f"{store.url}/in", tmp_path / "out")
    assert met.met == 2
    assert contents(done.out) == contents(local)


def test_a_shard_that_a_store_does_not_give_is_named_and_not_set_aside(store, folder, tmp_path, local):
    store.put_folder(folder, "in")
    fault = store.fault(r"GET .*/in/s1\.parquet", status=503)
    for _ in range(3):
        done = curate(f"{store.url}/in", tmp_path / "out")
        assert done.exit_code == PARTIAL
        assert list(done.failed) == ["s1.parquet"]
        assert "does not answer (SlowDown, 3 tries): run again later" in done.failed["s1.parquet"]
    fault.times = 0
    assert curate(f"{store.url}/in", tmp_path / "out").exit_code == 0
    kept = {name: data for name, data in contents(tmp_path / "out").items() if name != "report.html"}
    assert kept == {name: data for name, data in contents(local).items() if name != "report.html"}


def test_an_object_that_changes_while_it_is_read_is_noticed(store, folder, tmp_path):
    store.put_folder(folder, "in")
    other = (folder / "s0.parquet").read_bytes()
    # Hashed, opened for its schema and for its row groups, then read; the change comes in between.
    hashed = store.fault(r"GET .*/in/s1\.parquet", times=3)
    store.fault(r"GET .*/in/s1\.parquet", times=1, do=lambda: behind(store, "in/s1.parquet", other))
    done = curate(f"{store.url}/in", tmp_path / "out")
    assert hashed.met == 3
    assert done.failed == {"s1.parquet": "it changed while it was read: run again"}
    assert "data/s1.parquet" not in contents(done.out)


def test_an_object_that_changed_between_two_ranges_is_refused_by_the_store(store, monkeypatch):
    monkeypatch.setattr(ranged, "BLOCK", 10)
    store.put("x", b"a" * 30)
    with s3.opened(f"{store.url}/x") as file:
        file = file.raw
        assert file.read(5) == b"aaaaa"
        store.put("x", b"b" * 30)
        with pytest.raises(ShardError, match="changed while it was read"):
            file.read(30)


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        ({"match": "GET /", "status": 403}, USAGE, "access denied (AccessDenied): check the credentials"),
        ({"match": "GET /", "status": 503}, PARTIAL, "does not answer (SlowDown, 3 tries): run again later"),
    ],
)
def test_an_input_that_cannot_be_listed_is_one_line_and_an_exit_code(store, tmp_path, fault, code, told):
    store.fault(**fault)
    with pytest.raises(StoreError) as caught:
        curate(f"{store.url}/in", tmp_path / "out")
    assert caught.value.exit_code == code
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_bucket_and_no_credentials_are_mistakes_of_the_user(store, tmp_path, monkeypatch):
    with pytest.raises(StoreError, match="there is no bucket not-there") as caught:
        shards.find("s3://not-there/in")
    assert caught.value.exit_code == USAGE
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    s3.client.cache_clear()
    try:
        with pytest.raises(StoreError, match=r"no credentials .*: set AWS_PROFILE") as caught:
            shards.find(f"{store.url}/in")
        assert caught.value.exit_code == USAGE
    finally:
        s3.client.cache_clear()


def test_nothing_there_is_said_so(store):
    with pytest.raises(UsageError, match="no shards at"):
        shards.find(f"{store.url}/in")


@pytest.mark.parametrize(
    "url", [f"s3://{KEY_ID}:{SECRET}@bucket/in", f"s3://{SECRET}@bucket", f"gs://{SECRET}/x", f"https://u:{SECRET}@h/x",
            f"s3://{SECRET}:x/in", "s3:///in", "file:///etc/passwd", "S3://bucket/in"],
)  # fmt: skip
def test_a_url_with_credentials_or_of_another_kind_is_refused_and_not_repeated(url, capsys, tmp_path):
    out = str(tmp_path / "out")
    log = tmp_path / "log"
    told = [["run", "default", "--input", url, "--output", out, "--log", str(log)], ["plan", "default", "--input", url],
            ["run", "default", "--input", str(tmp_path), "--output", url], ["audit", url], ["verify", url],
            ["lineage", url], ["retune", url], ["card", url], ["explain", "default", f"{url}:3"], ["push", out, "--to", url]]  # fmt: skip
    for words in told:
        assert main(words) == USAGE, words
        said = "".join(capsys.readouterr())
        assert SECRET not in said
        assert len(said.splitlines()) == 1, said
    assert not log.exists()


@pytest.mark.slow
def test_an_audit_says_the_same_of_s3_as_of_a_folder(store, folder):
    store.put_folder(folder, "in")
    here, there = (audit(Asked(inputs=[where], workers=1)) for where in (str(folder), f"{store.url}/in"))
    assert [d.whole for d in here.datasets] == [d.whole for d in there.datasets]


def test_explain_finds_records_on_s3_by_file_name_and_id(store, folder):
    store.put_folder(folder, "in")
    told = {**LIGHT, "input": {"path": f"{store.url}/in"}}
    for record in (f"{store.url}/in/s0.parquet:3", "s0.parquet:3", "0-3"):
        said = explain(recipe.from_document(told), record)
        assert "language_not_allowed" in said


def test_a_broken_object_is_a_broken_shard(store, folder, tmp_path):
    whole = (folder / "s0.parquet").read_bytes()
    store.put("in/whole.parquet", whole)
    store.put("in/torn.parquet", whole[: len(whole) // 2])
    store.put("in/nothing.parquet", b"")
    store.put("in/nul.jsonl", b"\0" * 5000)
    done = curate(f"{store.url}/in", tmp_path / "out")
    assert set(done.failed) == {"torn.parquet", "nothing.parquet", "nul.jsonl"}
    assert manifest(done.out)["records"]["read"] == 40


@given(
    data=st.binary(max_size=200), moves=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 220), st.integers(-1, 90)))
)
def test_ranges_read_as_the_whole_does(data, moves):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranged, "BLOCK", 16)
        patch.setattr(ranged, "KEPT", 2)
        asked = []
        remote = ranged.Ranged(len(data), lambda a, b: asked.append((a, b)) or data[a:b])
        whole = io.BytesIO(data)
        for whence, offset, size in moves:
            places = {0: offset, 1: 0, 2: -min(offset, len(data))}
            assert remote.seek(places[whence], whence) == whole.seek(places[whence], whence)
            assert remote.read(size) == whole.read(size)
            assert remote.tell() == whole.tell()
        assert all(0 <= a < b <= len(data) for a, b in asked)


def test_without_boto3_one_line_says_how_to_get_it(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    s3.client.cache_clear()
    try:
        with pytest.raises(CorpusmillError, match=r"pip install 'corpusmill\[s3\]'"):
            shards.find("s3://bucket/in")
    finally:
        s3.client.cache_clear()
