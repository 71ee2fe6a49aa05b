"""Rule packs, lexicons and mappings that somebody else wrote: told in one line or run in bounded time; never more than data."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from filters.contract import ConfigError
from filters.licence import library
from filters.mentions import lexicon
from filters.narrative import NarrativeFilter, packs
from tests.support import batch_of

HEAD = "name: own\nversion: 1\nabout: mine\n"
RULE = "  - {id: a, about: b, lang: en, pattern: "
LISTS = "".join(f"  l{chr(97 + i)}: ['{{l{chr(96 + i)}}}', '{{l{chr(96 + i)}}}']\n" for i in range(1, 26))
UNFOLDING = "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
PACKS = {
    "a tag that makes an object": "!!python/object/apply:os.system ['touch owned']",
    "a number that is none": HEAD.replace("1", "!!int x") + "rules: []",
    "aliases that unfold": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + UNFOLDING,
    "an alias of itself": HEAD + "rules: &a [*a]",
    "deep lists": HEAD + "rules: " + "[" * 100_000,
    "word lists of word lists": HEAD + "words:\n  la: [abc]\n" + LISTS + "rules:\n" + RULE + "'{lz}'}",
    "larger than a pack": HEAD + "#" * (5 << 20),
    "a back reference": HEAD + "rules:\n" + RULE + "'(a)\\1'}",
    "code in a pattern": HEAD + "rules:\n" + RULE + "'(?{os.system(1)})'}",
    "a class that is not closed": HEAD + "rules:\n" + RULE + "'[a'}",
    "a pattern for nothing": HEAD + "rules:\n" + RULE + "'(\\w+\\s?)*$'}",
    "a repeat of repeats": HEAD + "rules:\n" + RULE + "'((((a{1,99}){1,99}){1,99}){1,99})'}",
    "a NUL": HEAD + "rules:\n" + RULE + '"a\\0b"}',
    "rules that are none": HEAD + "rules: [1, 2]",
    "an unknown reason": HEAD + "reason: ../../x\nrules:\n" + RULE + "a}",
}  # fmt: skip


@pytest.mark.parametrize("case", PACKS)
def test_a_hostile_rule_pack_is_refused_in_one_line_at_once(tmp_path: Path, case: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(PACKS[case], "utf-8")
    began = time.process_time()
    with pytest.raises(ConfigError) as told:
        NarrativeFilter(NarrativeFilter.Options(packs=(str(path),)))
    assert time.process_time() - began < 5
    assert len(str(told.value)) < 600
    assert "\n" not in str(told.value)
    assert [p.name for p in tmp_path.iterdir()] == ["own.yaml"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(ab{1,30000}c){1,30000}", "(x+x+)+y", ".*.*.*.*.*b"])
def test_a_pattern_that_explodes_elsewhere_runs_in_linear_time(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(HEAD + "rules:\n" + RULE + f"'{pattern}'}}", "utf-8")
    narrative = NarrativeFilter(NarrativeFilter.Options(packs=(str(path),)))
    batch = batch_of([{"prompt": "Hi.", "response": "a" * 50_000 + "x" * 50_000 + "!"}])
    began = time.process_time()
    narrative.judge(batch)
    assert time.process_time() - began < 10


def test_two_thousand_rules_compile_in_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    rules = "".join(
        f"  - {{id: r{i}, about: b, lang: en, pattern: 'word{i} of[^.]{{0,20}}house{i}'}}\n" for i in range(2_000)
    )
    path.write_text(HEAD + "rules:\n" + rules, "utf-8")
    began = time.process_time()
    packs.read(path)
    NarrativeFilter(NarrativeFilter.Options(packs=(str(path),)))
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("term", "told"),
    [
        ("(a|b)" * 40, "more than 400 forms"),
        ("{term: man, only: ['(a+)+$ ~']}", "for ever"),
        ("{term: man, unless: ['~ (\\w+\\s?)*x']}", "for ever"),
        ("{term: man, only: ['(a ~']}", "context"),
    ],
)  # fmt: skip
def test_a_hostile_lexicon_is_refused(tmp_path: Path, term: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        f"language: en\nversion: 1\nsources: {{gender: own}}\naxes: {{gender: {{men: [{term}]}}}}\n", "utf-8"
    )
    began = time.process_time()
    with pytest.raises(ConfigError, match=told):
        lexicon.read(path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "x" * 20_000 + "+"])
def test_a_hostile_licence_mapping_is_refused(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"urls: {{'{pattern}': MIT}}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        library.load(str(path))
