"""report.html: what it says, that nothing in it can be turned against its reader, and how a browser shows it."""

from __future__ import annotations

import copy
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import drift, recipe, report
from pipelines.report.masking import mask, moved
from pipelines.run import run
from tests.pipelines.browser import asked_for, look
from tests.pipelines.conftest import Command, manifest

RECIPE = """
name: reported
filters:
  - repetition
  - language: {allow: [en]}
  - pii
"""
ENGLISH = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in."
POLISH = "Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto jest na tyle elastyczne, że go zatrzymuje."
ADDRESS = "zoe.quandt@cuvoxbank.de"


class Text(HTMLParser):
    """A page's words, its tags, and its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rows() -> list[dict[str, str]]:
    """Twenty to keep, four in Polish, two that loop, an address in most."""
    good = [
        {"prompt": f"Why {i}? Write to {ADDRESS}.", "response": f"{ENGLISH} So says {ADDRESS}. {i}"} for i in range(20)
    ]
    other = [{"prompt": "Why?", "response": f"{POLISH} Pisz do {ADDRESS} teraz, numer {i}."} for i in range(4)]
    loops = [
        {"prompt": "Why?", "response": f"Ask {ADDRESS} <b>now</b>. {'Wait, let me look again. ' * 200}{i}"}
        for i in range(2)
    ]
    return good + other + loops


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("report"))
    command.recipe.write_text(RECIPE, "utf-8")
    (command.home / "in").mkdir()
    pq.write_table(pa.Table.from_pylist(rows()), command.home / "in" / "a.parquet", row_group_size=7)
    run(_recipe(command, command.home / "out"))
    return command


def _recipe(command: Command, out: Path, *changes: str) -> recipe.Recipe:
    paths = (f"input.path={command.home / 'in'}", f"output.path={out}")
    return recipe.load(str(command.recipe), (*paths, *changes))


@pytest.fixture(scope="module")
def told(corpusmill) -> dict[str, Any]:
    return manifest(corpusmill.home / "out")


@pytest.fixture(scope="module")
def page(corpusmill) -> str:
    return (corpusmill.home / "out" / "report.html").read_text("utf-8")


def hostile(told: dict[str, Any]) -> dict[str, Any]:
    """The same manifest with names that would like to be markup, very long ones, and ones in other directions."""
    names = [
        "</style><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "x" * 100_000,
        "\u202eevil\u202c",
        "שלום עולם",
    ]
    evil = copy.deepcopy(told)
    evil["name"] = names[0] + names[1] + names[2]
    evil["complete"] = False
    evil["inputs"] += [{"path": n + "\ud800\0", "status": "failed", "why": n} for n in names]
    evil["tables"] |= {n: dict.fromkeys(names, 1) for n in names}
    evil["edits"] |= dict.fromkeys(names, 1)
    evil["parents"] = [{"name": n, "data_digest": "0" * 64} for n in names]
    evil["audit"] = {n: {"low": 0.1, n: [n, {n: n}]} for n in names}
    evil["forgotten"] = [{"date": n, "list": n, "kind": n, "records": 1, "kept": 1, "rejected": 0} for n in names]
    evil["recipe"]["effective"]["filters"].append({n: {"packs": names} for n in names[:1]})
    for f in evil["filters"]:
        f["rules"] |= {n: {"records": 2, "examples": names} for n in names}
        f["reasons"] |= {n: {"records": 2, "first": 1} for n in names}
        f["histograms"] = {n: {"kept": {"0": 3}, "rejected": {"5": 1}} for n in names} | f["histograms"]
        f["assets"] = dict.fromkeys(names, "0" * 64)
    return evil


def huge(told: dict[str, Any]) -> dict[str, Any]:
    """The manifest of ten thousand shards, with thousands of rules, values and forgotten lists."""
    big = copy.deepcopy(told)
    place = {"records": 3, "examples": [f"some/folder/shard-{i:05d}.parquet:{i}" for i in range(3)]}
    big["inputs"] = [{**told["inputs"][0], "path": f"some/folder/shard-{i:05d}.parquet"} for i in range(10_000)]
    big["outputs"] = [{**o, "path": f"{o['path']}{i}"} for o in told["outputs"] for i in range(10_000)]
    big["tables"] = {
        name: {f"value {i}": i for i in range(5_000)} for name in ("languages", "licenses", "generators", "pairs")
    }
    big["edits"] = {f"ENTITY_{i}": i for i in range(1, 500)}
    big["tokens"] = {"by_shard": {f"shard-{i}": i for i in range(10_000)}}
    for f in big["filters"]:
        f["rules"] = {f"pack.group:rule {i}": place for i in range(5_000)}
    return big


def empty(told: dict[str, Any]) -> dict[str, Any]:
    """The manifest of nothing."""
    nothing = copy.deepcopy(told)
    nothing |= {"records": {"read": 0, "kept": 0, "rejected": 0}, "inputs": [], "outputs": [], "edits": {}}
    nothing["tables"] = {name: {} for name in told["tables"]}
    for f in nothing["filters"]:
        f |= {
            "rejected": 0,
            "rejected_first": 0,
            "reasons": {},
            "rules": {},
            "edits": {},
            "records_edited": 0,
            "histograms": {},
        }
    return nothing


def test_it_says_what_was_kept_and_why_the_rest_went(page, told):
    words = Text(page).text
    assert "20 of 26 records kept, 76.9 %" in words
    for said in (
        "Funnel",
        "language_not_allowed",
        "loop",
        "EMAIL_ADDRESS",
        "Not scanned",
        "Provenance",
        "max_loop_words = 600",
    ):
        assert said in words
    assert told["recipe"]["fingerprint"][:16] in words
    assert "Not complete" not in words


def test_every_count_of_the_manifest_stands_in_it(page, told):
    words = Text(page).text
    for f in told["filters"]:
        for reason, n in f["reasons"].items():
            assert re.search(rf"{reason} .{{0,120}}? {n['records']} {n['first']} ", words), reason


def test_nothing_in_it_can_be_loaded_or_run(page):
    tags = Text(page).tags
    assert not {t for t, _ in tags} & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    assert not [
        a for _, attrs in tags for a in attrs if a.startswith("on") or a in ("src", "srcset", "style", "action")
    ]
    assert all(attrs["href"].startswith("#") for t, attrs in tags if t == "a")
    policy = next(attrs["content"] for t, attrs in tags if t == "meta" and attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert ":focus-visible" in style
    assert "prefers-reduced-motion" in style


def test_excerpts_are_of_published_records_around_what_the_filter_points_at(page, corpusmill):
    shown = re.findall(r'<p class="said" dir="auto">(.*?)</p>', page)
    assert len(shown) == 2 + 3 + 3  # loops; three of the four Polish ones; three placeholders
    assert any("<mark>Wait, let me look again." in s for s in shown)
    assert any(s.count("<mark>&lt;EMAIL_1&gt;</mark>") for s in shown)
    assert "cuvoxbank" not in page
    assert "&lt;b&gt;now&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("output.report_examples=0", "report_examples is 0"),
        ("pii.action=annotate", "personal data still stands"),
        ("output.scrub_rejected=false", "were not scrubbed"),
    ],
)
def test_where_records_are_not_scrubbed_it_shows_none_and_says_why(told, setting, why):
    key, _, value = setting.partition("=")
    section, _, option = key.partition(".")
    changed = copy.deepcopy(told)
    effective = changed["recipe"]["effective"]
    target = effective["output"] if section == "output" else next(f for f in effective["filters"] if "pii" in f)["pii"]
    target[option] = json.loads(value) if value in ("0", "false") else value
    found = report.collect(Path("/nowhere"), changed)
    assert not found.by_reason
    assert why in Text(report.render(changed, None, found)).text


def test_an_example_that_cannot_be_read_is_left_out(told, tmp_path):
    assert report.collect(tmp_path, told).by_reason == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call 030 1234567 now", "call ••• ••••••• now"),
        ("a.b@c.de, and x@y", "•.•@•.••, and •@•"),
        ("in 1999", "in ••••"),
        ("3 of 12; 4 of 5", "3 of 12; 4 of 5"),
        ("<EMAIL_1> 12", "<EMAIL_1> 12"),
        ("key AKIAQ3EGQ7YJ2NHW6PZD, internationalisation", "key ••••••••••••••••••••, internationalisation"),
    ],
)
def test_what_looks_like_a_number_or_an_address_is_masked_in_place(text, shown):
    assert mask(text) == shown
    assert len(mask(text)) == len(text)


def test_places_are_found_again_behind_what_was_replaced():
    source = "mail a@b.com and c@d.com: LOOP LOOP"
    scrubbed = "mail <EMAIL_1> and <EMAIL_2>: LOOP LOOP"
    edits = [{"start": 5, "end": 12}, {"start": 17, "end": 24}]
    at = source.index("LOOP")
    start, end = moved(scrubbed, {"start": at, "end": len(source)}, edits, "replace", 2)
    assert scrubbed[start:end] == "LOOP LOOP"
    assert moved(scrubbed, {"start": at, "end": len(source)}, edits[:1], "replace", 1) == (0, 0)
    assert moved(scrubbed, {"start": at, "end": len(source)}, edits, "surrogate", 2) == (0, 0)


def test_hostile_names_stay_text(told):
    words = Text(shown := report.render(hostile(told)))
    assert not {t for t, _ in words.tags} & {"script", "img"}
    assert "</style><script>alert(1)</script>" in words.text
    assert "\0" not in shown
    assert len(shown) < 1_000_000
    shown.encode()


def test_the_page_of_a_large_dataset_is_small_and_soon_there(told):
    big = huge(told)
    began = time.process_time()
    shown = report.render(big, drift.summary(big))
    assert time.process_time() - began < 5
    assert len(shown.encode()) < 2_000_000
    assert "9,900 more" in Text(shown).text
    assert "4,960 more" in Text(shown).text


def test_an_incomplete_dataset_says_so_first(told):
    words = Text(report.render(hostile(told))).text
    assert words.index("Not complete") < words.index("Each filter takes")


def test_sections_that_it_does_not_know_appear_by_themselves(told):
    more = {**told, "audit": {"sample": 3000, "shares": [{"axis": "age", "share": 0.25, "low": 0.2, "high": 0.3}]}}
    more["tables"] = {**told["tables"], "pairs": {"en-de": 12}}
    words = Text(report.render(more)).text
    for said in ("Audit", "sample 3,000", "age 0.25 0.2 0.3", "Language pairs", "en-de 12"):
        assert said in words, said


def test_mentions_licences_tokens_declarations_and_an_audit_have_sections_of_their_own(told):
    rules = {"gender.female:she": {"records": 4, "examples": []}, "gender.male:he": {"records": 9, "examples": []}}
    figure = {"section": "mentions", "axis": "age", "value": "any", "measure": "records", "among": "records", "numerator": 0,
              "denominator": 300, "share": 0.0, "low": 0.0, "high": 0.0126}  # fmt: skip
    conflict = {"licences": {"MIT": 3, "GPL-2.0-only": 2}, "why": "because", "source": "https://licence.test/faq"}
    licence = {"policy": "open", "licences": [], "obligations": [], "undeclared": 2, "conflicts": [conflict]}
    more = {
        **told,
        "filters": [*told["filters"], {**told["filters"][0], "name": "mentions", "rules": rules, "reasons": {}, "rejected": 0}],
        "tokens": {"total": 1234, "low": 1200, "high": 1300, "exact": False, "tokenizer": {"t.json": "0" * 64},
                   "sampled_records": 10, "of_records": 20},
        "about": {"title": "Breads", "origin": None, "undeclared": ["origin"], "seed_datasets": [{"name": "seed", "url": None}]},
        "audit": {"sentences": ["Nobody is old."], "figures": [figure], "looked_at": 300, "records": 900},
        "summaries": {"licence": licence, "other": {"a": 1}},
    }  # fmt: skip
    words = Text(report.render(more)).text
    for said in ("Gender", "he 9", "About 1,234 tokens", "Undeclared: origin", "title Breads", "Nobody is old.", "at most 1.3 %",
                 "MIT (3) and GPL-2.0-only (2)", "licence.test", "Of 2 records no licence", "Other"):  # fmt: skip
        assert said in words, said


def test_it_compares_with_the_run_before_and_the_manifest_does_not(corpusmill, told, tmp_path):
    out = tmp_path / "out"
    first, second = _recipe(corpusmill, out, "language.allow=[]"), _recipe(corpusmill, out)
    run(first)
    assert "Since the run before" not in (out / "report.html").read_text("utf-8")
    run(second)
    words = Text((out / "report.html").read_text("utf-8")).text
    assert "The run before kept 92.3 % of 26 records" in words
    assert 'language.allow [] ["en"]' in words
    assert (out / "manifest.json").read_bytes() == (corpusmill.home / "out" / "manifest.json").read_bytes()
    (out / "report.html").unlink()
    run(second)
    assert Text((out / "report.html").read_text("utf-8")).text == words


def test_a_browser_finds_nothing_wrong_with_it(corpusmill, page, told, tmp_path):
    """At 360 and 1280 px, light and dark: no sideways scrolling, contrast, headings, labels, captions; and it can find faults."""
    wrong = "<h5>x</h5><p id=main>y</p><svg></svg><table><th>z</table><p style='min-width: 2000px'>w</p>"
    bad = (
        page.replace("</main>", f"{wrong}</main>")
        .replace("--soft: #525c63", "--soft: #b0b0b0")
        .replace("Content-Security", "No")
    )
    pages = {
        "real": page, "empty": report.render(empty(told)), "hostile": report.render(hostile(told)), "huge": report.render(huge(told)),
        "bad": bad,
    }  # fmt: skip
    found = look(pages, tmp_path)
    faults = " ".join(found["bad 1280 light"])
    for fault in (
        "sideways",
        "contrast",
        "skips one",
        "main twice",
        "without title",
        "without caption",
        "without scope",
    ):
        assert fault in faults, fault
    assert {k: v for k, v in found.items() if v and not k.startswith("bad")} == {}


def test_it_asks_for_nothing_and_complains_of_nothing(corpusmill, tmp_path):
    assert asked_for(corpusmill.home / "out" / "report.html", tmp_path) == ([], [])
    planted = tmp_path / "planted.html"
    planted.write_text("<img src='http://planted.test/x.png'><script>console.error('planted')</script>")
    asked, said = asked_for(planted, tmp_path)
    assert asked == ["http://planted.test/x.png"]
    assert any("planted" in line for line in said)
