r"""Word classes: one file a language, the same class names in each, so that a rule is written once for all languages.

A class is a text of words and phrases, with semicolons or new lines between them, in a light notation over expressions:

* a space is white space, and ``'`` is either apostrophe;
* ``*`` after a letter is the rest of the word: ``liberat*``;
* ``…`` is a gap within the sentence: a few words, or some characters in Chinese and Japanese;
* ``{name}`` is a class defined above;
* words in Latin letters stand alone: boundaries are put where a phrase begins or ends with one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from filters.contract import ConfigError

FOLDER = Path(__file__).parent / "words"
WITHOUT_SPACES = ("zh", "ja")
_GAP = r"\s(?:[^.!?;\n]{0,40}\s)?"
_GAP_WITHOUT_SPACES = r"[^。！？\n]{0,15}"
_REFERENCE = re.compile(r"\{([a-z][a-z_]*)\}")


def languages() -> list[str]:
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def file_of(language: str) -> Path:
    path = FOLDER / f"{language}.yaml"
    if not path.is_file():
        raise ConfigError(f"narrative: no word classes for {language!r}; there are {', '.join(languages())}")
    return path


@lru_cache(maxsize=16)
def classes(language: str) -> Mapping[str, tuple[str, ...]]:
    """Class name -> expressions over characters, one a phrase, of a language that comes with the package."""
    # Imported here: planning needs no YAML of ours.
    import yaml

    written = yaml.load(file_of(language).read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    out: dict[str, tuple[str, ...]] = {}
    for name, words in written.items():
        out[name] = tuple(spelled(_put(w, out, f"{language}/{name}"), language) for w in phrases(words))
    return out


def phrases(text: str) -> list[str]:
    return [phrase for written in re.split(r"[;\n]", text) if (phrase := written.strip())]


def spelled(word: str, language: str) -> str:
    """One word or phrase of the notation as an expression."""
    gap = _GAP_WITHOUT_SPACES if language in WITHOUT_SPACES else _GAP
    out = re.sub(r"(?<=\w)(?<!\\w)\*", r"\\w*", word)
    out = re.sub(r"\s*…\s*", "\0", out).replace(" ", r"\s+").replace("'", "(?:'|’)").replace("\0", gap)
    if language in WITHOUT_SPACES:
        return out
    before = r"\b" if _stands_alone(word, first=True) else ""
    return before + out + (r"\b" if _stands_alone(word, first=False) else "")


def _stands_alone(word: str, *, first: bool) -> bool:
    r"""Whether a boundary may be asked for: ``\b`` is that of ASCII, so not beside a letter such as ``è`` in any alternative."""
    group = re.match(r"\(\?:([^()]*)\)", word) if first else re.search(r"\((?:\?:)?([^()]*)\)\??$", word)
    ends = group[1].split("|") if group else [word.lstrip("(?:") if first else word.rstrip("?)")]
    letters = (re.sub(r"\\w[*+]$", "w", end).rstrip("?")[0 if first else -1 :][:1] for end in ends if end)
    return all(_is_ascii_word(c) for c in letters)


def _is_ascii_word(c: str) -> bool:
    return c.isascii() and (c.isalnum() or c == "_")


def _put(word: str, known: Mapping[str, tuple[str, ...]], where: str) -> str:
    def put(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise ConfigError(f"narrative: words {where}: no class {match[1]!r} above it")
        return "(?:" + "|".join(known[match[1]]) + ")"

    return _REFERENCE.sub(put, word)
