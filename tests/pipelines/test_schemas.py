"""Every schema is laid out as the same kinds of segments."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.batch import CHANNELS, ROLES, Batch
from pipelines.errors import ShardError
from pipelines.schemas.inline import REASONING_TAGS
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}


def rows(batch: Batch) -> list[tuple[int, int, str, str, str]]:
    """(record, turn, role, channel, text) of every segment."""
    s = batch.segments
    return [
        (int(s.record[i]), int(s.turn[i]), ROLES[s.role[i]], CHANNELS[s.channel[i]], s.text(i)) for i in range(len(s))
    ]


OPENAI = [
    {"role": "system", "content": "Be brief.", "reasoning_content": None, "tool_calls": None, "tool_call_id": None},
    {
        "role": "user",
        "content": "What do you see?",
        "reasoning_content": None,
        "tool_calls": None,
        "tool_call_id": None,
    },
    {"role": "assistant", "content": None, "reasoning_content": "I look.", "tool_calls": [CALL], "tool_call_id": None},
    {"role": "tool", "content": "blue", "reasoning_content": None, "tool_calls": None, "tool_call_id": "c1"},
    {"role": "assistant", "content": "Blue.", "reasoning_content": None, "tool_calls": None, "tool_call_id": None},
]
EXPECTED = [
    (0, -1, "system", "tool_definition", "[]"),
    (0, 0, "system", "content", "Be brief."),
    (0, 1, "user", "content", "What do you see?"),
    (0, 2, "assistant", "reasoning", "I look."),
    (0, 2, "assistant", "tool_call", '{"at": "sky"}'),
    (0, 3, "tool", "tool_result", "blue"),
    (0, 4, "assistant", "content", "Blue."),
]


def test_openai_messages_as_structs_and_as_a_json_string_are_the_same_segments():
    as_structs = batch_of([{"messages": OPENAI, "tools": "[]"}])
    as_json = batch_of([{"messages": json.dumps(OPENAI), "tools": "[]"}])
    assert rows(as_structs) == EXPECTED
    assert rows(as_json) == EXPECTED
    for batch in (as_structs, as_json):
        calls = batch.segments.names.to_pylist(), batch.segments.call_ids.to_pylist()
        assert calls[0][4] == "look"
        assert calls[1][4] == "c1"
        assert calls[1][5] == "c1"


def test_arguments_as_structs_come_without_the_nulls_that_arrow_pads_with():
    calls = [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": n, "arguments": a}}]}
        for n, a in (("f", {"x": 1}), ("g", {"y": {"z": "deep"}}))
    ]
    batch = batch_of([{"messages": [calls[0]]}, {"messages": [calls[1]]}])
    assert [json.loads(r[4]) for r in rows(batch)] == [{"x": 1}, {"y": {"z": "deep"}}]


def test_sharegpt_calls_are_reduced_to_their_arguments():
    value = '{"name": "look", "arguments": {"at": "sky", "how": "слева"}}'
    turns = [("human", "Look!"), ("function_call", value), ("observation", "blue"), ("gpt", "Blue.")]
    batch = batch_of([{"conversations": [{"from": f, "value": v} for f, v in turns]}])
    assert [r[2:] for r in rows(batch)] == [
        ("user", "content", "Look!"),
        ("assistant", "tool_call", '{"at": "sky", "how": "слева"}'),
        ("tool", "tool_result", "blue"),
        ("assistant", "content", "Blue."),
    ]
    assert batch.segments.names.to_pylist()[1] == "look"


def test_a_call_that_does_not_parse_is_one_segment_without_a_name():
    batch = batch_of([{"conversations": [{"from": "function_call", "value": '{"name": "look", "arguments": '}]}])
    assert rows(batch) == [(0, 0, "assistant", "tool_call", '{"name": "look", "arguments": ')]
    assert batch.segments.names.to_pylist() == [None]


def test_columns_become_turns():
    alpaca = batch_of([{"instruction": "Add.", "input": "1 and 2", "output": "3"}])
    assert [r[1:] for r in rows(alpaca)] == [
        (0, "user", "content", "Add."),
        (0, "user", "content", "1 and 2"),
        (1, "assistant", "content", "3"),
    ]
    kind = {"system": "Be kind.", "prompt": "Hi", "response": "Hello"}
    with_system = batch_of([kind, {"system": "", "prompt": "a", "response": "b"}])
    assert [(r[0], r[1], r[2]) for r in rows(with_system) if r[4]] == [
        (0, 0, "system"),
        (0, 1, "user"),
        (0, 2, "assistant"),
        (1, 0, "user"),
        (1, 1, "assistant"),
    ]


def test_nemotron_v1_has_its_conversation_in_one_column_and_its_answer_in_another():
    batch = batch_of(
        [{"input": [{"role": "user", "content": "Hi"}], "output": "<think>hm</think>Hello", "license": "x"}]
    )
    assert [r[1:] for r in rows(batch)] == [
        (0, "user", "content", "Hi"),
        (1, "assistant", "reasoning", "hm"),
        (1, "assistant", "content", "Hello"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>why</think>so", [("reasoning", "why"), ("content", "so")]),
        ("\n<thinking>wh\ny</thinking>\nso", [("reasoning", "wh\ny"), ("content", "\nso")]),
        ("<think>never closed", [("content", "<think>never closed")]),
        ("so </think> stray", [("content", "so </think> stray")]),
        ("a < b and <b>bold</b>", [("content", "a < b and <b>bold</b>")]),
        (
            "<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>so<|return|>",
            [("reasoning", "why"), ("content", "so")],
        ),
        (
            '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"a":1}<|call|>',
            [("tool_call", '{"a":1}')],
        ),
        (
            "before <|channel|>analysis<|message|>why<|end|> between <|channel|>final<|message|>so<|return|>after",
            [
                ("content", "before "),
                ("reasoning", "why"),
                ("content", "between "),
                ("content", "so"),
                ("content", "after"),
            ],
        ),
    ],
)
def test_inline_reasoning_is_split_where_it_is_well_formed(text, expected):
    for record in (
        {"prompt": "?", "response": text},
        {"messages": json.dumps([{"role": "assistant", "content": text}])},
    ):
        found = [r[3:] for r in rows(batch_of([record])) if r[2] == "assistant"]
        assert found == expected


def test_a_users_tags_are_the_users_text():
    batch = batch_of([{"prompt": "<think>what does this tag do?</think>", "response": "It marks reasoning."}])
    assert rows(batch)[0][3:] == ("content", "<think>what does this tag do?</think>")


def test_multi_part_content_keeps_its_text_parts():
    parts = [{"type": "text", "text": "one"}, {"type": "image", "text": None}, {"type": "text", "text": "two"}]
    batch = batch_of([{"messages": [{"role": "user", "content": parts}]}])
    assert [r[3:] for r in rows(batch)] == [("content", "one"), ("content", "two")]


PNG = "data:image/png;base64,iVBORw0KGgo4111111111111111"


def both_ways(*contents: object, role: str = "user") -> tuple[Batch, Batch]:
    """One message each, as Arrow holds it and as a JSON string."""
    records = [{"messages": [{"role": role, "content": c}]} for c in contents]
    return batch_of(records), batch_of([{"messages": json.dumps(r["messages"])} for r in records])


def test_parts_are_the_same_as_structs_and_as_json():
    parts = [
        {"type": "thinking", "text": None, "thinking": "hm", "image_url": None},
        {"type": "text", "text": "see", "thinking": None, "image_url": {"url": PNG, "alt": "Ann's cat"}},
        {"type": "image_url", "text": None, "thinking": None, "image_url": {"url": "https://x.test/ann", "alt": None}},
    ]
    for batch in both_ways(parts, role="assistant"):
        assert [r[3:] for r in rows(batch)] == [
            ("reasoning", "hm"),
            ("content", "see"),
            # What is no text is scanned with the metadata; the bytes of an image are not.
            ("metadata", "Ann's cat"),
            ("metadata", "https://x.test/ann"),
        ]
        assert batch.turns.other_parts.tolist() == [1]
        assert batch.turns.odd_content.tolist() == [False]


def test_strings_and_parts_in_one_column():
    contents = [
        "plain",
        [{"type": "text", "text": "in parts"}],
        ["bare"],
        [{"type": "image", "image": "x"}],
        [],
        None,
        {"a": "b"},
    ]
    batch = batch_of([{"messages": json.dumps([{"role": "user", "content": c}])} for c in contents])
    assert [(r[0], r[3], r[4]) for r in rows(batch)] == [
        (0, "content", "plain"),
        (1, "content", "in parts"),
        (2, "content", "bare"),
        (3, "metadata", "x"),
        (6, "content", '{"a": "b"}'),
    ]
    assert batch.turns.other_parts.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert batch.turns.odd_content.tolist() == [False] * 6 + [True]
    assert batch.turns.null_content.tolist() == [False] * 5 + [True, False]


def test_lists_of_strings_are_content_in_any_column():
    for batch in both_ways(["one", "two"]):
        assert [r[3:] for r in rows(batch)] == [("content", "one"), ("content", "two")]


def test_a_call_turn_whose_value_is_an_object_is_a_call():
    value = {"name": "look", "arguments": {"at": "sky"}}
    batch = batch_of([{"conversations": json.dumps([{"from": "function_call", "value": value}])}])
    assert rows(batch) == [(0, 0, "assistant", "tool_call", '{"at": "sky"}')]
    assert batch.segments.names.to_pylist() == ["look"]
    assert not batch.turns.odd_content.any()


@pytest.mark.parametrize(("opens", "closes"), [(o.decode(), c.decode()) for o, c in REASONING_TAGS.items()])
def test_reasoning_in_every_dialect(opens, closes):
    text = f"\n{opens} why \n{closes}\n\nso"
    batch = batch_of([{"prompt": f"{opens}?{closes}", "response": text}, {"prompt": "?", "response": f"so {text}"}])
    assert [(r[0], r[3], r[4]) for r in rows(batch)] == [
        (0, "content", f"{opens}?{closes}"),
        (0, "reasoning", " why \n"),
        (0, "content", "\n\nso"),
        (1, "content", "?"),
        # In the middle of an answer it is not reasoning, but a mention or a defect.
        (1, "content", f"so {text}"),
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<|begin_of_thought|>a<|end_of_thought|>\n\n<|begin_of_solution|> so <|end_of_solution|>\n", " so "),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>so<|END_RESPONSE|>", "so"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>so", "<|begin_of_solution|>so"),
        ("<think>a</think><|begin_of_solution|>so<|end_of_solution|> more", None),
        ("<think>a</reasoning>so</think> it is", " it is"),
    ],
)
def test_tags_around_the_answer(text, answer):
    batch = batch_of([{"prompt": "?", "response": text}])
    assert rows(batch)[-1][4] == (answer or text.removeprefix("<think>a</think>"))


def test_sliced_and_chunked_columns_lay_out_like_fresh_ones():
    table = pa.Table.from_pylist([{"messages": OPENAI, "tools": f"[{i}]"} for i in range(5)])
    whole, part = batch_of(table), batch_of(table.slice(2, 2))
    assert rows(part) == [(r[0] - 2, *r[1:]) for r in rows(whole) if r[0] in (2, 3)]


def test_string_views_dictionaries_and_large_lists_are_strings_and_lists_too():
    records = [{"messages": OPENAI, "tools": "[]"}] * 3
    plain = pa.Table.from_pylist(records)
    message = plain.schema.field("messages").type.value_type
    changed = pa.schema([("messages", pa.large_list(message)), ("tools", pa.dictionary(pa.int8(), pa.string()))])
    assert rows(batch_of(plain.cast(changed))) == rows(batch_of(plain))
    text = pa.table({"text": pa.array(["a", None, "c"], pa.string_view())})
    assert [(r[0], r[4]) for r in rows(batch_of(text))] == [(0, "a"), (2, "c")]


def test_bytes_that_are_not_utf8_make_the_record_unreadable_and_stay_in_place():
    raw = pa.array([b"fine", b"caf\xe9 ok", b"\xed\xa0\x80"], pa.binary())
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 3, raw.buffers())})
    batch = batch_of(table)
    assert batch.unreadable == ((1, "invalid_utf8"), (2, "invalid_utf8"))
    assert [r[4] for r in rows(batch)] == ["fine", "caf? ok", "???"]


def test_messages_that_do_not_parse_are_unreadable_and_their_text_is_still_laid_out():
    batch = batch_of([{"messages": '[{"role": "user", "content": "mail a@b.co"'}, {"messages": json.dumps(OPENAI)}])
    assert batch.unreadable == ((0, "messages_not_json"),)
    assert "a@b.co" in rows(batch)[0][4]


def test_a_record_over_the_limit_is_unreadable():
    table = pa.table({"text": ["x" * 100, "x" * 101]})
    assert batch_of(table, max_record_bytes=100).unreadable == ((1, "record_too_large"),)


def test_ids_are_the_sources_where_they_are_keys_and_hashes_where_they_could_name_someone():
    ids = batch_of(
        [{"uuid": u, "text": f"t{i}"} for i, u in enumerate(["a-1", "ann@example.com", "447700900123", None])]
    ).ids
    assert ids[0].as_py() == "a-1"
    assert all(i.as_py().startswith("b2-") for i in ids[1:])
    assert len(set(ids.to_pylist())) == 4


def test_an_unknown_schema_names_the_columns_and_the_way_out():
    with pytest.raises(ShardError, match=r"(?s)payload \(string\).*input: \{columns: \{prompt: COLUMN"):
        recognise(pa.schema([("payload", pa.string()), ("n", pa.int64())]))


def test_a_mapping_in_the_recipe_reads_an_unknown_schema():
    table = pa.table({"frage": ["Wie?"], "antwort": ["So."]})
    columns = recognise(table.schema, {"prompt": "frage", "response": "antwort"})
    assert columns.mapping["response"] == "antwort"
    with pytest.raises(ShardError, match="did you mean 'antwort'"):
        recognise(table.schema, {"prompt": "frage", "response": "antwrt"})


@pytest.mark.parametrize(
    ("name", "schema", "channels"),
    [
        ("bfcl_v4", "OpenAI messages", {"content", "tool_call", "tool_definition"}),
        ("glaive_sharegpt", "ShareGPT", {"content", "tool_call", "tool_result", "tool_definition"}),
        ("alpaca", "Alpaca", {"content"}),
        ("gsm8k", "prompt/response", {"content"}),
        ("mgsm", "plain text", {"content"}),
        ("traces", "OpenAI messages", {"content", "reasoning"}),
    ],
)
def test_real_sets_are_recognised_and_lose_no_text(name, schema, channels):
    table = pq.read_table(real(name)[0])
    assert recognise(table.schema).name == schema
    batch = batch_of(table)
    assert {CHANNELS[c] for c in batch.segments.channel} == channels
    assert batch.unreadable == ()


def test_a_document_that_is_no_chat_has_no_turn_and_takes_none_of_its_neighbours() -> None:
    chat = json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}])
    batch = batch_of(pa.table({"messages": ["only words", chat, "more words"]}))
    segments = batch.segments
    turns = np.diff(batch.turn_start)
    assert turns.tolist() == [0, 2, 0]
    assert np.all(segments.turn < turns[segments.record])
    assert sorted(map(segments.text, range(len(segments)))) == ["hi", "ho", "more words", "only words"]


PARTS = [
    {"role": "user", "content": [{"type": "text", "value": "What do you see?"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "value": "I look."},
            {"type": "tool_call", "value": '{"name": "look", "arguments": {"at": "sky"}}'},
        ],
    },
    {"role": "tool", "content": [{"type": "text", "value": "blue"}]},
    {"role": "assistant", "content": [{"type": "text", "value": "<think>Hm.</think>Blue."}]},
]


def test_parts_whose_text_is_called_value_are_what_their_type_says():
    expected = [
        (0, 0, "user", "content", "What do you see?"),
        (0, 1, "assistant", "reasoning", "I look."),
        (0, 1, "assistant", "tool_call", '{"at": "sky"}'),
        (0, 2, "tool", "tool_result", "blue"),
        (0, 3, "assistant", "reasoning", "Hm."),
        (0, 3, "assistant", "content", "Blue."),
    ]
    for batch in (batch_of([{"messages": PARTS}]), batch_of([{"messages": json.dumps(PARTS)}])):
        assert rows(batch) == expected
        assert batch.segments.names.to_pylist()[2] == "look"
        assert batch.turns.other_parts.tolist() == [0, 0, 0, 0]


def test_a_part_of_another_type_is_no_text_whatever_it_holds():
    parts = [{"type": "text", "value": "See"}, {"type": "image_path", "value": "a.png"}]
    for messages in ([{"role": "user", "content": parts}], json.dumps([{"role": "user", "content": parts}])):
        batch = batch_of([{"messages": messages}])
        assert [r[3:] for r in rows(batch)] == [("content", "See"), ("metadata", "a.png")]
        assert batch.turns.other_parts.tolist() == [1]


ASKED = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": [*ASKED, {"role": "assistant", "content": "Hello"}], "rejected": [*ASKED]},
        {"chosen_messages": [*ASKED, {"role": "assistant", "content": "Hello"}], "rejected_messages": [*ASKED]},
        {"prompt": ASKED, "chosen": [{"role": "assistant", "content": "Hello"}], "rejected": [*ASKED]},
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"},
        {"conversations": [{"from": "human", "value": "Hi"}], "chosen": "Hello", "rejected": "Go away"},
        {
            "conversations": [{"from": "human", "value": "Hi"}],
            "chosen": {"from": "gpt", "value": "Hello"},
            "rejected": {"from": "gpt", "value": "Go away"},
        },
    ],
    ids=["messages", "named messages", "prompt and messages", "strings", "ShareGPT and string", "ShareGPT and message"],
)
def test_of_a_preference_the_chosen_answer_is_what_is_judged(row):
    told = [r[1:] for r in rows(batch_of([row])) if r[3] != "metadata"]
    assert told == [(0, "user", "content", "Hi"), (1, "assistant", "content", "Hello")]


def test_a_conversation_that_has_its_answer_does_not_get_the_chosen_one_again():
    whole = [*ASKED, {"role": "assistant", "content": "Hello"}]
    batch = batch_of([{"prompt": "Hi", "messages": whole, "chosen": whole, "rejected": ASKED}])
    assert [r[1:] for r in rows(batch) if r[3] != "metadata"] == [
        (0, "user", "content", "Hi"),
        (1, "assistant", "content", "Hello"),
    ]


def test_a_worked_solution_is_the_response_and_a_bare_answer_beside_it_is_not():
    mapping = recognise(pa.schema([(n, pa.string()) for n in ("problem", "solution", "answer")])).mapping
    assert mapping["response"] == "solution"


def test_exchanges_are_two_turns_each_and_a_system_prompt_is_one_more():
    firefly = [{"human": "Hi", "assistant": "Hello"}, {"human": "Why?", "assistant": "<think>hm</think>So."}]
    assert [*rows(batch_of([{"conversation": firefly}, {"conversation": firefly[:1]}]))] == [
        (0, 0, "user", "content", "Hi"),
        (0, 1, "assistant", "content", "Hello"),
        (0, 2, "user", "content", "Why?"),
        (0, 3, "assistant", "reasoning", "hm"),
        (0, 3, "assistant", "content", "So."),
        (1, 0, "user", "content", "Hi"),
        (1, 1, "assistant", "content", "Hello"),
    ]
    xtuner = [{"system": "Be brief.", "input": "Hi", "output": "Hello"}, {"system": None, "input": "a", "output": "b"}]
    assert [r[1:3] for r in rows(batch_of([{"conversation": xtuner}]))] == [
        (0, "system"),
        (1, "user"),
        (2, "assistant"),
        (3, "user"),
        (4, "assistant"),
    ]
