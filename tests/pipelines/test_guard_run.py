"""A guard in a run: what the manifest says of it, and what a server that is down does to a dataset."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from tests.filters.guards import Fault, by_word, serving
from tests.pipelines.conftest import contents, manifest

SECRET = "sk-never-written-down"


@pytest.fixture
def recipe(corpusmill, monkeypatch, shards):
    """A recipe with a guard at an address; one shard of prompts, one answer of which is unsafe."""
    monkeypatch.setenv("GUARD_KEY", SECRET)
    for extra in sorted(shards.glob("*.parquet"))[1:]:
        extra.unlink()
    path = shards / "s0.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[5]["response"] = "A bomb is built like this."
    pq.write_table(pq.read_table(path).from_pylist(rows), path, row_group_size=20)

    def at(url: str, **more) -> None:
        told = {"url": url, "model": "m", "template": "llama-guard-3", "key_env": "GUARD_KEY", "backoff": 0.001,
                "cache": str(corpusmill.home / "cache"), "price_prompt": 1.0}  # fmt: skip
        options = ", ".join(f"{k}: {v}" for k, v in more.items())
        endpoint = ", ".join(f"{k}: {v!r}" for k, v in told.items())
        corpusmill.recipe.write_text(
            f"name: guarded\nfilters:\n  - guard: {{endpoint: {{{endpoint}}}, {options}}}\n", "utf-8"
        )

    return at


def test_the_manifest_says_what_was_sent_where_and_what_it_took_and_a_rerun_is_free(corpusmill, recipe, shards):
    with serving(by_word) as server:
        recipe(server.url)
        corpusmill.run(shards, corpusmill.home / "out")
        asked = len(server.asked)
        server.answer = lambda *_: Fault(500)
        corpusmill.run(shards, corpusmill.home / "again")
        assert len(server.asked) == asked
    told = manifest(corpusmill.home / "out")
    [guard] = [f for f in told["filters"] if f["name"] == "guard"]
    assert guard["reasons"]["unsafe_content"]["records"] == 1
    assert guard["rules"]["indiscriminate_weapons"]["records"] == 1
    assert guard["sums"] == {
        "questions": 78, "prompt_tokens": 39 * 22, "completion_tokens": 39 * 6, "cost_millionths": 39 * 22,
    }  # fmt: skip
    assert guard["spent"] == {
        "questions": 80, "prompt_tokens": 40 * 22, "completion_tokens": 40 * 6, "cost_millionths": 40 * 22,
    }  # fmt: skip
    assert told["summaries"]["guard"]["sent"] == [
        {"texts": ["prompt", "response", "reasoning"], "to": server.url, "model": "m", "scrubbed": False}
    ]
    assert contents(corpusmill.home / "out") == contents(corpusmill.home / "again")
    for path in corpusmill.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert "as published" in corpusmill("retune", corpusmill.home / "out", "--set", "guard.drop=[hate]")
    assert "did you mean 'hate'" in corpusmill("retune", corpusmill.home / "out", "--set", "guard.drop=[hat]", code=2)


def test_workers_that_are_made_ready_send_nothing_but_records(corpusmill, recipe, shards):
    with serving(by_word) as server:
        recipe(server.url)
        corpusmill.run(shards, corpusmill.home / "out", "--workers", "2", env={"GUARD_KEY": SECRET})
        asked = [str(request) for request in server.asked]
    assert len(asked) == 80
    assert not [a for a in asked if "Ask " not in a]


def test_a_server_that_fails_sets_records_aside_or_stops_the_unit_in_one_line(corpusmill, recipe, shards):
    with serving(
        lambda told, n: Fault(500) if "Ask 0 7" in told["messages"][0]["content"] else by_word(told, n)
    ) as server:
        recipe(server.url, on_failure="stop")
        said = corpusmill.run(shards, corpusmill.home / "out", code=3)
        assert "the filter guard stopped" in said and "run again" in said
        assert SECRET not in said
        recipe(server.url)
        corpusmill.run(shards, corpusmill.home / "out")
        told = manifest(corpusmill.home / "out")
        assert told["records"] == {"read": 40, "kept": 38, "rejected": 2}
        server.answer = by_word
        corpusmill.run(shards, corpusmill.home / "out")
        assert manifest(corpusmill.home / "out")["records"]["kept"] == 38
        corpusmill.run(shards, corpusmill.home / "out", "--set", "guard.endpoint=" + _again(corpusmill))
    assert manifest(corpusmill.home / "out")["records"]["kept"] == 39


def _again(corpusmill) -> str:
    """The endpoint as the recipe has it, with another ``again``."""
    text = corpusmill.recipe.read_text("utf-8")
    return text[text.index("endpoint: {") + len("endpoint: ") : text.index("}")] + ", again: 1}"
