"""README.md of a dataset: what ``datasets.load_dataset`` needs to find the kept records, and a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from pipelines.units import Plan


def readme(told: Mapping[str, Any], plan: Plan) -> str:
    """One configuration that reads ``data/`` and nothing else; one a schema where shards differ, the largest first."""
    header = yaml.safe_dump({"configs": _configs(told, plan)}, sort_keys=False)
    return f"---\n{header}---\n\n{_page(told)}"


def renewed(standing: str, told: Mapping[str, Any]) -> str:
    """The page with another manifest's figures; its configurations, which say where the files are, stay."""
    header, fence, _ = standing.removeprefix("---\n").partition("---\n")
    return f"---\n{header}---\n\n{_page(told)}" if fence else standing


def _page(told: Mapping[str, Any]) -> str:
    records = told["records"]
    lines = [
        f"# {told['name']}\n",
        f"{records['kept']:,} of {records['read']:,} records kept by the recipe `{told['name']}`.",
        "",
        "| filter | rejects | first to reject |",
        "|---|---:|---:|",
        *(f"| {f['name']} | {f['rejected']:,} | {f['rejected_first']:,} |" for f in told["filters"]),
        "",
        *_licences(told),
        "`data/` holds the kept records, `rejected/` the others with their reasons, `annotations/` a row a record read.",
        "`manifest.json` is the source of truth; `report.html` shows it.",
        "",
    ]
    return "\n".join(lines)


def _licences(told: Mapping[str, Any]) -> list[str]:
    """The kept records' licences, where the recipe asked for them, and what they ask for."""
    section = told.get("summaries", {}).get("licence")
    if not section or not section["licences"]:
        return []
    rows = [
        f"| `{e['expression']}`{' (inside texts)' if e['where'] == 'text' else ''} | {e['records']:,} | {', '.join(e['obligations'])} |"
        for e in section["licences"]
    ]
    conflicts = [f"- {' and '.join(f'`{n}`' for n in c['licences'])}: {c['why']}" for c in section["conflicts"]]
    named = ["Licences that do not go together in one work:", "", *conflicts, ""] if conflicts else []
    return ["| licence | records | asks for |", "|---|---:|---|", *rows, "", *named]


def _configs(told: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    schemas = plan.schemas()
    if len(schemas) <= 1:
        return [{"config_name": "default", "data_files": [{"split": "train", "path": "data/**/*.parquet"}]}]
    outputs: dict[str, list[str]] = {}
    for entry in told["outputs"]:
        if entry["path"].startswith("data/"):
            outputs.setdefault(entry["shard"], []).append(entry["path"])
    names = {s.shard.name: s.columns.name for s in plan.shards}
    configs, taken = [], set()
    for _, shards in schemas:
        base = name = "".join(c if c.isalnum() else "_" for c in names[shards[0]].lower())
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        paths = [p for s in shards for p in outputs.get(s, [])]
        if paths:
            configs.append({"config_name": name, "data_files": [{"split": "train", "path": paths}]})
    return configs
