"""The language filter through judge(), with the real model."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import KEPT, ConfigError
from filters.language import LanguageFilter, LanguageOptions
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real, real_batch

EN = "The committee met on Thursday to discuss the budget for the coming year and agreed to postpone the vote."
FR = "Le comité s'est réuni jeudi pour discuter du budget de l'année prochaine et a décidé de reporter le vote."
DE = "Der Ausschuss traf sich am Donnerstag, um über den Haushalt des kommenden Jahres zu beraten."
IT = "Il comitato si è riunito giovedì per discutere il bilancio del prossimo anno e ha rinviato il voto."
ES = "El comité se reunió el jueves para discutir el presupuesto del próximo año y aplazó la votación."
JA = "委員会は木曜日に会合を開き、来年度の予算について話し合い、採決を延期することにした。"
ZH = "委员会于星期四开会讨论明年的预算，并决定推迟表决，等待财政部门提交新的报告。"
ZH_TRADITIONAL = "委員會於星期四開會討論明年的預算，並決定推遲表決，等待財政部門提交新的報告。"
CODE = "import os\n\ndef walk(path):\n    for name in os.listdir(path):\n        yield os.path.join(path, name)\n"
SENTENCES = {"en": EN, "fr": FR, "de": DE, "it": IT, "es": ES, "ja": JA, "zh": ZH}


def judge(rows, **options):
    return LanguageFilter(LanguageOptions(**options)).judge(batch_of(rows))


def reasons(rows, **options) -> list[str | None]:
    verdict = judge(rows, **options)
    codes = list(LanguageFilter.reasons)
    return [None if r == KEPT else codes[r] for r in verdict.reason]


def answer_language(text: str, **options) -> str | None:
    return judge([{"prompt": "", "response": text}], **options).scores["answer_language"][0].as_py()


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_of_each_of_the_cards_languages_is_recognised(code):
    assert answer_language(SENTENCES[code]) == code


def test_traditional_characters_are_chinese_not_japanese():
    assert answer_language(ZH_TRADITIONAL) == "zh"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CODE}```",
        f"~~~\n{EN}\n~~~",
        CODE,
        '{"message": "The committee met on Thursday to discuss the budget", "ok": true}',
        "| country | capital of it |\n|---|---|\n| France | the city of Paris |",
        "name\tcapital\tcountry\nParis\tcapital city\tFrance and others",
        r"\[ \text{speed of the train} = \frac{distance}{time} \]",
        "$$\nthe \\text{number of apples in the basket}\n$$",
        "https://example.org/the/committee/met/on/thursday/to/discuss",
        "12 + 30 = 42, 42 * 2 = 84",
        "alter table users add column born date\nalter table users drop column age\ncreate index born on users",
        "const char *name,\nint size)\n{\n    return strcmp(name, other.name) == 0;\n}\n",
        "for f in *.txt; do\n  if test -f $f; then\n    echo found\n  fi\ndone",
        "-  old = call(a, b)\n+  new = call(b, a)\n@@ -3,4 +3,4 @@ def f(x):\n   return x",
        "Paris.",
        "\0\0\0",
    ],
)
def test_what_is_not_prose_is_undetermined_rather_than_english(text):
    assert answer_language(text) == "und"


def test_prose_around_code_and_formulae_decides():
    assert (
        answer_language(f"{FR}\n\n```python\n{CODE}```\nOn obtient $x = 3$ avec `os.listdir(path)` et tout va bien.")
        == "fr"
    )


def test_arithmetic_in_a_sentence_is_no_code():
    assert (
        answer_language("Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nThat makes 48+24 = 72 clips altogether.")
        == "en"
    )


def test_letters_are_counted_and_ideographs_count_three():
    # "Wir gehen nach Hause" has 17 letters; 委员会于星期四开会 has 9 ideographs, 27 letters.
    assert answer_language("Wir gehen nach Hause.", min_letters=18) == "und"
    assert answer_language("Wir gehen nach Hause.", min_letters=17, min_probability=0.1, min_margin=0.0) == "de"
    assert answer_language("委员会于星期四开会", min_letters=28) == "und"
    assert answer_language("委员会于星期四开会", min_letters=27) == "zh"


def test_the_answer_decides_then_the_reasoning_then_the_prompt_and_tool_calls_never():
    message = {"role": "user", "content": ES, "reasoning_content": None}
    rows = [
        {"messages": [message, {"role": "assistant", "content": FR, "reasoning_content": EN}]},
        {"messages": [message, {"role": "assistant", "content": "42", "reasoning_content": EN}]},
        {"messages": [message, {"role": "assistant", "content": "42", "reasoning_content": None}]},
    ]
    assert judge(rows).scores["language"].to_pylist() == ["fr", "en", "es"]
    call = {"id": "1", "type": "function", "function": {"name": "send", "arguments": '"' + DE + '"'}}
    calls = [{"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}]
    assert judge(calls).scores["language"].to_pylist() == ["und"]


def test_only_allowed_languages_are_kept_and_und_is_kept_unless_told():
    rows = [{"prompt": EN, "response": FR}, {"prompt": EN, "response": DE}, {"prompt": "1+1", "response": "2"}]
    assert reasons(rows, allow=["en", "fr"]) == [None, "language_not_allowed", None]
    assert reasons(rows, allow=["en", "fr"], undetermined="drop") == [None, "language_not_allowed", "language_unknown"]
    assert reasons(rows) == [None, None, None]


def test_every_named_part_must_be_allowed():
    rows = [{"messages": [{"role": "assistant", "content": FR, "reasoning_content": ZH}]}]
    assert reasons(rows, allow=["fr"]) == [None]
    assert reasons(rows, allow=["fr"], parts=["reasoning", "answer"]) == ["language_not_allowed"]


def test_answer_in_another_language_than_the_prompt():
    rows = [{"prompt": EN, "response": FR}, {"prompt": FR, "response": FR}, {"prompt": EN, "response": "x = 1"}]
    assert reasons(rows, same_as_prompt=True) == ["language_mismatch", None, None]


def test_an_answer_that_switches_half_way_is_mixed_and_the_place_is_shown():
    text = EN * 8 + "\n" + ZH * 8
    verdict = judge([{"prompt": EN, "response": text}], min_share=0.9)
    assert list(LanguageFilter.reasons)[verdict.reason[0]] == "language_mixed"
    share = verdict.scores["answer_share"][0].as_py()
    assert 0.3 < share < 0.7, "four windows, two on either side"
    assert set(verdict.evidence.rule) == {"zh"} or set(verdict.evidence.rule) == {"en"}
    data = text.encode()
    for start, end, rule in zip(verdict.evidence.start, verdict.evidence.end, verdict.evidence.rule, strict=True):
        assert ("委".encode() in data[start:end]) if rule == "zh" else (b"committee" in data[start:end])


def test_near_languages_count_as_one():
    serbian = "Odbor se sastao u četvrtak kako bi raspravljao o proračunu za sljedeću godinu i odgodio je glasovanje."
    for code in ("hr", "sr", "bs"):
        assert reasons([{"prompt": "", "response": serbian}], allow=[code]) == [None]


def test_chinese_orthographies_are_told_apart_by_their_characters():
    rows = [{"prompt": "", "response": text} for text in (ZH, ZH_TRADITIONAL, "三十日中午在大会上", EN)]
    assert judge(rows).scores["answer_script"].to_pylist() == ["Hans", "Hant", "Hans", "Latn"]
    assert reasons(rows, allow=["zh-Hant", "en"]) == ["language_not_allowed", None, "language_not_allowed", None]
    assert reasons(rows, allow=["zh", "en"]) == [None] * 4


def test_cantonese_is_told_by_its_characters():
    assert answer_language("佢哋琴日喺公司開會，傾咗成個下晝都仲未有結果，聽日再傾過啦。") == "yue"


def test_serbo_croatian_is_one_language_in_two_scripts():
    cyrillic = "Одбор се састао у четвртак како би расправљао о буџету за следећу годину и одложио је гласање."
    rows = [{"prompt": "", "response": cyrillic}]
    for code in ("hr", "sr", "bs", "sr-Cyrl"):
        assert reasons(rows, allow=[code]) == [None]
    assert reasons(rows, allow=["sr-Latn"]) == ["language_not_allowed"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Komiteen møttes på torsdag for å diskutere budsjettet for neste år og utsatte avstemningen.", ("no", "nn")),
        ("Nemnda møttest på torsdag for å drøfte budsjettet for neste år, og dei utsette røystinga.", ("no", "nn")),
        (
            "Komite itu bertemu pada hari Kamis untuk membahas anggaran tahun depan dan menunda pemungutan suara.",
            ("id", "ms"),
        ),
        ("Jawatankuasa itu bertemu pada hari Khamis untuk membincangkan belanjawan tahun hadapan.", ("id", "ms")),
    ],
)
def test_norwegian_and_malay_are_allowed_under_either_name(text, codes):
    for code in codes:
        assert reasons([{"prompt": "", "response": text}], allow=[code]) == [None]


def test_vietnamese_keeps_its_plain_letters():
    assert (
        answer_language("Ủy ban đã họp hôm thứ Năm để thảo luận về ngân sách của năm tới và hoãn cuộc bỏ phiếu.")
        == "vi"
    )


def test_a_script_the_model_never_saw_is_no_language():
    assert answer_language("ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ᏚᏳᎧᏛ ᎨᏒᎢ") == "und"


LONG = (EN + " ") * 60


@pytest.mark.parametrize(
    "text",
    [
        LONG + ZH * 6,
        LONG + "\n\n" + ZH + "\n\n" + LONG,
        LONG + "So the 答案 is four. " + LONG,
        LONG + "This is совершенно clear. " + LONG,
    ],
)
def test_a_switch_of_script_is_seen_anywhere_and_its_place_is_shown(text):
    for row in ({"prompt": EN, "response": text}, {"messages": _turns(EN, EN, text)}):
        verdict = judge([row], max_foreign=0.0)
        assert list(LanguageFilter.reasons)[verdict.reason[0]] == "language_switched"
        data = text.encode()
        found = [data[s:e].decode() for s, e in zip(verdict.evidence.start, verdict.evidence.end, strict=True)]
        assert found and all(not piece.isascii() for piece in found)
        assert reasons([row]) == [None]


def _turns(prompt: str, answer: str, reasoning: str) -> list[dict[str, str | None]]:
    return [
        {"role": "user", "content": prompt, "reasoning_content": None},
        {"role": "assistant", "content": answer, "reasoning_content": reasoning},
    ]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What does 答案 mean?", "The word 答案 means answer, as in: what is the 答案 to this."),
        ("How do you say good morning in Russian?", "In Russian one says доброе утро, which means good morning."),
        (EN, "The angle α is twice β, and 3 μm are enough, as the committee had said on Thursday."),
        (EN, "Run this first, as the committee said on Thursday:\n```python\n# 打印结果\nprint(1)\n```\nThat is all."),
    ],
)
def test_letters_that_the_prompt_explains_or_formulae_and_code_hold_are_no_switch(prompt, answer):
    assert reasons([{"prompt": prompt, "response": answer}], max_foreign=0.0) == [None]


def test_what_was_asked_for_can_be_dropped_all_the_same():
    row = {
        "prompt": "How do you say good morning in Russian?",
        "response": "One says доброе утро, which means good morning.",
    }
    assert reasons([row], max_foreign=0.0, asked_for="drop") == ["language_switched"]


@pytest.mark.parametrize(
    ("prompt", "answer", "pair"),
    [
        ("Translate to Italian: The weather is nice today.", "Il tempo è bello oggi, andiamo al mare.", "en-it"),
        (
            "Translate to English: Il tempo è bello oggi e andiamo al mare.",
            "The weather is nice today, let us go.",
            "it-en",
        ),
        (f"Summarise this in English.\n\n{IT}", "The committee postponed the vote on the budget.", "it-en"),
        ("Summarise what the committee decided in a few words:\n\n" + EN, "It postponed the vote on the budget.", None),
        (FR, "Le comité a reporté le vote du budget.", None),
        (EN, "42", None),
    ],
)
def test_a_pair_is_counted_when_the_answer_leaves_a_language_of_the_prompt(prompt, answer, pair):
    assert judge([{"prompt": prompt, "response": answer}]).scores["pair"].to_pylist() == [pair]


def test_a_translation_that_was_asked_for_is_no_mismatch_unless_told():
    rows = [
        {
            "prompt": "Translate to Italian: The weather is nice today.",
            "response": "Il tempo è bello oggi, andiamo al mare.",
        },
        {"prompt": "请用英文回答：会议讨论了什么内容？", "response": EN},
        {"prompt": EN, "response": FR},
    ]
    assert reasons(rows, same_as_prompt=True) == [None, None, "language_mismatch"]
    assert reasons(rows, same_as_prompt=True, asked_for="drop") == ["language_mismatch"] * 3


def test_reasoning_can_be_asked_for_one_language_too():
    rows = [{"messages": _turns(EN, EN, (EN + "\n") * 8 + (DE + "\n") * 8)}]
    assert reasons(rows, min_share=0.9) == [None]
    assert reasons(rows, min_share=0.9, parts=["reasoning", "answer"]) == ["language_mixed"]


def test_a_language_no_model_knows_is_a_config_error():
    with pytest.raises(ConfigError, match=r"no language 'xxx'"):
        LanguageFilter(LanguageOptions(allow=("en", "xxx")))


@pytest.mark.parametrize("content", [b"", b"not a model at all" * 20])
def test_a_file_that_is_no_model_is_a_config_error(tmp_path, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a fastText model"):
        LanguageFilter(LanguageOptions(model=str(path)))
    with pytest.raises(ConfigError, match="no model file"):
        LanguageFilter.assets(LanguageOptions(model=str(tmp_path / "absent.bin")))


def test_the_model_is_an_asset_and_labels_can_be_renamed():
    assert list(LanguageFilter.assets(LanguageOptions())) == ["lid.176.ftz"]
    assert len(LanguageFilter.assets(LanguageOptions())["lid.176.ftz"]) == 64
    assert answer_language(FR, labels={"fr": "fra"}) == "fra"


def test_empty_batches_and_records_without_text():
    rows = pa.RecordBatch.from_pylist([], pa.schema([("prompt", pa.string()), ("response", pa.string())]))
    empty = LanguageFilter().judge(read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch)
    assert len(empty.reason) == 0 and set(empty.scores) == set(LanguageFilter.scores)
    assert reasons([{"prompt": None, "response": None}, {"prompt": "", "response": ""}], allow=["en"]) == [None, None]


_PIECES = st.sampled_from(
    [*SENTENCES.values(), CODE, "```\n", "\n\n", "$$", "\\[", "`x", "é", "\0", " ", "<b>", "42", "\\"]
)
_TEXTS = st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=80)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=5))
def test_a_record_alone_is_judged_as_in_a_batch(pairs):
    judge = LanguageFilter(LanguageOptions(allow=("en", "de"), min_share=0.8, undetermined="drop"))
    rows = [{"prompt": p, "response": r} for p, r in pairs]
    together = judge.judge(batch_of(rows))
    for i, row in enumerate(rows):
        alone = judge.judge(batch_of([row]))
        assert alone.reason[0] == together.reason[i]
        assert {k: v[0] for k, v in alone.scores.items()} == {k: v[i] for k, v in together.scores.items()}
        e = together.evidence
        rows_of = zip(e.record, e.start, e.end, e.rule, strict=True)
        spans = [found for record, *found in rows_of if record == i]
        assert spans == [
            list(x) for x in zip(alone.evidence.start, alone.evidence.end, alone.evidence.rule, strict=True)
        ]


def test_a_huge_line_is_read_in_linear_time():
    assert answer_language("x" * 5_000_000) == "und"
    assert answer_language(EN * 20_000) == "en"


def test_many_texts_that_grow_when_markup_is_taken_out_fit_their_room():
    rows = [{"prompt": "é<" * 140, "response": "é`ü<ö " * 60}] * 3000
    found = judge(rows).scores["answer_language"].to_pylist()
    assert set(found) == {answer_language(rows[0]["response"])}


def test_mathematics_problems_in_ten_languages_are_never_mistaken():
    for path in real("mgsm"):
        batch = real_batch(path)
        found = LanguageFilter().judge(batch).scores["language"].to_pylist()
        wrong = [
            (e, f) for e, f in zip(batch.source["language"].to_pylist(), found, strict=True) if f not in (e, "und")
        ]
        assert len(wrong) <= 0.002 * len(found), wrong


def test_an_answer_of_a_few_words_leans_on_the_prompt_unless_the_model_is_sure():
    """A medical term on its own reads like another language; a short sentence in one does not."""
    question = "Which operation does a surgeon recommend to a boy of twelve years in such a case?"
    terms = ["Orchiectomy", "Atrioventricular (AV) node", "Pneumococcal conjugate vaccine 13"]
    assert reasons([{"prompt": question, "response": t} for t in terms], allow=("en",)) == [None] * 3
    italian = {"prompt": question, "response": "La nostra casa è grande"}
    assert reasons([italian], allow=("en",)) == ["language_not_allowed"]
