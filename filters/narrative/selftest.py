"""A pack's own tests: what its rules must match, must not match, and the controls that must be kept."""

from __future__ import annotations

from pathlib import Path

from filters.narrative.packs import Example, example, read, rules_of
from filters.narrative.voice import Voice

MIN_WEIGHT = 2


def test_pack(path: str | Path) -> list[str]:
    """Every failure in one line; an empty list means that the pack passes. Raises ConfigError if it cannot be read."""
    pack = read(Path(path))
    rules = rules_of(pack)
    voice = Voice(rules)
    failures: list[str] = []
    for rule in pack.rules:
        key = f"{pack.name}/{rule.id}"
        if not rule.match:
            failures.append(f"{key}: has no example that must match")
        for wanted, examples in ((True, rule.match), (False, rule.no_match)):
            for given in map(example, examples):
                hits = [h for h in voice.hits_in(given.text, given.prompt, rule.where[0]) if rules[h.rule].key == key]
                counted = any(h.excuse is None for h in hits)
                if counted != wanted:
                    why = f" (excused: {hits[0].excuse})" if hits and wanted else ""
                    failures.append(f"{key}: {'must' if wanted else 'must not'} match{why}: {given.text}")
    dropped = [(c, names) for c in map(example, pack.controls) if (names := _dropping(voice, c, rules))]
    if len(dropped) > pack.bound * len(pack.controls):
        failures += [f"{pack.name}: control dropped by {', '.join(names)}: {c.text}" for c, names in dropped]
    return failures


test_pack.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for one of its own


def _dropping(voice: Voice, control: Example, rules: list) -> list[str]:
    hits = {h.rule for h in voice.hits_in(control.text, control.prompt) if h.excuse is None}
    return [rules[r].name for r in sorted(hits)] if sum(rules[r].rule.weight for r in hits) >= MIN_WEIGHT else []
