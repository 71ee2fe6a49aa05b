"""The PII filter by what it says and asks for, against real Presidio, phonenumbers and hyperscan."""

from __future__ import annotations

import functools
import json
import re

import numpy as np
import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.batch import METADATA
from filters.contract import KEPT, ConfigError
from filters.pii import PiiFilter, PiiOptions
from pipelines import edits
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real, real_batch, scrubbed

MAIL, PHONE, CARD, IBAN = "Ana.Ruiz@cuvox.de", "+1 212-736-5000", "4454 7945 1139 0933", "DE89370400440532013000"
KEY = "AKIAQ3EGQ7YJ2NHW6PZD"


@pytest.fixture(scope="module")
def default() -> PiiFilter:
    return PiiFilter(PiiOptions())


def one(filter_: PiiFilter, prompt: str, response: str = "ok") -> tuple[str, object]:
    batch = batch_of([{"prompt": prompt, "response": response}])
    judged = filter_.judge(batch)
    return scrubbed(batch, judged)[0], judged


def call_row(arguments: str, content: str = "", result: str = "", reasoning: str = "") -> dict:
    return {
        "messages": [
            {"role": "user", "content": content, "reasoning_content": None, "tool_calls": None},
            {
                "role": "assistant", "content": "", "reasoning_content": reasoning,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}],
            },
            {"role": "tool", "content": result, "reasoning_content": None, "tool_calls": None},
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Write to {MAIL}.", "Write to <EMAIL_1>."),
        (f"My number is {PHONE}, call me.", "My number is <PHONE_1>, call me."),
        (f"charge card {CARD} please", "charge card <CREDIT_CARD_1> please"),
        (f"IBAN {IBAN} today", "IBAN <IBAN_1> today"),
        (f"key={KEY}", "key=<API_KEY_1>"),
        ("Ruf an: 030 123456 (Büro)", "Ruf an: 030 123456 (Büro)"),
        ("Telefon: 030 90269-1234", "Telefon: <PHONE_1>"),
        ("They can be reached at 021 253 109 82", "They can be reached at <PHONE_1>"),
        ("携帯 090-1234-5678 です", "携帯 <PHONE_1> です"),
        ("👩🏽‍🚀 e\u0301 " + MAIL + " 漢字", "👩🏽‍🚀 e\u0301 <EMAIL_1> 漢字"),
        ("postgres://app:hunter2hunter2@db1.corp.net/x", "postgres://app:<PASSWORD_1>@db1.corp.net/x"),
    ],
)
def test_what_is_found_is_replaced_by_name_and_number(default: PiiFilter, text: str, expected: str) -> None:
    assert one(default, text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "2019 2018 2017 (in thousands): 1,234 5,678 9,101",
        "1200-1000 = 200 and 1/6 + 2/6 = 3/6",
        "net 518 (2018: 400 000)",
        "uuid 550e8400-e29b-41d4-a716-446655440000 id 4454794511390933",
        "The answer is 7500000, it reached 7500000 people, call 12345678 times",
        "You are solving task 00576224.",
        "ISBN 978-3-16-148410-0, order 2127365000",
        "a@example.com, 555-0123, 192.0.2.7, ::, 127.0.0.1, version 1.2.3.4",
        "git@github.com:owner/name.git",
        "0.4532015112830366 and 4454794511390934",  # a decimal; a card's digits with the check digit one too high
        "the answer is 3200-3600, call it a peak around 3100-3500 cm⁻¹, phone 0.0416667 mol or \\frac{1}{0.0416667} \\, g",
        "a coded message: 18-5-1-12-9-20-25 and 1.34.8-1.3.54.8.12+1 and the address 10.20.30.40.50",
        "git remote set-url https://oauth2:${TOKEN}@gitlab.com/a.git with ${TOKEN}@gitlab.com",
        "AKIAIOSFODNN7EXAMPLE and password = '<your password>'",
    ],
)
def test_what_only_looks_like_it_is_left(default: PiiFilter, text: str) -> None:
    result, judged = one(default, text)
    assert result == text
    assert judged.keep.all()


def test_one_value_has_one_number_in_every_channel_and_spelling(default: PiiFilter) -> None:
    row = call_row(
        json.dumps({"to": MAIL.lower(), "phone": 2127365000}),
        content=f"Mail {MAIL} or phone {PHONE}; not bob@cuvox.de",
        result="sent to " + MAIL.upper() + ", tel 212.736.5000",
        reasoning=f"the user's address is {MAIL}",
    )
    batch = batch_of([row])
    texts = scrubbed(batch, default.judge(batch))
    assert texts[0] == "Mail <EMAIL_1> or phone <PHONE_1>; not <EMAIL_2>"
    joined = "\n".join(texts)
    assert joined.count("<EMAIL_1>") == 4 and joined.count("<EMAIL_2>") == 1 and joined.count("<PHONE_1>") == 3
    arguments = next(t for t in texts if t.startswith("{"))
    assert json.loads(arguments) == {"to": "<EMAIL_1>", "phone": "<PHONE_1>"}


@pytest.mark.parametrize(
    "document",
    [
        {"note": f"line\nline\t{MAIL}\nphone\n212-736-5000\n", "n": [1, 2.5]},
        {"phone": 2127365000, "rows": [[12127365000], {"tel": -2127365000}]},
        {MAIL: f'he said "{MAIL}" \\ {MAIL}/é {MAIL}'},
        [json.dumps({"phone": 2127365000, "mail": MAIL, "deep": json.dumps([MAIL])})],
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_still_parses(default: PiiFilter, document: object, ascii_only: bool) -> None:
    row = call_row(json.dumps({"x": document}, ensure_ascii=ascii_only), content=f"phone {PHONE}, {MAIL}")
    batch = batch_of([row])
    judged = default.judge(batch)
    for text in scrubbed(batch, judged):
        if text.startswith("{"):
            again = json.loads(text)
            assert "cuvox" not in text and "2127365000" not in text
            for inner in again["x"] if isinstance(again["x"], list) else []:
                json.loads(inner)


@pytest.mark.parametrize("action", ["replace", "mask", "hash", "surrogate", "drop"])
def test_a_second_run_finds_nothing(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSMILL_HASH_KEY", "0123456789abcdef-test")
    filter_ = PiiFilter(PiiOptions(action=action))
    text = f"Phone {PHONE} or 212-736-5001, mail {MAIL}; card {CARD}; {IBAN}; {KEY}; ip 8.8.4.4 and call 0302 4711 881"
    row = call_row(json.dumps({"a": text, "phone": 2127365000}), content=text, result=text)
    batch = batch_of([row])
    judged = filter_.judge(batch)
    assert judged.scores["findings"][0] >= 16
    assert judged.reason[0] == (filter_.reason_index("pii_found") if action == "drop" else KEPT)
    texts = scrubbed(batch, judged)
    again = batch_of([{"prompt": t, "response": ""} for t in texts])
    assert filter_.judge(again).scores["findings"].sum() == 0


def test_hash_is_keyed_and_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for key in ("k" * 16, "q" * 16, "k" * 16):
        monkeypatch.setenv("CORPUSMILL_HASH_KEY", key)
        seen.add(one(PiiFilter(PiiOptions(entities=("EMAIL_ADDRESS",), action="hash")), MAIL)[0])
    assert len(seen) == 2 and all(re.fullmatch(r"<EMAIL_[a-p]{12}>", s) for s in seen)
    monkeypatch.setenv("CORPUSMILL_HASH_KEY", "short")
    with pytest.raises(ConfigError, match="CORPUSMILL_HASH_KEY"):
        PiiFilter(PiiOptions(action="hash"))


def test_evidence_names_entity_and_certainty_and_no_value(default: PiiFilter) -> None:
    text = f"é {MAIL} and phone {PHONE}"
    batch = batch_of([{"prompt": text, "response": ""}])
    evidence = default.judge(batch).evidence
    assert evidence.rule == ["EMAIL_ADDRESS:verified", "PHONE_NUMBER:verified"]
    raw = text.encode()
    assert [raw[s:e].decode() for s, e in zip(evidence.start, evidence.end, strict=True)] == [MAIL, PHONE]
    assert all(v not in repr(vars(evidence)) for v in (MAIL, PHONE))


def test_numbers_do_not_collide_with_placeholders_already_there(default: PiiFilter) -> None:
    assert one(default, f"<EMAIL_3> forwards to {MAIL}")[0] == "<EMAIL_3> forwards to <EMAIL_4>"


def test_allow_and_annotate_and_certainty() -> None:
    assert one(PiiFilter(PiiOptions(entities=("EMAIL_ADDRESS",), allow=("@cuvox.de",))), MAIL)[0] == MAIL
    text, judged = one(PiiFilter(PiiOptions(entities=("EMAIL_ADDRESS",), action="annotate")), MAIL)
    assert text == MAIL and judged.scores["findings"].tolist() == [1] and len(judged.evidence) == 1
    sure = PiiFilter(PiiOptions(entities=("PHONE_NUMBER",), min_certainty="verified"))
    judged = one(sure, "call 212-736-5000")[1]
    assert judged.scores["findings"].tolist() == [0] and judged.scores["unlikely"].tolist() == [1]


def test_own_recognizer_is_prefiltered_or_says_that_it_is_not() -> None:
    from filters.pii.options import Recognizer

    rules = (
        Recognizer(entity="STAFF_NO", patterns=(r"\bEMP-\d{6}\b",)),
        Recognizer(entity="ODD", patterns=(r"(?:foobar){e<=1}",), language="en"),
    )
    filter_ = PiiFilter(PiiOptions(entities=("STAFF_NO", "ODD"), recognizers=rules))
    assert list(filter_.unfiltered) == ["custom ODD"]
    assert one(filter_, "EMP-123456 met a fobar")[0] == "<STAFF_NO_1> met a <ODD_1>"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entities": ("EMAIL_ADRESS",)}, "did you mean 'EMAIL_ADDRESS'"),
        ({"regions": ("UK",)}, "no region 'UK'"),
        ({"languages": ("xx1",)}, "no language 'xx1'"),
    ],
)
def test_wrong_names_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PiiFilter(PiiOptions(**options))


def test_degenerate_batches(default: PiiFilter) -> None:
    rows = [{"prompt": "", "response": None}, {"prompt": "\0\0" + MAIL + "\0", "response": "\0" * 5000}]
    batch = batch_of(rows)
    judged = default.judge(batch)
    assert judged.scores["findings"].tolist() == [0, 1]
    nothing = batch.source.slice(0, 0)
    empty = read(nothing, recognise(nothing.schema), max_record_bytes=1 << 20).batch
    assert len(default.judge(empty).reason) == 0


def test_far_from_anything(default: PiiFilter) -> None:
    """A megabyte of one word before and behind: found, and in reasonable time."""
    text = "x" * 1_000_000 + f" {MAIL} phone {PHONE} " + "y" * 1_000_000
    out, judged = one(default, text)
    assert judged.scores["findings"].tolist() == [2] and " <EMAIL_1> phone <PHONE_1> " in out


def test_metadata_is_scanned(default: PiiFilter) -> None:
    batch = batch_of([{"prompt": "a", "response": "b", "annotator": f"{MAIL}"}])
    judged = default.judge(batch)
    assert judged.evidence.channel == [METADATA]


pieces = st.sampled_from(
    [MAIL, PHONE, CARD, IBAN, KEY, "phone ", "card ", "\n", " ", "é", "漢字", "👩🏽‍🚀", '{"a": "', '"}', "12", "2019-",
     "x", ", ",
     "call me", "<PHONE_1>", "\\n", "=", "0302 123456", "::1", "10.1.2.3"]
)  # fmt: skip
texts = st.lists(pieces, max_size=14).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_a_record_is_judged_the_same_alone_and_in_company(rows: list[str]) -> None:
    filter_ = _shared()
    together = batch_of([{"prompt": r, "response": r[::2]} for r in rows])
    judged = filter_.judge(together)
    for i, row in enumerate(rows):
        alone = filter_.judge(batch_of([{"prompt": row, "response": row[::2]}]))
        for score in filter_.scores:
            assert alone.scores[score][0] == judged.scores[score][i]
        mine = [k for k, s in enumerate(judged.edits.segment) if together.segments.record[s] == i]
        for field in ("start", "end", "replacement", "label"):
            assert getattr(alone.edits, field) == [getattr(judged.edits, field)[k] for k in mine]
    scrubbed(together, judged)


@settings(max_examples=100, deadline=None)
@given(texts, st.sampled_from(["replace", "mask", "hash", "surrogate"]))
def test_scrubbing_twice_is_scrubbing_once(text: str, action: str) -> None:
    out, _ = one(_shared(action), text)
    assert one(_shared(action), out)[0] == out


@functools.cache
def _shared(action: str = "replace") -> PiiFilter:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUSMILL_HASH_KEY", "0123456789abcdef-test")
        return PiiFilter(PiiOptions(action=action))


@pytest.mark.parametrize(
    ("written", "made_up"),
    [
        ("phone 212-736-5000", "phone 202-555-0101"),
        ("phone +1 (212) 736-5000", "phone +1 202-555-0101"),
        ("phone 2127365000", "phone 2025550101"),
        ("phone +44 20 7183 8750", "phone +44 20 7946 0001"),
        ("phone 0044 20 7183 8750", "phone +44 20 7946 0001"),
        ("tel +33 1 42 68 53 00", "tel +33 1 99 00 00 01"),
        ("Telefon +49 30 901820", "Telefon +49 30 23125 001"),
        ("mail ana.ruiz@cuvox.de", "mail person1@example.com"),
    ],
)
def test_a_made_up_value_has_the_shape_and_stays_valid(written: str, made_up: str) -> None:
    assert one(_shared("surrogate"), written)[0] == made_up
    assert one(_shared("surrogate"), made_up)[0] == made_up
    if not made_up.startswith("mail"):
        assert phonenumbers.is_valid_number(phonenumbers.parse(made_up.split(" ", 1)[1], "US"))


def test_a_made_up_number_stays_a_number_in_json_and_in_a_struct() -> None:
    document = {"phone": 2127365000, "deep": json.dumps({"tel": 2127365001})}
    batch = batch_of([call_row(json.dumps(document))])
    out = next(t for t in scrubbed(batch, _shared("surrogate").judge(batch)) if t.startswith("{"))
    assert json.loads(out) == {"phone": 2025550101, "deep": '{"tel": 2025550102}'}


@pytest.mark.parametrize("name", ["tatqa", "gsm8k", "mgsm"])
def test_sets_without_personal_data_are_left_alone(default: PiiFilter, name: str) -> None:
    batch = real_batch(real(name)[0])
    sample = batch_of(batch.source.slice(0, 300).to_pylist())
    assert int(np.count_nonzero(default.judge(sample).scores["findings"])) == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('{"to": "ana\\u0040cuvox.de"}', '{"to": "<EMAIL_1>"}'),
        ('{"to": "Ana.Ruiz\\u0040CUVOX.de", "n": "\\u00e9\\ud83d\\ude00 ana.ruiz@cuvox.de"}',
         '{"to": "<EMAIL_1>", "n": "\\u00e9\\ud83d\\ude00 <EMAIL_1>"}'),
        ('{"t": "Tel.\\u00a0+1 212-736-5000"}', '{"t": "Tel.\\u00a0<PHONE_1>"}'),
        ('{"t": "\\u96fb\\u8a71: +1 212-736-5000"}', '{"t": "\\u96fb\\u8a71: <PHONE_1>"}'),
        ('{"in": "{\\"to\\": \\"ana\\\\u0040cuvox.de\\"}"}', '{"in": "{\\"to\\": \\"<EMAIL_1>\\"}"}'),
    ],
)  # fmt: skip
def test_characters_by_number_are_seen_through_in_json(default, written, expected):
    batch = batch_of([call_row(written)])
    out = next(t for t in scrubbed(batch, default.judge(batch)) if t.startswith("{"))
    assert out == expected
    json.loads(out)


@given(st.text(max_size=40), st.booleans())
def test_a_view_of_json_tells_where_each_byte_was_written(text, escaped):
    from filters.pii.jsontext import view

    written = json.dumps({"t": text}, ensure_ascii=escaped).encode("utf-8", "replace")
    seen = view(written)
    at = list(range(len(written) + 1)) if seen.at is None else seen.at.tolist()
    assert len(at) == len(seen.data) + 1
    assert at == sorted(at)
    assert at[-1] == len(written)
    for i, byte in enumerate(seen.data):
        if byte < 128 and written[at[i]] not in b"\\":
            assert written[at[i]] == byte or chr(byte).isspace()


def test_a_made_up_number_fits_the_integers_of_a_struct() -> None:
    kind = pa.struct([("phone", pa.int64()), ("short", pa.int32())])
    call = pa.list_(pa.struct([("name", pa.string()), ("arguments", kind)]))
    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", call)])
    call_ = {"name": "f", "arguments": {"phone": 12127365000, "short": 7}}
    rows = [[{"role": "assistant", "content": "", "tool_calls": [call_]}]]
    table = pa.RecordBatch.from_pydict({"messages": pa.array(rows, pa.list_(message))})
    done = read(table, recognise(table.schema), max_record_bytes=1 << 30)
    judged = _shared("surrogate").judge(done.batch)
    out = edits.apply(done, [judged.edits], np.ones(1, bool)).to_pylist()[0]["messages"][0]["tool_calls"][0]
    assert out["arguments"] == {"phone": 2025550101, "short": 7}
