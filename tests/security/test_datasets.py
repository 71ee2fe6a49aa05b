"""Datasets that somebody else made: a manifest with lies in it leads no command out of the folder, and none into a traceback."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import manifest as manifests
from tests.pipelines.conftest import Command, manifest, write_shard
from tests.security.support import snapshot, watched

MARKUP = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'`| [a](javascript:alert(1)) \x1b[2J\u202e\n# Heading\n---\n"
VALUES = (
    None,
    0,
    -1,
    1 << 70,
    1.5,
    "",
    MARKUP,
    "../" * 9 + "etc/passwd",
    "/etc/passwd",
    [],
    {},
    [MARKUP],
    {MARKUP: 1},
    True,
    "\0",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, and one that was made from it."""
    command = Command(tmp_path_factory.mktemp("made"))
    (command.home / "in").mkdir()
    write_shard(command.home / "in" / "a.parquet", rows=14)
    command.run(command.home / "in", command.home / "out")
    command.run(command.home / "out", command.home / "child")
    return command.home


def written(out: Path, told: dict[str, Any]) -> None:
    """As a manifest that is what it says it is: whoever forges one can make its digest."""
    body = {k: v for k, v in told.items() if k != "digest"}
    (out / "manifest.json").write_bytes(manifests.dump({**body, "digest": manifests.digest(body)}))


def commands(out: Path, elsewhere: Path) -> list[list[str | Path]]:
    """Every command that reads a dataset."""
    return [
        ["verify", out],
        ["lineage", out],
        ["lineage", out, "--json"],
        *(["card", out, "--format", f] for f in ("model-card", "eu-summary", "json")),
        ["compare", out, out, "--html", elsewhere / "compared.html"],
        ["retune", out, "--set", "language.allow=[de]"],
        ["review", "export", out, "--to", elsewhere / "tasks.json"],
        ["retry", out],
        ["audit", out, "--to", elsewhere / "audit"],
    ]


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where values stand in a document."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(told: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A value of a manifest, or a few, made another; or left out; or named otherwise."""
    out = copy.deepcopy(told)
    for _ in range(rng.choice((1, 1, 3))):
        *above, last = rng.choice(list(places(out)))
        holder = out
        for step in above:
            holder = holder[step]
        match rng.randrange(6):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[MARKUP] = holder.pop(last)
            case _:
                holder[last] = copy.deepcopy(rng.choice(VALUES))
    return out


def try_all(command: Command, out: Path, told: dict[str, Any], kinds: slice = slice(None)) -> str:
    """Every command on a dataset with this manifest; none may raise, write elsewhere, or give the terminal orders."""
    written(out, told)
    elsewhere = command.home / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    before = snapshot(out)
    said = ""
    for args in commands(out, elsewhere)[kinds]:
        with watched(elsewhere, out / ".corpusmill"):
            code, told_out, err = command._here([str(a) for a in args])
        assert code in (0, 2, 3), (args, code)
        assert "Traceback" not in err
        assert "\x1b" not in told_out + err
        said += told_out + err
        (elsewhere / "tasks.json").unlink(missing_ok=True)
    assert {k: v for k, v in snapshot(out).items() if ".corpusmill" not in k} == {
        k: v for k, v in before.items() if ".corpusmill" not in k
    }
    page = elsewhere / "compared.html"
    assert not page.exists() or "<script>alert" not in page.read_text("utf-8")
    return said


@pytest.mark.parametrize("seed", range(6))
def test_forged_manifests_are_refused_or_shown_as_text(corpusmill: Command, made: Path, seed: int) -> None:
    out = made / ("out", "child")[seed % 2]
    good = manifest(out)
    try:
        # Without the audit, which takes seconds to start.
        try_all(corpusmill, out, changed(good, random.Random(seed)), slice(0, None if seed >= 100 else -1))
    finally:
        written(out, good)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_three_hundred_forged_manifests(corpusmill: Command, made: Path, seed: int) -> None:
    test_forged_manifests_are_refused_or_shown_as_text(corpusmill, made, seed)


@pytest.mark.parametrize(
    "path",
    ["data/../../victim.parquet", "/tmp/victim.parquet", "data//victim.parquet", "victim.parquet", "data/a\0.parquet"],
)
def test_outputs_that_lead_out_of_the_dataset_are_refused(corpusmill: Command, made: Path, path: str) -> None:
    """By what reads a manifest, and by forget, which writes the files that it names."""
    out, good = made / "out", manifest(made / "out")
    forged = copy.deepcopy(good)
    forged["outputs"][0]["path"] = path
    (corpusmill.home / "gone.txt").write_text("0-0\n")
    try:
        said = try_all(corpusmill, out, forged, slice(0, 2))
        assert "outside of the dataset" in said
        with watched(out / ".corpusmill"):
            said = corpusmill("forget", out, "--match", corpusmill.home / "gone.txt", "--kind", "id", code=2)
        assert "no manifest.json as a run writes it" in said
    finally:
        written(out, good)


def test_receipts_that_lead_out_of_the_dataset_are_no_receipts(
    corpusmill: Command, shards: Path, tmp_path: Path
) -> None:
    """The work is done again, and its files are where they belong."""
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    for receipt in (out / ".corpusmill" / "units").glob("*/*/receipt.json"):
        told = json.loads(receipt.read_text())
        receipt.write_text(json.dumps({**told, "output": "../../../victim.parquet"}))
    with watched(out):
        said = corpusmill.run(shards, out)
    assert '"to_do": 4' in said
    corpusmill("verify", out)


@pytest.mark.parametrize("name", [".corpusmill", "data", "rejected", "annotations"])
def test_a_dataset_whose_folder_is_a_link_is_not_written_to(
    corpusmill: Command, shards: Path, tmp_path: Path, name: str
) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.mkdir()
    (victim / "thesis.parquet").write_text("years of work")
    out.mkdir()
    (out / ".corpusmill").mkdir()
    (out / name).rmdir() if name == ".corpusmill" else None
    (out / name).symlink_to(victim)
    before = snapshot(victim)
    assert "is a link" in corpusmill.run(shards, out, code=2)
    assert snapshot(victim) == before


def test_reports_and_cards_hold_what_is_declared_as_text(corpusmill: Command, tmp_path: Path) -> None:
    """Markup, links and front matter of whoever wrote the recipe stay text in the report and in every card."""
    (tmp_path / "in").mkdir()
    write_shard(tmp_path / "in" / "a.parquet", rows=8)
    about = {"title": MARKUP, "contact": MARKUP, "sources": [{"name": MARKUP}]}
    corpusmill.recipe.write_text(
        yaml.safe_dump({"name": "r", "about": about, "filters": [{"language": {"allow": ["en"]}}]}), "utf-8"
    )
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    said = [corpusmill("card", tmp_path / "out", "--format", f) for f in ("model-card", "eu-summary")]
    front, _, body = (tmp_path / "out" / "README.md").read_text("utf-8").removeprefix("---\n").partition("\n---\n")
    assert yaml.safe_load(front)["pretty_name"].strip() == MARKUP.strip()
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<script" not in report and "<img" not in report
    for page in (body, *said):
        assert "alert(1)" in page
        assert not re.search(r"(?<!\\)<(?:script|img|/td)", page)
        assert not re.search(r"(?<!\\)\]\(javascript:", page)
        assert "\n# Heading" not in page
