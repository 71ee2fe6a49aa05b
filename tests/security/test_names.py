"""Names that somebody chose to do harm: of files and columns. They are told as text, and cannot end a run or leave the output."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import notify
from tests.pipelines.conftest import Command, manifest, write_shard
from tests.security.support import curated, watched

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07.parquet",
    "two\nlines.parquet",
    "\u202etxt.parquet",
    "<script>alert(1);.parquet",
    "<img src=x onerror=alert(1)>.parquet",
    "[red]$(touch canary)`id`.parquet",
    "a..%2f..%2fetc.parquet",
    "a..\\..\\windows.parquet",
    "=cmd|' |C calc'!A0.parquet",
    "| a | b |.parquet",
    "--output=elsewhere.parquet",
    "x" * 247 + ".parquet",
    "%s%n{0}{shard}.parquet",
)
UNFIT = (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[11])


@pytest.fixture
def named(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in HOSTILE:
        write_shard(folder / name, rows=4)
    (folder / os.fsdecode(b"caf\xe9.parquet")).write_bytes((folder / HOSTILE[3]).read_bytes())
    return folder


def test_files_with_hostile_names_are_carried_or_told_as_text(corpusmill: Command, named: Path) -> None:
    out = corpusmill.home / "out"
    fates = curated(corpusmill, named, out, code=3)
    assert len(fates) == len(HOSTILE) + 1
    assert sum(fate == "read" for fate in fates.values()) == len(HOSTILE) - len(UNFIT)
    assert all(name.isprintable() for name in fates)
    kept = {p.name for p in (out / "data").iterdir()}
    assert kept == set(HOSTILE) - set(UNFIT)
    page = (out / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    readme = (out / "README.md").read_text("utf-8")
    assert "<script>alert" not in readme


def test_what_the_command_prints_gives_a_terminal_no_orders(corpusmill: Command, named: Path) -> None:
    """plan, run, verify and explain, over names and text with escape codes in them."""
    escape = "\x1b[31m\x1b]0;owned\x07"
    pq.write_table(pa.table({f"pay{escape}load": ["x"]}), named / "columns.parquet")
    pq.write_table(pa.table({"text": [f"Mail {escape} a@b.co and 4111 1111 1111 1111"]}), named / "text.parquet")
    corpusmill.recipe.write_text("name: r\nfilters: [pii]\n", "utf-8")
    out = corpusmill.home / "out"
    said = corpusmill("plan", corpusmill.recipe, "--input", named)
    said += corpusmill.run(named, out, code=3)
    said += corpusmill("explain", corpusmill.recipe, f"{named / 'text.parquet'}:0")
    (out / f"stray{escape}").write_text("")
    said += corpusmill("verify", out, code=3)
    assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
    assert "\\x1b[31m" in said


def test_links_out_of_the_input_are_read_and_never_written_to(corpusmill: Command, tmp_path: Path) -> None:
    """A cache of links is a usual input; a link into it from elsewhere is one too."""
    (tmp_path / "real").mkdir()
    write_shard(tmp_path / "real" / "blob.parquet", rows=4)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").symlink_to(tmp_path / "real" / "blob.parquet")
    (tmp_path / "in" / "broken.parquet").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b.parquet").symlink_to("/etc/hostname")
    fates = curated(corpusmill, tmp_path / "in", tmp_path / "out")
    assert fates["a.parquet"] == "read"
    assert set(fates) <= {"a.parquet", "b.parquet"}
    assert not (tmp_path / "out" / "data" / "a.parquet").is_symlink()


def test_links_in_the_output_do_not_lead_a_run_out_of_it(corpusmill: Command, shards: Path, tmp_path: Path) -> None:
    """Files of a published dataset that somebody replaced by links are replaced, not followed."""
    out, victim = tmp_path / "out", tmp_path / "victim"
    corpusmill.run(shards, out)
    victim.write_text("mine")
    for name in ("manifest.json", "report.html", "data/s0.parquet"):
        (out / name).unlink()
        (out / name).symlink_to(victim)
    with watched(out):
        corpusmill.run(shards, out)
    assert victim.read_text() == "mine"
    corpusmill("verify", out)
    assert manifest(out)["records"]["read"] == 160


def test_what_is_told_of_a_failure_reaches_the_command_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in the message are words of an environment variable, to no shell."""
    monkeypatch.chdir(tmp_path)
    message = "$(touch owned) `touch owned` ; touch owned\n--help"
    code = "import os, pathlib; pathlib.Path('told').write_text(os.environ['CORPUSMILL_MESSAGE'])"
    failed = notify.Failure("r", "out", "1", 3, message)
    assert notify.tell(f"{sys.executable} -c {shlex.quote(code)}", failed) is None
    assert (tmp_path / "told").read_text() == message
    assert not (tmp_path / "owned").exists()
