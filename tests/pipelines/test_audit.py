"""What an audit says: shares of synthetic records with known answers, planted personal data, and nothing of it in any output."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import manifest as manifests
from pipelines.audit import document, page
from pipelines.audit.audit import Asked, Audit, audit
from pipelines.audit.contact import kind
from pipelines.audit.figures import ANY, Figure
from pipelines.audit.nearby import sentences
from pipelines.audit.sentences import percent
from pipelines.cli import main
from pipelines.errors import ShardError, UsageError
from tests.pipelines.conftest import Command, manifest

WORDS = """
language: en
version: 1
about: Invented occupations and words of sentiment, so that no other lexicon knows them.
sources: {occupation: invented, sentiment: invented}
axes:
  occupation:
    invented: [zorbler, quandist, plimer]
  sentiment:
    positive: [glorvious]
    negative: [drumpish]
"""


@pytest.fixture(scope="session")
def lexicon(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("lexicon") / "invented.yaml"
    path.write_text(WORDS, "utf-8")
    return str(path)


def write(folder: Path, texts: Sequence[str], name: str = "a", **columns: Sequence) -> Path:
    folder.mkdir(exist_ok=True)
    table = {"id": [f"{name}-{i}" for i in range(len(texts))], "prompt": ["Go on."] * len(texts), "response": texts}
    arrays = {k: pa.array(v, pa.string()) for k, v in {**table, **columns}.items()}
    pq.write_table(pa.table(arrays), folder / f"{name}.parquet")
    return folder


def looked_at(folder: Path, lexicon: str, **asked) -> Audit:
    return audit(Asked([str(folder)], lexicons=[lexicon], workers=1, **asked))


def figure(
    done: Audit, section: str, axis: str, value: str, measure: str = "records", among: str = "records"
) -> Figure:
    found = [f for f in done.datasets[0].whole.figures if (f.section, f.axis, f.value, f.measure, f.among)
             == (section, axis, value, measure, among)]  # fmt: skip
    [one] = found
    return one


def told(done: Audit) -> str:
    return "\n".join(done.datasets[0].whole.sentences)


def people(n: int, male: float, zorblers: tuple[float, float]) -> list[str]:
    """n texts that mention one gender each; zorblers: how often men and women are in a sentence with one."""
    chance = random.Random(n)
    texts = []
    for i in range(n):
        man = i < round(n * male)
        word = "zorbler" if chance.random() < zorblers[not man] else "quandist"
        texts.append(f"Yesterday {'he' if man else 'she'} became a {word}, and everyone was at the harbour. Note {i}.")
    chance.shuffle(texts)
    return texts


@pytest.mark.slow
def test_a_balanced_set_comes_out_balanced(tmp_path, lexicon):
    done = looked_at(write(tmp_path / "in", people(2000, 0.5, (0.3, 0.3))), lexicon, size=800)
    whole = done.datasets[0].whole
    assert all(s.balanced and s.ratio_low < 1 < s.ratio_high for s in whole.skews)
    assert whole.associations
    assert not any(a.found for a in whole.associations)
    assert "one half is within" in told(done)


def test_a_skewed_set_comes_out_skewed_by_the_right_amount(tmp_path, lexicon):
    """Three men to a woman; men are zorblers in 40 % of their records, women in 10 %: odds (0.4 / 0.6) / (0.1 / 0.9) = 6."""
    done = looked_at(write(tmp_path / "in", people(2000, 0.75, (0.4, 0.1))), lexicon, size=800)
    whole = done.datasets[0].whole
    for skew in whole.skews:
        assert skew.low < 0.75 < skew.high
        assert not skew.balanced
        assert skew.ratio_low < 3 < skew.ratio_high
    zorbler = next(a for a in whole.associations if a.word == "zorbler")
    assert (zorbler.axis, zorbler.kind, zorbler.found) == ("gender", "occupation", True)
    odds, low, high = ((x if zorbler.group == "male" else 1 / x) for x in (zorbler.odds, zorbler.low, zorbler.high))
    assert min(low, high) < 6 < max(low, high)
    assert 3 < odds < 12
    assert "zorbler" in told(done)


def test_everything_looked_at_is_exact(tmp_path, lexicon):
    texts = ["He sat down."] * 6 + ["She sat down."] * 3 + ["He and she sat down."] + ["The bread is warm."] * 10
    done = looked_at(write(tmp_path / "in", texts), lexicon, exhaustive=True)
    for value, n in ((ANY, 10), ("male only", 6), ("female only", 3), ("both", 1), ("male", 7), ("female", 4)):
        found = figure(done, "mentions", "gender", value)
        assert (found.numerator, found.denominator, found.low, found.high) == (n, 20, n / 20, n / 20)
    conditional = figure(done, "mentions", "gender", "male", among="records that mention gender")
    assert (conditional.numerator, conditional.denominator, conditional.share) == (7, 10, 0.7)
    mentions = figure(done, "mentions", "gender", "male", "mentions", "mentions of gender")
    assert (mentions.numerator, mentions.denominator) == (7, 11)
    he = figure(done, "identifiers", "gender", "he", "mentions (male)", "mentions of gender")
    assert (he.numerator, he.denominator) == (7, 11)
    assert "Of all 20 records" in told(done)


def test_a_group_of_its_own_that_means_any_is_not_taken_for_whichever(tmp_path, lexicon):
    texts = (
        ["People of colour sat down."] * 2
        + ["A Jewish man sat with a Black man and a person of colour."] * 3
        + ["Bread."] * 5
    )
    done = looked_at(write(tmp_path / "in", texts), lexicon, exhaustive=True)
    for axis in ("ethnicity", "religion"):
        whole = figure(done, "mentions", axis, ANY)
        assert whole.numerator + figure(done, "mentions", axis, "", "records with no mention").numerator == 10


def test_nothing_found_in_a_sample_is_an_upper_bound(tmp_path, lexicon):
    done = looked_at(write(tmp_path / "in", ["The bread is warm."] * 500), lexicon, size=200)
    found = figure(done, "mentions", "ethnicity", ANY)
    assert (found.numerator, found.low) == (0, 0.0)
    assert 0.005 < found.high < 0.02
    assert f"at most {percent(found.high, up=True)}" in told(done)
    for sentence in done.datasets[0].whole.sentences:
        assert " 0 %" not in sentence
        assert "none" not in sentence.replace("licences as declared: none", "")


def test_a_sentence_says_figures_as_a_card_does(tmp_path, lexicon):
    texts = ["She sat down."] * 30 + ["The bread is warm."] * 970
    done = looked_at(write(tmp_path / "in", texts), lexicon, size=500)
    found = figure(done, "mentions", "gender", ANY)
    said = f"Of a random sample of 500 of 1,000 records, {percent(found.share)} ({percent(found.low)} to {percent(found.high)})"
    assert f"{said} explicitly mention gender" in told(done)
    assert found.low < 0.03 < found.high


@pytest.mark.parametrize("equal", [False, True])
def test_strata_weigh_by_their_size(tmp_path, lexicon, equal):
    """A stratum of 1,800 mentions women in 10 % of its records, one of 200 in 90 %: (180 + 180) / 2,000 = 18 %."""
    texts = ["She sat down." if i < 180 or i >= 1820 else f"The bread is warm {i}." for i in range(2000)]
    folder = write(tmp_path / "in", texts, source=["large"] * 1800 + ["small"] * 200)
    done = looked_at(folder, lexicon, size=400, by="source", equal=equal)
    found = figure(done, "mentions", "gender", ANY)
    assert found.low < 0.18 < found.high
    assert found.high - found.low < 0.1
    parts = {p.stratum: p for p in done.datasets[0].parts}
    assert [parts["large"].of, parts["small"].of] == [1800, 200]
    assert (parts["large"].n, parts["small"].n) == ((200, 200) if equal else (360, 40))
    if equal:
        assert found.numerator / found.denominator > 0.4


def test_datasets_are_one_population_by_their_size(tmp_path, lexicon):
    one = write(tmp_path / "one", ["She sat down."] * 300)
    two = write(tmp_path / "two", ["The bread is warm."] * 900)
    done = audit(Asked([str(one), str(two)], size=100, lexicons=[lexicon], workers=1))
    assert done.overall is not None
    found = next(f for f in done.overall.figures if (f.axis, f.value, f.among) == ("gender", ANY, "records"))
    assert found.share == pytest.approx(0.25)
    assert (found.numerator, found.denominator) == (100, 200)
    assert [a.dataset.name for a in done.datasets] == ["one", "two"]


PLANTED = [
    "maria.keller@gmail.com",
    "support@hartwell-tools.com",
    "jens@hartwell-tools.com",
    "+44 7911 123456",
    "+1 800 555 3535",
]
"""One person's mailbox, a firm's, one that cannot be told, a mobile, a toll-free line."""


def planted() -> list[str]:
    texts = [f"The bread is warm {i}." for i in range(100)]
    for i, value in enumerate(PLANTED[:3]):
        texts[i] = f"Write to {value} today."
    texts[3] = f"Write to {PLANTED[0]} and to {PLANTED[1]} today."
    texts[4], texts[5] = (f"Call her by telephone: {v} today." for v in PLANTED[3:])
    return texts


def test_planted_personal_data_is_counted_by_entity_certainty_channel_and_whose_it_is(tmp_path, lexicon):
    done = looked_at(write(tmp_path / "in", planted()), lexicon, exhaustive=True)
    assert figure(done, "pii", "", ANY).numerator == 6
    assert figure(done, "pii", "EMAIL_ADDRESS", ANY).numerator == 4
    assert figure(done, "pii", "EMAIL_ADDRESS", ANY, "findings", "findings").numerator == 5
    assert figure(done, "pii", "PHONE_NUMBER", ANY).numerator == 2
    assert figure(done, "pii", "EMAIL_ADDRESS", "verified").numerator == 4
    assert figure(done, "pii channel", "", "content").numerator == 6
    among = "findings of EMAIL_ADDRESS"
    whose = {
        k: figure(done, "contact", "EMAIL_ADDRESS", k, "findings", among).numerator
        for k in ("business", "personal", "unclear")
    }
    assert whose == {"business": 2, "personal": 2, "unclear": 1}
    assert figure(done, "contact", "PHONE_NUMBER", "personal").numerator == 1
    assert figure(done, "contact", "PHONE_NUMBER", "business").numerator == 1
    assert "Not scanned for: PERSON" in told(done)


@pytest.mark.parametrize(
    ("entity", "value", "before", "expected"),
    [
        ("EMAIL_ADDRESS", "Info@firm.de", "", "business"),
        ("EMAIL_ADDRESS", "sales.emea@firm.com", "", "business"),
        ("EMAIL_ADDRESS", "no-reply@firm.com", "", "business"),
        ("EMAIL_ADDRESS", "information.lady@firm.com", "", "unclear"),
        ("EMAIL_ADDRESS", "anna.schmidt@gmx.de", "", "personal"),
        ("EMAIL_ADDRESS", "li@vip.163.com", "", "unclear"),
        ("EMAIL_ADDRESS", "anna@gmail.evil-firm.com", "", "unclear"),
        ("EMAIL_ADDRESS", "support@gmail.com", "", "business"),
        ("PHONE_NUMBER", "0800 123", "", "unclear"),
        ("PHONE_NUMBER", "+1 800 555 3535", "", "business"),
        ("PHONE_NUMBER", "(212) 555-0199", "our customer service is at ", "business"),
        ("PHONE_NUMBER", "+1 212 736 5000", "call me at ", "unclear"),
        ("PHONE_NUMBER", "+49 1512 3456789", "", "personal"),
        ("PHONE_NUMBER", "+442071838750", "", "unclear"),
    ],
)
def test_a_contact_is_called_a_persons_or_a_firms_only_where_it_is_plain(entity, value, before, expected):
    assert kind(entity, value, before) == expected


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("he is a nurse", True),
        ("he left. A nurse came", False),
        ("he met Mr. Jones, a nurse", True),
        ("he met J. Jones, a nurse", True),
        ("he left! The nurse came", False),
        ("he has 2.5 jobs, one as a nurse", True),
        ("he left\nnurse", False),
        ("he, 然后。nurse", False),
        ("he, 然后，nurse", True),
        ("he wins? nurse", False),
        ("he " + "x" * 399 + " nurse", False),
    ],
)  # fmt: skip
def test_a_sentence_ends_where_one_does(text, together):
    data = text.encode()
    start = np.array([data.index(b"he"), data.index(b"nurse")])
    zero = np.zeros(2, np.int64)
    found = sentences((np.frombuffer(data, np.uint8),), zero, zero, zero, start, start + np.array([2, 5]))
    assert (found[0] == found[1]) == together


def test_hits_of_other_segments_are_in_other_sentences_whatever_buffer_they_are_in():
    buffers = tuple(np.frombuffer(b, np.uint8) for b in (b"he nurse he nurse", b"she"))
    buffer, base = np.array([0, 0, 1, 0, 0]), np.array([0, 0, 0, 9, 9])
    segment = np.array([0, 0, 1, 2, 2])
    start, end = np.array([0, 3, 0, 0, 3]), np.array([2, 8, 3, 2, 8])
    assert sentences(buffers, buffer, base, segment, start, end).tolist() == [1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("share", "up", "text"),
    [(0.029, False, "2.9 %"), (0.5, False, "50.0 %"), (0, False, "0 %"), (1, False, "100 %"), (0.9999, False, "99.9 %"),
     (0.00128, True, "0.13 %"), (0.0012001, True, "0.13 %"), (0.004, False, "0.40 %"), (1e-12, False, "0.000000 %")],
)  # fmt: skip
def test_percentages_keep_two_digits_and_bounds_are_rounded_up(share, up, text):
    assert percent(share, up) == text


def test_an_empty_dataset_and_a_single_record(tmp_path, lexicon):
    empty = looked_at(write(tmp_path / "empty", []), lexicon)
    assert empty.datasets[0].whole.sentences == ["No record was looked at: nothing can be said."]
    single = looked_at(write(tmp_path / "single", ["She sat down."]), lexicon)
    assert figure(single, "mentions", "gender", ANY).share == 1
    for done in (empty, single):
        jsonschema.validate(document.document(done), document.json_schema())
        assert page.render(document.document(done)).startswith("<!doctype html>")


def test_records_that_break_readers_are_counted_and_stop_nothing(tmp_path, lexicon):
    bad = pa.array([b"She \xff sat down.", b"", b"She \x00 sat down.", b"he " * 200_000, None], pa.binary()).view(
        pa.string()
    )
    pq.write_table(pa.table({"prompt": ["Go on."] * 5, "response": bad}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"prompt": "Hi", "response": "He sat."}\nnot json\n', "utf-8")
    done = looked_at(tmp_path, lexicon, exhaustive=True)
    assert done.datasets[0].whole.n == 7
    assert figure(done, "reading", "", "unreadable").numerator == 2
    assert figure(done, "mentions", "gender", ANY).numerator == 4


def test_what_makes_no_sense_is_said_in_a_line(tmp_path, lexicon):
    folder = write(tmp_path / "in", ["She sat down."] * 3, topic=["a", "b", "c"], user=["ann", "ben", "cem"])
    for by, said in (
        ("topik", "did you mean 'topic'"),
        ("response", "name another column"),
        ("user", "people"),
        ("id", "ids"),
    ):
        with pytest.raises(UsageError, match=said):
            looked_at(folder, lexicon, by=by)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ShardError, match="no known schema"):
        looked_at(tmp_path / "x.parquet", lexicon)
    with pytest.raises(UsageError, match="no input"):
        looked_at(tmp_path / "nowhere", lexicon)
    with pytest.raises(UsageError, match="no lexicon"):
        looked_at(folder, str(tmp_path / "nowhere.yaml"))


def test_facts_of_every_type_are_told_or_called_other(tmp_path, lexicon):
    """Lists, numbers, bytes, structs, invalid UTF-8, long texts: none of them stops an audit or gets text into it."""
    facts = {
        "list": pa.array([["mit"], ["mit", "cc0"], [], None]),
        "number": pa.array([1.5, None, 2, 2]),
        "bytes": pa.array([b"\xff", b"mit", None, b""]),
        "struct": pa.array([{"name": "mit"}] * 4),
        "broken": pa.array([b"mit\xff", b"mit", b"", None]).view(pa.string()),
        "long": pa.array(["by maria.keller@gmail.com", "x" * 200, "mit", "(c) A\nB"]),
    }
    for name, values in facts.items():
        folder = tmp_path / name
        folder.mkdir()
        table = pa.table({"prompt": ["Go on."] * 4, "response": ["She sat."] * 4, "license": values})
        pq.write_table(table, folder / "a.parquet")
        done = looked_at(folder, lexicon)
        told = {f.value: f.numerator for f in done.datasets[0].whole.figures if f.section == "license"}
        assert sum(told.values()) == 4
        assert not any("keller" in value or len(value) > 80 for value in told)


def test_columns_of_an_unknown_schema_can_be_named(tmp_path, lexicon):
    pq.write_table(pa.table({"q": ["Hm?"], "a": ["She sat down."]}), tmp_path / "x.parquet")
    done = looked_at(tmp_path / "x.parquet", lexicon, columns={"prompt": "q", "response": "a"})
    assert figure(done, "mentions", "gender", ANY).numerator == 1


def test_a_margin_decides_the_size(tmp_path, lexicon):
    texts = ["She sat down." if i % 2 else f"The bread is warm {i}." for i in range(600)]
    done = looked_at(write(tmp_path / "in", texts), lexicon, margin=0.05)
    found = figure(done, "mentions", "gender", ANY)
    assert done.datasets[0].whole.n < 300
    assert found.high - found.low <= 0.1001


@pytest.mark.slow
def test_workers_count_what_one_process_counts(tmp_path, lexicon):
    for i in range(3):
        write(tmp_path / "in", people(40, 0.5, (0.3, 0.3)), name=f"s{i}", source=[f"g{j % 3}" for j in range(40)])
    one, many = (
        document.dump(
            document.document(audit(Asked([str(tmp_path / "in")], by="source", lexicons=[lexicon], workers=w)))
        )
        for w in (1, 2)
    )
    assert one == many


def test_the_document_fits_its_schema_and_the_table_says_the_same(tmp_path, lexicon):
    folder = write(tmp_path / "in", [*people(300, 0.7, (0.6, 0.1)), *planted()], source=["x", "y"] * 200)
    told = document.document(looked_at(folder, lexicon, size=200, by="source"))
    jsonschema.validate(told, document.json_schema())
    rows = list(csv.DictReader(io.StringIO(document.table(told))))
    whole = [r for r in rows if not r["stratum"] and r["section"] != "skews"]
    assert len(whole) == len(told["datasets"][0]["figures"])
    for row, f in zip(whole, told["datasets"][0]["figures"], strict=True):
        assert [row["axis"], row["value"], row["share"]] == [f["axis"], f["value"], str(f["share"])]
    assert {r["stratum"] for r in rows} == {"", "x", "y"}
    for r in rows:
        assert float(r["low"]) <= float(r["share"]) + 1e-6
        assert float(r["share"]) <= float(r["high"]) + 1e-6
        assert int(r["numerator"]) <= int(r["denominator"])


class Outline(html.parser.HTMLParser):
    """Tags that are open, headings in order, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        linked = [v for k, v in attrs if k in ("src", "href") and not v.startswith("#")]
        self.fetched += linked + ([tag] if tag == "script" else [])
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_whole_file_with_a_hostile_name_in_it(tmp_path, lexicon):
    folder = write(tmp_path / "<b>&x", [*people(300, 0.7, (0.6, 0.1)), *planted()])
    told = document.document(looked_at(folder, lexicon, size=200))
    text = page.render(told)
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.fetched == []
    assert outline.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(outline.headings, outline.headings[1:], strict=False))
    assert "<b>&x" not in text


# Through the command.


RECIPE = "name: audited\nfilters:\n  - pii: {domain: [contact]}\n"


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("audit"))
    command.recipe.write_text(RECIPE, "utf-8")
    return command


@pytest.fixture
def command(capsys):
    """``corpusmill audit`` in this process, where the models are loaded already: what it prints."""

    def called(*arguments: str | Path, code: int = 0) -> str:
        assert main(["audit", *map(str, arguments)]) == code
        told = capsys.readouterr()
        return told.out + told.err

    return called


@pytest.fixture(scope="module")
def made(corpusmill) -> Path:
    """A curated dataset, from records with planted values, that keeps those values: its recipe only notes them."""
    write(corpusmill.home / "in", planted())
    corpusmill.run(corpusmill.home / "in", corpusmill.home / "out", "--set", "pii.action=annotate")
    return corpusmill.home / "out"


def test_no_planted_value_and_no_text_is_in_any_output(command, made, tmp_path):
    said = command(made, "--to", tmp_path / "audit", "--record")
    written = b"".join(
        p.read_bytes() for p in [*(tmp_path / "audit").iterdir(), *(made / n for n in ("manifest.json", "report.html"))]
    )
    assert {p.name for p in (tmp_path / "audit").iterdir()} == {"audit.json", "audit.csv", "audit.html"}
    assert "EMAIL_ADDRESS" in written.decode()
    for value in [*PLANTED, "bread", "keller"]:
        assert value.encode() not in written
        assert value not in said


def test_the_manifest_holds_the_summary_until_the_records_change(corpusmill, command, made, tmp_path):
    command(made, "--record", "--size", "50")
    told = manifest(made)
    jsonschema.validate(told, manifests.json_schema())
    section = told["audit"]
    assert (section["looked_at"], section["records"], section["data_digest"]) == (50, 100, told["data_digest"])
    corpusmill("verify", made)
    assert "nothing to do" in corpusmill.run(corpusmill.home / "in", made, "--set", "pii.action=annotate")
    assert manifest(made) == told
    gone = tmp_path / "gone.txt"
    gone.write_text("a-50\n", "utf-8")
    corpusmill("forget", made, "--match", gone, "--kind", "id")
    assert "audit" not in manifest(made)


def test_precision_from_a_review_is_applied_and_its_interval_carried(corpusmill, command, made, tmp_path):
    """Of five addresses in four records, people found a fifth wrong."""
    tasks_file = tmp_path / "review.json"
    corpusmill("review", "export", made, "--to", tasks_file)
    tasks = json.loads(tasks_file.read_text("utf-8"))
    flat = [
        {**t["data"], "id": i, "verdict": "refuted" if t["data"]["value"] == PLANTED[2] else "confirmed"}
        for i, t in enumerate(tasks)
    ]
    (tmp_path / "verdicts.json").write_text(json.dumps(flat), "utf-8")
    corpusmill("review", "import", made, tmp_path / "verdicts.json")
    said = command(corpusmill.home / "in", "--review", made, "--to", tmp_path / "audit")
    figures = json.loads((tmp_path / "audit" / "audit.json").read_text("utf-8"))["datasets"][0]["figures"]
    [right] = [f for f in figures if f["value"] == "right by review" and f["axis"] == "EMAIL_ADDRESS"]
    [seen] = [f for f in figures if (f["axis"], f["value"], f["measure"]) == ("EMAIL_ADDRESS", ANY, "records")]
    assert right["share"] == pytest.approx(seen["share"] * 0.8)
    assert "By what reviewers found right" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "10", "--all"], "give one"),
        (["--margin", "lots"], "such as 1%"),
        (["--equal"], "give --by"),
        (["--columns", "prompt"], "NAME=COLUMN"),
        (["--record"], "no dataset of corpusmill's"),
        (["--review", "nowhere"], "no manifest.json"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(corpusmill, command, made, arguments, said):
    told = command(corpusmill.home / "in", *arguments, code=2)
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_a_broken_shard_is_named_and_the_others_are_audited(command, tmp_path):
    write(tmp_path / "in", ["She sat down."] * 5)
    whole = (tmp_path / "in" / "a.parquet").read_bytes()
    (tmp_path / "in" / "b.parquet").write_bytes(whole[: len(whole) // 2])
    said = command(tmp_path / "in", code=3)
    assert "b.parquet is not in the audit" in said
    assert "a.parquet" not in said
    assert "in: 5 of 5 records\n  100 % explicitly mention gender" in said
