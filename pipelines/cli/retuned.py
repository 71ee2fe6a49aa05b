"""What a retuning found, as a table for a terminal or as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pipelines.retune import Example, Outcome, Retuned

REASONS_SHOWN = 8


def as_text(found: Retuned) -> str:
    """One line a setting; for a single setting also what changes by reason, and records to look at."""
    lines = [f"{found.out}: {found.before.kept:,} of {found.before.read:,} records kept as published", ""]
    lines += _table(found)
    if len(found.after) == 1:
        lines += ["", *_reasons(found.before, found.after[0])]
        lines += _examples(found.after[0])
    return "\n".join(lines)


def as_json(found: Retuned) -> str:
    def told(outcome: Outcome) -> dict[str, Any]:
        return {
            "set": list(outcome.settings),
            "read": outcome.read,
            "kept": outcome.kept,
            "newly_kept": outcome.newly_kept,
            "newly_rejected": outcome.newly_rejected,
            "first": [{"filter": f, "reason": r, "records": n} for (f, r), n in sorted(outcome.first.items())],
            "examples": {side: [asdict(e) for e in outcome.examples(side)] for side in ("kept", "rejected")},
        }

    document = {"output": str(found.out), "before": told(found.before), "after": [told(o) for o in found.after]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _table(found: Retuned) -> Iterator[str]:
    width = max(len("setting"), *(len(_setting(o)) for o in found.after))
    yield f"  {'setting':<{width}}  {'kept':>12}  {'share':>7}  {'newly kept':>12}  {'newly rejected':>14}"
    for outcome in found.after:
        share = outcome.kept / outcome.read if outcome.read else 0.0
        yield (
            f"  {_setting(outcome):<{width}}  {outcome.kept:>12,}  {share:>7.2%}  "
            f"{outcome.newly_kept:>12,}  {outcome.newly_rejected:>14,}"
        )


def _setting(outcome: Outcome) -> str:
    return " ".join(outcome.settings)


def _reasons(before: Outcome, after: Outcome) -> Iterator[str]:
    changed = sorted(
        (key for key in {*before.first, *after.first} if before.first[key] != after.first[key]),
        key=lambda key: (-abs(after.first[key] - before.first[key]), key),
    )
    if not changed:
        yield "  no verdict changes"
        return
    yield "  rejected first by"
    for key in changed[:REASONS_SHOWN]:
        yield f"    {': '.join(key):<44} {before.first[key]:>10,} -> {after.first[key]:,}"
    if len(changed) > REASONS_SHOWN:
        yield f"    and {len(changed) - REASONS_SHOWN} more"


def _examples(after: Outcome) -> Iterator[str]:
    for side in ("kept", "rejected"):
        if shown := after.examples(side):
            yield ""
            yield f"  newly {side}, for example"
            for example in shown:
                yield from _example(example)
    if after.newly_kept or after.newly_rejected:
        sets = " ".join(f"--set '{s}'" for s in after.settings)
        yield ""
        yield f"  to read one: corpusmill explain RECIPE --input INPUT {sets} SHARD:ROW"


def _example(example: Example) -> Iterator[str]:
    yield f"    {example.shard}:{example.row}  ({example.record_id})  {example.was} -> {example.now}"
    for name, scores in example.scores.items():
        yield f"      {name}: {_scores(scores)}"


def _scores(scores: Mapping[str, Any]) -> str:
    """Those that are not nothing."""
    shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in scores.items() if v)
    return ", ".join(shown) or "nothing"
