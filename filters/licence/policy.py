"""What a recipe allows: categories, single licences, and which branch of an OR is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from filters.contract import ConfigError
from filters.licence.expressions import Normaliser, checked
from filters.licence.library import Library, load, matches

PRESETS: Mapping[str, tuple[str, ...]] = {
    "public-domain": ("public-domain",),
    "permissive": ("public-domain", "permissive"),
    "attribution": ("public-domain", "permissive", "attribution"),
    "share-alike": (
        "public-domain", "permissive", "attribution", "weak-share-alike", "share-alike", "network-share-alike",
    ),
    "research": (
        "public-domain", "permissive", "attribution", "weak-share-alike", "share-alike", "network-share-alike",
        "use-restricted", "non-commercial",
    ),
    "all-known": (
        "public-domain", "permissive", "attribution", "weak-share-alike", "share-alike", "network-share-alike",
        "use-restricted", "non-commercial", "no-derivatives", "proprietary",
    ),
}  # fmt: skip

DENIED = "denied"
REASON_OF = {
    DENIED: "licence_denied",
    "proprietary": "licence_proprietary",
    "no-derivatives": "licence_no_derivatives",
    "non-commercial": "licence_non_commercial",
    "use-restricted": "licence_use_restricted",
    "network-share-alike": "licence_share_alike",
    "share-alike": "licence_share_alike",
    "weak-share-alike": "licence_share_alike",
    "attribution": "licence_not_allowed",
    "permissive": "licence_not_allowed",
    "public-domain": "licence_not_allowed",
    "pending": "licence_pending",
    "unknown": "licence_unknown",
}


@dataclass(frozen=True)
class Choice:
    """How an expression can be kept to. licences: those taken; fault: the greatest category that is not allowed, or None."""

    licences: frozenset[str]
    fault: str | None = None


class Policy:
    """An options object made ready. The same for the same options, so it can decide again from scores."""

    def __init__(self, options: Any) -> None:
        self.library: Library = load(options.aliases)
        self.normaliser = Normaliser(self.library, options.list_means)
        self.normaliser.check_aliases(options.aliases)
        self.allowed = frozenset(_categories(options, self.library))
        self.declared = checked(self.normaliser, options.declared, "declared") if options.declared else None
        self.allow = self._listed(options.allow, "allow")
        self.deny = self._listed(options.deny, "deny")
        self.choice = lru_cache(maxsize=1 << 16)(self._choice)

    def category(self, licences: frozenset[str]) -> str:
        """The greatest of the categories of several licences."""
        found = {c for licence in licences for c in self.library.terms(licence).categories}
        return max(found, key=self.library.burden)

    def lightest(self, expression: str) -> str:
        """Category of an expression whatever is allowed: of the branch with the least burden."""
        return self.category(self._walk(self.normaliser.parsed(expression), judged=False).licences)

    def _choice(self, expression: str) -> Choice:
        """Of the branches that are allowed, the one that asks for least; else, of all, the one that is least at fault."""
        if expression in self.deny:
            return Choice(frozenset([expression]), DENIED)
        found = self._walk(self.normaliser.parsed(expression), judged=True)
        return Choice(found.licences) if expression in self.allow else found

    def _walk(self, node: Any, *, judged: bool) -> Choice:
        if not node.args:
            licence = node.render()
            return Choice(frozenset([licence]), self._fault(licence) if judged else None)
        parts = [self._walk(a, judged=judged) for a in node.args]
        if type(node).__name__ == "OR":
            return min(parts, key=self._order)
        licences = frozenset().union(*(p.licences for p in parts))
        return Choice(licences, max((p.fault for p in parts), key=self._rank))

    def _fault(self, licence: str) -> str | None:
        if self._on(licence, self.deny):
            return DENIED
        if self._on(licence, self.allow):
            return None
        wrong = [c for c in self.library.terms(licence).categories if c not in self.allowed]
        return max(wrong, key=self.library.burden, default=None)

    def _on(self, licence: str, listed: frozenset[str]) -> bool:
        return licence in listed or matches(licence, [g for g in listed if g.endswith("*")])

    def _rank(self, fault: str | None) -> int:
        return -1 if fault is None else 1000 if fault == DENIED else self.library.burden(fault)

    def _order(self, choice: Choice) -> tuple[int, int, int, list[str]]:
        asked = {o for licence in choice.licences for o in self.library.terms(licence).obligations}
        burden = self.library.burden(self.category(choice.licences))
        return self._rank(choice.fault), burden, len(asked), sorted(choice.licences)

    def _listed(self, values: tuple[str, ...], option: str) -> frozenset[str]:
        """Canonical expressions, and globs that must match something."""
        out = set()
        for value in values:
            if not value.endswith("*"):
                out.add(checked(self.normaliser, value, option))
            elif any(matches(licence, [value]) for licence in self.library.known):
                out.add(value)
            else:
                raise ConfigError(f"licence: {option}: {value!r:.60} matches no licence; ids are written as in CC-BY-*")
        return frozenset(out)


@lru_cache(maxsize=16)
def _made(options: Any, _digest: str) -> Policy:
    return Policy(options)


def of(options: Any, digest: str = "") -> Policy:
    """The policy of some options; digest: of the user's file, so that a changed one is read again."""
    return _made(options, digest)


def _categories(options: Any, library: Library) -> list[str]:
    if options.policy not in PRESETS:
        raise ConfigError(f"licence: no policy {options.policy!r:.40}{_near(options.policy, PRESETS)}")
    for given in options.categories:
        if given not in library.categories:
            raise ConfigError(f"licence: no category {given!r:.40}{_near(given, library.categories)}")
    kept = [c for c in ("unknown", "pending") if getattr(options, c) == "keep"]
    return [*(options.categories or PRESETS[options.policy]), *kept]


def _near(name: str, names: Any) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(names), n=1)
    return (f" (did you mean {close[0]!r}?)" if close else "") + f"; there are {', '.join(names)}"
