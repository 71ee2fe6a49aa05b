"""Counterfactual copies: grammar, coreference and calls stay intact, and what cannot be swapped rightly is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import Judgement
from filters.counterfactual import REASONS, Counterfactual, lexicon
from filters.structure import StructureFilter
from pipelines import edits
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real, scrubbed

SENTENCES = yaml.safe_load((Path(__file__).parent / "counterfactual_sentences.yaml").read_text("utf-8"))
COUNTERFACTUAL = Counterfactual()


def swapped(rows: list[dict]) -> tuple[list[str], dict[int, str]]:
    """Every text with its swaps, and what was left alone."""
    batch = batch_of(rows)
    found = COUNTERFACTUAL.swaps(batch)
    return scrubbed(batch, Judgement(found.swapped, edits=found.edits)), dict(found.left)


def one(text: str) -> str:
    return swapped([{"text": text}])[0][0]


def test_sentences_say_in_their_copy_what_a_reader_wrote_down():
    pairs = [tuple(pair) for group in ("her", "his", "words", "names") for pair in SENTENCES[group]]
    wrong = [(text, made) for text, expected in pairs if (made := one(text)) != expected]
    assert len(pairs) >= 100
    assert wrong == []


@pytest.mark.parametrize("text", SENTENCES["same"])
def test_what_is_no_persons_gender_stays(text):
    assert one(text) == text


def test_a_pair_begins_with_a_vowel_on_both_sides_or_on_neither():
    words = [s for s in lexicon.load() if s.kind == lexicon.WORD]
    odd = [s for s in words if (s.entry.identifier[0].lower() in "aeiou") != (s.target[0].lower() in "aeiou")]
    assert [s.entry.identifier for s in odd] == []


def test_names_are_paired_one_to_one():
    names = {s.entry.identifier: s.target for s in lexicon.load() if s.kind in (lexicon.NAME, lexicon.WORD_NAME)}
    assert all(names[target] == name for name, target in names.items())
    assert len(names) > 400


CLAUSES = st.sampled_from(
    ["{a} lost {poss} keys.", "I thanked {b} and {poss2} friend.", "{c} lives with {kin}.", "The answer is {n}."]
)
MALE = {"a": "He", "poss": "his", "b": "the boy", "poss2": "his", "c": "Thomas", "kin": "an uncle", "n": 3}
FEMALE = {"a": "She", "poss": "her", "b": "the girl", "poss2": "her", "c": "Katherine", "kin": "an aunt", "n": 3}


@given(st.lists(st.tuples(CLAUSES, st.booleans()), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_swapped_twice_an_unambiguous_text_is_itself_again(parts):
    text = " ".join(clause.format(**(MALE if male else FEMALE)) for clause, male in parts)
    expected = " ".join(clause.format(**(FEMALE if male else MALE)) for clause, male in parts)
    assert one(text) == expected
    assert one(expected) == text


@pytest.mark.slow
@given(st.text(alphabet="heisrHE \n\0`\"'{}[]:,\\é他<>$.", max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_has_a_copy_that_is_text_or_none(text):
    one(text)


def test_one_name_has_one_counterpart_in_turns_reasoning_calls_and_results():
    call = {
        "name": "mail",
        "arguments": json.dumps({"to": "John", "text": "John is late.\nHe is sorry", "id": "call-1"}),
    }
    turns = [
        {"role": "user", "content": "Tell Mary that John is late."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": call}]},
        {"role": "tool", "content": '{"sent": "to John"}', "tool_call_id": "c"},
        {"role": "assistant", "content": "John was told; his mail is out."},
    ]
    texts, left = swapped([{"messages": turns}])
    assert left == {}
    assert "John" not in "".join(texts).replace("Tell John", "")
    arguments = json.loads(next(t for t in texts if t.startswith('{"to"')))
    assert arguments == {"to": "Mary", "text": "Mary is late.\nShe is sorry", "id": "call-1"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("She is pregnant and her son waits.", "sex_specific"),
        ("He likes Einstein.", "figure"),
        ("He wrote:\n```\nprint('he')\n```", "outside_prose"),
        ("Her book is called The Girl on the Train.", "title"),
        ("Die Mutter und ihr Mann sind nicht da, und er sagt: he is not my father.", "other_language"),
        ("他说: he is here. 她说好的。", "other_language"),
    ],
)
def test_a_record_that_cannot_be_swapped_rightly_is_left_alone(text, reason):
    assert swapped([{"text": text}]) == ([text], {0: reason})
    assert reason in REASONS


def test_a_value_that_the_tools_name_is_never_changed():
    tools = json.dumps([{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"who": {"type": "string", "enum": ["John", "Paul"]}}}}}])  # fmt: skip
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"who": "John"}'}}
    turns = [{"role": "user", "content": "Ask John."}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    _, left = swapped([{"messages": turns, "tools": tools}])
    assert left == {0: "value"}


def test_a_name_in_a_key_is_never_changed():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"John Smith": 3}'}}
    turns = [{"role": "user", "content": "Ask John."}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    assert swapped([{"messages": turns}])[1] == {0: "value"}


def test_a_long_value_full_of_hits_takes_time_as_its_length():
    texts, left = swapped([{"text": json.dumps({"a": "he is \n there " * 20_000})}])
    assert left == {}
    assert texts[0].count("she") == 20_000


@pytest.mark.parametrize("name", ["bfcl_v4", "glaive_sharegpt", "sealtools", "taubench_airline"])
def test_the_structure_filter_accepts_a_copy_wherever_it_accepted_the_record(name):
    structure, copies = StructureFilter(), 0
    for path in real(name):
        rows = pq.read_table(path).combine_chunks().to_batches()[0]
        laid = read(rows, recognise(rows.schema), max_record_bytes=1 << 30)
        found = COUNTERFACTUAL.swaps(laid.batch)
        made = read(edits.apply(laid, [found.edits], found.swapped), recognise(rows.schema), max_record_bytes=1 << 30)
        before, after = structure.judge(laid.batch).keep, structure.judge(made.batch).keep
        assert (after == before)[found.swapped].all()
        copies += int(found.swapped.sum())
    assert copies
