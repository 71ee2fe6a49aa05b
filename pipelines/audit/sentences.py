"""The figures as sentences, as a model card has them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from filters.mentions.lexicon import AXES
from pipelines.audit.associations import Association
from pipelines.audit.figures import ANY, RECORDS, Figure, Skew
from pipelines.audit.found import SENTIMENT

NAMES = {
    "sexual_orientation": "sexual orientation",
    "socioeconomic": "socio-economic status",
    "appearance": "physical appearance",
}
ENTITIES = {
    "EMAIL_ADDRESS": "e-mail addresses",
    "PHONE_NUMBER": "telephone numbers",
    "IP_ADDRESS": "IP addresses",
    "CREDIT_CARD": "card numbers",
    "IBAN_CODE": "bank accounts (IBAN)",
    "CRYPTO": "wallet addresses",
    "API_KEY": "API keys",
    "JWT": "web tokens",
    "PRIVATE_KEY": "private keys",
    "PASSWORD": "passwords",
}
TOLD = 5
"""Identifiers, entities or associations that a sentence names."""


def axis_name(axis: str) -> str:
    return NAMES.get(axis, axis)


def percent(share: float, up: bool = False) -> str:
    """ "2.9 %"; two significant digits below 1 %. up: rounded up, as a bound has to be."""
    value = 100 * share
    if value == 0 or value == 100:
        return f"{value:.0f} %"
    digits = 1 if value >= 1 else min(6, 1 - math.floor(math.log10(value)))
    if up:
        value = min(100.0, math.ceil(value * 10**digits - 1e-9) / 10**digits)
    text = f"{value:.{digits}f}"
    return f"{'99.9' if text == '100.0' and share < 1 else text} %"


def told(figure: Figure) -> str:
    """A share with its interval. A zero in a sample is an upper bound; one in a full count is a count."""
    f = figure
    if not f.denominator:
        return "not known"
    if f.numerator == 0 and f.high > 0:
        return f"at most {percent(f.high, up=True)}"
    if f.numerator == 0:
        return "0"
    if f.low == f.high:
        return percent(f.share)
    return f"{percent(f.share)} ({percent(f.low)} to {percent(f.high)})"


def sentences(
    n: int, of: int, figures: Sequence[Figure], skews: Sequence[Skew], associations: Sequence[Association],
    not_scanned: Sequence[str], where: str = "",
) -> list[str]:  # fmt: skip
    """What a card would say, in order: who is mentioned, skews, what goes together, personal data, languages and licences.
    where: " in 3 datasets", say."""
    if not n:
        return ["No record was looked at: nothing can be said."]
    lead = _lead(n, of, where)
    find = _finder(figures)
    return [
        *_mentions(lead, find, figures),
        *_skewed(skews),
        *_together(associations),
        *_personal(lead, find, figures, not_scanned),
        *_facts(lead, figures),
    ]


def _lead(n: int, of: int, where: str) -> str:
    return f"Of all {of:,} records{where}" if n >= of else f"Of a random sample of {n:,} of {of:,} records{where}"


_LEAD = re.compile(r"Of (?:all|a random sample of [\d,]+ of) [\d,]+ records[^,]*, ")


def short(sentence: str) -> str:
    """A sentence that stands below a heading which says of how many records it speaks."""
    rest = _LEAD.sub("", sentence, count=1) if _LEAD.match(sentence) else sentence
    return rest[:1].upper() + rest[1:]


Find = Callable[..., Figure | None]


def _finder(figures: Sequence[Figure]) -> Find:
    index = {(f.section, f.axis, f.value, f.measure, f.among): f for f in figures}

    def find(section: str, axis: str, value: str, measure: str = RECORDS, among: str = RECORDS) -> Figure | None:
        return index.get((section, axis, value, measure, among))

    return find


def _mentions(lead: str, find: Find, figures: Sequence[Figure]) -> Iterator[str]:
    """One sentence an axis that is mentioned, the three of the card first; and one for all that are not."""
    unmentioned = []
    for axis in ("gender", "age", "ethnicity", *(a for a in AXES if a not in ("gender", "age", "ethnicity"))):
        any_, none = find("mentions", axis, ANY), find("mentions", axis, "", "records with no mention")
        if any_ is None or none is None:
            continue
        if not any_.numerator:
            unmentioned.append((axis, any_))
            continue
        rest = percent(none.share) if none.numerator else told(none)
        text = f"{lead}, {told(any_)} explicitly mention {axis_name(axis)}; {rest} do not."
        if axis == "gender":
            each = [(find("mentions", axis, v), w) for v, w in PAIRS]
            text += " " + _sentence(", ".join(f"{told(f)} {w}" for f, w in each if f))
        yield f"{text} {_words(axis, figures)}"
    if unmentioned:
        bound = told(unmentioned[0][1])
        each_ = " each" if len(unmentioned) > 1 and bound != "0" else ""
        yield f"{lead}, {bound}{each_} explicitly mention {_listed([axis_name(a) for a, _ in unmentioned])}."
    other = find("reading", "", "no lexicon")
    if other is not None and other.numerator:
        yield f"{lead}, {told(other)} are in a language that no lexicon knows, and count as no mention."


def _words(axis: str, figures: Sequence[Figure]) -> str:
    """The most frequent identifiers; the same one of two groups is told with the group."""
    words = [f for f in figures if f.section == "identifiers" and f.axis == axis][:TOLD]
    values = [f.value for f in words]
    listed = [
        f"“{f.value}”{' ' + f.measure.removeprefix('mentions ') if values.count(f.value) > 1 else ''} {percent(f.share)}"
        for f in words
    ]
    if words[0].denominator == 1:
        return f"The one mention is “{words[0].value}”."
    return f"The most frequent of {words[0].denominator:,} mentions: {', '.join(listed)}."


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


PAIRS = (
    ("male only", "mention only male words"),
    ("female only", "only female words"),
    ("both", "both"),
)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _skewed(skews: Sequence[Skew]) -> Iterator[str]:
    for s in skews:
        exact = s.low == s.high
        text = f"Of {s.denominator:,} {s.measure}, {percent(s.share)}"
        text += " are male" if exact else f" ({percent(s.low)} to {percent(s.high)}) are male"
        if not exact:
            text += ", which one half is within" if s.balanced else ", which one half is not within"
        if s.ratio and s.ratio_high is not None:
            text += f": {times(s.ratio)} male to one female" + (
                "" if exact else f" ({times(s.ratio_low or 0)} to {times(s.ratio_high)})"
            )
        yield f"{text}."


def _together(associations: Sequence[Association]) -> Iterator[str]:
    if not associations:
        return
    found = [a for a in associations if a.found]
    if not found:
        yield (
            f"Of {len(associations):,} pairs of a group and an occupation or sentiment, no more go together than chance would "
            "have it (Benjamini-Hochberg, 5 %)."
        )
        return
    listed = "; ".join(
        f"{a.group} ({axis_name(a.axis)}) with {_company(a)} {times(a.odds)} times the odds ({times(a.low)} to {times(a.high)})"
        for a in found[:TOLD]
    )
    go = "goes" if len(found) == 1 else "go"
    yield (
        f"Of {len(associations):,} pairs of a group and an occupation or sentiment in one sentence, {len(found):,} {go} together "
        f"more or less than in the other groups (Benjamini-Hochberg, 5 %), first of all: {listed}."
    )


def _company(a: Association) -> str:
    return f"{a.word} words" if a.kind == SENTIMENT else f"“{a.word}”"


def times(value: float) -> str:
    """Two significant digits, and no exponent."""
    if value >= 10 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{max(1, 1 - math.floor(math.log10(value)))}f}"


def _personal(lead: str, find: Find, figures: Sequence[Figure], not_scanned: Sequence[str]) -> Iterator[str]:
    any_ = find("pii", "", ANY)
    if any_ is not None:
        each = [f for f in figures if f.section == "pii" and f.axis and f.value == ANY and f.measure == RECORDS]
        each.sort(key=lambda f: (-f.numerator, f.axis))
        listed = ", ".join(f"{ENTITIES.get(f.axis, f.axis)} {told(f)}" for f in each if f.numerator)
        yield f"{lead}, {told(any_)} hold what looks like personal data or a secret{': ' if listed else ''}{listed}."
        yield from _contacts(find)
        for f in figures:
            if f.section == "pii" and f.value == "right by review":
                name = ENTITIES.get(f.axis, f.axis)
                yield f"By what reviewers found right, {percent(f.share)} ({percent(f.low)} to {percent(f.high)}) hold real {name}."
    if not_scanned:
        yield f"Not scanned for: {', '.join(not_scanned)}."


def _contacts(find: Find) -> Iterator[str]:
    for entity in ("EMAIL_ADDRESS", "PHONE_NUMBER"):
        each = [
            find("contact", entity, kind, "findings", f"findings of {entity}")
            for kind in ("business", "personal", "unclear")
        ]
        seen = [f for f in each if f is not None]
        if seen:
            listed = ", ".join(f"{f.numerator:,} {f.value}" for f in seen)
            yield f"Of {seen[0].denominator:,} {ENTITIES[entity]} found: {listed}."


def _facts(lead: str, figures: Sequence[Figure]) -> Iterator[str]:
    """A generator is told where any is declared; a licence always."""
    for section, what in FACTS:
        seen = [f for f in figures if f.section == section]
        if section == "generator" and {f.value for f in seen} <= {NONE}:
            continue
        listed = ", ".join(f"{SHOWN.get(f.value, f.value)} {told(f)}" for f in seen[:TOLD])
        if seen:
            yield f"{lead}, {what}: {listed}."


NONE = "(none)"
SHOWN = {NONE: "none", "und": "undetermined", "(other)": "other"}
FACTS = (
    ("language", "languages as identified"),
    ("license", "licences as declared"),
    ("generator", "generators as declared"),
)
