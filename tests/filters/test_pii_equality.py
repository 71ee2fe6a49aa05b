"""Finding for finding what AnalyzerEngine finds, with the same recognizers and tokenizer."""

from __future__ import annotations

import random
import re

import hyperscan
import phonenumbers
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata
from presidio_analyzer import PatternRecognizer, predefined_recognizers
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

from filters.pii import engine
from filters.pii.characters import Unfilterable
from filters.pii.context import ContextEnhancer
from filters.pii.finder import Finder, _compile
from filters.pii.options import DEFAULT_REGIONS
from filters.pii.phones import SHORTEST_WITH_PLUS
from filters.pii.prefilter import approximate
from filters.pii.recognizers import SECRETS, ours
from tests.support import real, real_batch

LANGUAGES = ("en", "es", "it")
SEVEN = ("en", "fr", "de", "it", "es", "ja", "zh")


class Pair:
    def __init__(self, languages: tuple[str, ...], own: bool = False) -> None:
        recognizers = engine.presidio(languages, None, DEFAULT_REGIONS)
        if own:
            recognizers = list(ours(languages[0], {"PHONE_NUMBER", "CREDIT_CARD", *SECRETS}))
        nlp = engine.TokenEngine(languages)
        self.finder = Finder(recognizers, languages)
        self.whole = {
            n: engine.analyzer([r for r in recognizers if r.supported_language == n], [n], nlp) for n in languages
        }

    def check(self, text: str) -> int:
        count = 0
        for language, whole in self.whole.items():
            expected = facts(whole.analyze(text, language))
            assert facts(self.finder.analyze(text.encode(), language)) == expected, (language, text)
            count += len(expected)
        return count


def facts(results) -> list[tuple[str, int, int, float]]:
    return sorted((r.entity_type, r.start, r.end, r.score) for r in results)


_PAIRS: dict[tuple[str, ...], Pair] = {}


def pair(languages: tuple[str, ...] = LANGUAGES) -> Pair:
    if languages not in _PAIRS:
        _PAIRS[languages] = Pair(languages)
    return _PAIRS[languages]


VALUES = [
    "ana.ruiz@cuvox.de", "+1 212-736-5000", "212-736-5000", "(030) 123456", "4454794511390933", "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00", "192.168.1.10", "2001:db8::ff00:42:8329", "::", "078-05-1120", "X1234567L", "12345678Z",
    "https://cuvox.de/a?b=c", "16YeR3ki5y2ZbUSJBjPVjdKFwFyUdXKeYe", "2019-01-02T03:04:05Z", "12/31/1999", "RSSMRA85T10A562S",
    "943 476 5919", "A1234567", "123456789", "1-800-555-0199 ext. 12",
    "00:1B:44:11:3A:B7", "550e8400-e29b-41d4-a716-446655440000",
    "٠١٢٣٤٥٦٧٨٩", "０３-１２３４-５６７８",
]  # fmt: skip
GLUE = [
    " ", "\n", "\t", ", ", ".", ":", '"', '{"a": "', '"}', "\\n", "漢字",
    "é", "e\u0301", "👩🏽‍🚀", "K", "ſ", "_", "-", "/", "(", ")",
    "+", "x", "phone ", "call ", "card number is ", "iban ", "ssn: ", "passport",
    "the and of be ", "tarjeta ", "\u00a0", "\u2028",
    "\x1c", "7", "12", "a" * 300, " " * 80, "=",
]  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(VALUES), st.sampled_from(GLUE)), max_size=12).map("".join))
def test_planted_at_awkward_places(text: str) -> None:
    pair().check(text)


OWN = [
    "AKIAQ3EGQ7YJ2NHW6PZD", "ghp_" + "aB3" * 12, "password='hunter2!x'", "https://u:pa55word@host/",
    "eyJhbGciOiJIUzI1NiJ9." * 2 + "s" * 20,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "21 253 109 8211", "0494 92 82 32",
    "+46 (0)8 928 571 38",
    "001-253-366-9781x12", "9498777106", "99.1", "60426070011",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(VALUES + OWN), st.sampled_from(GLUE)), max_size=10).map("".join))
def test_our_own_recognizers_get_the_same_treatment(text: str) -> None:
    if ("own",) not in _PAIRS:
        _PAIRS[("own",)] = Pair(("en",), own=True)
    _PAIRS[("own",)].check(text)


@pytest.mark.parametrize("length", [40_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_planted_a_long_way_from_anything(length: int) -> None:
    far = "z" * length
    for value in VALUES if length < 1_000_000 else VALUES[:3]:
        pair(("en",)).check(f"{far} {value} {far}")


@pytest.mark.parametrize("name", ["pii_synth", "tatqa", "gsm8k", "traces", "alpaca", "taubench_airline"])
def test_real_texts(name: str) -> None:
    segments = real_batch(real(name)[0]).segments
    which = segments.where().tolist()
    for i in random.Random(3).sample(which, min(25, len(which))):
        pair().check(segments.text(i)[:20_000])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["pii_synth", "tatqa", "gsm8k", "mgsm", "alpaca", "bfcl_v4", "taubench_airline", "glaive_sharegpt"]
)
def test_real_texts_in_seven_languages(name: str) -> None:
    segments = real_batch(real(name)[0]).segments
    which = segments.where().tolist()
    for i in random.Random(4).sample(which, min(400, len(which))):
        pair(SEVEN).check(segments.text(i))


def every_pattern() -> list[tuple[str, str, int]]:
    kinds = [
        k for k in vars(predefined_recognizers).values() if isinstance(k, type) and issubclass(k, PatternRecognizer)
    ]
    made = [k() for k in kinds if k is not PatternRecognizer]
    return [(type(r).__name__, p.regex, int(r.global_regex_flags)) for r in made for p in r.patterns]


def test_every_pattern_of_presidio_is_filterable() -> None:
    patterns = every_pattern()
    assert len(patterns) > 150
    for _, expression, flags in patterns:
        assert _compile([approximate(expression, flags).expression]) is not None


MADE = [
    r"\b[a-k]{2,4}\d+\b", r"(?i)s[ik]+t", r"[^a-c\s]{3}", r"(ab|c\d)\1", r"(?<=x)\d{2}(?!3)", r"\w+@\w+", r"é+a", r"(?i)[^k]s",
    r"(?:a{1}b{0,70}){2,3}c", r"\W\d\b", r".x.",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MADE), st.text(alphabet="abckistxKIS1234@ .é漢\u212aſİ\n", max_size=40))
def test_every_match_ends_where_the_prefilter_says(expression: str, text: str) -> None:
    flags = int(re.MULTILINE | re.DOTALL)
    database = _compile([approximate(expression, flags).expression])
    ends: set[int] = set()
    database.scan(text.encode(), match_event_handler=lambda _i, _s, end, _f, _c: ends.add(end))
    for match in regex.finditer(expression, text, flags=flags, overlapped=True):
        assert len(text[: match.end()].encode()) in ends


@pytest.mark.parametrize(
    "expression", [r"(?:foobar){e<=1}", r"\p{Lu}+", r"a*", r"(?P<n>a)(?P=n", r"[[a-z]--[aeiou]]\d"]
)
def test_what_cannot_be_rewritten_is_refused(expression: str) -> None:
    with pytest.raises(Unfilterable):
        approximate(expression, 0)


def test_case_variants_beyond_ascii_are_those_we_count_on() -> None:
    others = "".join(chr(c) for c in range(128, 0x1_1000) if not 0xD800 <= c < 0xE000)
    with_variants = {c for c in map(chr, range(97, 123)) if regex.search(c, others, regex.IGNORECASE)}
    assert with_variants == set("iks")


def test_no_region_has_an_international_number_shorter_than_the_gate() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        metadata = PhoneMetadata.metadata_for_region(region)
        shortest = min(n for n in metadata.general_desc.possible_length if n > 0)
        assert len(str(metadata.country_code)) + shortest >= SHORTEST_WITH_PLUS, region


def test_hyperscan_takes_ascii_word_boundaries_in_byte_mode() -> None:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[rb"\b1"], ids=[0], elements=1, flags=[hyperscan.HS_FLAG_PREFILTER])
    ends: list[int] = []
    database.scan("é1 a1".encode(), match_event_handler=lambda _i, _s, end, _f, _c: ends.append(end))
    assert ends == [3]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=8), st.integers(0, 40))
def test_a_findings_token_is_the_one_that_presidio_would_take(gaps_and_lengths, start):
    """Tokens with gaps between them, as in the windows that are tokenized; also where Presidio refuses."""
    tokens, indices, at = [], [], 0
    for gap, length in gaps_and_lengths:
        tokens.append("x" * length)
        indices.append(at + gap)
        at += gap + length
    found = []
    for enhancer in (ContextEnhancer, LemmaContextAwareEnhancer):
        try:
            found.append(enhancer._find_index_of_match_token("x", start, tokens, indices))
        except ValueError:
            found.append(None)
    assert found[0] == found[1]
