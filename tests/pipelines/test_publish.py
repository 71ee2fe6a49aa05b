"""Publishing: the old dataset or the new one, whenever somebody looks and wherever it is cut short; versions, and the way back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import faults, forget, publish, recipe, rollback, swap
from pipelines.errors import OutputError, ShardError, UsageError
from pipelines.ledger import Ledger
from pipelines.retune import retune
from pipelines.run import run
from pipelines.shards import sha256_of
from pipelines.verify import verify
from tests.pipelines.conftest import LIGHT, contents, manifest, write_shard
from tests.support import ROOT

STATE = ".corpusmill"
BOUNDS = {"old": 2, "new": 3}
"""Shards of the two datasets that are published over each other; s0 differs, s1 does not."""


def carry(home: Path, out: Path, keep: int = 0, **sections):
    """A run of the light recipe over ``home/in``, in this process."""
    document = recipe._parse(LIGHT, "light")
    document["input"] = {"path": str(home / "in")}
    document["output"] = {"path": str(out), "keep_versions": keep}
    return run(recipe.from_document({**document, **sections}))


def fill(home: Path, seed: int, shards: int) -> None:
    (home / "in").mkdir(exist_ok=True)
    for s in range(shards):
        write_shard(home / "in" / f"s{s}.parquet", seed if s == 0 else s)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """``old``: published. ``out``: the same, with every unit of the new dataset done and nothing published of it. ``new``: that one
    published over the old one, undisturbed."""
    home = tmp_path_factory.mktemp("publish")
    fill(home, 70, BOUNDS["old"])
    carry(home, home / "old", keep=1)
    fill(home, 71, BOUNDS["new"])
    subprocess.run(["cp", "-a", home / "old", home / "out"], check=True)
    carry(home, home / "out", keep=1)
    subprocess.run(["cp", "-a", home / "out", home / "new"], check=True)
    rollback.rollback(home / "out")
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    """A copy that a test may change, hard links as they are."""
    subprocess.run(["cp", "-a", f"{made}/.", tmp_path], check=True)
    return tmp_path


KILLS = [
    "before-publish:kill", "before-swap:kill", "between-swaps:kill:1", "between-swaps:kill:2", "between-swaps:kill:3",
    "before-manifest:kill", "after-manifest:kill", "in-prune:kill",
    "exchange:einval,between-renames:kill:1", "exchange:enosys,between-renames:kill:3", "exchange:einval,after-manifest:kill",
]  # fmt: skip
RUN = """
import os, sys
from pathlib import Path
from tests.pipelines.test_publish import carry
home = Path(sys.argv[1])
for i, fault in enumerate(sys.argv[2:]):
    pid = os.fork()
    if not pid:
        os.environ["CORPUSMILL_FAULT"] = fault
        carry(home, home / f"out{i}")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture(scope="module")
def killed(made, tmp_path_factory) -> Path:
    """One folder a kill, in which a run was killed there; by a process without threads, which can fork."""
    home = tmp_path_factory.mktemp("killed")
    subprocess.run(["cp", "-a", f"{made}/.", home], check=True)
    for i in range(len(KILLS)):
        subprocess.run(["cp", "-a", home / "out", home / f"out{i}"], check=True)
    told = subprocess.run(
        [sys.executable, "-c", RUN, home, *KILLS],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert told.stdout.split() == ["-9"] * len(KILLS), told.stderr
    return home


@pytest.mark.parametrize("number", range(len(KILLS)), ids=KILLS)
def test_killed_anywhere_the_next_run_ends_with_the_same_bytes(killed, number):
    """keep_versions is 0 here, so that there is something to prune: the old version must be gone at the end."""
    out = killed / f"out{number}"
    torn = (out / STATE / publish.MARKER).exists()
    if not torn:
        assert verify(out) == [], "no marker, so a whole dataset"
        assert contents(out) in (contents(killed / "old"), contents(killed / "new"))
    else:
        assert verify(out) == ["a publish was cut short: run the same command again"]
    carry(killed, out)
    assert contents(out) == contents(killed / "new")
    assert verify(out) == []
    assert [p.name for p in (out / STATE / "versions").iterdir()] == [manifest(out)["digest"]]
    assert {p.name for p in (out / STATE / "units").glob("*/*")} == {o["unit"] for o in manifest(out)["outputs"]}


def test_cut_short_it_is_finished_even_when_the_next_run_fails(home):
    """What was begun is brought to its end, whatever has become of the input since."""
    program = [sys.executable, "-c", RUN, home, "between-swaps:kill:1"]
    (home / "out").rename(home / "out0")
    subprocess.run(program, check=True, cwd=ROOT, capture_output=True)
    assert (home / "out0" / STATE / publish.MARKER).exists()
    shutil.rmtree(home / "in")
    (home / "in").mkdir()
    (home / "in" / "s.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ShardError, match="nothing to publish"):
        carry(home, home / "out0")
    assert contents(home / "out0") == contents(home / "new")
    assert verify(home / "out0") == []


def test_a_note_is_not_put_over_a_publish_that_was_cut_short(home):
    told = manifest(home / "out")
    (home / "out" / STATE / publish.MARKER).touch()
    with pytest.raises(OutputError, match="cut short"):
        publish.republish(Ledger(home / "out"), told, files=False)


TOGGLE = """
import sys
from pathlib import Path
from pipelines import publish, versions
from pipelines.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    order = versions.order(ledger)
    publish.show(ledger, order[1], order[::-1], prune=False)
"""


@pytest.fixture(scope="module")
def looked(made, tmp_path_factory) -> tuple[dict[str, dict], list]:
    """What readers of each kind saw while another process published two datasets over each other, 100 times."""
    out = tmp_path_factory.mktemp("looked") / "out"
    subprocess.run(["cp", "-a", made / "out", out], check=True)
    manifests = {v.digest: manifest(v.path) for v in rollback.kept(out)}
    seen = []
    with subprocess.Popen([sys.executable, "-c", TOGGLE, out, "100"], cwd=ROOT) as process:
        while process.poll() is None:
            seen += [("folder", folder(out)), ("checked", checked(out)), ("pinned", pinned(out))]
    assert process.returncode == 0
    return manifests, seen


def folder(out: Path) -> dict[str, str] | None:
    """A reader of data/ alone that opens the folder once. None when it was taken away while it read."""
    handle = os.open(out / "data", os.O_RDONLY)  # never FileNotFoundError
    opened = Path(f"/proc/self/fd/{handle}") if sys.platform == "linux" else out / "data"
    try:
        found = {f"data/{p.name}": sha256_of(p) for p in sorted(opened.iterdir())}
        return found if len(list(opened.iterdir())) == len(found) else None
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)


def checked(out: Path) -> tuple[str, dict[str, str]] | None:
    """A reader of everything that goes by the manifest, and looks for the marker and then at the manifest again when it is done."""
    told = manifest(out)
    try:
        found = {o["path"]: sha256_of(out / o["path"]) for o in told["outputs"]}
    except FileNotFoundError:
        return None
    same = not (out / STATE / publish.MARKER).exists() and manifest(out) == told
    return (told["digest"], found) if same else None


def pinned(out: Path) -> tuple[str, dict[str, str]]:
    """A reader that takes the digest once, and the version from then on."""
    told = manifest(out)
    version = out / STATE / "versions" / told["digest"]
    return told["digest"], {o["path"]: sha256_of(version / o["path"]) for o in told["outputs"]}


def files_of(told: dict, kind: str = "") -> dict[str, str]:
    return {o["path"]: o["sha256"] for o in told["outputs"] if o["path"].startswith(kind)}


def test_a_reader_of_one_folder_sees_the_old_files_or_the_new_ones(looked):
    manifests, seen = looked
    whole = [found for kind, found in seen if kind == "folder" and found is not None]
    expected = [files_of(told, "data/") for told in manifests.values()]
    assert all(found in expected for found in whole)
    assert all(e in whole for e in expected), "both were seen"


@pytest.mark.parametrize("kind", ["checked", "pinned"])
def test_a_reader_who_needs_all_three_to_agree_can_tell(looked, kind):
    manifests, seen = looked
    answers = [found for k, found in seen if k == kind and found is not None]
    assert all(found == files_of(manifests[digest]) for digest, found in answers)
    assert {digest for digest, _ in answers} == set(manifests)


def test_a_version_is_the_dataset_whole_and_takes_no_space_of_its_own(made):
    """Two versions of which a third of the files are the same; blocks are counted once for each inode, as du does."""
    out = made / "new"
    now, before = rollback.kept(out)
    assert [v.current for v in (now, before)] == [True, False]
    assert verify(now.path) == verify(before.path) == []
    assert all((before.path / name).read_bytes() == data for name, data in everything(made / "old").items())
    assert retune(before.path, ["language.min_share=0"]).before.kept == before.kept
    parquet = lambda place: {p.stat().st_ino: p.stat().st_size for p in place.rglob("*.parquet")}  # noqa: E731
    state, published = parquet(out / STATE), parquet(out)
    assert sum(published.values()) == sum(state.values()), "what is published is second names"
    shared = parquet(now.path).keys() & parquet(before.path).keys()
    assert len(shared) == 3, "s1 has not changed"


def test_a_version_goes_back_byte_for_byte_and_the_next_run_publishes_the_new_state_again(home):
    out = home / "new"
    new = everything(out)
    done = rollback.rollback(out)
    assert everything(out) == everything(home / "old")
    assert verify(out) == []
    assert [v.current for v in rollback.kept(out)] == [True, False]
    assert manifest(out)["digest"] == done.digest
    result = carry(home, out, keep=1)
    assert result.changed and result.did == 0
    assert everything(out) == new
    assert not carry(home, out, keep=1).changed


def everything(out: Path) -> dict[str, bytes]:
    return contents(out) | {"run.json": (out / "run.json").read_bytes()}


def test_versions_are_kept_as_many_as_the_recipe_says_and_the_bad_ones_go_first(home):
    """Five datasets, three earlier ones kept; two steps back, and the two that were passed over are the next to go."""
    out = home / "many"
    digests = []
    for seed in range(5):
        fill(home, 80 + seed, 1)
        digests.append(carry(home, out, keep=3).manifest["digest"])
    assert [v.digest for v in rollback.kept(out)] == digests[:0:-1]
    rollback.rollback(out)
    assert rollback.rollback(out).digest == digests[2]
    assert [v.digest for v in rollback.kept(out)] == [digests[i] for i in (2, 1, 4, 3)]
    fill(home, 90, 1)
    newest = carry(home, out, keep=2).manifest["digest"]
    assert [v.digest for v in rollback.kept(out)] == [newest, digests[2], digests[1]]
    units = {o["unit"] for v in rollback.kept(out) for o in manifest(v.path)["outputs"]}
    assert {p.name for p in (out / STATE / "units").glob("*/*")} == units
    before = contents(out)
    assert not carry(home, out, keep=0).changed, "fewer versions are no new dataset"
    assert [v.digest for v in rollback.kept(out)] == [newest]
    assert contents(out) == before
    assert len(list((out / STATE / "units").glob("*/*"))) == 3


def test_how_many_versions_are_kept_is_no_part_of_the_dataset():
    few, many = (recipe.from_document({**recipe._parse(LIGHT, ""), "output": {"keep_versions": n}}) for n in (0, 7))
    assert few.fingerprint() == many.fingerprint()
    assert few.effective() == many.effective()


def test_nothing_of_a_forgotten_record_is_left_in_a_version_or_a_unit(home):
    out = home / "new"
    units = {o["unit"] for o in manifest(out)["outputs"]}
    assert "'70-0'" in rows(out), "in the version before"
    for place in ("staging/unit", "refused/data", "units/ab/abc"):
        (out / STATE / place).mkdir(parents=True)
        shutil.copyfile(out / "data" / "s0.parquet", out / STATE / place / "data.parquet")
    assert forget.forget(out, matching("71-0", "1-3"), forget.List("gone.txt", "id", "0" * 64)).records == 2
    left = rows(out)
    assert "'71-0'" not in left and "'1-3'" not in left and "'70-0'" not in left
    assert "'71-1'" in left
    assert [v.current for v in rollback.kept(out)] == [True]
    assert {p.name for p in (out / STATE / "units").glob("*/*")} == units
    assert verify(out) == verify(rollback.kept(out)[0].path) == []
    with pytest.raises(UsageError, match="no earlier version"):
        rollback.rollback(out)


def matching(*ids: str):
    return lambda batch: np.asarray(pa.compute.is_in(batch.ids, pa.array(ids)))


def rows(out: Path) -> str:
    """Of every Parquet file below a folder, whatever it is there for."""
    return "".join(str(pq.read_table(p).to_pylist()) for p in out.rglob("*.parquet"))


@pytest.mark.parametrize("fault", ["before-swap:eio", "between-swaps:eio:2", "in-prune:eio"])
def test_forgetting_that_was_cut_short_leaves_no_version_either(home, monkeypatch, fault):
    out = home / "new"
    monkeypatch.setattr(faults, "_passed", Counter())
    monkeypatch.setenv(faults.VARIABLE, fault)
    with pytest.raises(OutputError, match="Input/output error"):
        forget.forget(out, matching("71-0"), forget.List("gone.txt", "id", "0" * 64))
    monkeypatch.delenv(faults.VARIABLE)
    assert not carry(home, out, keep=1).did
    assert "'71-0'" not in rows(out)
    assert manifest(out)["forgotten"][0]["records"] == 1
    assert [v.current for v in rollback.kept(out)] == [True]
    assert verify(out) == []


def test_a_note_takes_the_place_of_the_version_it_is_of(home):
    """What people or an audit say of a dataset is no version to go back to."""
    out = home / "new"
    earlier = rollback.kept(out)[1].digest
    told = publish.republish(Ledger(out), {**manifest(out), "review": {}}, files=False)
    assert [v.digest for v in rollback.kept(out)] == [told["digest"], earlier]
    assert verify(rollback.kept(out)[0].path) == []
    with pytest.raises(OutputError, match="changed meanwhile"):
        publish.republish(Ledger(out), manifest(home / "old"), files=False)


def test_without_its_state_a_dataset_can_still_be_noted_of(home):
    out = home / "new"
    shutil.rmtree(out / STATE)
    (out / STATE).mkdir()
    publish.republish(Ledger(out), {**manifest(out), "review": {}}, files=False)
    assert verify(out) == []


def test_what_is_not_whole_is_not_gone_back_to(home):
    out = home / "new"
    version = rollback.kept(out)[1].path
    (version / "data" / "s1.parquet").unlink()
    before = contents(out)
    with pytest.raises(OutputError, match="not whole any more"):
        rollback.rollback(out)
    with pytest.raises(UsageError, match="no version whose digest begins with zz"):
        rollback.rollback(out, "zz")
    with pytest.raises(UsageError, match="2 versions"):
        rollback._wanted([*rollback.kept(out), rollback.kept(out)[0]], manifest(out)["digest"], out)
    with pytest.raises(UsageError, match="no dataset at"):
        rollback.rollback(home / "in")
    assert contents(out) == before


def test_a_damaged_output_is_mended_by_going_back_to_what_it_was(home):
    out = home / "new"
    before = contents(out)
    digest = manifest(out)["digest"]
    shutil.rmtree(out / "rejected")
    (out / "manifest.json").write_text("{", "utf-8")
    rollback.rollback(out, digest[:8])
    assert contents(out) == before


def test_who_may_read_a_folder_stays_as_somebody_set_it(home):
    (home / "new" / "data").chmod(0o2750)
    rollback.rollback(home / "new")
    assert (home / "new" / "data").stat().st_mode & 0o7777 == 0o2750


def test_without_an_exchange_it_is_two_renames_and_says_so(home, monkeypatch, capsys):
    monkeypatch.setenv(faults.VARIABLE, "exchange:enosys")
    carry(home, home / "out", keep=1)
    assert '"each_folder_in_one_step": false' in capsys.readouterr().err
    assert contents(home / "out") == contents(home / "new")


def test_a_file_system_that_really_cannot_exchange(home, capsys):
    """bindfs, a FUSE file system whose rename takes no flags."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    (home / "through").mkdir()
    if subprocess.run(["bindfs", home / "out", home / "through"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount FUSE file systems")
    try:
        carry(home, home / "through", keep=1)
        rollback.rollback(home / "through")
        rollback.rollback(home / "through")
    finally:
        subprocess.run(["umount", home / "through"], check=True)
    assert '"each_folder_in_one_step": false' in capsys.readouterr().err
    assert contents(home / "out") == contents(home / "new")
    assert verify(home / "out") == []


def test_where_there_are_no_hard_links_there_are_copies(home, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    carry(home, home / "out", keep=1)
    assert contents(home / "out") == contents(home / "new")
    assert verify(home / "out") == []
    assert not carry(home, home / "out", keep=1).changed


def test_an_error_other_than_not_supported_is_no_reason_for_two_renames(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(faults.VARIABLE, "exchange:eacces")
    with pytest.raises(PermissionError):
        swap.put(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("wrong", ["nowhere:kill", "in-prune:jump", "in-prune", "in-prune:kill:x"])
def test_a_fault_that_there_is_not_is_no_fault_that_does_not_happen(monkeypatch, wrong):
    monkeypatch.setenv(faults.VARIABLE, wrong)
    with pytest.raises(UsageError, match="write it as POINT:ACTION"):
        faults.at("in-prune")


def test_a_fault_once_over_all_processes(monkeypatch, tmp_path):
    monkeypatch.setenv(faults.VARIABLE, "in-prune:eio")
    monkeypatch.setenv(faults.ONCE, str(tmp_path / "once"))
    with pytest.raises(OSError, match="Input/output"):
        faults.at("in-prune")
    faults.at("in-prune")


def test_the_command_lists_and_goes_back(corpusmill, home):
    out = home / "new"
    now, before = rollback.kept(out)
    said = corpusmill("rollback", out, "--list")
    assert said.splitlines()[0].startswith(f"* {now.digest[:12]}") and str(before.path) in said
    said = corpusmill("rollback", out, "--to", before.digest[:6])
    assert f"the version {before.digest[:12]}" in said and "The next run publishes" in said
    assert contents(out) == contents(home / "old")
