"""Results, plans and filters as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, get_args, get_type_hints

import msgspec

from filters import registry
from filters.contract import ConfigError, Filter
from filters.reading import ReadFilter
from pipelines import packs, stores
from pipelines.errors import UsageError
from pipelines.lineage import CURRENT, STALE, Node
from pipelines.provenance.page import ORIGINS
from pipelines.recipe import Recipe
from pipelines.run import Result
from pipelines.units import Plan


def result(done: Result) -> str:
    """The funnel, and where things are."""
    told = done.manifest
    records = told["records"]
    lines = [
        f"{told['name']}: {records['kept']:,} of {records['read']:,} records kept"
        + ("" if done.did else "  (nothing to do: everything was done already)"),
        "",
    ]
    left = records["read"]
    width = max(len(f["name"]) for f in told["filters"])
    lines.append(f"  {'in':<{width}}  {left:>12,}")
    for f in told["filters"]:
        if f["name"] == "read" and not f["rejected_first"]:
            continue
        left -= f["rejected_first"]
        reasons = sorted(f["reasons"].items(), key=lambda e: -e[1]["first"])[:3]
        shown = ", ".join(f"{code} {n['first']:,}" for code, n in reasons if n["first"])
        edits = ", ".join(f"{label} {n:,}" for label, n in sorted(f["edits"].items(), key=lambda e: -e[1])[:4])
        note = shown + (f"{'; ' if shown else ''}replaced {edits}" if edits else "")
        lines.append(f"  {f['name']:<{width}}  {left:>12,}  -{f['rejected_first']:<8,} {note}".rstrip())
    data = f"{done.url}versions/{told['digest']}/data/" if done.url else done.out / "data"
    lines += [
        "",
        f"  data      {data}",
        f"  manifest  {f'{done.url}manifest.json' if done.url else done.out / 'manifest.json'}",
        f"  report    {done.out / 'report.html'}",
        *([f"  state     {done.out}"] if done.url else []),
    ]
    return "\n".join(lines)


def plan(recipe: Recipe) -> str:
    """Shards, schemas and work; nothing is written."""
    from pipelines import shards
    from pipelines.ledger import STATE, Ledger
    from pipelines.run import place, plan_of

    found = shards.find(recipe.input.path, recipe.input.augment)
    out = place(recipe)
    ledger = Ledger(out) if out and (out / STATE).is_dir() else None
    made = plan_of(recipe, found, ledger)
    todo = made.units.where(~packs.of(ledger, made.keys, pack=False).done) if ledger else made.units
    lines = [f"recipe {recipe.name} ({recipe.fingerprint()[:12]})"]
    lines += [f"  {s.name:<14} {_options(s.options)}".rstrip() for s in recipe.stages]
    files = [s for s in found if not s.augment]
    lines.append(f"input {recipe.input.path}: {len(files)} shards, {sum(s.size for s in files) / 1e6:,.1f} MB")
    if recipe.input.augment:
        lines.append(f"  each is read a second time: {recipe.input.augment} copies of what can be swapped")
    for kind in made.kinds():
        columns = kind.columns
        told = ", ".join(f"{standard} = {column}" for standard, column in columns.mapping.items())
        lines.append(f"  {columns.name}: {kind.shards} shards ({kind.first}{', …' if kind.shards > 1 else ''}); {told}")
        if columns.metadata:
            lines.append(f"    other text, scanned for personal data only: {', '.join(columns.metadata)}")
        unused = [n for n in kind.schema.names if n not in columns.metadata and n not in columns.mapping.values()]
        if unused:
            lines.append(f"    carried along: {', '.join(unused)}")
    if len(made.kinds()) > 1:
        lines.append("  note: shards differ in schema; load_dataset will offer one configuration for each")
    lines += _unread(made)
    if others := sorted(shards.others(recipe.input.path)):
        lines.append(f"  passed over: {shards.passed_over(others)}")
    lines += _uncut(made, recipe.work.unit_bytes)
    rows = int(todo.rows.clip(min=0).sum())
    more = ", and copies of them" if recipe.input.augment and any(u.shard.augment for u in todo) else ""
    lines.append(f"work: {len(todo)} of {len(made.units)} units to do, {rows:,} records{more}")
    lines.append(
        f"output {recipe.output.path}, state {out}"
        if stores.is_url(recipe.output.path)
        else f"output {out}"
        if out
        else "output: none given (--output)"
    )
    return "\n".join(lines)


def _unread(made: Plan) -> Iterator[str]:
    """Shards that cannot be read, those with the same fault together."""
    by_fault: dict[str, list[str]] = {}
    for name, why in made.failed.items():
        by_fault.setdefault(why, []).append(name)
    for why, names in by_fault.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        yield f"  cannot be read: {names[0]}{more}: {why}"


LARGE = 4
"""Units of so many times ``work.unit_bytes`` are worth a word: one worker is busy with them while others have nothing to do."""


def _uncut(made: Plan, unit_bytes: int) -> Iterator[str]:
    """Units that nothing can cut."""
    large = made.units.where(made.units.bytes > LARGE * unit_bytes).largest_first()
    if len(large):
        first = large[0]
        what = "row group" if first.shard.kind == "parquet" else "file of its format"
        more = f"; {len(large) - 1} more are too" if len(large) > 1 else ""
        yield (
            f"  note: a {what} of {first.shard.name} is {first.part.bytes / 1e6:,.0f} MB, which one worker does alone, as a {what} "
            f"is not cut{more}: write them in row groups of at most {unit_bytes / 1e6:,.0f} MB"
        )


def family(node: Node, *, as_json: bool = False) -> str:
    """A family tree, parents below their child."""
    if as_json:
        return json.dumps(asdict(node), indent=2)

    def lines(node: Node, depth: int) -> Iterator[str]:
        told = f"{node.name}  {node.data_digest[:12]}  {node.state}" + (f": {node.why}" if node.why else "")
        yield f"{'  ' * depth}{told}"
        yield f"{'  ' * depth}  {node.path}, read from {node.sources:,} shards"
        if not node.parents and node.state in (CURRENT, STALE):
            yield f"{'  ' * depth}  origin: {', '.join([ORIGINS[node.origin], *node.named])}"
        for parent in node.parents:
            yield from lines(parent, depth + 1)

    return "\n".join(lines(node, 0))


def these_filters() -> str:
    rows = [("read", ReadFilter)] + [(n, registry.load(n)) for n in registry.names()]
    return "\n".join(f"{name:<12} {filter_.summary}" for name, filter_ in rows)


def one_filter(name: str) -> str:
    """Options with defaults, reasons and scores of a filter."""
    try:
        found = ReadFilter if name == "read" else registry.load(name)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    lines = [f"{name}: {found.summary}", "", "options"]
    lines += [f"  {n} = {default}\n      {told}" for n, _, default, told in option_rows(found)] or ["  none"]
    lines += ["", "reasons, the most severe first", *(f"  {c}\n      {m}" for c, m in found.reasons.items())]
    lines += ["", "scores", *(f"  {n} ({t})" for n, t in found.scores.items())]
    return "\n".join(lines)


def option_rows(found: type[Filter]) -> list[tuple[str, str, str, str]]:
    """(name, type, default as YAML-like text, description) of each option."""
    return struct_rows(found.Options)


def struct_rows(kind: type[Any]) -> list[tuple[str, str, str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(kind):
        annotation = hints[field.name]
        metas = [a for a in get_args(annotation) if isinstance(a, msgspec.Meta)]
        told = " ".join(m.description for m in metas if m.description)
        base = get_args(annotation)[0] if metas else annotation
        rows.append((field.name, _type(base), _default(field), told))
    return rows


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "(must be given)"
    return _yaml(field.default_factory() if field.default is msgspec.NODEFAULT else field.default)


def _type(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation)) if not get_args(annotation) else str(annotation)


def _yaml(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _options(options: Any) -> str:
    defaults = type(options)()
    changed = {n: getattr(options, n) for n in options.__struct_fields__ if getattr(options, n) != getattr(defaults, n)}
    return ", ".join(f"{n}={_yaml(v)}" for n, v in changed.items())
