"""Benchmark items in records: word for word, re-spaced, cut short, reworded; and texts that only sound alike."""

from __future__ import annotations

import gzip
import json
import random
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import registry
from filters.contract import ConfigError
from tests.support import batch_of

QUESTIONS = [
    "A baker fills four trays with nine rolls each, and sells a third of them before noon. How many rolls does she still have for the "
    "afternoon, if two more fell on the floor and cannot be sold?",
    "Which of these rivers crosses the largest number of countries on its way from the Black Forest to the sea where its delta lies?",
    "Seven friends share the rent of a house in equal parts; when one of them moves out, everybody pays 40 more a month. What is the rent?",
    "What is two plus two?",
    "面团放在温暖的地方发酵两个小时以后体积变成原来的两倍，如果原来的体积是三升，那么现在的体积是多少升？",
]
ANSWERS = ["22", "The Danube", "1680", "4", "6升"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("benchmarks")
    (place / "maths").mkdir()
    pq.write_table(pa.table({"question": QUESTIONS[:3], "answer": ANSWERS[:3]}), place / "maths" / "test.parquet")
    lines = [json.dumps({"prompt": q, "target": a}) for q, a in zip(QUESTIONS[3:], ANSWERS[3:], strict=True)]
    with gzip.open(place / "small.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return place


def judge(folder, rows: list[dict], **options):
    kind = registry.load("contamination")
    return kind(kind.Options(benchmarks=str(folder), **options)).judge(batch_of(rows))


def verdicts(folder, prompts: list[str], answer: str = "Let me see.", **options) -> list[str | None]:
    codes = list(registry.load("contamination").reasons)
    judged = judge(folder, [{"prompt": p, "response": answer} for p in prompts], **options)
    return [codes[r] if r >= 0 else None for r in judged.reason]


def test_an_item_is_found_and_named(folder):
    judged = judge(
        folder, [{"prompt": q, "response": "So."} for q in QUESTIONS] + [{"prompt": "Hello?", "response": "Hi."}]
    )
    assert judged.keep.tolist() == [False] * 5 + [True]
    assert judged.scores["benchmark"].to_pylist() == ["maths"] * 3 + ["small"] * 2 + [None]
    assert judged.scores["item"].to_pylist() == [0, 1, 2, 0, 1, None]
    assert judged.scores["exact"].to_pylist() == [True] * 5 + [False]
    assert judged.scores["overlap"].to_pylist()[:3] == [1, 1, 1]


def test_spaces_case_quotes_and_markup_do_not_hide_it(folder):
    spaced = "  **Q:**  " + QUESTIONS[0].upper().replace(" ", "  \n ").replace(",", " ;") + "\n\nThink step by step."
    assert verdicts(folder, [spaced, "> " + QUESTIONS[4].replace("，", ", ")]) == [
        "benchmark_overlap",
        "benchmark_item",
    ]


def test_it_is_found_in_reasoning_and_in_the_middle_of_a_long_text(folder):
    filler = "We talk of other things for a while and come back to them later on. " * 50
    rows = [{"prompt": "Go.", "response": f"{filler}{QUESTIONS[2]} {filler}"}, {"prompt": "Go.", "response": filler}]
    judged = judge(folder, rows)
    assert judged.keep.tolist() == [False, True]
    [start], [end] = judged.evidence.start, judged.evidence.end
    text = rows[0]["response"]
    assert text[start:end] == QUESTIONS[2].rstrip("?")
    assert judged.evidence.rule == ["maths"]


def test_most_of_an_item_is_enough_and_a_little_of_it_is_not(folder):
    words = QUESTIONS[0].split()
    assert verdicts(folder, [" ".join(words[: len(words) * 3 // 4]), " ".join(words[:12])]) == [
        "benchmark_overlap",
        None,
    ]


def test_its_answer_beside_it_makes_less_of_it_enough(folder):
    words = QUESTIONS[0].split()
    part = " ".join(words[:15])
    assert verdicts(folder, [part]) == [None]
    assert verdicts(folder, [part], answer="That makes 22 rolls.") == ["benchmark_overlap"]
    assert verdicts(folder, [part], answer="That makes 227 rolls.") == [None]


def test_one_word_in_twelve_reworded_does_not_hide_it(folder):
    words = QUESTIONS[0].split()
    words[9] = words[22] = "other"
    assert verdicts(folder, [" ".join(words)], words=5) == ["benchmark_overlap"]


def test_many_items_a_little_are_not_one(folder):
    parts = [" ".join(q.split()[:11]) for q in QUESTIONS[:3]]
    assert verdicts(folder, [" ".join(parts)]) == [None]


def test_set_phrases_of_a_benchmark_do_not_count(tmp_path):
    phrase = "Read the following passage with care and choose the one answer that is best supported by what it says. Passage {}: {}"
    subjects = ["rivers", "bread", "music", "rent", "snow", "glass"]
    questions = [phrase.format(i, " ".join([s] * 3)) for i, s in enumerate(subjects)]
    pq.write_table(pa.table({"question": questions}), tmp_path / "reading.parquet")
    assert verdicts(tmp_path, [phrase.format(9, "the sea")], common=3) == [None]
    assert verdicts(tmp_path, [phrase.format(9, "the sea")], common=10) == ["benchmark_overlap"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2), st.integers(0, 10_000), st.integers(1, 6))
def test_gaps_and_neighbours_do_not_change_what_is_found(folder, which, seed, stretch):
    rng = random.Random(seed)
    noise = " ".join(rng.choices(["alpha", "beta", "gamma", "delta"], k=rng.randrange(20)))
    text = noise + " " + QUESTIONS[which].replace(" ", " " * stretch) + " " + noise
    alone = judge(folder, [{"prompt": text, "response": "So."}])
    company = judge(folder, [{"prompt": "Hello", "response": "Hi"}, {"prompt": text, "response": "So."}])
    assert alone.scores["overlap"].to_pylist() == company.scores["overlap"].to_pylist()[1:] == [1]
    assert alone.scores["item"].to_pylist() == [which]


def test_odd_texts_are_kept(folder):
    assert verdicts(folder, ["", " ", "\x00" * 99, "…", "é" * 5000, "a " * 5000]) == [None] * 6


def _write_invalid(path):
    """A string column that is not UTF-8."""
    pq.write_table(pa.table({"question": pa.array([b"\xff\xf0"]).view(pa.string())}), path)


def _write_torn(path):
    """A good footer, and a page of rubbish."""
    pq.write_table(pa.table({"question": [f"{i} {QUESTIONS[0]}" for i in range(500)]}), path, use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(300) + data[340:])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "no benchmarks"),
        (lambda p: pq.write_table(pa.table({"number": [1]}), p / "a.parquet"), "has no column of questions"),
        (lambda p: (p / "a.parquet").write_bytes(b"PAR1 no"), "no readable parquet file"),
        (lambda p: (p / "a.jsonl").write_text("{"), "no readable jsonl file"),
        (lambda p: pq.write_table(pa.table({"question": ["So?"]}), p / "a.parquet"), "no item at"),
        (lambda p: (p / "a.jsonl").write_bytes(b'{"question":' + b"[" * 900 + b"]" * 900 + b"}"), "no item at"),
        (lambda p: _write_invalid(p / "a.parquet"), "no item at"),
        (lambda p: _write_torn(p / "a.parquet"), "a.parquet"),
    ],
)  # fmt: skip
def test_benchmarks_that_are_none_are_refused_in_a_line(tmp_path, make, said):
    make(tmp_path)
    with pytest.raises(ConfigError, match=said):
        judge(tmp_path, [{"prompt": "a", "response": "b"}])


def test_a_dropped_record_costs_the_same_whatever_the_size_of_the_benchmarks(tmp_path):
    """Telling where an item stands looks at the record's own hits. A scan of the index a record is 70 times slower here."""
    rng, kind = random.Random(3), registry.load("contamination")
    words = [f"w{i}" for i in range(5000)]
    questions = [" ".join(rng.choices(words, k=40)) for _ in range(40_000)]
    batch = batch_of([{"prompt": q, "response": "So."} for q in questions[:400]])
    seconds = []
    for items in (400, 40_000):
        pq.write_table(pa.table({"question": questions[:items]}), tmp_path / "a.parquet")
        own = kind(kind.Options(benchmarks=str(tmp_path)))
        own.judge(batch)
        before = time.process_time()
        assert not own.judge(batch).keep.any()
        seconds.append(time.process_time() - before)
    assert seconds[1] < 5 * seconds[0]


def _lines(rows: list[dict]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


ROWS = [{"question": q, "answer": a} for q, a in zip(QUESTIONS, ANSWERS, strict=True)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", json.dumps(ROWS, indent=1).encode()),
        ("a.json", _lines(ROWS)),
        ("a.JSONL", b"\xef\xbb\xbf" + _lines(ROWS)),
        ("a.jsonl.gz", gzip.compress(_lines(ROWS[:2]) + b"\n") + gzip.compress(_lines(ROWS[2:]))),
        ("a.jsonl.zst", pa.compress(_lines(ROWS), codec="zstd", asbytes=True)),
    ],
)
def test_benchmarks_are_read_as_lists_as_lines_and_packed(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    judged = judge(tmp_path, [{"prompt": q, "response": a} for q, a in zip(QUESTIONS, ANSWERS, strict=True)])
    assert judged.scores["item"].to_pylist() == [0, 1, 2, 3, 4]
    assert judged.scores["answered"].to_pylist() == [True] * 5


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.string())]
)
def test_benchmarks_are_read_from_columns_of_any_text(tmp_path, kind):
    texts = [None, *QUESTIONS]
    column = pa.array([t and [t] for t in texts] if pa.types.is_list(kind) else texts).cast(kind)
    twice = pa.Table.from_arrays([column, column, pa.array([1] * 6)], names=["question", "question", "answer"])
    pq.write_table(twice, tmp_path / "a.parquet")
    assert judge(tmp_path, [{"prompt": QUESTIONS[1], "response": "1"}]).scores["item"].to_pylist() == [2]


def test_what_may_be_a_benchmark_and_cannot_be_read_is_never_passed_over(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(_lines(ROWS))
    (tmp_path / "README.md").write_text("Two benchmarks.")
    (tmp_path / "dataset_info.json").write_text('{\n"features": {}}')
    judge(tmp_path, [{"prompt": "a", "response": "b"}])
    (tmp_path / "b.csv").write_text("question\nWhy?\n")
    with pytest.raises(ConfigError, match=r"b\.csv is neither Parquet nor JSON"):
        judge(tmp_path, [{"prompt": "a", "response": "b"}])


def test_a_folder_behind_a_link_is_read_once_and_loops_end(folder, tmp_path):
    (tmp_path / "linked").symlink_to(folder / "maths")
    (tmp_path / "self").symlink_to(tmp_path)
    judged = judge(tmp_path, [{"prompt": QUESTIONS[0], "response": "So."}])
    assert judged.scores["benchmark"].to_pylist() == ["linked"]


def test_an_item_that_stands_in_many_files_is_still_found(tmp_path):
    """Twelve copies are more than ``common``: were they twelve items, its own words would be set phrases."""
    for i in range(12):
        (tmp_path / f"copy{i:02}.jsonl").write_bytes(_lines(ROWS[:1]))
    judged = judge(tmp_path, [{"prompt": f"Well. {QUESTIONS[0]} Hm.", "response": "So."}])
    assert judged.scores["overlap"].to_pylist() == [1]
    assert judged.scores["benchmark"].to_pylist() == ["copy00"]


def test_the_overlap_told_of_an_item_that_a_text_is_is_that_item_s(tmp_path):
    """Every n-gram of the short item is a set phrase, so the text has most of another one; what is told is still of one item."""
    short, rest = "one two three four five six seven", ["red", "green", "blue", "white"]
    rows = [{"question": f"{short} {' '.join([r] * 9)}"} for r in rest]
    (tmp_path / "a.jsonl").write_bytes(_lines([{"question": f"{short} eight"}, *rows]))
    judged = judge(tmp_path, [{"prompt": f"{short} eight", "response": f"{short} {' '.join(['red'] * 9)}"}], common=4)
    assert judged.scores["exact"].to_pylist() == [True]
    assert judged.scores["item"].to_pylist() == [0]
    assert (judged.scores["ngrams"].to_pylist(), judged.scores["overlap"].to_pylist()) == ([1], [1])
