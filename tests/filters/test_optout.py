"""Opt-outs: whoever stands on a list goes, in whatever spelling, and nobody else does."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError
from filters.hashing import Table
from filters.optout import OptoutFilter, OptoutOptions
from filters.optout.keys import content_hash
from filters.optout.lists import OptoutList, entries
from tests.support import batch_of


def judged(path: Path, kind: str, rows: list[dict], *, in_text: bool = False, **options: str):
    """(reason code or None, evidence rules) of each row."""
    lists = (OptoutList(path=str(path), kind=kind, **options),)
    optout = OptoutFilter(OptoutOptions(lists=lists, in_text=in_text))
    batch = batch_of([{"prompt": "Why?", "response": "Because.", **row} for row in rows])
    judgement = optout.judge(batch)
    codes = list(optout.reasons)
    rules: list[list[str]] = [[] for _ in rows]
    for record, rule in zip(judgement.evidence.record, judgement.evidence.rule, strict=True):
        rules[record].append(rule)
    return [(None if r < 0 else codes[r], e) for r, e in zip(judgement.reason, rules, strict=True)], judgement, batch


def gone(path: Path, kind: str, rows: list[dict], **options) -> list[bool]:
    return [code is not None for code, _ in judged(path, kind, rows, **options)[0]]


def listed(folder: Path, *lines: str, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("entry", "address", "there"),
    [
        ("example.org", "https://example.org/page", True),
        ("example.org", "http://A.B.Example.ORG:80/page?q#f", True),
        ("example.org", "https://notexample.org/", False),
        ("example.org", "https://example.org.evil.com/", False),
        ("example.org", "https://evil.com/?u=example.org", False),
        ("example.org", "https://evil.com/example.org", False),
        ("example.org", "https://example.org@evil.com/", False),
        ("example.org", "example.org./page", True),
        ("*.example.org", "https://www.example.org", True),
        (".example.org", "https://example.org", True),
        ("https://example.org/about", "https://example.org/other", True),
        ("a.example.org", "https://example.org/", False),
        ("bücher.de", "https://xn--bcher-kva.de/", True),
        ("xn--bcher-kva.de", "https://www.BÜCHER.de/x", True),
        ("example.org:8080", "https://example.org:8080/x", True),
        ("example.org:8080", "https://example.org/x", False),
        ("example.org", "https://example.org:8080/x", True),
    ],
)
def test_domains(tmp_path: Path, entry: str, address: str, there: bool) -> None:
    assert gone(listed(tmp_path, entry), "domain", [{"url": address}]) == [there]


@pytest.mark.parametrize(
    ("entry", "address", "there"),
    [
        ("https://example.org/a", "http://www.example.org/a/#top", True),
        ("https://example.org/a", "https://example.org/a/b", False),
        ("https://example.org/a", "https://example.org/A", False),
        ("https://example.org/a?x=1", "https://example.org/a?x=1", True),
        ("https://example.org/a?x=1", "https://example.org/a?x=2", False),
        ("https://example.org/a", "https://example.org/a?x=1", False),
        ("https://example.org/a/*", "https://example.org/a/b/c?x", True),
        ("https://example.org/a/*", "https://example.org/a", True),
        ("https://example.org/a/*", "https://example.org/ab", False),
        ("https://example.org/*", "https://example.org", True),
        ("//example.org/a", "ftp://user:secret@example.org/a", True),
    ],
)
def test_urls(tmp_path: Path, entry: str, address: str, there: bool) -> None:
    assert gone(listed(tmp_path, entry), "url", [{"url": address}]) == [there]


def test_ids_users_and_lists_of_them(tmp_path: Path) -> None:
    rows = [{"id": "r-1"}, {"id": "R-1"}, {"id": "r-12"}]
    assert gone(listed(tmp_path, " r-1 "), "id", rows) == [True, False, False]
    rows = [{"user_id": "@Ann"}, {"user_id": "ann "}, {"user_id": None}, {"user_id": "anna"}]
    assert gone(listed(tmp_path, "ANN"), "user", rows) == [True, True, False, False]
    several = [{"url": ["https://a.org", "https://b.org"]}, {"url": []}, {"url": ["https://c.org", None]}]
    assert gone(listed(tmp_path, "b.org"), "domain", several) == [True, False, False]
    assert gone(listed(tmp_path, "7"), "user", [{"user_id": 7}, {"user_id": 77}]) == [True, False]


def test_an_id_list_may_hold_the_ids_that_we_gave(tmp_path: Path) -> None:
    """Records without an id of their own have one made of their content; that is what rejected/ and annotations/ show."""
    rows = [{"prompt": f"q{i}", "response": "a"} for i in range(5)]
    ids = batch_of(rows).ids.to_pylist()
    assert gone(listed(tmp_path, ids[3]), "id", rows) == [False, False, False, True, False]


def test_contents(tmp_path: Path) -> None:
    turn, conversation = content_hash(["A poem\nof mine"]), content_hash(["Say  it.", "Said."])
    path = listed(tmp_path, turn.upper(), conversation)
    rows = [
        {"prompt": "Quote it.", "response": "  A poem of   mine\n"},
        {"prompt": "Quote it.", "response": "A poem of mine!"},
        {"prompt": "Say it.", "response": "Said."},
        {"prompt": "Said.", "response": "Say it."},
    ]
    verdicts, judgement, _ = judged(path, "content", rows)
    assert [code is not None for code, _ in verdicts] == [True, False, True, False]
    assert verdicts[0] == ("opted_out_content", ["list.txt:1"]) and verdicts[2][1] == ["list.txt:2"]
    assert (judgement.evidence.turn[0], judgement.evidence.turn[1]) == (1, -1)


def test_hashed_entries_name_nobody(tmp_path: Path) -> None:
    """A list may hold sha256 of the plain form, and both sorts beside each other."""
    hashed = ["sha256:" + hashlib.sha256(k.encode()).hexdigest() for k in ("ann", "example.org")]
    assert gone(listed(tmp_path, hashed[0], "bob"), "user", [{"user": u} for u in ("Ann", "@bob", "cy")]) == [1, 1, 0]
    rows = [{"url": "https://a.example.org/"}, {"url": "https://example.com"}]
    assert gone(listed(tmp_path, hashed[1]), "domain", rows) == [True, False]


def test_in_text_shows_the_place(tmp_path: Path) -> None:
    path = listed(tmp_path, "# of the press", "news.example", "", "ünï.example")
    rows = [
        {"response": "See (https://www.news.example/a_(b)), or not."},
        {"response": "See https://ok.example?u=news.example"},
        {"response": "Ää www.Ünï.example."},
    ]
    assert gone(path, "domain", rows) == [False, False, False]
    verdicts, judgement, batch = judged(path, "domain", rows, in_text=True)
    assert [(c is not None, e) for c, e in verdicts] == [(True, ["list.txt:2"]), (False, []), (True, ["list.txt:4"])]
    evidence = judgement.evidence
    places = zip(evidence.segment, evidence.start, evidence.end, strict=True)
    spans = [batch.segments.bytes(segment)[start:end].decode() for segment, start, end in places]
    assert spans == ["https://www.news.example/a_(b", "www.Ünï.example"]


def test_what_the_record_said_of_its_author_comes_first_when_several_lists_match(tmp_path: Path) -> None:
    a, b = listed(tmp_path, "x.org", name="a.txt"), listed(tmp_path, "ann", name="b.txt")
    lists = OptoutList(path=str(a), kind="domain"), OptoutList(path=str(b), kind="user")
    optout = OptoutFilter(OptoutOptions(lists=lists))
    judgement = optout.judge(batch_of([{"prompt": "q", "response": "a", "url": "https://x.org", "user": "ann"}]))
    assert list(optout.reasons)[judgement.reason[0]] == "opted_out_user"
    assert judgement.evidence.rule == ["a.txt:1", "b.txt:1"]


@pytest.mark.parametrize(
    "form", ["txt", "crlf", "gz", "csv", "tsv", "jsonl", "zst", "objects", "parquet", "dictionary"]
)
def test_every_form_of_list(tmp_path: Path, form: str) -> None:
    names = ["ann", "käte", 'o"neil, jr']
    table = pa.table({"note": ["x", None, "y"], "user": names})
    path = tmp_path / {
        "crlf": "l.txt",
        "gz": "l.txt.gz",
        "objects": "l.jsonl",
        "zst": "l.jsonl.zst",
        "dictionary": "l.parquet",
    }.get(form, f"l.{form}")
    text = "\n".join(names) + "\n"
    quoted = ['"' + n.replace('"', '""') + '"' for n in names]
    data = {
        "txt": text.encode(), "crlf": ("\ufeff" + text.replace("\n", "\r\n")).encode(), "gz": gzip.compress(text.encode()),
        "csv": ("note,user\n" + "".join(f"x,{n}\n" for n in quoted)).encode(),
        "tsv": ("note\tuser\n" + "".join(f"x\t{n}\n" for n in quoted)).encode(),
        "jsonl": b'"ann"\n\n"k\\u00e4te"\n"o\\"neil, jr"\n',
        "objects": b'{"user":"ann"}\n{"user":null}\n{"user":"k\xc3\xa4te","x":1}\n{"user":"o\\"neil, jr"}\n',
    }  # fmt: skip
    data["zst"] = zstandard.compress(data["jsonl"])
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "dictionary":
        pq.write_table(table.set_column(1, "user", table["user"].dictionary_encode()), path)
    else:
        path.write_bytes(data[form])
    plain, numbers = entries(OptoutList(path=str(path), kind="user"))
    assert plain.to_pylist() == names
    assert list(numbers) == ([1, 3, 4] if form in ("jsonl", "zst", "objects") else [1, 2, 3])


@pytest.mark.parametrize(
    ("name", "data", "kind", "said"),
    [
        ("l.txt", b"", "id", "l.txt has no entries"),
        ("l.txt", b"# nothing yet\n\n", "id", "l.txt has no entries"),
        ("l.txt", b"ok.org\nnot a domain\n", "domain", "entry 2 of l.txt is no domain"),
        ("l.txt", b"ok.org\nlocal part\n", "url", "entry 2 of l.txt is no URL"),
        ("l.txt", b"deadbeef\n", "content", "entry 1 of l.txt is no sha256 in hex"),
        ("l.txt", b"ann\nsha256:secret\n", "user", "entry 2 of l.txt is no user"),
        ("l.txt", b"ann\n\xff\xfe\n", "user", "not UTF-8"),
        ("l.txt", b"a" * (3 << 20), "id", "longer than 1 MiB"),
        ("l.csv", b"a,b\n1,2\n", "user", "has no column 'user'; it has a, b"),
        ("l.csv", b"user,b\n1,2,3\n", "user", "cannot be read as a list"),
        ("l.jsonl", b'"a"\n{\n', "id", "line 2 of l.jsonl is not JSON"),
        ("l.jsonl", b'{"x": 1, "y": 2}\n', "id", "has no column 'id'; it has x, y"),
        ("l.parquet", b"PAR1 nonsense", "id", "is no PARQUET file"),
        ("gone.txt", None, "id", "gone.txt cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line_without_the_entry(
    tmp_path: Path, name: str, data: bytes | None, kind: str, said: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        OptoutFilter(OptoutOptions(lists=(OptoutList(path=str(path), kind=kind),)))
    message = str(caught.value)
    assert said in message and "\n" not in message
    assert "secret" not in message and "not a domain" not in message


def test_a_column_that_holds_no_text_and_a_date_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "l.parquet"
    pq.write_table(pa.table({"user": [[1], [2]]}), path)
    with pytest.raises(ConfigError, match=r"column 'user' of l\.parquet holds no text"):
        entries(OptoutList(path=str(path), kind="user"))
    with pytest.raises(ConfigError, match="2026-13-01"):
        OptoutFilter(OptoutOptions(lists=(OptoutList(path=str(path), kind="id", date="2026-13-01"),)))
    with pytest.raises(ConfigError, match="it needs lists"):
        OptoutFilter(OptoutOptions())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=8), max_size=30), st.lists(st.text(max_size=8), max_size=30))
def test_the_table_is_a_dictionary(keys: list[str], asked: list[str]) -> None:
    """Also where keys repeat (the first counts), are empty, and in arrays that are slices."""
    first: dict[str, int] = {}
    for number, key in enumerate(keys, 100):
        first.setdefault(key, number)
    table = Table.of(pa.array(keys, pa.large_string()), np.arange(100, 100 + len(keys)))
    probes = pa.array(["-", *asked, *keys], pa.large_string()).slice(1)
    assert list(table.find(probes)) == [first.get(k, -1) for k in asked + keys]


@pytest.fixture(scope="module")
def a_and_b(tmp_path_factory: pytest.TempPathFactory) -> OptoutFilter:
    path = listed(tmp_path_factory.mktemp("optout"), "a", "b")
    return OptoutFilter(OptoutOptions(lists=(OptoutList(path=str(path), kind="user"),)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=9), st.integers(1, 5))
def test_verdicts_do_not_depend_on_the_batch(a_and_b: OptoutFilter, users: list[str], size: int) -> None:
    rows = [{"prompt": "q", "response": "a", "user": u} for u in users]
    whole = a_and_b.judge(batch_of(rows)).reason
    parts = [a_and_b.judge(batch_of(rows[i : i + size])).reason for i in range(0, len(rows), size)]
    assert list(whole) == list(np.concatenate(parts)) == [0 if u in "ab" else -1 for u in users]
