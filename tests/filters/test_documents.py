"""The rules over documents: as datatrove applies them where words are cut alike, and by language."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline import filters as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import registry
from filters.contract import ConfigError
from tests.support import batch_of

PAIRS = {
    "gopher": theirs.GopherQualityFilter,
    "gopher_repetition": theirs.GopherRepetitionFilter,
    "c4": theirs.C4QualityFilter,
    "fineweb": theirs.FineWebQualityFilter,
}
GERMAN = (
    "Das Brot geht auf, weil die Hefe Gas abgibt und der Teig dehnbar genug ist, um es zu halten. "
    "Man lässt ihn eine Stunde stehen, knetet ihn noch einmal durch und formt dann einen Laib, der in den Ofen kommt.\n"
)
CHINESE = (
    "面团发酵的时候，酵母会放出气体，面筋把气体留在里面，所以面包就变得松软了。我们在家里也可以做，不过要有耐心。\n"
)


def judge(name: str, texts: list[str], **options):
    kind = registry.load(name)
    return kind(kind.Options(**options)).judge(batch_of(pa.table({"text": texts})))


def reasons(name: str, texts: list[str], **options) -> list[str | None]:
    codes = list(registry.load(name).reasons)
    return [codes[r] if r >= 0 else None for r in judge(name, texts, **options).reason]


WORDS = st.sampled_from(
    ["the", "and", "bread", "rises", "because", "yeast", "of", "oven", "dough", "is", "12", "-", "#", "have"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=14).flatmap(
    lambda words: st.sampled_from([".", "", " ...", "?"]).map(lambda end: " ".join(words) + end)
)
TEXTS = st.lists(SENTENCES, min_size=1, max_size=12).flatmap(
    lambda lines: st.tuples(st.just(lines), st.lists(st.sampled_from(["\n", "\n\n", " "]), min_size=12, max_size=12))
)


@pytest.mark.parametrize("name", ["gopher", "gopher_repetition", "fineweb"])
@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_simple_words_are_judged_as_datatrove_judges_them(name, made):
    texts = ["".join(f"{line}{gap}" for line, gap in zip(lines, gaps, strict=False)) for lines, gaps in made]
    texts = [text for text in texts if text.strip()]
    bounds = {"min_words": 8} if name == "gopher" else {}
    ours = judge(name, texts, language="en", **bounds).keep.tolist()
    filter_ = PAIRS[name](**({"min_doc_words": 8} if bounds else {}))
    assert ours == [filter_.filter(Document(text=text, id="")) is True for text in texts], texts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Bread rises because of gas. It is held in. The dough is warm. We wait for an hour. Then we bake it.", None),
        ("Bread rises because of gas. It is held in. The dough is warm.", "c4_few_sentences"),
        ("Bread rises because of gas.\nIt is held in.\nmenu\nhome page of bread\nA b.\nOne more... \n", "c4_few_sentences"),
        ("All of it {is} here. " * 6, "c4_curly_bracket"),
        ("Lorem ipsum dolor sit amet. " * 6, "c4_lorem_ipsum"),
        ("JavaScript has to be on. " * 6, "c4_few_sentences"),
        ("We read it in a book.[12]\n" * 5, None),
    ],
)  # fmt: skip
def test_c4s_rules(text, reason):
    assert reasons("c4", [text], language="en") == [reason]
    assert (theirs.C4QualityFilter().filter(Document(text=text, id="")) is True) == (reason is None)


def test_a_language_has_its_own_thresholds_and_stop_words():
    """German and Chinese prose stays; by English figures alone it would go."""
    texts = [GERMAN * 2, CHINESE * 3]
    assert reasons("gopher", texts) == [None, None]
    assert judge("gopher", texts).scores["language"].to_pylist() == ["de", "zh"]
    assert reasons("gopher", texts, own_figures=False)[1] == "gopher_short_words"
    assert reasons("gopher", texts, language="en")[0] == "gopher_stop_words"


def test_a_recipe_switches_a_rule_or_a_whole_filter_off_for_a_language():
    texts = [
        "Das ist zu kurz und wirklich nicht genug für die Leser.",
        "It is too short, and that is not enough for the readers.",
    ]
    assert reasons("gopher", texts) == ["gopher_short"] * 2
    assert reasons("gopher", texts, languages={"de": "off"}) == [None, "gopher_short"]
    assert reasons("gopher", texts, languages={"de": {"min_words": 3}}) == [None, "gopher_short"]
    with pytest.raises(ConfigError, match=r"languages\.de: no threshold 'min_word'"):
        judge("gopher", texts, languages={"de": {"min_word": 3}})


def test_a_language_without_a_list_of_stop_words_is_not_dropped_for_want_of_them():
    assert reasons("gopher", ["Kuki wa mawa " * 40], language="xx") == [None]


def test_stop_words_of_ones_own():
    text = "kuki wa mawa tata " * 20
    assert reasons("gopher", [text], language="xx", stop_words={"xx": ("kuki", "wa")}) == [None]
    assert reasons("gopher", [text], language="xx", stop_words={"xx": ("zumba", "wa")}) == ["gopher_stop_words"]


@pytest.mark.parametrize("name", PAIRS)
def test_odd_documents_are_judged_and_empty_ones_kept(name):
    texts = [
        "",
        " ",
        "\n\n\n",
        "\x00" * 50,
        "…",
        "é",
        "'",
        "'s",
        "http://",
        "𝒜𝒷",
        "a\u0301 " * 9,
        "://",
        "[",
        "]",
        "[1]",
    ]
    judged = judge(name, texts)
    assert judged.keep[0]
    assert all(
        np.isfinite(np.asarray(v)[1:]).all() or k == "stop_words" for k, v in judged.scores.items() if k != "language"
    )


def test_only_the_beginning_of_a_very_long_document_is_measured():
    text = GERMAN * 30_000
    judged = judge("fineweb", [text], language="de")
    assert judged.scores["bytes"][0] <= 4 << 20
