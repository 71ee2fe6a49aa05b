r"""Where an answer says its result: ``\boxed{}``, ``####``, "the answer is", a text that is nothing else, the last number.

Only the end of a text is searched; an answer that stands 16 KiB before the end is not what the text ends with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from filters.batch import ASSISTANT, CONTENT, OTHER, Batch

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
_BETWEEN_BOXES = re.compile(
    r"(?:[\s$,;.&\\()\[\]]|quad|text\{[\s,]{0,9}(?:and|or)?\s{0,9}\}|和|或|と|(?<![^\W\d_])(?:and|or|und|oder|et|ou|y|o|e)(?![^\W\d_])"
    r"|(?<![^\W\d_])[a-zA-Z](?:_\{?\w\}?)?\s{0,9}=)*"
)
"""What may stand between two values of one answer: ``, \\quad \\text{and} \\quad``, ``y =``."""
_HASHES = re.compile(r"(?:^|\n)[ \t]*####[ \t]*(?!#)([^\s#][^\n]*?)\s*$")
_AFTER = r"[*_:：\s]*"
_ADVERBS = r"(?:therefore|thus|hence|then|so|simply|just|exactly|indeed|also|now|obviously|clearly)"
_SAID = {
    ("answer", "result"): r"\b[^\n.:=。]{0,60}?(?:\bis\b|\bare\b|\bwas\b|\bequals\b|\bbe\b|[:=→])(?:[*_\s]*"
    + _ADVERBS
    + r"\b)?",
    ("final answer", "# answer", "**answer"): r"\b(?=[*_\s]*\n)",
    ("<answer>",): r"(?=\s{0,9}[^\n<]*\s{0,9}</answer>)",
    ("antwort", "lösung", "ergebnis"): r"\b[^\n.:=]{0,40}?(?:\bist\b|\blautet\b|\bbeträgt\b|[:=])",
    ("réponse", "résultat", "solution"): r"\b[^\n.:=]{0,40}?(?:\best\b|\bis\b|[:=])",
    ("respuesta", "resultado", "solución"): r"\b[^\n.:=]{0,40}?(?:\bes\b|[:=])",
    ("risposta", "risultato", "soluzione"): r"\b[^\n.:=]{0,40}?(?:è|[:=])",
    ("答案", "答え", "正解", "解答", "结果", "結果"): r"[^\n。:：=]{0,20}?(?:[:：=]|是|为|為|は)",
    ("答",): r"(?=[:：])",
    ("resposta", "resultado"): r"\b[^\n.:=]{0,40}?(?:\bé\b|[:=])",
    ("ответ", "результат"): r"\b[^\n.:=]{0,40}?(?:\bравен\b|\bравно\b|[:=—–])",
    ("정답", "답"): r"(?:은|는|이|\s*[:：=])",
}
"""What an answer is called, and what then comes before it."""
_SAID_BY_WORD = {word: re.compile(after + _AFTER, re.IGNORECASE) for words, after in _SAID.items() for word in words}
MOST_TRIES = 20
"""Places of one such word that are looked at, from the end of the text."""
_CHOSEN = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice)\s*\**\(?([A-J])\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best)"
    r"|(?:^|[\s*])\(?([A-J])\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best)\s+(?:answer|option|choice)"
)
_STOP = re.compile(
    r"\n|</answer>|\s\((?:in|measured in)\s[^()]{1,40}\)|[.!?;](?=\s|$)|。|！|，"
    r"|,?\s(?:because|since|as|so|which|where|weil|da|parce que|porque|perché)\b"
)
_NUMBER = re.compile(r"[-−]?\s?[$€£¥]?\s?(?<![\w.])(?:\d[\d.,]*|\.\d+)(?:/\d+)?\s?%?")
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


def in_batch(batch: Batch, records: Iterable[int], *, last_number: bool) -> dict[int, tuple[int, Answer, int, str]]:
    """The answer of each of these records that has one, in the last text of the assistant: its segment, the answer, the bytes before the
    part that was searched, and that part."""
    segments = batch.segments
    chosen = segments.where(channels=(CONTENT,), roles=(ASSISTANT, OTHER))
    last = dict(zip(segments.record[chosen].tolist(), chosen.tolist(), strict=True))
    out = {}
    for record in records:
        if (segment := last.get(record)) is not None:
            text, skipped = tail(segments.bytes(segment))
            if (answer := find(text, last_number=last_number)) is not None:
                out[record] = (segment, answer, skipped, text)
    return out


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
    """gsm8k's mark, on the last line; further up, ``####`` is a heading."""
    at = text.rfind("####")
    line = _HASHES.search(text, max(0, text.rfind("\n", 0, at))) if at >= 0 else None
    if line is None or len(_WORD.findall(line.group(1))) > MOST_WORDS:
        return None
    return Answer(line.group(1)[:LONGEST], "hashes", line.start(1), line.end(1))


def _said(text: str) -> Answer | None:
    last = _last_said(text)
    for chosen in _CHOSEN.finditer(text) if "is the" in text or "correct" in text or "right" in text else ():
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
        return _at(numbers[0], "said", start)
    return Answer(told, "said", start, start + len(told))


def _last_said(text: str) -> re.Match[str] | None:
    """The last place at which an answer is announced. The words are looked for as they are, and an expression tried only there: one
    expression for all of them takes a hundred times as long."""
    small = text.lower()
    if len(small) != len(text):
        small = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    last = None
    for word, after in _SAID_BY_WORD.items():
        at = len(small)
        for _ in range(MOST_TRIES):
            at = small.rfind(word, last.end() if last else 0, at)
            if at < 0:
                break
            if (at == 0 or not small[at - 1].isalnum() or word[0] > "\u3000") and (
                found := after.match(text, at + len(word))
            ):
                last = found
                break
    return last


def _whole(text: str) -> Answer | None:
    told = text.strip(_DRESS)
    if (
        not told
        or len(told) > SHORT
        or "\n" in told
        or "\\boxed" in told
        or "####" in told
        or len(_WORD.findall(told)) > MOST_WORDS
    ):
        return None
    start = text.index(told)
    return Answer(told, "whole", start, start + len(told))


def _last_number(text: str) -> Answer | None:
    found = list(_NUMBER.finditer(text))
    return _at(found[-1], "last_number") if found else None


def _at(number: re.Match[str], form: str, start: int = 0) -> Answer:
    told = number.group().strip(" ,").rstrip(".")
    start += number.start() + number.group().index(told)
    return Answer(told, form, start, start + len(told))
