"""Rule packs on the command line: which there are, and whether they pass their own tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from filters.contract import ConfigError
from filters.narrative.packs import built_in, locate, read, rules_of
from filters.narrative.selftest import test_pack
from pipelines.errors import UsageError


def tested(packs: Sequence[str]) -> tuple[str, bool]:
    """One line a pack, with its failures below it; and whether all pass. Raises UsageError for one that cannot be read."""
    lines, passed = [], True
    try:
        for name in packs or built_in():
            path = locate(name)
            pack = read(path)
            failures = test_pack(path)
            passed &= not failures
            examples = sum(len(r.match) + len(r.no_match) for r in pack.rules)
            told = f"{len(pack.rules)} rules, {examples} examples, {len(pack.controls)} controls"
            lines.append(
                f"{pack.name} {pack.version}: {f'{len(failures)} failures' if failures else 'passes'} ({told})"
            )
            lines += [f"  {failure}" for failure in failures]
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return "\n".join(lines), passed


def listed() -> str:
    """The packs that come with the package."""
    lines = []
    for name in built_in():
        pack = read(locate(name))
        languages = Counter(r.rule.lang or r.shard for r in rules_of(pack))
        spoken = ", ".join(f"{n} {language}" for language, n in languages.most_common())
        lines += [f"{name} {pack.version}: {pack.about}", f"  {len(pack.rules)} rules: {spoken}"]
    return "\n".join(lines)
