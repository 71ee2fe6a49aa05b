"""From what people write to SPDX expressions: names and addresses, joined by AND, OR, commas and slashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import orjson

from filters.contract import ConfigError
from filters.licence.grammar import MARK, Parser, marks
from filters.licence.library import PENDING, UNKNOWN, Library, aliases_of

ListMeans = Literal["and", "or"]

MOST_CHARACTERS = 2000
"""Of a value; a longer one is a licence's text, of which the start is looked at."""
MOST_LICENCES = 20
"""In one expression; more is unknown. Simplifying one takes time that grows fast with its size."""

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'`|)\]]+", re.IGNORECASE)
_BARE_URL = re.compile(r"^[\w-]+(?:\.[\w-]+)+/\S+$")
_WITH = re.compile(r"[\s-]{1,3}with[\s-]{1,3}", re.IGNORECASE)
_FILE = re.compile(r"\s*[+,|]\s*file\s+licen[cs]e\s*$", re.IGNORECASE)
_LIST = re.compile(r"^\s*\[(.*)\]\s*$", re.DOTALL)


class Normaliser:
    """Turns values into canonical SPDX expressions, of ids that the library knows alone. list_means joins what is only listed."""

    def __init__(self, library: Library, list_means: ListMeans = "and") -> None:
        # Imported here: `plan` has no use for it.
        from license_expression import get_spdx_licensing

        self.library = library
        self._joint = list_means.upper()
        self._licensing = get_spdx_licensing()
        self.expression = lru_cache(maxsize=1 << 16)(self._expression)

    def _expression(self, value: str) -> str | None:
        """Of one value: LicenseRef-unknown when it cannot be placed, None when it says nothing."""
        text = value[:MOST_CHARACTERS].strip().strip("\"'`").strip()
        if len(value) > MOST_CHARACTERS or "\n" in text:
            return self._of_text(text)
        if "\ufffd" in text:
            return UNKNOWN  # bytes that are no text
        if listed := _listed(text):
            return self.joined(listed)
        key = self.library.namer.key(text)
        if key in self.library.missing:
            # "License" alone says that there is one.
            return UNKNOWN if not key and any(c.isalnum() for c in text) else None
        made = self._read(text) or UNKNOWN
        if made == UNKNOWN and self.library.pending & set(key.split()):
            made = PENDING
        return made

    def joined(self, values: Sequence[str]) -> str | None:
        """Of a list, whose members are joined as the recipe says; members that say nothing do not count."""
        found = {made for v in values[: MOST_LICENCES * 5] if (made := self.expression(v))}
        if not found:
            return None
        return self.canonical([f" {self._joint} ".join(f"({f})" for f in sorted(found))])

    def canonical(self, parts: Sequence[str]) -> str:
        """SPDX expressions that all hold, as one; sorted and without what is said twice."""
        from license_expression import ExpressionError

        text = " AND ".join(f"({p})" for p in parts)
        try:
            parsed = self._licensing.parse(text)
            if len(self._licensing.license_keys(parsed)) > MOST_LICENCES:
                return UNKNOWN
            return _sorted(parsed.simplify()).render()
        except (ExpressionError, RecursionError):
            return UNKNOWN

    def check_aliases(self, path: str) -> None:
        """Raises ConfigError where a user's mapping file names a licence that nobody knows."""
        for name, value in aliases_of(path).items():
            if self.canonical([value]) != UNKNOWN and not self._is_known(value):
                raise ConfigError(
                    f"licence: {path}: {name!r:.60} means {value!r:.80}, which is no licence; define it under licences"
                )

    def _is_known(self, expression: str) -> bool:
        return set(self._licensing.license_keys(expression)) <= self.library.known

    def parsed(self, expression: str) -> Any:
        """The tree of a canonical expression."""
        return self._licensing.parse(expression)

    def _of_text(self, text: str) -> str:
        """A licence's whole text, told by its notices; failing that, by its first line."""
        from filters.licence.notices import in_text

        if found := in_text(text):
            return self.canonical(found)
        first = next((line for line in text.splitlines() if line.strip()), "")
        return (self._read(first.strip()) if len(first) < 200 else None) or UNKNOWN

    def _read(self, text: str) -> str | None:
        """An expression in canonical form; None if any of it cannot be read."""
        return self._whole(text) or self._compound(text) or self._by_url(text) or self._without_parentheses(text)

    def _whole(self, text: str) -> str | None:
        """One name, as an alias or an id. An alias means what it says, even if there is an id of that name."""
        key = self.library.namer.key(text)
        if (alias := self.library.aliases.get(key)) is not None:
            return self.canonical([alias])
        if (found := self.library.ids.get(key)) is not None:
            return found
        return self._with(text)

    def _with(self, text: str) -> str | None:
        """``LICENCE with EXCEPTION``. An exception not known is left out: it only allows more than the licence does."""
        base, *rest = _WITH.split(text, maxsplit=1)
        if not rest or MARK.search(rest[0]):
            return None
        licence = self._whole(base)
        if licence is None or " " in licence:
            return None
        key = self.library.namer.key(rest[0])
        if (exception := self.library.exceptions.get(key)) is not None:
            return f"{licence} WITH {exception}"
        named = [i for k, i in self.library.exceptions.items() if _bare(k) == _bare(key)]
        if len(set(named)) == 1:
            return f"{licence} WITH {named[0]}"
        return licence if "exception" in key else None

    def _compound(self, text: str) -> str | None:
        found = list(marks(text))
        if len(found) < 2 or len(found) > 6 * MOST_LICENCES:
            return None
        made = Parser(found, self._joint, self._atom).parsed()
        return None if made is None else self.canonical([made])

    def _atom(self, text: str) -> str | None:
        return self._whole(text) or self._by_url(text)

    def _by_url(self, text: str) -> str | None:
        """By the address in it, if there is one; what stands beside it must mean the same, or nothing."""
        url = _URL.search(text) or _BARE_URL.search(text)
        if url is None:
            return None
        beside = (text[: url.start()] + " " + text[url.end() :]).strip(" <>()[]:-,")
        named = (self._whole(beside) or self._compound(beside)) if beside else None
        return named or self._address(url.group())

    def _address(self, url: str) -> str | None:
        address = re.sub(r"^(?:https?://)?(?:www\.)?", "", url.casefold()).rstrip(".,;")
        for pattern, name in self.library.urls:
            if found := pattern.search(address):
                wanted = re.sub(r"\\(\d)", lambda m, f=found: f[int(m[1])] or "", name)  # type: ignore[misc]
                return self._whole(wanted) or self._whole(" ".join(wanted.split()[:-1]))
        return None

    def _without_parentheses(self, text: str) -> str | None:
        """``Mozilla Public License 2.0 (MPL 2.0)``, ``MIT + file LICENSE``, ``(MIT)``, ``Other/Proprietary``."""
        bare = _FILE.sub("", re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text)).strip()
        return (self._whole(bare) or self._compound(bare)) if bare and bare != text else None


def _bare(key: str) -> str:
    return " ".join(t for t in key.split() if t not in ("exception", "exceptions") and not t[0].isdigit())


def _listed(text: str) -> list[str]:
    """A list in a string, as JSON or as Python writes it."""
    found = _LIST.match(text)
    if not found or "](" in text:
        return []
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        told = [part.strip(" []\"'") for part in found[1].split(",")]
    return [v for v in told if isinstance(v, str)]


def _sorted(node: Any) -> Any:
    """The tree with the members of every AND and OR in the order of their text."""
    if not node.args:
        return node
    return type(node)(*sorted((_sorted(a) for a in node.args), key=lambda a: a.render()))


def checked(normaliser: Normaliser, value: str, option: str) -> str:
    """The expression of an option's value. Raises ConfigError, with what may have been meant, for one that is unknown."""
    made = normaliser.expression(value)
    if made is None or UNKNOWN in made.split():
        raise ConfigError(f"licence: {option}: no licence {value!r:.60}{_nearest(normaliser.library, value)}")
    return made


def _nearest(library: Library, value: str) -> str:
    import difflib

    close = difflib.get_close_matches(value.casefold(), [k.casefold() for k in library.known], n=1)
    names = {k.casefold(): k for k in library.known}
    return f" (did you mean {names[close[0]]!r}?)" if close else "; give an SPDX id, or define it in a mapping file"
