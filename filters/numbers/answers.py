r"""Where an answer says its result: ``\boxed{}``, ``####``, "the answer is", a text that is nothing else, the last number.

Only the end of a text is searched; an answer that stands 16 KiB before the end is not what the text ends with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAIL = 16 << 10
"""Bytes at the end of a text that are searched."""
LONGEST = 2000
"""Characters of an answer. A box that is longer holds a text, not a result."""
SHORT = 60
"""Characters of a text that is an answer as a whole."""

MOST_WORDS = 3
"""Words of an answer; with more of them it is a sentence."""

FORMS = ("boxed", "hashes", "said", "whole", "last_number")
"""From the one that says most clearly what is meant to the one that only guesses."""

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=[{\w\-])")
_BETWEEN_BOXES = re.compile(r"[\s$,;.&\\()\[\]]*(?:(?:and|or|und|oder|et|ou|y|o|e|和|或|と|quad|text\{\s*(?:and|or)\s*\})[\s$,;\\()\[\]]*)?")
_HASHES = re.compile(r"^[ \t]*####[ \t]*(?!#)(\S[^\n]*?)[ \t]*$", re.MULTILINE)
_SAID = re.compile(
    r"""(?:\b(?:final|correct|right)?\ ?(?:answer|result)\b[^\n.:=。]{0,60}?(?:\bis\b|\bare\b|\bwas\b|\bequals\b|\bbe\b|[:=])
    |\bfinal\ answer\b(?=[*_\s]*\n)
    |\b(?:Antwort|Lösung|Ergebnis)\b[^\n.:=]{0,40}?(?:\bist\b|\blautet\b|\bbeträgt\b|[:=])
    |\b(?:réponse|résultat|solution)\b[^\n.:=]{0,40}?(?:\best\b|[:=])
    |\b(?:respuesta|resultado|solución)\b[^\n.:=]{0,40}?(?:\bes\b|[:=])
    |\b(?:risposta|risultato|soluzione)\b[^\n.:=]{0,40}?(?:è|[:=])
    |(?:答案|答え|正解|解答|结果|結果)[^\n。:：=]{0,20}?(?:[:：=]|是|为|為|は)
    |(?:^|\n)\s*[*_#]*答\s*[:：])[*_:：\s]*""",
    re.VERBOSE | re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice)\s*\**\(?([A-J])\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best)"
    r"|(?:^|[\s*])\(?([A-J])\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best)\s+(?:answer|option|choice)"
)
_STOP = re.compile(r"\n|[.!?;](?=\s|$)|。|！|,?\s(?:because|since|as|so|which|where|weil|da|parce que|porque|perché)\b|，")
_NUMBER = re.compile(r"[-−]?\s?[$€£¥]?\s?(?<![\w.])\d[\d.,]*(?:/\d+)?\s?%?")
_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{2,}")
_DRESS = " \t\n\r*_`\"'“”「」"


@dataclass(frozen=True)
class Answer:
    """An answer's text, its form, and characters start:end of the text it was found in."""

    text: str
    form: str
    start: int
    end: int


def tail(data: bytes) -> tuple[str, int]:
    """The end of a text, and how many bytes stand before it."""
    skipped = max(0, len(data) - TAIL)
    while skipped < len(data) and skipped and data[skipped] & 0xC0 == 0x80:
        skipped += 1
    return data[skipped:].decode("utf-8", "replace"), skipped


def find(text: str, *, last_number: bool = True) -> Answer | None:
    """The answer, by the clearest form there is; of one form the last."""
    found = _boxed(text) or _hashes(text) or _said(text) or _whole(text)
    return found or (_last_number(text) if last_number else None)


def _boxed(text: str) -> Answer | None:
    r"""The last box, with those right before it: ``\boxed{1} and \boxed{2}`` are one answer of two values."""
    boxes: list[tuple[int, int, str]] = []
    for match in _BOX.finditer(text):
        if boxes and match.start() < boxes[-1][1]:
            continue
        inside = _inside(text, match.end())
        if inside is None:
            continue
        if boxes and not _BETWEEN_BOXES.fullmatch(text[boxes[-1][1] : match.start()]):
            boxes = []
        boxes.append((match.start(), inside[1], inside[0]))
    values = list(dict.fromkeys(value.strip() for _, _, value in boxes if value.strip()))
    if not values:
        return None
    return Answer(", ".join(values)[:LONGEST], "boxed", boxes[0][0], boxes[-1][1])


def _inside(text: str, at: int) -> tuple[str, int] | None:
    """What braces hold that open at ``at`` (or the word there), and where they end. None: they do not close."""
    if text[at] != "{":
        word = re.compile(r"-?[\w.,/]*\w").match(text, at)
        return (word.group(), word.end()) if word else None
    depth = 0
    for i in range(at, min(len(text), at + LONGEST)):
        if text[i] in "{}" and text[i - 1] != "\\":
            depth += 1 if text[i] == "{" else -1
            if not depth:
                return text[at + 1 : i], i + 1
    return None


def _hashes(text: str) -> Answer | None:
    last = None
    for last in _HASHES.finditer(text):
        pass
    return Answer(last.group(1)[:LONGEST], "hashes", last.start(1), last.end(1)) if last else None


def _said(text: str) -> Answer | None:
    last = None
    for last in _SAID.finditer(text):
        pass
    for chosen in _CHOSEN.finditer(text):
        if last is None or chosen.start() > last.end():
            letter = 1 if chosen.group(1) else 2
            return Answer(chosen.group(letter), "said", chosen.start(letter), chosen.end(letter))
    if last is None:
        return None
    stop = _STOP.search(text, last.end())
    end = min(stop.start() if stop else len(text), last.end() + LONGEST)
    told = text[last.end() : end]
    if not told.strip(_DRESS):
        return None
    start = last.end() + len(told) - len(told.lstrip(_DRESS))
    told = told.strip(_DRESS)
    if len(_WORD.findall(told)) > MOST_WORDS and len(numbers := list(_NUMBER.finditer(told))) == 1:
        # "The answer is that he writes 624 pages": a sentence with one number means that number.
        start, told = start + numbers[0].start(), numbers[0].group().rstrip(".,")
    return Answer(told, "said", start, start + len(told))


def _whole(text: str) -> Answer | None:
    told = text.strip(_DRESS)
    if not told or len(told) > SHORT or "\n" in told or "\\boxed" in told or len(_WORD.findall(told)) > MOST_WORDS:
        return None
    start = text.index(told)
    return Answer(told, "whole", start, start + len(told))


def _last_number(text: str) -> Answer | None:
    last = None
    for last in _NUMBER.finditer(text):
        pass
    if last is None:
        return None
    told = last.group().rstrip(".,")
    return Answer(told, "last_number", last.start(), last.start() + len(told))
