"""What a run leaves behind and says: no raw value anywhere but in the review export, and no word over the network."""

from __future__ import annotations

import gzip
import json
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command

PLANTED = {
    "EMAIL_ADDRESS": "Zoe.Quandt@cuvoxbank.de",
    "PHONE_NUMBER": "+1 212-736-5021",
    "CREDIT_CARD": "4454794511390933",
    "IBAN_CODE": "DE89370400440532013000",
    "IP_ADDRESS": "81.173.24.77",
    "API_KEY": "AKIAQ3EGQ7YJ2NHW6PZD",
    "PASSWORD": "hunter2-Wx9!kQz",
}
RECIPE = """
name: private
filters:
  - structure
  - repetition
  - narrative
  - language: {allow: [en]}
  - pii
"""
NO_NETWORK = """
import os, socket

def refused(self, address, *rest):
    if self.family == socket.AF_UNIX:
        return original(self, address, *rest)
    tell(address)

def tell(address, *rest, **more):
    with open(os.environ["TRIED"], "a") as file:
        file.write(f"{address}\\n")
    raise OSError("the network is not to be used")

original = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = tell
"""
FAULT = """
import filters.language

def judge(self, batch):
    raise ValueError("cannot read " + " ".join(batch.segments.text(i) for i in range(len(batch.segments))))

filters.language.LanguageFilter.judge = judge
"""


def sentence() -> str:
    values = PLANTED.values()
    return "Write to {} or phone {}, charge card {}, IBAN {}, host {}, key {}, password = '{}'".format(*values)


def rows() -> list[dict]:
    """Kept and rejected ones: values in prose, reasoning, calls and results, beside what each filter rejects for."""
    said = sentence()
    call = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": said})}}]

    def chat(
        content: str, answer: str = "Certainly, the letter has been sent to them now.", reasoning: str = "", **more
    ):
        user = {"role": "user", "content": f"Please handle this. {content}", "reasoning": None, "tool_calls": None}
        return {
            "messages": [
                user,
                {"role": "assistant", "content": answer, "reasoning": reasoning, "tool_calls": None} | more,
            ]
        }

    return [
        chat(said),
        chat("And then?", answer=f"I did as you asked me to: {said}", reasoning=f"The customer told me: {said}"),
        chat("Call it.", tool_calls=call),  # a call of a tool that is not defined: structure
        chat(said, answer=f"{said} and so on. " * 60),  # repetition
        chat("Erzähl mir etwas.", answer=f"Das ist ein längerer deutscher Satz über den Brief an alle Kunden: {said}"),
        chat(said, answer="As our great nation has always shown, our party leads the people to victory. " + said),
    ]


@pytest.fixture
def quiet(tmp_path: Path) -> Command:
    """The command with sockets refused in it and in every worker; what was tried is in ``tried``."""
    command = Command(tmp_path)
    command.recipe.write_text(RECIPE, "utf-8")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_NETWORK, "utf-8")
    return command


def environment(command: Command) -> dict[str, str]:
    path = os.pathsep.join([str(command.home / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    # Patterns are compiled by the first of these tests, without what the machine may have from before.
    compiled = command.home.parent / "compiled"
    return {"PYTHONPATH": path, "TRIED": str(command.home / "tried"), "CORPUSMILL_CACHE": str(compiled)}


def raw_values(text: str) -> list[str]:
    """Entities whose planted value, or a telling part of it, stands in the text."""
    parts = {
        "EMAIL_ADDRESS": ("cuvoxbank", "zoe.quandt"),
        "PHONE_NUMBER": ("736-5021", "7365021"),
        "CREDIT_CARD": ("445479",),
        "IBAN_CODE": ("370400440532",),
        "IP_ADDRESS": ("81.173.24",),
        "API_KEY": ("q3egq7yj",),
        "PASSWORD": ("hunter2",),
    }
    assert set(parts) == set(PLANTED)
    return [entity for entity, told in parts.items() if any(part in text.lower() for part in told)]


def leaks(folder: Path) -> dict[str, list[str]]:
    """Each file below the folder that has a planted value: in its bytes, its columns or its metadata."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        text = path.read_bytes().decode("utf-8", "replace") + path.name
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            text += json.dumps(table.to_pylist(), default=str, ensure_ascii=False) + str(table.schema)
        elif path.suffix == ".gz":
            text += gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        if raw_values(text):
            found[path.relative_to(folder).as_posix()] = raw_values(text)
    return found


def shards(folder: Path) -> Path:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows()), folder / "a.parquet", row_group_size=2)
    pq.write_table(pa.Table.from_pylist(rows()[:2]), folder / "b.parquet")
    return folder


def test_the_search_for_leaks_finds_them(tmp_path: Path) -> None:
    shards(tmp_path / "in")
    assert leaks(tmp_path) == {name: list(PLANTED) for name in ("in/a.parquet", "in/b.parquet")}


def test_a_run_leaves_no_raw_value_behind_and_uses_no_network(quiet: Command) -> None:
    given, out = shards(quiet.home / "in"), quiet.home / "out"
    env = environment(quiet)
    said = quiet.run(given, out, env=env)
    said += quiet("verify", out, env=env)
    table = pq.read_table(out / "annotations")
    assert set(table["rejected_by"].to_pylist()) >= {None, "structure", "repetition", "language", "narrative"}
    evidence = {e["rule"].split(":")[0] for row in table["pii"].to_pylist() for e in row["evidence"]}
    assert evidence >= set(PLANTED)
    assert raw_values(said) == []
    assert leaks(out) == {}
    assert (out / "report.html").read_text("utf-8").count('class="said"') >= 4, "no excerpt is shown"
    assert not (quiet.home / "tried").exists(), (quiet.home / "tried").read_text()


def test_what_a_narrow_scan_leaves_is_masked_in_the_report(quiet: Command) -> None:
    """The recipe looks for e-mail addresses alone, so numbers stand in rejected/; the report's excerpts mask them."""
    given, out = shards(quiet.home / "in"), quiet.home / "out"
    quiet.run(given, out, "--set", "pii.entities=[EMAIL_ADDRESS]", env=environment(quiet))
    assert "PHONE_NUMBER" in raw_values(json.dumps(pq.read_table(out / "rejected").to_pylist(), default=str))
    page = (out / "report.html").read_text("utf-8")
    assert page.count('class="said"') >= 4
    assert "•••-••••" in page
    assert set(raw_values(page)) <= {"PASSWORD"}
    assert raw_values((out / "manifest.json").read_text("utf-8")) == []


def test_only_the_review_export_holds_values(quiet: Command) -> None:
    given, out = shards(quiet.home / "in"), quiet.home / "out"
    env = environment(quiet)
    said = quiet.run(given, out, env=env)
    tasks = quiet.home / "tasks.json"
    said += quiet("review", "export", out, "--to", tasks, env=env)
    assert raw_values(said) == []
    assert leaks(out) == {}
    assert set(raw_values(tasks.read_text("utf-8"))) == set(PLANTED)
    assert stat.S_IMODE(tasks.stat().st_mode) == 0o600


def test_a_filter_that_dies_quoting_the_record_quotes_it_to_nobody(quiet: Command) -> None:
    given, out = shards(quiet.home / "in"), quiet.home / "out"
    site = quiet.home / "site" / "sitecustomize.py"
    site.write_text(NO_NETWORK + FAULT, "utf-8")
    for workers in ("1", "2"):
        said = quiet.run(given, out, "--workers", workers, code=3, env=environment(quiet))
        assert "ValueError" in said
        assert raw_values(said) == []
        assert leaks(out) == {}


def test_bad_input_is_told_of_without_quoting_it(quiet: Command) -> None:
    folder, env = quiet.home / "in", environment(quiet)
    folder.mkdir()
    good = json.dumps({"messages": rows()[0]["messages"]})
    bad = [good[:-40], f'"{sentence()}"', sentence(), json.dumps({"messages": sentence()})]
    (folder / "a.jsonl").write_bytes("\n".join([good, *bad]).encode() + b"\n\xff " + sentence().encode() + b"\n")
    said = quiet.run(folder, quiet.home / "out", env=env)
    assert raw_values(said) == []
    assert leaks(quiet.home / "out") == {}
    broken = quiet.home / "broken"
    shards(broken)
    whole = (broken / "a.parquet").read_bytes()
    (broken / "a.parquet").write_bytes(whole[: len(whole) // 2])
    said = quiet.run(broken, quiet.home / "other", code=3, env=env)
    assert raw_values(said) == []
    assert leaks(quiet.home / "other") == {}
