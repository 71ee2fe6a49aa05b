"""Recipes that came from somebody else: a mistake or an attack is one line, at once; nothing is run, fetched or written for it."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path

import pytest

from filters import registry
from filters.contract import ConfigError
from filters.datatrove import FETCHES
from pipelines import recipe
from pipelines.errors import UsageError
from tests.pipelines.conftest import Command
from tests.security.support import snapshot, watched

GOOD = "name: a\nfilters: [structure]\n"
HOSTILE = {
    "a tag that makes an object": "!!python/object/apply:os.system ['touch owned']",
    "a tag that makes an object, inside": GOOD + "input: {path: !!python/name:os.system}",
    "a tag that makes a module": GOOD + "input: !!python/module:antigravity",
    "a number that is none": GOOD + "work: {unit_bytes: !!int abc}",
    "a float that is none": GOOD + "gates: {kept_share: {least: !!float abc}}",
    "a date that is none": GOOD + "input: {path: !!timestamp abc}",
    "a truth that is none": GOOD + "input: {strict_schema: !!bool abc}",
    "bytes that are none": GOOD + "input: {path: !!binary '@@@'}",
    "a number of five thousand digits": GOOD + f"work: {{unit_bytes: {'9' * 5000}}}",
    "a number past 64 bits": GOOD + f"work: {{unit_bytes: {'9' * 40}}}",
    "a negative number": GOOD + "work: {unit_bytes: -1}",
    "infinity": GOOD + "work: {unit_bytes: .inf}",
    "sixty at a time": GOOD + "work: {unit_bytes: '1:1:1:1'}",
    "aliases that unfold": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + GOOD,
    "a merge of itself": "a: &a {<<: *a}\n" + GOOD,
    "a merge of a number": "<<: 3\n" + GOOD,
    "deep lists": GOOD + "input: {path: " + "[" * 20_000,
    "deep mappings": GOOD + "input: " + "{a: " * 5_000,
    "many keys": GOOD + "".join(f"k{i}: 1\n" for i in range(6_000)),
    "many filters": "name: a\nfilters: [" + "structure, " * 6_000 + "]",
    "a list as a key": GOOD + "? [a, b]\n: c",
    "a mapping as a key": GOOD + "? {a: b}\n: c",
    "a null as a key": GOOD + "~: c",
    "NUL": GOOD + "input: {path: \0}",
    "two documents": GOOD + "---\n" + GOOD,
    "larger than a recipe": GOOD + "#" * (2 << 20),
    "a name that is a path": "name: ../../etc/passwd\nfilters: [structure]",
    "a name with a line in it": 'name: "a\\nb"\nfilters: [structure]',
    "a name with an order for the terminal": 'name: "\\e[2J"\nfilters: [structure]',
    "a filter that is a module": "name: a\nfilters: [os]",
    "a filter that is a dotted path": "name: a\nfilters: [datatrove.pipeline.filters.LambdaFilter]",
    "a filter that is not datatrove's": "name: a\nfilters: [datatrove.os.system]",
    "a filter that is a dunder": "name: a\nfilters: [datatrove.__builtins__]",
    "a base class": "name: a\nfilters: [datatrove.BaseFilter]",
    "a filter that takes code": "name: a\nfilters: [datatrove.LambdaFilter: {filter_function: os.system}]",
    "a writer in a filter": "name: a\nfilters: [datatrove.GopherQualityFilter: {exclusion_writer: {output_folder: elsewhere}}]",
    "options that are none": "name: a\nfilters: [structure: [1]]",
    "a reserved filter": "name: a\nfilters: [rejected_by]",
    "a model that is a package": "name: a\nfilters: [pii: {model: os}]",
    "a model behind a URL": "name: a\nfilters: [pii: {model: 'http://127.0.0.1:9/model'}]",
    "a pack behind a URL": "name: a\nfilters: [narrative: {packs: ['http://127.0.0.1:9/p.yaml']}]",
    "a pack in a device": "name: a\nfilters: [narrative: {packs: [/dev/zero/p.yaml]}]",
    "a tokenizer behind a URL": "name: a\nfilters: [tokens: {tokenizer: 'http://127.0.0.1:9/t'}]",
    "a tokenizer by name": "name: a\nfilters: [tokens: {tokenizer: gpt2}]",
    "columns that are orders": GOOD + 'input: {columns: {"\\e[2J": "x"}}',
    "a codec that is none": GOOD + "output: {compression: 'zstd; rm -rf /'}",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_recipe_is_refused_in_one_line_at_once(
    corpusmill: Command, shards: Path, tmp_path: Path, case: str
) -> None:
    corpusmill.recipe.write_text(HOSTILE[case], "utf-8")
    out = tmp_path / "out"
    before, began = snapshot(tmp_path), time.process_time()
    with watched(out):
        said = corpusmill("run", corpusmill.recipe, "--input", shards, "--output", out, code=2)
    assert time.process_time() - began < 5
    assert said.count("\n") <= 2 and said.startswith("corpusmill: ") and len(said) < 2_000
    assert "\x1b" not in said
    assert {k: v for k, v in snapshot(tmp_path).items() if not k.startswith(str(out))} == before
    assert not (out / "manifest.json").exists()


def test_a_recipe_that_never_ends_is_refused(corpusmill: Command, shards: Path) -> None:
    said = corpusmill("plan", "/dev/zero", "--input", shards, code=2)
    assert "larger than 256 KiB" in said


@pytest.mark.parametrize(
    "override", ["structure.x=!!int a", "a=b", "input.path=" + "[" * 20_000, "work.unit_bytes=" + "9" * 5000]
)
def test_a_hostile_override_is_refused_too(override: str) -> None:
    with pytest.raises(UsageError):
        recipe.load("default", [override])


def test_every_filter_of_datatrove_that_fetches_is_known() -> None:
    """A new version of datatrove may bring more of them."""
    from datatrove.pipeline import filters as theirs
    from datatrove.pipeline.filters.base_filter import BaseFilter

    found = {n: k for n, k in vars(theirs).items() if inspect.isclass(k) and issubclass(k, BaseFilter)}
    fetching = re.compile(r"download|cached_asset|urlretrieve|LID\(|TLDExtract\(")
    assert {n for n, kind in found.items() if fetching.search(inspect.getsource(kind))} == set(FETCHES)


@pytest.mark.parametrize("name", FETCHES)
def test_a_filter_of_datatrove_that_fetches_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.load(f"datatrove.{name}")
