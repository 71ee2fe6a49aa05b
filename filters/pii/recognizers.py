"""Recognizers of our own beside Presidio's: ordinary pattern recognizers, prefiltered like any others.

They propose; what stands around a number decides (filters.pii.certainty). Formats come from the issuers' documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer

from filters.pii.luhn import luhn

_CASED = int(re.MULTILINE)

SECRETS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "PRIVATE_KEY": (
        ("PEM", r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
         r"[^-]{1,8192}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?", 1.0),
    ),
    "JWT": (("JWT", r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{16,1000}(?![A-Za-z0-9_-])", 1.0),),
    "API_KEY": (
        ("AWS", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", 0.9),
        ("GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{82})\b", 1.0),
        ("GitLab", r"\bglpat-[A-Za-z0-9_-]{20,50}(?![A-Za-z0-9_-])", 1.0),
        ("OpenAI, Anthropic", r"\bsk-(?:proj-|ant-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,200}(?![A-Za-z0-9_-])", 0.9),
        ("Google", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", 1.0),
        ("Slack", r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}\b", 1.0),
        ("Stripe", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}\b", 1.0),
        ("Hugging Face", r"\bhf_[A-Za-z0-9]{30,60}\b", 1.0),
        ("NVIDIA", r"\bnvapi-[A-Za-z0-9_-]{40,100}(?![A-Za-z0-9_-])", 1.0),
        ("npm, PyPI", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgEI[A-Za-z0-9_-]{50,500})(?![A-Za-z0-9_-])", 1.0),
        ("SendGrid", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", 1.0),
        ("Twilio", r"\bSK[0-9a-f]{32}\b", 0.6),
    ),
    "PASSWORD": (
        # The password of a URL: scheme://user:password@host.
        ("URL", r"(?<=://[A-Za-z0-9_.%+-]{1,64}:)[^\s:/@\"'<>\\$%{}*]{3,128}(?=@[A-Za-z0-9\[])", 0.6),
        # An assignment whose name says that the value is secret.
        ("assigned", r"(?<=(?:api[_-]?key|secret[_-]?key|access[_-]?token|auth[_-]?token|"
         r"client[_-]?secret|passwd|"
         r"password)[\"']?\s{0,3}[:=]\s{0,3}[\"'])[^\s\"'<>{}$\\]{8,200}(?=[\"'])", 0.5),
    ),
}  # fmt: skip

CARD = Pattern("12 to 19 digits", r"(?<![\w.,])\d(?:[ -]?\d){11,18}(?!\w|[.,]\d)", 0.3)
_BEFORE, _AFTER = r"(?<![\w.,/:$€£¥%=*^+-])", r"(?![\w%€£¥=*^]|[.,/:\-]\d)"
_EXTENSION = r"(?:[ ]?(?:x|ext\.?|#)[ ]?\d{1,6})?"
PHONES = (
    Pattern("bare digits", _BEFORE + r"(?:\+|00)?\d{7,15}" + _EXTENSION + _AFTER, 0.1),
    Pattern(
        "groups of digits",
        _BEFORE
        + r"(?:(?:\+|00)\d{1,3}[ .\-]?)?(?:\(\d{1,5}\)|\d{1,5})(?:[ .\-–/]{1,2}|(?<=\)))"
        + r"(?:\(\d{1,4}\)[ ]?)?\d{2,8}(?:[ .\-–/]\d{2,7}){0,5}" + _EXTENSION + _AFTER,
        0.2,
    ),
)  # fmt: skip


class CardRecognizer(PatternRecognizer):
    """Cards of every length that issuers use (12 to 19 digits), with or without groups, whose check digit is right."""

    def __init__(self, language: str) -> None:
        super().__init__("CREDIT_CARD", name="CardRecognizer", supported_language=language, patterns=[CARD])

    def validate_result(self, pattern_text: str) -> bool:
        digits = re.sub(r"\D", "", pattern_text)
        return digits.isascii() and luhn(digits) and len(set(digits)) > 2


class PhoneShapeRecognizer(PatternRecognizer):
    """7 to 15 digits written as telephone numbers are. No region's plan is asked: evidence has to come from around it."""

    in_phone_zones = True
    """All its characters belong to phonenumbers' candidates and it has more digits than the gate looks up, so the gate
    stands in for a prefilter."""

    def __init__(self, language: str) -> None:
        super().__init__(
            "PHONE_NUMBER", name="PhoneShapeRecognizer", supported_language=language, patterns=list(PHONES)
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        main = re.split(r"x|ext|#", pattern_text)[0]
        return not 7 <= sum(ch.isdigit() for ch in main) <= 15


class SecretRecognizer(PatternRecognizer):
    def __init__(self, entity: str, language: str) -> None:
        patterns = [Pattern(name, regex, score) for name, regex, score in SECRETS[entity]]
        super().__init__(
            entity, name=f"{entity.title()}Recognizer", supported_language=language, patterns=patterns,
            global_regex_flags=_CASED | (int(re.IGNORECASE) if entity == "PASSWORD" else 0),
        )  # fmt: skip


def ours(language: str, entities: set[str]) -> Sequence[EntityRecognizer]:
    """Our recognizers of these entities; they are the same for every language, so one language runs them."""
    made: list[EntityRecognizer] = [SecretRecognizer(entity, language) for entity in SECRETS if entity in entities]
    if "CREDIT_CARD" in entities:
        made.append(CardRecognizer(language))
    if "PHONE_NUMBER" in entities:
        made.append(PhoneShapeRecognizer(language))
    return made
