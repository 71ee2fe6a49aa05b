"""The structure filter, rule by rule, through ``judge`` on records as a run would read them."""

from __future__ import annotations

import json

import pytest

from filters.contract import ConfigError
from filters.structure import StructureFilter
from tests.support import batch_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather.get",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "unit": {"type": "string", "enum": ["C", "F"]},
            },
            "required": ["city"],
        },
    },
}
TOOLS = json.dumps([WEATHER])


def message(role: str, content: str | None = None, **more) -> dict:
    keys = {"reasoning_content": None, "tool_calls": None, "tool_call_id": None, "name": None}
    return {"role": role, "content": content, **keys, **more}


def call(arguments: str = '{"city": "Rome"}', name: str | None = "weather.get", id: str | None = "c1") -> dict:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*made: dict, content: str | None = None) -> dict:
    return message("assistant", content, tool_calls=list(made))


def result(id: str | None = "c1", content: str = '{"sky": "clear"}') -> dict:
    return message("tool", content, tool_call_id=id)


ASK = message("user", "What is the weather in Rome?")
ANSWER = message("assistant", "Clear skies in Rome today.")
SYSTEM = message("system", "You help with the weather.")


def found(*messages: dict, tools: str | None = TOOLS, options: dict | None = None, **columns) -> set[str]:
    """The rules one record breaks, by evidence; its reason has to be among them."""
    row = {"messages": list(messages), "tools": tools, **columns}
    # A second record gives Arrow the types of every field.
    full = {"messages": [message("user", "Hi.", tool_calls=[call()], reasoning_content="", tool_call_id="", name="")]}
    batch = batch_of([row, {**row, **full}]) if messages else batch_of([{**row, **full}, row])
    structure = StructureFilter(StructureFilter.Options(**(options or {})))
    judged = structure.judge(batch)
    mine = 0 if messages else 1
    rules = {rule for record, rule in zip(judged.evidence.record, judged.evidence.rule, strict=True) if record == mine}
    reason = int(judged.reason[mine])
    codes = list(structure.reasons)
    assert (reason == -1) == (not rules)
    assert not rules or codes[reason] == min(rules, key=codes.index)
    return rules


def prose(text: str, **columns) -> set[str]:
    structure = StructureFilter()
    judged = structure.judge(batch_of([{"prompt": "Tell me about it.", "response": text, **columns}]))
    return set(judged.evidence.rule)


@pytest.mark.parametrize(
    "messages",
    [
        (ASK, ANSWER),
        (SYSTEM, ASK, ANSWER, ASK),
        (ASK,),
        (ASK, calls(call())),
        (ASK, calls(call()), result(), ANSWER),
        (ASK, calls(call(), call(id="c2")), result("c2"), result("c1"), ANSWER),
        (ASK, calls(call(id=None)), result(None), ANSWER),
        (ASK, calls(call(name="weather_get")), result(), ANSWER),
        (message("assistant", "Hello!"), ASK, ANSWER),
        (ASK, message("user", "And quickly."), ANSWER),
        (ASK, message("assistant", "Let me look."), calls(call()), result(), ANSWER),
        (ASK, calls(call()), message("tool", None, tool_call_id="c1"), ANSWER),
        (SYSTEM, message("developer", "Be brief."), ASK, ANSWER),
    ],
)
def test_good_records_are_kept(messages: tuple[dict, ...]) -> None:
    assert found(*messages) == set()


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((), {"no_turns"}),
        ((ANSWER,), {"no_prompt"}),
        ((ASK, message("critic", "Bad.")), {"unknown_role"}),
        ((ASK, ANSWER, ANSWER), {"role_order"}),
        ((ASK, SYSTEM, ANSWER), {"role_order"}),
        ((ANSWER, ASK), {"role_order"}),
        # A greeting and two questions in a row are each let through; together they are a swap.
        ((ANSWER, ASK, ASK, ANSWER), {"role_order"}),
        ((ASK, result()), {"orphan_result"}),
        ((ASK, calls(call()), ANSWER), {"call_without_result"}),
        ((ASK, calls(call()), result("c9"), ANSWER), {"orphan_result", "call_without_result"}),
        ((ASK, calls(call()), result(), result(), ANSWER), {"orphan_result"}),
        ((ASK, calls(call(), call(id="c2")), result("c1"), ANSWER), {"call_without_result"}),
        ((ASK, calls(call(), call())), {"duplicate_call_id"}),
        ((message("user", "Do it.", tool_calls=[call()]), result(), ANSWER), {"misplaced_call"}),
        ((ASK, message("assistant", "")), {"empty_turn"}),
        ((ASK, message("assistant", None)), {"empty_turn"}),
        ((message("user", " \n"), ANSWER), {"empty_turn"}),
        ((ASK, message("assistant", None, reasoning_content="Hm, Rome.")), {"no_answer"}),
    ],
)
def test_order_and_silence(messages: tuple[dict, ...], expected: set[str]) -> None:
    assert found(*messages) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"city": "Rome", "days": 7}', set()),  # maximum 7: at the bound
        ('{"city": "Rome", "days": 8}', {"argument_value"}),  # above it
        ('{"city": "Rome", "days": 7.0}', set()),  # an integer, as JSON Schema has it
        ('{"city": "Rome", "days": "7"}', {"argument_type"}),
        ('{"city": "Rome", "unit": "K"}', {"argument_value"}),
        ('{"days": 1}', {"argument_missing"}),
        ('{"city": "Rome", "wind": true}', {"argument_unknown"}),
        ('{"city": "Rome", "wind": null}', {"null_padding"}),
        ('{"city": "Rome", "days": null}', set()),  # an optional argument left out
        ('{"city": null}', {"argument_missing"}),
        ("{'city': 'Rome'}", {"arguments_not_json"}),
        ('{"city": "Rome"', {"arguments_not_json"}),
        ('["Rome"]', {"arguments_not_object"}),
        ('"{\\"city\\": \\"Rome\\"}"', {"arguments_not_object"}),
        ("", {"argument_missing"}),
    ],
)
def test_arguments_against_the_schema(arguments: str, expected: set[str]) -> None:
    assert found(ASK, calls(call(arguments))) == expected


def test_names() -> None:
    assert found(ASK, calls(call(name="weather.set"))) == {"undeclared_tool"}
    assert found(ASK, calls(call(name="functions.weather_get"))) == set()
    assert found(ASK, calls(call(name=""))) == {"call_malformed"}
    assert found(ASK, calls(call()), tools=None) == {"missing_tools"}
    assert found(ASK, calls(call()), tools="[]") == {"missing_tools"}


@pytest.mark.parametrize(
    "columns",
    [
        {"metadata": json.dumps({"tools": [WEATHER]})},
        {"metadata": json.dumps({"tools": json.dumps([WEATHER])})},
        {"prompt_of_tools": f"<tools>{json.dumps(WEATHER)}</tools>"},
    ],
)
def test_tools_are_looked_for_where_they_hide(columns: dict) -> None:
    assert found(ASK, calls(call()), tools=None, **columns) == set()
    assert found(ASK, calls(call('{"days": 1}')), tools=None, **columns) == {"argument_missing"}


@pytest.mark.parametrize(
    "prompt",
    [
        f"Use these functions if required -\n{json.dumps(WEATHER['function'], indent=2)}",
        f"<tools>\n{json.dumps(WEATHER)}\n</tools>",
        "# Tools\n\n<tools>\n<function>\n<name>weather.get</name>\n</function>\n</tools>",
        "namespace functions {\n\ntype weather_get = (_: {\ncity: string,\n}) => any;\n\n}",
        "You can call:\n\ndef weather_get(city: str) -> dict:\n    ...",
    ],
)
def test_tools_in_the_system_prompt(prompt: str) -> None:
    assert found(message("system", prompt), ASK, calls(call()), tools=None) == set()


@pytest.mark.parametrize("name", ["dict", "float", "tuple", "any", "HashMap", "List[str]", "", "blob"])
def test_type_dialects_are_understood(name: str) -> None:
    values = {"dict": {}, "float": 1.5, "tuple": [1], "HashMap": {}, "List[str]": ["a"]}
    parameters = {"type": "dict", "properties": {"x": {"type": name}}, "required": ["x"]}
    tools = json.dumps([{"name": "f", "parameters": parameters}])
    arguments = json.dumps({"x": values.get(name, "y")})
    assert found(ASK, calls(call(arguments, "f")), tools=tools) == set()


def test_code_takes_expressions_but_json_does_not() -> None:
    def tools(text: str) -> str:
        properties = {"sql": {"type": text}, "kind": {"type": "integer"}}
        return json.dumps([{"name": "f", "parameters": {"type": "object", "properties": properties}}])

    made = calls(call('{"sql": "SELECT 1", "kind": "ResultSet.FORWARD"}', "f"))
    assert found(ASK, made, tools=tools("String")) == set()
    assert found(ASK, made, tools=tools("string")) == {"argument_type"}
    assert found(ASK, made, tools=tools("STRING")) == {"argument_type"}
    assert found(ASK, made, tools=tools("String"), options={"strict": True}) == {"argument_type"}


def test_definitions() -> None:
    other = {"name": "weather.get", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}
    assert found(ASK, ANSWER, tools='[{"name": "f"') == {"tools_not_json"}
    assert found(ASK, ANSWER, tools='[{"type": "function", "function": {}}]') == {"tool_definition_invalid"}
    assert found(ASK, ANSWER, tools='[{"name": "f", "parameters": []}]') == set()
    assert found(ASK, ANSWER, tools='[{"name": "f", "parameters": [1]}]') == {"tool_definition_invalid"}
    assert found(ASK, ANSWER, tools='[{"type": "web_search"}]') == set()
    assert found(ASK, ANSWER, tools=json.dumps([WEATHER, other])) == {"duplicate_tool"}
    assert found(ASK, ANSWER, tools=json.dumps([WEATHER, WEATHER])) == set()
    padded = '[{"name": "f", "parameters": {"properties": {"a": {"type": "string"}, "b": null}}}]'
    assert found(ASK, ANSWER, tools=padded) == {"null_padding"}
    many = json.dumps([{"name": f"t{i}", "parameters": {}} for i in range(4)])
    assert found(ASK, ANSWER, tools=many, options={"max_tools": 4}) == set()  # 4 of 4
    assert found(ASK, ANSWER, tools=many, options={"max_tools": 3}) == {"tools_too_large"}  # 4 of 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nHm.\n</think>\nClear skies.", set()),
        ("<think>\nHm. Clear skies.", {"think_unclosed"}),
        ("◁think▷Hm. Clear skies.", {"think_unclosed"}),
        ("<|begin_of_thought|>Hm.<|end_of_thought|>Clear skies.", set()),
        ("<|channel|>analysis Hm. Clear skies.", {"think_unclosed", "template_tokens"}),
        ("Hm.\n</think>\nClear skies.", {"think_stray"}),
        ("<think>a<think>b</think>Clear skies.", {"think_nested"}),
        ("<think>a</think><think>b</think>Clear skies.", {"think_repeated"}),
        ("Clear. <think>Is it?</think> Yes.", {"reasoning_in_answer"}),
        ("Models reason in `<think>` tags.", set()),
        ('Models reason in "<think>" tags.', set()),
        ("```xml\n<think>a\n```\nThat is the format.", set()),
        ("Look:\n<tool_call>\n{}\n</tool_call>", {"call_markup_in_text"}),
        ("The `<tool_call>` tag opens a call.", set()),
        ('{"name": "weather.get", "arguments": {"city": "Rome"}}', {"call_markup_in_text"}),
        ('{"name": "Rome", "population": 3}', set()),
        ("Clear skies.<|im_end|>", {"template_tokens"}),
        ('[{"type": "text", "text": "Clear skies."}]', {"content_not_text"}),
    ],
)
def test_markup(text: str, expected: set[str]) -> None:
    assert found(ASK, message("assistant", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<|think_start|>Hm.<|think_end|>Clear skies.", set()),
        ("<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Clear skies.<|END_RESPONSE|>", set()),
        ("<seed:think>Hm.</seed:think>Clear skies.", set()),
        ("<reasoning>Hm. Clear skies.", {"think_unclosed"}),
        ("Hm.\n[/THINK]\nClear skies.", {"think_stray"}),
        ("<think>Hm.</reasoning>Clear skies.", {"think_unclosed", "think_stray"}),
        ("<|begin_of_thought|>Hm.</think>Clear skies.", {"think_unclosed", "think_stray"}),
        ("<|begin_of_thought|>Hm.<|end_of_thought|><|begin_of_solution|>Clear skies.", {"template_tokens"}),
        ("◁think▷a◁think▷b◁/think▷Clear skies.", {"think_nested"}),
        ("Clear. <thought>Is it?</thought> Yes.", {"reasoning_in_answer"}),
        ("Such models open the <think> tag and close it later.", set()),
        ("I thought the sky was clear; <thinkers> agree.", set()),
        ("Rome (thinking of you) [think again] has clear skies.", set()),
    ],
)
def test_reasoning_tags_of_every_dialect(text: str, expected: set[str]) -> None:
    assert found(ASK, message("assistant", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They put it between <think> and the answer, on a line of its own.", set()),
        ("<think>\nThe user asks about <think>, which opens it.\n</think>\nIt opens the reasoning.", set()),
        ("<think>\nThe user asks what it does.", {"think_unclosed"}),
        ("It opens it.\n</think>\nThat is all.", {"think_stray"}),
    ],
)
def test_a_question_about_tags_is_answered_with_tags(text: str, expected: set[str]) -> None:
    assert found(message("user", "What does <think> do in a chat template?"), message("assistant", text)) == expected


def test_half_a_pair_around_the_answer_is_broken_even_where_the_prompt_sets_it() -> None:
    system = message("system", "Answer as <|begin_of_solution|> solution <|end_of_solution|>.")
    assert found(system, ASK, message("assistant", "<|begin_of_solution|>Clear.<|end_of_solution|>")) == set()
    assert found(system, ASK, message("assistant", "<|begin_of_solution|>Clear.")) == {"template_tokens"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "text", "text": "Is it clear?"}], set()),
        ([{"type": "image", "image": "sky.png"}], set()),
        ([{"type": "text", "text": ""}], {"empty_turn"}),
        ([], {"empty_turn"}),
        (["Is it clear?"], set()),
        ({"question": "Is it clear?"}, {"content_not_text"}),
        (42, {"content_not_text"}),
        ('[{"type": "text", "text": "Is it clear?"}]', {"content_not_text"}),
    ],
)
def test_contents_of_other_types_than_text(content: object, expected: set[str]) -> None:
    """Some rows are strings, some are parts, some are neither; only a column of JSON can hold them all."""
    rows = [[{"role": "user", "content": c}, {"role": "assistant", "content": "Yes."}] for c in (content, "Clear?")]
    judged = StructureFilter().judge(batch_of([{"messages": json.dumps(r)} for r in rows]))
    assert set(judged.evidence.rule) == expected
    assert judged.keep.tolist() == [not expected, True]


def test_a_result_may_be_an_object_unless_strict() -> None:
    made = {"id": "c1", "function": {"name": "weather.get", "arguments": '{"city": "Rome"}'}}
    messages = [
        {"role": "user", "content": "Clear?"},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "content": {"sky": "clear"}, "tool_call_id": "c1"},
        {"role": "assistant", "content": "Yes."},
    ]
    batch = batch_of([{"messages": json.dumps(messages), "tools": TOOLS}])
    assert StructureFilter().judge(batch).evidence.rule == []
    strict = StructureFilter(StructureFilter.Options(strict=True)).judge(batch)
    assert strict.evidence.rule == ["content_not_text"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([False, True, False, True], ["redacted_turn"]),  # one flag a turn
        ([True, False], ["redacted_turn"]),  # one flag an assistant turn
        ([0, 1], []),  # redacted on purpose: nothing is learnt from it
        ("[1, 0]", ["redacted_turn"]),  # as JSON
        ([True], ["empty_turn"]),  # flags that fit no count say nothing
        (None, ["empty_turn"]),
    ],
)
@pytest.mark.parametrize("name", ["train_turns", "loss_mask"])
@pytest.mark.parametrize("as_json", [False, True])
def test_redacted_turns_from_the_column_to_the_reason(
    flags: object, expected: list[str], name: str, as_json: bool
) -> None:
    turns = [("user", "Hi."), ("assistant", None), ("user", "And?"), ("assistant", "Hello.")]
    messages = [{"role": r, "content": c} for r, c in turns]
    rows = [{"messages": json.dumps(messages) if as_json else messages, name: flags}]
    assert StructureFilter().judge(batch_of(rows)).evidence.rule == expected


def test_a_dialect_the_prompt_sets_is_checked_like_calls() -> None:
    system = message("system", f"Answer in <tool_call></tool_call> tags. <tools>{json.dumps(WEATHER)}</tools>")

    def hermes(arguments: dict, end: str = "\n</tool_call>") -> dict:
        return message("assistant", "<tool_call>\n" + json.dumps({"name": "weather.get", "arguments": arguments}) + end)

    back = message("tool", "<tool_response>clear</tool_response>")
    assert found(system, ASK, hermes({"city": "Rome"}), back, ANSWER, tools=None) == set()
    assert found(system, ASK, hermes({"days": 1}), back, ANSWER, tools=None) == {"argument_missing"}
    assert "call_without_result" in found(system, ASK, hermes({"city": "Rome"}), ANSWER, tools=None)
    assert found(system, ASK, hermes({"city": "Rome"}, end=""), tools=None) == {"call_markup_in_text"}


def test_boxes() -> None:
    asked = message("user", "Compute 2 + 2. Put the answer in \\boxed{}.")
    assert found(asked, message("assistant", "It is \\boxed{4}.")) == set()
    assert found(asked, message("assistant", "It is 4.")) == {"boxed_missing"}
    assert found(asked, message("assistant", "It is \\boxed{4}. So \\boxed{ 4 }.")) == set()
    assert found(asked, message("assistant", "It is \\boxed{4}. Or \\boxed{5}.")) == {"boxed_conflict"}
    assert found(asked, message("assistant", "\\boxed{x + 2 = 4} so \\boxed{2}")) == set()  # a step, then the answer
    quoted = message("user", "Which is better? One said \\boxed{4}, one said \\boxed{5}.")
    assert found(quoted, message("assistant", "The first.")) == set()


LONG = "The bridge was built in the old days and has been repaired many times since then. " * 3  # 246 bytes > 200


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (LONG + "It now carries a road", True),
        (LONG + "It now carries a road.", False),
        (LONG + "It costs 40", False),  # a number may end an answer
        (LONG + "\nAnswer: a road", False),
        (LONG + "\n- trains\n- cars", False),
        (LONG + "#Bridges", False),
        ("Short one. It ends", False),  # 18 bytes < 200
        ("```python\nx = 1\n", True),
        ("```python\nx = 1\n```", False),
        ("````md\n```python\n````", False),
        ("So it is \\boxed{4", True),
        (LONG + "There are trains, cars,", True),
        (LONG + "Yours sincerely, Ada Byron", False),  # a letter ends with a name
        (LONG + "Best regards from all of us, Ada", False),
        ("x = 1\n```", False),  # a bare fence that nothing follows opens nothing
        ("```\n```\n# a block in Markdown\n```", False),
        ("Here it is:\n```python", True),
        ("The bridge\n~~~~~~~~~~\nIt is old.", False),  # an underlined heading
        ("So:\n\n~~~\nx = 1\n", True),
        ("桥很老了。" * 20 + "祝你早日康复", False),  # 318 bytes < 800: the last full stop is often left out
        ("桥很老了。" * 20 + "它很美，", True),
        ("桥很老了。" * 60 + "这座桥的历", True),  # 915 bytes
        ("桥很老了。" * 60 + "走过去吧 #桥梁 #历史", False),
    ],
)
def test_cut_answers(text: str, cut: bool) -> None:
    assert prose(text) == ({"answer_cut"} if cut else set())


@pytest.mark.parametrize(("reason", "cut"), [("stop", False), ("length", True), ("MAX_TOKENS", True), (None, False)])
def test_finish_reason(reason: str | None, cut: bool) -> None:
    structure = StructureFilter()
    rows = [
        {"prompt": "Hi.", "response": "Hello.", "finish_reason": reason},
        {"prompt": "Hi.", "response": "Hello.", "finish_reason": "stop"},
    ]
    assert structure.judge(batch_of(rows)).keep.tolist() == [not cut, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b", {"nul_characters"}),
        ("a\x08b", {"control_characters"}),
        ("a\x92b", {"control_characters"}),
        ("a\x1b[0mb\x0cc", set()),  # terminal colours and form feeds are pasted with logs
        ("It’s fine – café", set()),
        ("It’s “fine”".encode().decode("latin-1"), {"control_characters", "mojibake"}),
        ("Itâ€™s â€˜fineâ€\x9d", {"control_characters"}),  # 2 of 3 runs: one pair closes with a C1 control
        ("Itâ€™s â€˜fineâ€™", {"mojibake"}),  # 3 runs
        ("SÃO Ângelo, pâté, Ã la carte", set()),
        ("\ufffd and \ufffd", set()),  # 2 of 3
        ("\ufffd and \ufffd\ufffd", {"replacement_characters"}),  # 3 of 3
    ],
)
def test_characters(text: str, expected: set[str]) -> None:
    assert prose(text + " is the answer.") >= expected
    assert bool(prose(text + " is the answer.")) == bool(expected)


def test_profiles() -> None:
    cut = (ASK, message("assistant", "```python\nx = 1"))
    assert found(*cut) == {"answer_cut"}
    assert found(*cut, options={"profile": "rl_prompt"}) == set()
    assert found(*cut, options={"profile": "rl_prompt", "strict": True}) == {"not_a_prompt"}
    assert found(ASK, options={"profile": "rl_prompt", "strict": True}) == set()
    ends = (ASK, calls(call()))
    assert found(*ends, options={"strict": True}) == set()
    assert found(*ends, options={"profile": "agentic"}) == set()
    assert found(*ends, options={"profile": "agentic", "strict": True}) == {"unanswered_call"}
    idle = {"profile": "agentic", "strict": True}
    assert found(ASK, ANSWER, tools=None, options=idle) == {"no_tool_use"}


def test_a_rule_can_be_switched_off() -> None:
    made = (ASK, calls(call()))
    assert found(*made, tools=None, options={"off": ("missing_tools",)}) == set()
    with pytest.raises(ConfigError, match="did you mean 'missing_tools'"):
        StructureFilter(StructureFilter.Options(off=("missing_tool",)))


def test_every_violation_is_in_the_evidence_and_points_at_its_text() -> None:
    batch = batch_of([{"prompt": "Hi.", "response": "a\x00b and </think> it"}])
    structure = StructureFilter()
    judged = structure.judge(batch)
    spans = {
        rule: batch.segments.bytes(segment)[start:end]
        for rule, segment, start, end in zip(
            judged.evidence.rule, judged.evidence.segment, judged.evidence.start, judged.evidence.end, strict=True
        )
    }
    assert spans == {"nul_characters": b"\x00", "think_stray": b"</think>"}
    assert list(structure.reasons)[judged.reason[0]] == "nul_characters"
    assert judged.scores["violations"].tolist() == [2]


def test_plain_text_prompts_are_kept() -> None:
    rows = [{"text": "Wie viele Eier hat sie?"}, {"text": "Was kostet das, und"}]
    assert StructureFilter().judge(batch_of(rows)).keep.all()


def test_results_without_ids_and_the_same_id_twice() -> None:
    twice = calls(call(), call())
    assert found(ASK, twice, result(None), result("c1"), ANSWER) == {"duplicate_call_id"}
    assert found(ASK, twice, result("c1"), result("c1"), result("c1"), ANSWER) == {"duplicate_call_id", "orphan_result"}


def test_redacted_turns_against_their_flags() -> None:
    from dataclasses import replace

    import pyarrow as pa

    rows = [{"messages": [ASK, message("assistant", None), ASK, ANSWER], "tools": TOOLS}]
    rows.append({"messages": [message("user", "Hi.", tool_calls=[call()], name="", tool_call_id="")], "tools": TOOLS})
    batch = batch_of(rows)

    def judged(*flags: bool) -> list[tuple[int, str]]:
        fact = pa.array([list(flags), None], pa.list_(pa.bool_()))
        evidence = StructureFilter().judge(replace(batch, facts={"train_turns": fact})).evidence
        return [(t, c) for r, t, c in zip(evidence.record, evidence.turn, evidence.rule, strict=True) if r == 0]

    assert judged(False, True, False, True) == [(1, "redacted_turn")]  # one flag a turn
    assert judged(True, False) == [(1, "redacted_turn")]  # one flag an assistant turn
    assert judged(False, True) == []  # redacted on purpose: nothing is learnt from it
    assert judged() == [(1, "empty_turn")]
