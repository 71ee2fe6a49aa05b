"""Brings the generated parts of the docs up to date: options, reasons and scores of every filter, and the recipe's sections.

python docs/generate.py            # writes
python docs/generate.py --check    # says what is out of date, and exits with 1
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from filters import registry
from filters.contract import Filter
from filters.reading import ReadFilter
from pipelines import gates, recipe
from pipelines.cli.show import option_rows, struct_rows
from pipelines.executors.options import Executor
from pipelines.provenance.about import About

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"(<!-- generated: (?P<what>[\w.]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def main() -> int:
    stale = [page for page in sorted(DOCS.rglob("*.md")) if _filled(page) != page.read_text("utf-8")]
    if "--check" in sys.argv:
        for page in stale:
            print(f"{page.relative_to(DOCS.parent)} is out of date: run `make docs`")
        return bool(stale)
    for page in stale:
        page.write_text(_filled(page), "utf-8")
        print(f"wrote {page.relative_to(DOCS.parent)}")
    return 0


def _filled(page: Path) -> str:
    def block(match: re.Match) -> str:
        return match.group(1) + _content(match.group("what"), page) + match.group(3)

    return BLOCK.sub(block, page.read_text("utf-8"))


def _content(what: str, page: Path) -> str:
    if what == "options":
        return _filter(registry.load(page.stem))
    if what == "read":
        return _filter(ReadFilter)
    if what == "filters":
        rows = [(f"[{n}](filters/{n}.md)", registry.load(n).summary) for n in registry.names()]
        return _table(("filter", "what it does"), rows)
    if what == "retunable":
        return _table(("filter", "options"), list(_retunable()))
    if what == "gates":
        return _table(("measure", "what it is"), [(f"`{m}`", told) for m, told in gates.MEASURES.items()])
    if what == "faults":
        return _faults(json.loads((DOCS / "operations" / "faults.json").read_text("utf-8")))
    section = {
        "about": About,
        "input": recipe.Input,
        "output": recipe.Output,
        "work": recipe.Work,
        "executor": Executor,
    }[what]
    return _options(struct_rows(section))


def _retunable() -> Iterator[tuple[str, str]]:
    for name in registry.names():
        found = registry.load(name)
        if found.measured_with is not None:
            free = [o for o in found.Options.__struct_fields__ if o not in found.measured_with]
            yield f"[{name}](filters/{name}.md)", ", ".join(f"`{o}`" for o in free)


def _faults(rows: dict[str, dict[str, str]]) -> str:
    """A table for each group, in the order in which the tests declare them."""
    told = []
    for group in dict.fromkeys(row["group"] for row in rows.values()):
        those = [(r["fault"], r["exit"], r["left"], r["said"]) for r in rows.values() if r["group"] == group]
        told.append(f"## {group}\n\n" + _table(("what happens", "exit code", "stands there", "what it says"), those))
    return "\n" + "\n".join(told)


def _filter(found: type[Filter]) -> str:
    options = _options(option_rows(found)) if found.Options.__struct_fields__ else "It has no options.\n"
    reasons = _table(("reason", "meaning"), [(f"`{c}`", m) for c, m in found.reasons.items()])
    scores = _table(("score", "type"), [(f"`{n}`", str(t)) for n, t in found.scores.items()])
    return f"\n{options}\nReasons, the most severe first:\n\n{reasons}\nScores in the annotations:\n\n{scores}\n"


def _options(rows: list[tuple[str, str, str, str]]) -> str:
    return _table(("option", "default", "what it does"), [(f"`{n}`", f"`{d}`", told) for n, _, d, told in rows])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in line) + " |\n" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
