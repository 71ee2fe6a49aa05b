"""Hits of the rules in what the assistant wrote, each with the context that excuses it, if one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby

import numpy as np

from filters.batch import REASONING, Segments
from filters.narrative.context import Asked, crosses_sentence, excuse, sentence
from filters.narrative.packs import Loaded, Words
from filters.scan import Match, Pattern, PatternSet

MOST_HITS = 200
"""Hits of one rule in one segment that are looked at; a text that repeats itself a million times is no news after these."""

NEARBY = 16_384
"""Bytes of text on either side of a hit that its context is read from."""


@dataclass(frozen=True)
class Hit:
    """rule: index into the rules. start/end: bytes from the segment's start. excuse: the context, or None if it counts."""

    rule: int
    segment: int
    start: int
    end: int
    excuse: str | None


class Voice:
    """Rules compiled once a worker. Raises ConfigError naming the rule whose pattern does not compile."""

    def __init__(self, rules: Sequence[Loaded]) -> None:
        self._rules = tuple(rules)
        self._set = PatternSet(
            [_pattern(r.name, r.expressions, r.name if r.shard else "", r.rule.caseless) for r in rules]
        )
        self._company = Company(rules)

    def hits(self, segments: Segments, which: np.ndarray, asked: Callable[[int], Asked]) -> Iterator[Hit]:
        """Hits in the named segments. asked: segment -> what was said before it."""
        matches = self._set.matches(segments, which)
        for segment, found in groupby(matches, key=lambda match: match.segment):
            place = "reasoning" if segments.channel[segment] == REASONING else "answer"
            yield from self._judged(list(found), segments.bytes(segment), place, partial(asked, segment))

    def hits_in(self, text: str, prompt: str = "", place: str = "answer") -> list[Hit]:
        """Hits in one text on its own: what a pack's examples are tested with."""
        data = text.encode("utf-8")
        return list(self._judged(self._set.matches_in(data), data, place, lambda: Asked(prompt)))

    def _judged(self, matches: list[Match], data: bytes, place: str, asked: Callable[[], Asked]) -> Iterator[Hit]:
        seen: dict[int, int] = {}
        for match in matches:
            rule = self._rules[match.pattern].rule
            seen[match.pattern] = seen.get(match.pattern, 0) + 1
            if place not in rule.where or seen[match.pattern] > MOST_HITS:
                continue
            around = surroundings(data, match.start, match.end)
            if crosses_sentence(around[0][around[1] : around[2]]) or not self._company.stands(match.pattern, *around):
                continue
            yield Hit(match.pattern, match.segment, match.start, match.end, excuse(rule.unless, *around, asked))


class Company:
    """The words that must, or must not, stand in the sentence of a hit: scanned for there and nowhere else."""

    def __init__(self, rules: Sequence[Loaded]) -> None:
        self._shards: dict[str, dict[Words, int]] = {}
        for rule in rules:
            numbers = self._shards.setdefault(rule.shard, {})
            for words in chain.from_iterable(rule.needs + rule.bars):
                numbers.setdefault(words, len(numbers))
        self._rules = [(r.shard, self._numbered(r, r.needs), self._numbered(r, r.bars)) for r in rules]
        self._sets: dict[str, PatternSet] = {}
        if self._shards.get(""):
            self._set("")
        self._last: tuple[str, bytes, set[int]] = ("", b"", set())

    def _numbered(self, rule: Loaded, groups: tuple[tuple[Words, ...], ...]) -> list[set[int]]:
        return [{self._shards[rule.shard][words] for words in group} for group in groups]

    def _set(self, shard: str) -> PatternSet:
        """Compiled when a rule of the shard first hits."""
        if shard not in self._sets:
            named = [_pattern(f"words of {shard}", words, "") for words in self._shards[shard]]
            self._sets[shard] = PatternSet(named, loose=False)
        return self._sets[shard]

    def stands(self, rule: int, text: str, start: int, end: int) -> bool:
        """Whether the sentence around ``text[start:end]`` holds one of each group that the rule needs, and none that bars it."""
        shard, needs, bars = self._rules[rule]
        if not needs and not bars:
            return True
        before, after = sentence(text, start, end)
        found = self._found(shard, (before + text[start:end] + after).encode("utf-8"))
        return all(group & found for group in needs) and not any(group & found for group in bars)

    def _found(self, shard: str, data: bytes) -> set[int]:
        # Several rules hit one sentence, one after the other.
        if self._last[:2] != (shard, data):
            self._last = (shard, data, self._set(shard).found_in(data))
        return self._last[2]


def _pattern(name: str, expressions: Words, shard: str, caseless: bool = True) -> Pattern:
    return Pattern(name, expressions[0], caseless, expressions[1:], shard)


def surroundings(data: bytes, start: int, end: int) -> tuple[str, int, int]:
    """The text around a hit, and the hit's place in it in characters. Bounded, so that hits in long texts stay cheap."""
    low, high = max(0, start - NEARBY), min(len(data), end + NEARBY)
    before = data[low:start].decode("utf-8", "ignore")
    hit = data[start:end].decode("utf-8", "ignore")
    return before + hit + data[end:high].decode("utf-8", "ignore"), len(before), len(before) + len(hit)
