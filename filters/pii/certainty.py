"""How sure a finding is, from evidence: checksums, the number's own structure, words before and after, and what it is part of.

*verified*: the value proves itself (a check digit and an issuer, a registered domain, an international number that a region
really has with a word that says so). *plausible*: it looks like one and nothing around it says otherwise. *unlikely*:
arithmetic, tables, identifiers, code, examples. Presidio's score does not decide here: it cannot tell these apart.

Nothing but a finding's value and the line or so around it counts, and placeholders of an earlier scrubbing count for nothing,
so a second run sees no more than the first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import phonenumbers

from filters.pii.luhn import issued, luhn

UNLIKELY, PLAUSIBLE, VERIFIED = range(3)
LEVELS = ("unlikely", "plausible", "verified")
BEFORE, AFTER = 80, 24
"""Characters of context looked at: a label and its line; in running text about a dozen words."""

_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*_(?:\d+|[a-p]{12})>")
_PHONE_CUE = re.compile(
    r"(?i)\b(?:(?:tele)?(?:ph|f)one?s?|tel|cell(?:phone|ular)?|mobile?|mob|fax|dial(?:led|ing)?|sms|whatsapp|hotline|"
    r"voicemail|t[eé]l[eé]?(?:phone|fono?)?|portable|rufnummer|telefon(?:nummer|o)?|handy|cellulare|m[oó]vil)\b|"
    r"\b(?:desk|office)[ \t]*[:#]|phone_?(?:number|no)|電話|携帯|ファックス|电话|手机|传真"
)
_PHONE_VERB = re.compile(
    r"(?i)\b(?:call(?:ed|ing|s)?|ring|text(?:ed|ing)?|messag(?:e|es|ing)|"
    r"answer(?:ing|ed)?(?=[ \t]+(?:machine|calls?|the|at|on)\b)|reach(?:ed)?|contact|"
    r"appele[rz]?|anrufen|ll[aá]m[ae]\w*|chiam\w+)\b|联系|拨打"
)
"""Words that also go with other numbers ("the answer is", "reached"): they count for digits in groups only."""
_PHONE_CUE_AFTER = re.compile(
    r"(?i)^[ \t\-–,(\"']{0,3}(?:office|fax|mobile|cell|home|work|desk|tel|phone|direct|ext)\b"
)
_PHONE_FAR = 45
"""Characters between a word like "call" and the number: "have the manager call me back at the office on"."""
_CARD_CUE = re.compile(
    r"(?i)\b(?:cards?|cc|visa|master ?card|amex|american express|discover|jcb|diners|maestro|carte|karte|kreditkarte|"
    r"carta|tarjeta)\b|(?:credit|debit|card)_?(?:card|number|no)|カード|信用卡|银行卡|卡号"
)
_ID_CUE = re.compile(
    r"(?i)(?:\b(?:isbn|issn|doi|pmid|arxiv|orders?|invoice|ticket|serial|sku|upc|ean|gtin|asin|version|build|release|commit|"
    r"page|pages|pp|vol|chapter|section|account|acct|reservation|confirmation|booking|flight|tracking|timestamp|epoch|"
    r"bates|case|patent|rfc|size|bytes|population|reference|ref|model|lot|batch|zip|postal|hash|seed|port|pid|id)|"
    r"(?:_|\b)(?:id|ids|timestamp|time|date|size|hash|uuid|number_of\w*|count))"
    r"[ \t]*(?:no|number|num|id|code)?[.:#\"'=\s]{0,6}$"
)
_MATHS_BEFORE = re.compile(r"(?:[=+*/^×÷≈<>~∑√]|\\(?:times|cdot|frac|approx)\b\{?|[$€£¥₹])[ \t({\[]{0,3}$")
_MATHS_AFTER = re.compile(r"^[ \t)}\]]{0,3}(?:[=*^×÷≈%<>]|\+ ?\d|\\(?:times|cdot|approx)\b)")
_MEASURED = re.compile(
    r"^[ \t)}\]]{0,3}(?:(?:[cmkn]?m|[mk]?g|mol|k?J|k?cal|[kMG]?Hz|eV|K|°[CF]?|years?|units?|inches|feet|miles|dollars)\b|\\,|\\text\b|°)"
)
"""A unit after the number."""
_DECIMAL = re.compile(r"\d{1,2}[.,]\d{5,}")
_LISTED_AFTER = re.compile(r"^[ \t]*[,;|][ \t]*-?\d")
_LISTED_BEFORE = re.compile(r"\d[ \t]*[,;|][ \t]*$")
_HEX_BEFORE = re.compile(r"[0-9a-fA-F]{4}-?\Z|[0-9a-fA-F]-\Z")
_YEARS = re.compile(r"(?:19|20)\d\d(?:\D{1,3}(?:19|20)?\d\d){1,2}$")
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ]?(?:0?[1-9]|1[0-2])[-./ ]?(?:0?[1-9]|[12]\d|3[01])(?!\d)|[0-3]?\d[-./][0-3]?\d[-./](?:19|20)?\d\d"
)
_GROUPED_US = re.compile(r"^(?:(?:\+|00)?1[ .-]?)?(?:\(\d{3}\)[ ]?|\d{3}[-.])\d{3}[-. ]\d{4}(?:\D.*)?$")
_USERINFO = re.compile(r"://[\w.%+-]{0,64}:?\Z")
_DECIMAL_BEFORE, _DECIMAL_AFTER = re.compile(r"\d[.,]\Z"), re.compile(r"^[.,]\d")
_EXAMPLE = re.compile(r"(?i)example|placeholder|your|xxxx|\*{3}|<|\.\.\.|1234567|changeme|dummy|redacted")

Judged = tuple[int, str]


def judge(entity: str, value: str, before: str, after: str, score: float) -> Judged:
    """(level, why) of a finding; ``before`` and ``after`` are the text around it. why is a word or two, never a value."""
    before, after = _PLACEHOLDER.sub(" ", before)[-BEFORE:], _PLACEHOLDER.sub(" ", after)[:AFTER]
    by_entity = _JUDGES.get(entity)
    if by_entity is not None:
        return by_entity(value, before, after, score)
    # Presidio's checksums make 1.0; what only looks right is lifted over 0.4 by a context word.
    return (VERIFIED, "checksum") if score >= 1.0 else (PLAUSIBLE, "pattern") if score >= 0.4 else (UNLIKELY, "weak")


def _email(value: str, before: str, after: str, score: float) -> Judged:
    local = value.lower().rpartition("@")[0]
    if "{" in local or "}" in local:
        return UNLIKELY, "template"
    if local in ("git", "hg", "svn") or (after[:1] == ":" and after[1:2].isalpha() and "." in after):
        return UNLIKELY, "repository"
    if _USERINFO.search(before):
        # scheme://user:password@host: whatever is secret about it is the password's finding.
        return UNLIKELY, "part of a URL"
    return (VERIFIED, "registered domain") if score >= 0.9 else (PLAUSIBLE, "pattern")


def _phone(value: str, before: str, after: str, score: float) -> Judged:
    main = re.split(r"(?i)x|ext|#", value)[0]
    digits = re.sub(r"\D", "", main)
    cue = _phone_cue(before, after, grouped=not main.strip().isdigit())
    groups = re.findall(r"\d+", main)
    if len(digits) < 6 or len(set(digits)) < 3 or _YEARS.match(main) or _DATE.fullmatch(main.strip()):
        return UNLIKELY, "date or filler"
    if _ID_CUE.search(before) and not _PHONE_CUE.search(before[-14:]):
        return UNLIKELY, "identifier"
    if _MATHS_BEFORE.search(before) or _MATHS_AFTER.match(after) or _HEX_BEFORE.search(before[-5:]):
        return UNLIKELY, "formula or code"
    if _DECIMAL_BEFORE.search(before) or _DECIMAL_AFTER.match(after) or _DECIMAL.fullmatch(main.strip()):
        return UNLIKELY, "decimal"
    if _MEASURED.match(after) or ("+" not in main and len(groups) > 4 and sum(len(g) == 1 for g in groups) > 1):
        return UNLIKELY, "measure or list"
    international = main.lstrip().startswith(("+", "00")) and _is_valid(main)
    if international and (cue or main.lstrip().startswith("+")):
        return (VERIFIED, "international, cue") if cue else (PLAUSIBLE, "international")
    if cue:
        return PLAUSIBLE, "cue"
    if _LISTED_AFTER.match(after) or _LISTED_BEFORE.search(before):
        return UNLIKELY, "list of numbers"
    if _GROUPED_US.match(main.strip()) and _is_valid(main, "US"):
        return PLAUSIBLE, "grouping"
    return UNLIKELY, "no evidence"


def _phone_cue(before: str, after: str, grouped: bool) -> bool:
    if _PHONE_CUE_AFTER.match(after):
        return True
    found = [*_PHONE_CUE.finditer(before), *(_PHONE_VERB.finditer(before) if grouped else ())]
    return any(_belongs(before[match.end() :]) for match in found)


def _belongs(between: str) -> bool:
    """Whether a word still speaks of what follows: a sentence's end, or another number, takes it away."""
    if len(between) > _PHONE_FAR or re.search(r"[.!?][ \n]+[A-Z]|\n[^\n]*\n", between.lstrip(" :\n")):
        return False
    return not re.search(r"\d{3}", between) or bool(re.search(r"(?:\bor|\band|/|,|;|&)\s*$", between))


def _is_valid(number: str, region: str | None = None) -> bool:
    text = number.strip()
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def _card(value: str, before: str, after: str, score: float) -> Judged:
    digits = re.sub(r"\D", "", value)
    if not luhn(digits) or len(set(digits)) < 3:
        return UNLIKELY, "check digit"
    if _MATHS_BEFORE.search(before) or _MATHS_AFTER.match(after) or _HEX_BEFORE.search(before[-5:]) or after[:1] == "-":
        return UNLIKELY, "formula or code"
    if _DECIMAL_BEFORE.search(before) or _DECIMAL_AFTER.match(after):
        return UNLIKELY, "decimal"
    cue = bool(_CARD_CUE.search(before))
    if cue:
        return (VERIFIED, "check digit, issuer, cue") if issued(digits) else (PLAUSIBLE, "check digit, cue")
    if _ID_CUE.search(before) or not issued(digits) or len(digits) < 14:
        return UNLIKELY, "no evidence"
    if _LISTED_AFTER.match(after) or _LISTED_BEFORE.search(before):
        return UNLIKELY, "list of numbers"
    return PLAUSIBLE, "check digit, issuer"


def _iban(value: str, before: str, after: str, score: float) -> Judged:
    return (VERIFIED, "checksum") if score >= 1.0 else (PLAUSIBLE, "checksum, case")


def _ip(value: str, before: str, after: str, score: float) -> Judged:
    try:
        network = ipaddress.ip_interface(value.split("%")[0])
    except ValueError:
        return UNLIKELY, "not an address"
    address = network.ip
    if address.version == 4 and (re.search(r"\d[.]?\Z", before) or re.match(r"\.?\d", after)):
        return UNLIKELY, "part of a longer number"
    if address.is_unspecified or address.is_loopback or address.is_multicast or str(address) == "255.255.255.255":
        return UNLIKELY, "no host"
    if re.search(r"(?i)(?:\bv|versions?|release|section|§|build)[ \t:=\"']{0,4}$", before):
        return UNLIKELY, "version"
    if address.version == 6 and len(value) < 8 and not re.search(r"(?i)\bip", before):
        return UNLIKELY, "short"
    if address.version == 4 and max(address.packed) < 20 and not re.search(r"(?i)\b(?:ip|host|server|address)", before):
        return UNLIKELY, "version"
    return (PLAUSIBLE, "private network") if address.is_private else (VERIFIED, "public address")


def _secret(value: str, before: str, after: str, score: float) -> Judged:
    if _EXAMPLE.search(value) or len(set(value)) < 6:
        return UNLIKELY, "example"
    return (VERIFIED, "issuer's format") if score >= 0.9 else (PLAUSIBLE, "assignment")


def _password(value: str, before: str, after: str, score: float) -> Judged:
    if _EXAMPLE.search(value) or value.lower() in ("password", "passwd", "secret") or len(set(value)) < 3:
        return UNLIKELY, "example"
    return PLAUSIBLE, "assignment"


def _private_key(value: str, before: str, after: str, score: float) -> Judged:
    return (VERIFIED, "key block") if len(value) > 100 else (UNLIKELY, "example")


def _crypto(value: str, before: str, after: str, score: float) -> Judged:
    return (VERIFIED, "checksum") if score >= 1.0 else (UNLIKELY, "weak")


_JUDGES: dict[str, Callable[[str, str, str, float], Judged]] = {
    "EMAIL_ADDRESS": _email,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _iban,
    "IP_ADDRESS": _ip,
    "API_KEY": _secret,
    "JWT": _secret,
    "PASSWORD": _password,
    "PRIVATE_KEY": _private_key,
    "CRYPTO": _crypto,
}
