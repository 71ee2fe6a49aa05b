"""Units that fail again and again are set aside, so that a scheduled job does not spend its night on them.

**Only what the unit itself caused counts**: a full disk or a missing model fails every unit, and says nothing about one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.ledger import Ledger
from pipelines.units import Unit

FILE = "failures.json"
ATTEMPTS = 2


@dataclass(frozen=True)
class Failure:
    """why: one line. own: whether the unit itself is to blame. fatal: whether every other unit would meet it too."""

    why: str
    own: bool
    fatal: bool = False


def noted(ledger: Ledger) -> dict[str, Failure]:
    """What workers told of units they could not do, by key. A line that was cut short with its worker tells nothing."""
    found: dict[str, Failure] = {}
    for path in sorted((ledger.root / "progress").glob("*.failed")):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                found[told["key"]] = Failure(told["why"], told["own"], told["fatal"])
    return found


def held(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Units set aside: key -> shard, why, times."""
    return {key: told for key, told in ledger.load(FILE).items() if told["times"] >= ATTEMPTS}


def note(ledger: Ledger, planned: Sequence[Unit], tried: Sequence[Unit], failures: Mapping[str, Failure]) -> None:
    """Remember what failed; forget what was done, and what is no work any more."""
    before = ledger.load(FILE)
    tried_keys, here = ({u.key for u in units if u.key in before} if before else set() for units in (tried, planned))
    told = {key: entry for key, entry in before.items() if key in here and (key not in tried_keys or key in failures)}
    for unit in tried if failures else ():
        failure = failures.get(unit.key)
        if failure is not None and failure.own:
            times = before.get(unit.key, {}).get("times", 0) + 1
            told[unit.key] = {"shard": unit.shard.name, "why": failure.why, "times": times}
    if told != before:
        ledger.save(FILE, told)


def release(ledger: Ledger, shards: Sequence[str] = ()) -> list[str]:
    """Let units be tried again, of these shards or of all; the shards they are of. The caller holds the lock."""
    told = ledger.load(FILE)
    free = {key: entry for key, entry in told.items() if not shards or entry["shard"] in shards}
    if free:
        ledger.save(FILE, {key: entry for key, entry in told.items() if key not in free})
    return sorted({entry["shard"] for entry in free.values() if entry["times"] >= ATTEMPTS})
