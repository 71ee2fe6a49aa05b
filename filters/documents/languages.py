"""Thresholds and stop words by language.

The thresholds of languages other than English are those that FineWeb2 published for its own filters (huggingface/fineweb-2, folder
``configs``, Apache-2.0), which it took from the spread of each figure over Wikipedia; C4's line rules it does not use at all. The stop
words are ours: the commonest function words, which texts of any subject have.
"""

from __future__ import annotations

from collections.abc import Mapping

STOP_WORDS: dict[str, tuple[str, ...]] = {
    "en": ("the", "be", "to", "of", "and", "that", "have", "with"),
    "de": ("der", "die", "das", "und", "in", "den", "von", "zu", "mit", "ist", "des", "im", "für", "nicht", "ein"),
    "fr": ("de", "la", "le", "et", "les", "des", "en", "un", "du", "une", "est", "que", "dans", "pour", "au"),
    "it": ("di", "e", "il", "la", "che", "in", "un", "a", "per", "del", "è", "una", "con", "non", "i"),
    "es": ("de", "la", "que", "el", "en", "y", "a", "los", "se", "del", "un", "las", "por", "con", "una"),
    "zh": ("的", "是", "在", "了", "和", "有", "不", "我", "人", "这", "為", "为", "也", "就", "與", "以"),
    "ja": ("の", "に", "は", "を", "た", "が", "で", "て", "と", "し", "れ", "も", "す", "な", "い"),
    "pt": ("de", "a", "o", "que", "e", "do", "da", "em", "um", "para", "com", "não", "uma", "os", "no"),
    "nl": ("de", "van", "het", "een", "en", "in", "is", "dat", "op", "te", "met", "voor", "niet", "zijn", "die"),
    "pl": ("w", "i", "na", "z", "się", "nie", "do", "to", "jest", "że", "o", "po", "jak", "od", "za"),
    "ru": ("и", "в", "не", "на", "с", "что", "по", "как", "из", "к", "от", "это", "у", "за", "для"),
    "ko": ("이", "그", "수", "것", "등", "및", "있다", "한", "있는", "할", "더", "또", "그리고", "대한", "하는"),
}

WORDS: dict[str, dict[str, float]] = {
    "de": {"min_mean_word": 0, "max_mean_word": 15, "min_alpha": 0.774},
    "fr": {"min_mean_word": 2, "max_mean_word": 11, "min_alpha": 0.812},
    "it": {"min_mean_word": 3, "max_mean_word": 21, "min_alpha": 0.807},
    "es": {"min_mean_word": 3, "max_mean_word": 14, "min_alpha": 0.825},
    # Each character is a word here, so the bound is on runs of other scripts.
    "ja": {"min_mean_word": 1, "max_mean_word": 6, "min_alpha": 0.759},
    "zh": {"min_mean_word": 1, "max_mean_word": 5, "min_alpha": 0.735},
}


def _grams(line: float, top: tuple[float, ...], repeated: tuple[float, ...]) -> dict[str, float]:
    tops = {f"max_top_{n}_gram": value for n, value in zip(range(2, 5), top, strict=True)}
    again = {f"max_repeated_{n}_gram": value for n, value in zip(range(5, 11), repeated, strict=True)}
    off = dict.fromkeys(("max_repeated_paragraph_characters", "max_repeated_line_characters"), 0.0)
    return {"max_repeated_paragraphs": 0, "max_repeated_lines": line, **off, **tops, **again}


REPETITION: dict[str, dict[str, float]] = {
    "de": _grams(0.263, (0.169, 0.153, 0.137), (0.141, 0.134, 0.126, 0.117, 0.108, 0.098)),
    "fr": _grams(0.264, (0.161, 0.149, 0.134), (0.15, 0.141, 0.131, 0.121, 0.111, 0.1)),
    "it": _grams(0.246, (0.198, 0.156, 0.133), (0.144, 0.136, 0.127, 0.118, 0.109, 0.1)),
    "es": _grams(0.252, (0.156, 0.14, 0.125), (0.145, 0.136, 0.127, 0.117, 0.108, 0.099)),
    "ja": _grams(0.328, (0.239, 0.196, 0.172), (0.243, 0.225, 0.207, 0.19, 0.175, 0.159)),
    "zh": _grams(0.287, (0.256, 0.201, 0.171), (0.198, 0.182, 0.167, 0.154, 0.14, 0.127)),
}


def _lines(punctuated: float, newlines: float) -> dict[str, float]:
    return {
        "min_ended_lines": punctuated,
        "max_short_lines": 0,
        "max_repeated_characters": 0.1,
        "max_newlines": newlines,
    }


LINES: dict[str, dict[str, float]] = {
    "de": _lines(0.0, 0.152),
    "fr": _lines(0.1, 0.185),
    "it": _lines(0.025, 0.2),
    "es": _lines(0.182, 0.138),
    "ja": _lines(0.096, 0.13),
    "zh": _lines(0.106, 0.178),
}

C4: dict[str, dict[str, float]] = {"ja": {"min_words_a_line": 0}, "zh": {"min_words_a_line": 0}}

Figures = Mapping[str, Mapping[str, float]]
