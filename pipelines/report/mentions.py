"""Who is mentioned: records by axis and group, from the rules ``axis.group:identifier`` of a mentions filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Html, Section, bar, details, percent, plain, table, text

IDENTIFIERS = 25


def section(told: Mapping[str, Any]) -> Section:
    found = next((f for f in told["filters"] if f["name"] == "mentions"), None)
    return Section("mentions", "Who is mentioned", _body(found, told["records"]["read"]) if found else "")


def _body(f: Mapping[str, Any], read: int) -> str:
    axes: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for rule, n in f["rules"].items():
        group, _, identifier = rule.partition(":")
        axis, _, group = group.partition(".")
        axes[axis].append((group, identifier, n["records"]))
    intro = (
        "<p>Words that name a group, as they stand on the surface: not who a record is about, nor what it says of them. A record "
        "counts once for each identifier in it.</p>"
    )
    if not axes:
        return f"{intro}<p>No record read mentions any of the groups looked for.</p>"
    return intro + "".join(
        _axis(axis, sorted(found, key=lambda e: (-e[2], e)), read) for axis, found in sorted(axes.items())
    )


def _axis(axis: str, found: list[tuple[str, str, int]], read: int) -> str:
    most: dict[str, int] = {}
    words: dict[str, list[str]] = defaultdict(list)
    for group, identifier, n in found:
        most[group] = max(most.get(group, 0), n)
        words[group].append(identifier)
    rows = [
        (Html(text(group) + bar(n, read).markup), n, percent(n, read), ", ".join(words[group][:3]))
        for group, n in sorted(most.items(), key=lambda e: (-e[1], e[0]))
    ]
    head = ("group", "records at least", "of those read", "most frequent")
    every = [(text_pair(group, identifier), n, percent(n, read)) for group, identifier, n in found[:IDENTIFIERS]]
    listed = table(
        f"{axis}: identifiers", ("identifier", "records", "of those read"), every, limit=IDENTIFIERS, of=len(found)
    )
    return (
        f"<h3>{plain(axis.replace('_', ' ').capitalize())}</h3>"
        + table(f"{axis}: groups", head, rows)
        + details(f"Identifiers: {len(found):,}", listed)
    )


def text_pair(group: str, identifier: str) -> Html:
    return Html(f"{text(identifier)} <small>{text(group)}</small>")
